import type { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { abortError } from '../../errors.ts';
import type { JsonFitter } from '../../views/fitted-json.ts';
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

/** Of what `--fit` allows, a list that goes on elsewhere takes the share that is left beside what is told of it, */
const LIST_SHARE = 0.9;
/** and what was left out is told within these bytes. */
const CUT_BYTES = 4_096;

/** Where results go: the standard output, at the pace of whoever reads it. */
export class Output implements Sink {
  readonly paint: Paint;
  readonly isTerminal: boolean;
  /** Columns that a line may take: those of the terminal, or of `COLUMNS`; endless in a file or pipe. */
  readonly width: number;
  /** The bytes that the document of `--json` may take, by `--fit`; endless without. */
  readonly maxBytes: number;
  readonly #fitter: JsonFitter | undefined;
  readonly #stream: OutputStream;
  readonly #signal: AbortSignal;
  readonly #indent: number;
  #pausedAt: number = performance.now();

  /**
   * @param options.indent - of JSON documents; with 0 each is on one line. Default 2.
   * @param options.fit - the most bytes of a JSON document, and what cuts one that is longer. Default: no limit.
   */
  constructor(
    stream: OutputStream,
    signal: AbortSignal,
    options: { color: boolean; indent?: number; fit?: { maxBytes: number; fitter: JsonFitter } | undefined },
  ) {
    this.#stream = stream;
    this.maxBytes = options.fit?.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#fitter = options.fit?.fitter;
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

  /** One JSON document; with an `indent` of 0 on one line. One of more than `maxBytes` is cut, and tells what was left out (`cut`). */
  async json(document: unknown, indent: number = this.#indent): Promise<void> {
    if (!this.#fitter) return this.jsonPiece(`${JSON.stringify(document, null, indent)}\n`);
    const fitted = this.#fitter.fit(document, this.maxBytes - CUT_BYTES);
    const { cut } = this.#fitter;
    const told = cut !== undefined && isObject(fitted) ? { ...fitted, cut } : fitted;
    await this.jsonPiece(`${JSON.stringify(told)}\n`);
  }

  /** Tells whether a document is told whole. */
  fits(document: unknown): boolean {
    return !this.#fitter || this.#fitter.bytesOf(document) <= this.maxBytes - CUT_BYTES;
  }

  /** A value that is to stand in the document, cut where it takes more bytes than that; as it is where nothing has to fit. */
  fitted<T>(value: T, maxBytes: number): T {
    return this.#fitter ? this.#fitter.fit(value, maxBytes) : value;
  }

  /** The first items of a list that fit into the document, which tells that there are more; all where nothing has to fit. */
  firstOf<T>(items: readonly T[]): readonly T[] {
    if (!this.#fitter) return items;
    return this.#fitter.firstOf(items, Math.floor(this.maxBytes * LIST_SHARE) - CUT_BYTES);
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

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
