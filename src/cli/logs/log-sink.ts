import { printable } from '../../codec/printable-text.ts';
import type { LogName } from '../../format/log-names.ts';
import { formatStorePath, type Reaching } from '../../views/paths.ts';
import type { Output } from '../ui/output.ts';
import { hasColours } from '../ui/paint.ts';
import { TerminalFilter } from '../ui/terminal-filter.ts';

/** A log of an attempt, by all its names. */
export interface LogSubject extends LogName {
  task: Reaching<'task'>;
  attempt: number;
}

/** A place that takes pieces of several logs, in any order. */
export interface LogSink {
  write(log: LogSubject, piece: Uint8Array): Promise<void>;
  /** Nothing more comes of this log. */
  end(log: LogSubject): Promise<void>;
}

/** `Train/r7/fit/0/1 task stdout` */
export function logTitle({ task, attempt, source, stream }: LogSubject): string {
  return `${formatStorePath({ ...task, attempt })} ${source} ${stream}`;
}

/** Logs as text: as they are, or made safe for a terminal; each under a header where the log changes. */
export class LogText implements LogSink {
  readonly #output: Output;
  readonly #colours: boolean;
  readonly #filters = new Map<string, TerminalFilter>();
  /** The log that the last line is of. */
  #current: string | undefined;
  #isHeaded: boolean;
  #endsLine = true;

  /** @param options.headed whether the first log has a header, even if it stays the only one */
  constructor(output: Output, options: { color: boolean; headed: boolean }) {
    this.#output = output;
    this.#colours = hasColours({ isTTY: true }, options.color);
    this.#isHeaded = options.headed;
  }

  /** Goes on with a log; a header says so. */
  async begin(log: LogSubject): Promise<void> {
    const title = logTitle(log);
    if (title === this.#current) return;
    const isFirst = this.#current === undefined;
    await this.endLine();
    this.#current = title;
    this.#isHeaded ||= !isFirst;
    if (!this.#isHeaded) return;
    const header = this.#output.paint('bold', `==> ${printable(title)} <==`);
    await this.#output.line(`${isFirst ? '' : '\n'}${header}`);
  }

  async write(log: LogSubject, piece: Uint8Array): Promise<void> {
    if (piece.length === 0) return;
    await this.begin(log);
    if (this.#output.isTerminal) return this.#output.write(this.#filterOf(log).push(piece));
    this.#endsLine = piece.at(-1) === 0x0a;
    await this.#output.write(piece);
  }

  async end(log: LogSubject): Promise<void> {
    const title = logTitle(log);
    const filter = this.#filters.get(title);
    if (filter) {
      const rest = filter.end();
      if (rest !== '') await this.begin(log);
      await this.#output.write(rest);
      this.#filters.delete(title);
    } else if (this.#isHeaded && title === this.#current) {
      await this.endLine(); // a single log stays as it is
    }
  }

  /** Ends a line that is not ended, so that something else begins on one of its own. */
  async endLine(): Promise<void> {
    if (this.#current === undefined) return;
    const filter = this.#filters.get(this.#current);
    if (filter) await this.#output.write(filter.pause());
    else if (!this.#endsLine) await this.#output.line();
    this.#endsLine = true;
  }

  #filterOf(log: LogSubject): TerminalFilter {
    const title = logTitle(log);
    const known = this.#filters.get(title);
    if (known) return known;
    const filter = new TerminalFilter({ colours: this.#colours, redraws: true });
    this.#filters.set(title, filter);
    return filter;
  }
}

/** A piece of a log on a line of its own is of so many bytes at most: whoever reads lines has few of them in memory. */
export const MAX_PIECE_BYTES = 65_536;

/** Logs as JSON, a line for each piece; what is not UTF-8 becomes U+FFFD. */
export class LogLines implements LogSink {
  readonly #output: Output;
  readonly #decoders = new Map<string, InstanceType<typeof TextDecoder>>();

  constructor(output: Output) {
    this.#output = output;
  }

  async write(log: LogSubject, piece: Uint8Array): Promise<void> {
    const title = logTitle(log);
    const decoder = this.#decoders.get(title) ?? new TextDecoder('utf-8', { ignoreBOM: true });
    this.#decoders.set(title, decoder);
    for (let at = 0; at < piece.length; at += MAX_PIECE_BYTES)
      await this.#line(log, decoder.decode(piece.subarray(at, at + MAX_PIECE_BYTES), { stream: true }));
  }

  async end(log: LogSubject): Promise<void> {
    await this.#line(log, this.#decoders.get(logTitle(log))?.decode() ?? '');
    this.#decoders.delete(logTitle(log));
  }

  async #line({ task, attempt, source, stream }: LogSubject, text: string): Promise<void> {
    if (text === '') return; // the beginning of a character, so far
    await this.#output.json({ ...task, attempt, source, stream, text }, 0);
  }
}
