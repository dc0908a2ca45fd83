import type { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { abortError } from '../../errors.ts';
import { outputFailed } from '../files/write-errors.ts';
import { coloured, hasColours, type Paint, plain, type Style } from './paint.ts';
import { clearProgress } from './progress.ts';
import type { Cell, Column } from './table.ts';
import { displayWidth, printable, printableJson } from './terminal-text.ts';
import { wrapText, wrapWords } from './wrap.ts';

/** A place that takes a command's results, piece by piece. */
export interface Sink {
  /** Resolves once there is room for more. */
  write(piece: string | Uint8Array): Promise<void>;
}

/** What the command needs of the standard output. */
export type OutputStream = Writable & { isTTY?: boolean; columns?: number };

/** Columns that a line may take: those of `COLUMNS`, or of the terminal; a file or pipe, and some terminals, have none. */
export function widthOf({ columns }: { columns?: number }): number | undefined {
  const asked = Number(process.env.COLUMNS);
  return asked >= 1 ? asked : columns || undefined;
}

/**
 * Resolves once all that was written has gone out, or the call is ended.
 *
 * @throws CliError `OUTPUT_FAILED`
 */
export async function flushed(stream: Writable, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    stream.write('', (error) => {
      if (!error) return resolve();
      // The stream emits it as well, a moment later, and knows better what it was.
      setImmediate(() => reject(outputFailed(error)));
    });
  });
}

/** A terminal takes everything at once: without a pause now and then, Ctrl-C would not be noticed. */
const PAUSE_AFTER_MS = 20;

/** Where results go: the standard output, at the pace of whoever reads it. */
export class Output implements Sink {
  readonly paint: Paint;
  readonly isTerminal: boolean;
  /** Columns that a line may take: those of the terminal, or of `COLUMNS`; endless in a file or pipe. */
  readonly width: number;
  readonly #stream: OutputStream;
  readonly #signal: AbortSignal;
  readonly #indent: number;
  #pausedAt: number = performance.now();

  /** @param options.indent - of JSON documents; with 0 each is on one line. Default 2. */
  constructor(stream: OutputStream, signal: AbortSignal, options: { color: boolean; indent?: number }) {
    this.#stream = stream;
    this.#signal = signal;
    this.#indent = options.indent ?? 2;
    this.isTerminal = stream.isTTY === true;
    this.paint = hasColours(stream, options.color) ? coloured : plain;
    this.width = widthOf(stream) ?? Number.POSITIVE_INFINITY;
  }

  async write(piece: string | Uint8Array): Promise<void> {
    if (this.#signal.aborted) throw abortError(this.#signal);
    if (piece.length === 0) return;
    if (this.isTerminal) clearProgress();
    if (!this.#push(piece)) await this.#drained();
    else if (performance.now() - this.#pausedAt > PAUSE_AFTER_MS) await nextTurn();
    else return;
    this.#pausedAt = performance.now();
  }

  async line(text = ''): Promise<void> {
    await this.write(`${text}\n`);
  }

  async table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Promise<void> {
    const { tableLines } = await import('./table.ts');
    await this.lines(tableLines(columns, rows, this));
  }

  async lines(lines: readonly string[]): Promise<void> {
    const AT_ONCE = 500;
    for (let start = 0; start < lines.length; start += AT_ONCE) {
      await this.write(`${lines.slice(start, start + AT_ONCE).join('\n')}\n`);
    }
  }

  /** A sentence in lines that fit; `apart` is where one may end. */
  async sentence(text: string, style?: Style, apart: string | RegExp = ' '): Promise<void> {
    const lines = wrapWords(printable(text).split(apart), this.width, displayWidth);
    await this.lines(style === undefined ? lines : lines.map((line) => this.paint(style, line)));
  }

  /** A stored text whole: with its lines in a terminal, each in as many as it takes, or on one line. */
  async text(text: string, style?: Style): Promise<void> {
    const lines = Number.isFinite(this.width) ? wrapText(text, this.width, { hang: 2 }) : [printable(text)];
    await this.lines(style === undefined ? lines : lines.map((line) => this.paint(style, line)));
  }

  /** A title behind an empty line. */
  async section(title: string): Promise<void> {
    await this.line();
    await this.line(this.paint('bold', title));
  }

  /** One JSON document; with an `indent` of 0 on one line. */
  async json(document: unknown, indent: number = this.#indent): Promise<void> {
    await this.jsonPiece(`${JSON.stringify(document, null, indent)}\n`);
  }

  /** A piece of a JSON document. For a terminal, what it must not get raw is escaped as JSON does. */
  async jsonPiece(json: string): Promise<void> {
    await this.write(this.isTerminal ? printableJson(json) : json);
  }

  /** Some streams throw where others emit `error`. */
  #push(piece: string | Uint8Array): boolean {
    try {
      return this.#stream.write(piece);
    } catch (error) {
      throw outputFailed(error);
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        this.#stream.off('drain', settle).off('error', settle);
        this.#signal.removeEventListener('abort', onAbort);
        if (error) reject(outputFailed(error));
        else resolve();
      };
      const onAbort = (): void => settle(abortError(this.#signal));
      this.#stream.once('drain', settle).once('error', settle);
      this.#signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
