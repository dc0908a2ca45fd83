import { printable, shorten } from './terminal-text.ts';

const FIRST_AFTER_MS = 400;
const EVERY_MS = 100;

/** Those that have a line on the standard error. */
const shown = new Set<Progress>();

/** Makes room for another line, which would else begin behind a line of progress; that comes back with its next step. */
export function clearProgress(): void {
  for (const progress of shown) progress.clear();
}

/** One line on the standard error that tells how far long work has come; nothing unless that is a terminal. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #startedAt: number = performance.now();
  #shownAt = 0;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  /** `text` is asked for only if it is shown. */
  update(text: () => string): void {
    if (!this.#stream.isTTY || process.env.TERM === 'dumb') return;
    const now = performance.now();
    if (now - this.#startedAt < FIRST_AFTER_MS || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    shown.add(this);
    this.#stream.write(
      `\r\x1b[K${shorten(printable(text()), Math.max(10, (this.#stream.columns || 80) - 1))}`,
    );
  }

  /** Takes the line away. */
  clear(): void {
    if (shown.delete(this)) this.#stream.write('\r\x1b[K');
  }
}
