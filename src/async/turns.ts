import { setImmediate as nextTurn } from 'node:timers/promises';

/** Long work leaves the event loop to others after so long, for several may be under way; a turn costs some microseconds. */
const WORK_MS = 4;

/** Gives the event loop its turns while one call works through much content. */
export class Turns {
  #since: number = performance.now();

  /** True once the work has run for 4 ms since the last turn. */
  get isDue(): boolean {
    return performance.now() - this.#since >= WORK_MS;
  }

  /** Waits for the next turn of the event loop. */
  async give(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}
