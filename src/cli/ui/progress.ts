import type { Writable } from 'node:stream';
import { coloured, hasColours, type Paint, plain } from './paint.ts';
import { type LongWork, progressLine } from './progress-line.ts';

const FIRST_AFTER_MS = 400;
const EVERY_MS = 90;

/** Where progress is shown: the standard error. */
export type ProgressStream = Writable & { isTTY?: boolean; columns?: number };

/** Those that have a line on the standard error. */
const shown = new Set<ProgressLine>();

/** Makes room for another line, which would else begin behind a line of progress; that comes back with its next step. */
export function clearProgress(): void {
  for (const progress of shown) progress.clear();
}

/**
 * True if a stream gets lines of progress: a terminal that can take a line back, unless a program reads the output (`--json`), or nobody
 * looks (`CI`).
 */
export function showsProgress(
  stream: { isTTY?: boolean },
  json: boolean,
  { TERM, CI }: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  const isUnwatched = CI !== undefined && !['', '0', 'false'].includes(CI);
  return stream.isTTY === true && TERM !== 'dumb' && !json && !isUnwatched;
}

/** One line on the standard error that tells how far long work has come. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #isShown: boolean;
  readonly #paint: Paint;
  readonly #startedAt: number = performance.now();
  #shownAt = 0;
  #isOver = false;

  constructor(stream: ProgressStream, options: { json: boolean; color: boolean }) {
    this.#stream = stream;
    this.#isShown = showsProgress(stream, options.json);
    this.#paint = hasColours(stream, options.color) ? coloured : plain;
  }

  /** `work` is asked for only if it is shown. */
  update(work: () => LongWork): void {
    if (!this.#isShown || this.#isOver) return;
    const now = performance.now();
    if (now - this.#startedAt < FIRST_AFTER_MS || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    shown.add(this);
    const width = Math.max(10, (this.#stream.columns || 80) - 1);
    // The rest of the line is erased behind the text, not the line before it, which would flicker.
    this.#stream.write(`\r${progressLine(work(), width, this.#paint)}\x1b[K`);
  }

  /** Takes the line away. */
  clear(): void {
    if (shown.delete(this)) this.#stream.write('\r\x1b[K');
  }

  /** Takes the line away for good: what still goes on behind the command draws none. */
  end(): void {
    this.#isOver = true;
    this.clear();
  }
}
