import { Writable } from 'node:stream';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { formatBytes } from '../../options/figures.ts';
import type { Answer, Failure } from '../../page/asked.ts';
import type { PageHost } from '../../page/page-host.ts';
import type { CallCommand } from '../invocation.ts';
import type { SharedStore } from '../shared-store.ts';
import { toldError } from '../ui/report.ts';
import { openAttempt, servedContent } from './page-contents.ts';

/** Errors are a few lines. */
const MAX_ERROR_BYTES = 1024 * 1024;

/** Answers what a page asks by the commands of the command line, on a store that is opened once. */
export function storePage(shared: SharedStore, call: CallCommand): PageHost {
  const run = async (
    argv: readonly string[],
    stdout: Writable,
    signal: AbortSignal,
  ): Promise<Failure | undefined> => {
    const stderr = new Gathered(MAX_ERROR_BYTES);
    await call(['--json', ...argv], { stdout, stderr }, signal, shared);
    return stderr.text === '' ? undefined : (JSON.parse(stderr.text) as { error: Failure }).error;
  };
  return {
    async answer(argv, maxBytes, signal): Promise<Answer<string>> {
      const ending = new LinkedAbort(signal);
      const stdout = new Gathered(maxBytes, () => ending.abort('pipe closed'));
      try {
        const error = await run(argv, stdout, ending.signal);
        if (stdout.isTooLong) return { error: tooLarge(maxBytes) };
        return { ...(stdout.text === '' ? {} : { result: stdout.text }), ...(error ? { error } : {}) };
      } finally {
        ending.release();
      }
    },
    follow(argv, write, signal): Promise<Failure | undefined> {
      const stdout = new Writable({
        write: (piece: Buffer, _encoding, done) => {
          write(piece).then(() => done(), done);
        },
      });
      stdout.on('error', () => {}); // whoever reads is gone, and its signal ends the command
      return run(argv, stdout, signal);
    },
    content: (asked, signal) => shared.use((opened) => servedContent(opened, asked, signal)),
    report: (asked, signal) =>
      shared.use(async (opened) => {
        const task = await openAttempt(opened, asked, signal);
        return task.loadReport(asked.name, { signal });
      }),
    failureOf: toldError,
  };
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
