import type { Sink } from './output.ts';
import { printableJson, printableLines } from './terminal-text.ts';

const ESCAPE = '\u001b';
const COLOUR: RegExp = new RegExp(`${ESCAPE}\\[[\\d;]*m`, 'g');
/** Text at the end of a piece that may be the beginning of a colour, or of a line end. */
const UNFINISHED: RegExp = new RegExp(`(?:${ESCAPE}(?:\\[[\\d;]{0,32})?|\\r)$`);

/**
 * Makes text that somebody else wrote safe for a terminal, as it streams by: colours pass (or go, without `colours`), and
 * carriage returns at line ends, with `redraws` those of progress bars too; every other control character becomes an escape that can
 * be read.
 */
export class TerminalFilter {
  readonly #decoder = new TextDecoder();
  readonly #colours: boolean;
  readonly #cleanText: (text: string) => string;
  #rest = '';
  #coloured = false;
  #endsLine = true;

  constructor({ colours, redraws }: { colours: boolean; redraws: boolean }) {
    this.#colours = colours;
    this.#cleanText = redraws ? cleanRedrawn : cleanLines;
  }

  push(piece: Uint8Array | string): string {
    const text =
      this.#rest + (typeof piece === 'string' ? piece : this.#decoder.decode(piece, { stream: true }));
    this.#rest = UNFINISHED.exec(text)?.[0] ?? '';
    return this.#clean(text.slice(0, text.length - this.#rest.length));
  }

  /** Gives what was held back, the end of colours, and a line end if there was none. */
  end(): string {
    const rest = this.#clean(this.#rest + this.#decoder.decode());
    this.#rest = '';
    return rest + this.pause();
  }

  /** The end of colours, and a line end where there was none: something else is shown before this goes on. */
  pause(): string {
    const ending = (this.#coloured ? '\x1b[0m' : '') + (this.#endsLine ? '' : '\n');
    this.#coloured = false;
    this.#endsLine = true;
    return ending;
  }

  #clean(text: string): string {
    if (text === '') return '';
    this.#endsLine = text.endsWith('\n');
    let cleaned = '';
    let from = 0;
    for (const match of text.matchAll(COLOUR)) {
      cleaned += this.#cleanText(text.slice(from, match.index));
      if (this.#colours) cleaned += match[0];
      this.#coloured ||= this.#colours;
      from = match.index + match[0].length;
    }
    return cleaned + this.#cleanText(text.slice(from));
  }
}

function cleanLines(text: string): string {
  return text.split('\r\n').map(printableLines).join('\r\n');
}

function cleanRedrawn(text: string): string {
  return text.split('\r').map(printableLines).join('\r');
}

/** Text for a terminal: nothing in a stored value may move its cursor or change its settings. JSON stays JSON. */
export class TerminalSink implements Sink {
  readonly #sink: Sink;
  readonly #isJson: boolean;
  readonly #filter = new TerminalFilter({ colours: false, redraws: false });

  constructor(sink: Sink, { isJson }: { isJson: boolean }) {
    this.#sink = sink;
    this.#isJson = isJson;
  }

  async write(piece: string | Uint8Array): Promise<void> {
    const isJsonText = this.#isJson && typeof piece === 'string';
    await this.#sink.write(this.#filter.push(isJsonText ? printableJson(piece) : piece));
  }

  async end(): Promise<void> {
    await this.#sink.write(this.#filter.end());
  }
}
