import type { Sink } from './output.ts';
import { TerminalFilter } from './terminal-filter.ts';

/** Text for a terminal: nothing in a stored value may move its cursor or change its settings. */
export class TerminalSink implements Sink {
  readonly #sink: Sink;
  readonly #filter = new TerminalFilter({ colours: false });

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async write(piece: string | Uint8Array): Promise<void> {
    await this.#sink.write(this.#filter.push(piece));
  }

  async end(): Promise<void> {
    await this.#sink.write(this.#filter.end());
  }
}
