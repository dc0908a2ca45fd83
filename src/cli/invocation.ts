import { isStowageError, StowageError } from '../errors.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { SharedStore } from './shared-store.ts';
import type { Output, OutputStream } from './ui/output.ts';
import { ProgressLine, type ProgressStream } from './ui/progress.ts';
import type { LongWork } from './ui/progress-line.ts';
import type { ReportStream } from './ui/report.ts';
import { WaitingNotice } from './waiting-notice.ts';

/** The options of every command. */
export interface CommonOptions {
  /** The store's address. */
  store?: string;
  json?: boolean;
  /** The bytes that the document of `--json` may take. */
  fit?: string;
  color: boolean;
  debug?: boolean;
}

/** Where another command writes. */
interface CommandStreams {
  stdout: OutputStream;
  stderr: ReportStream;
}

/** Runs another command, on a store that is open where one is given, and resolves to its exit code; never throws. */
export type CallCommand = (
  argv: readonly string[],
  streams: CommandStreams,
  signal: AbortSignal,
  shared?: SharedStore,
) => Promise<number>;

/** One call of the command line: where results go, what ends it early, and what could not be read on the way. */
export class Invocation {
  readonly options: CommonOptions;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** The exit code, if nothing goes wrong. */
  exitCode: number = EXIT.ok;
  readonly #failures: Error[] = [];
  readonly #notes: (text: string) => void;
  /** Is told of the calls that wait for a storage. */
  readonly waiting: WaitingNotice = new WaitingNotice((text) => this.note(text));
  readonly #progress: ProgressLine;
  /** Runs another command within this one. */
  readonly call: CallCommand;
  /** The store that is open for commands which run within another; absent where the command opens its own. */
  readonly shared: SharedStore | undefined;
  readonly #atEnd: (() => void)[] = [];

  constructor(
    options: CommonOptions,
    {
      output,
      signal,
      note,
      stderr,
      call,
      shared,
    }: {
      output: Output;
      signal: AbortSignal;
      note: (text: string) => void;
      stderr: ProgressStream;
      call: CallCommand;
      shared?: SharedStore | undefined;
    },
  ) {
    this.call = call;
    this.shared = shared;
    this.options = options;
    this.output = output;
    this.signal = signal;
    this.#notes = note;
    this.#progress = new ProgressLine(stderr, { json: options.json === true, color: options.color });
  }

  get json(): boolean {
    return this.options.json === true;
  }

  /** A sentence on the standard error that is no error; with `--json` nothing is said. */
  note(text: string): void {
    if (!this.json) this.#notes(text);
  }

  /** Tells on a terminal how far the command has come. `work` is asked for only if it is shown. */
  progress(work: () => LongWork): void {
    this.#progress.update(work);
  }

  /** Has `work` done once the command has ended. */
  atEnd(work: () => void): void {
    this.#atEnd.push(work);
  }

  /** Nothing more comes of the command but its errors. */
  end(): void {
    for (const work of this.#atEnd.splice(0)) work();
    this.waiting.end();
    this.#progress.end();
  }

  /** Something could not be read, and what else was asked for is shown all the same. */
  failed(error: Error): void {
    this.#failures.push(error);
  }

  /** The error to report once everything else was shown, and its exit code. */
  summary(): { error: Error; exitCode: number } | undefined {
    const worst = this.#failures.find((error) => exitCodeOf(error) === EXIT.corruption) ?? this.#failures[0];
    if (worst === undefined) return undefined;
    const exitCode = exitCodeOf(worst) === EXIT.corruption ? EXIT.corruption : EXIT.partial;
    const others = this.#failures.length - 1;
    if (others === 0 || !isStowageError(worst)) return { error: worst, exitCode };
    const { code, details } = worst;
    const message = `${worst.message} (And ${others} more that could not be read.)`;
    return {
      error: new StowageError(code, message, { details: { ...details, others }, cause: worst }),
      exitCode,
    };
  }
}
