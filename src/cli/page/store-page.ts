import { Writable } from 'node:stream';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { formatBytes } from '../../options/figures.ts';
import type { Answer, Failure } from '../../page/asked.ts';
import type { PageHost } from '../../page/page-host.ts';
import { JsonFitter } from '../../views/fitted-json.ts';
import type { CallCommand } from '../invocation.ts';
import type { SharedStore } from '../shared-store.ts';
import { toldError } from '../ui/report.ts';
import { servedCode } from './code-content.ts';
import { openAttempt, servedContent } from './page-contents.ts';

/** Errors are a few lines; the names that one tells of may be many, and are cut. */
const MAX_STDERR_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 50_000;
/** What is around a result and an error. */
const ENVELOPE_BYTES = 100;

/** Answers what a page asks by the commands of the command line, on a store that is opened once. */
export function storePage(shared: SharedStore, call: CallCommand): PageHost {
  const run = async (
    argv: readonly string[],
    stdout: Writable,
    signal: AbortSignal,
  ): Promise<Failure | undefined> => {
    const stderr = new Gathered(MAX_STDERR_BYTES);
    await call(['--json', ...argv], { stdout, stderr }, signal, shared);
    if (stderr.isTooLong) return tooLarge(MAX_STDERR_BYTES);
    return stderr.text === '' ? undefined : short((JSON.parse(stderr.text) as { error: Failure }).error);
  };
  return {
    async answer(argv, maxBytes, signal): Promise<Answer<string>> {
      const ending = new LinkedAbort(signal);
      const stdout = new Gathered(maxBytes, () => ending.abort('pipe closed'));
      try {
        const maxResultBytes = maxBytes - MAX_ERROR_BYTES - ENVELOPE_BYTES;
        const error = await run([`--fit=${maxResultBytes}`, ...argv], stdout, ending.signal);
        if (stdout.isTooLong) return { error: tooLarge(maxBytes) };
        return { ...(stdout.text === '' ? {} : { result: stdout.text }), ...(error ? { error } : {}) };
      } finally {
        ending.release();
      }
    },
    follow(argv, { maxBytes, write }, signal): Promise<Failure | undefined> {
      const stdout = new Writable({
        write: (piece: Buffer, _encoding, done) => {
          write(piece).then(() => done(), done);
        },
      });
      stdout.on('error', () => {}); // whoever reads is gone, and its signal ends the command
      return run([`--fit=${maxBytes - MAX_ERROR_BYTES - ENVELOPE_BYTES}`, ...argv], stdout, signal);
    },
    content: (asked, signal) => shared.use((opened) => servedContent(opened, asked, shared.values, signal)),
    code: (asked, signal) => shared.use((opened) => servedCode(opened, asked, signal)),
    report: (asked, signal) =>
      shared.use(async (opened) => {
        const task = await openAttempt(opened, asked, signal);
        return task.loadReport(asked.name, { signal });
      }),
    failureOf: (error) => short(toldError(error)),
  };
}

/** An error whose message and details are cut where they are long. */
function short(error: Failure): Failure {
  return new JsonFitter().fit(error, MAX_ERROR_BYTES);
}

function tooLarge(maxBytes: number): Failure {
  const message = `The answer is longer than ${formatBytes(maxBytes)}, which is the most that the page loads at once. Ask for less: by a filter, or a limit.`;
  return { code: 'ANSWER_TOO_LARGE', message, details: { maxBytes } };
}

/** Keeps what a command writes, so much of it at most. */
class Gathered extends Writable {
  readonly #maxBytes: number;
  readonly #onTooLong: () => void;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, onTooLong: () => void = () => {}) {
    super();
    this.#maxBytes = maxBytes;
    this.#onTooLong = onTooLong;
  }

  get isTooLong(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  get text(): string {
    return Buffer.concat(this.#pieces).toString('utf8');
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const wasTooLong = this.isTooLong;
    this.#bytes += piece.length;
    if (!this.isTooLong) this.#pieces.push(piece);
    else if (!wasTooLong) {
      this.#pieces = [];
      this.#onTooLong();
    }
    done();
  }
}
