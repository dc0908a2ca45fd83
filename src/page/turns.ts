import { orAborted } from '../async/next-or-aborted.ts';
import { PageRefusal } from './page-refusal.ts';

/** Lets so many work at once; others wait for their turn, in order. */
export class Turns {
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<() => void>();
  #working = 0;

  constructor(atOnce: number, maxWaiting: number) {
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Runs `work` once it is its turn.
   *
   * @throws PageRefusal 503 where too many wait; StowageError `ABORTED`; what `work` throws
   */
  async take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#working >= this.#atOnce) await this.#wait(signal);
    else this.#working += 1;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  /** The turn is handed over by who ends, and counts as taken meanwhile. */
  async #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#maxWaiting)
      throw new PageRefusal(503, 'SERVER_BUSY', 'Too many requests wait already. Ask again in a moment.');
    let begin: () => void = () => {};
    const turn = new Promise<void>((resolve) => {
      begin = resolve;
    });
    this.#waiting.add(begin);
    try {
      await orAborted(() => turn, signal);
    } catch (error) {
      // A turn that was handed over at the same moment goes on to the next.
      if (!this.#waiting.delete(begin)) this.#next();
      throw error;
    }
  }

  #next(): void {
    for (const begin of this.#waiting) {
      this.#waiting.delete(begin);
      begin();
      return;
    }
    this.#working -= 1;
  }
}
