import type { ByteRange } from '../storage/contract.ts';
import type { Answer, Failure } from './asked.ts';

/** An attempt of a task, as an address of the page names it. */
export interface AskedAttempt {
  flow: string;
  run: string;
  step: string;
  task: string;
  attempt: number;
}

/** A content that a page asks for. */
export interface AskedContent extends AskedAttempt {
  artifact: string;
  /** The path of a file in a directory. */
  entry: string | undefined;
  /** Somebody asked to save it, rather than a page to show it. */
  download: boolean;
}

/** The code of a run that a page asks for. */
export interface AskedCode {
  flow: string;
  run: string;
  /** The path of a file in it; `undefined` for all of it, as an archive. */
  entry: string | undefined;
}

/** A content as it is served: bytes, and what is known of them. */
export interface ServedContent {
  /** The name to save it under. */
  name: string;
  /** The media type by which it may be shown; `undefined` for what is only saved. */
  type: string | undefined;
  /** Its bytes; `undefined` for what is written as it is sent, of which there are no ranges. */
  size: number | undefined;
  /** Tells its bytes from others: equal ones have the same tag. */
  tag: string;
  /** `false` for what may change under its tag. */
  isFixed: boolean;
  /** Its bytes, verified, or a range of them. */
  open(range: ByteRange | undefined, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** What a page asks of a store. Everything ends with `signal`. */
export interface PageHost {
  /** Answers a question by the command line: `argv` without `--json`, whose texts and lists are cut so that the answer fits. Never throws. */
  answer(argv: readonly string[], maxBytes: number, signal: AbortSignal): Promise<Answer<string>>;
  /**
   * Runs a command that goes on until something ends it, and gives what it prints as it comes: of what is there already so much at most.
   * Resolves to the error that ended it.
   */
  follow(
    argv: readonly string[],
    to: { maxBytes: number; write: (piece: Uint8Array) => Promise<void> },
    signal: AbortSignal,
  ): Promise<Failure | undefined>;
  content(asked: AskedContent, signal: AbortSignal): Promise<ServedContent>;
  /** It is only saved, never shown. */
  code(asked: AskedCode, signal: AbortSignal): Promise<ServedContent>;
  /** A report as the HTML that it is. */
  report(asked: AskedAttempt & { name: string }, signal: AbortSignal): Promise<Uint8Array>;
  /** Tells an error as the command line does with `--json`. */
  failureOf(error: unknown): Failure;
}
