import type { OpenAttempt } from '../attempts/open-attempt.ts';
import type { CallOptions } from '../storage/contract.ts';
import { EarlierAttempts } from './earlier-attempts.ts';

/** Settings of {@link TaskMemory}. */
export interface TaskMemoryOptions extends CallOptions {
  /** The first attempt whose records count. Default: any. */
  since?: number | undefined;
  /** Asked about what the store fails by: `true` goes on without records from then on. Default: the call fails. */
  tolerates?: ((error: unknown) => boolean) | undefined;
}

/** What an attempt knows of the attempts before it, and what becomes of it where the store fails. */
export class TaskMemory {
  readonly attempt: OpenAttempt;
  readonly signal: AbortSignal | undefined;
  readonly earlier: EarlierAttempts;
  readonly #tolerates: ((error: unknown) => boolean) | undefined;
  /** The store failed, and that is tolerated. */
  #isOff = false;

  constructor(attempt: OpenAttempt, { signal, since, tolerates }: TaskMemoryOptions = {}) {
    this.attempt = attempt;
    this.signal = signal;
    this.earlier = new EarlierAttempts(attempt, since);
    this.#tolerates = tolerates;
  }

  /** Goes on without a record where the store fails and that is tolerated. */
  async tolerating<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#isOff) return undefined;
    try {
      return await work();
    } catch (error) {
      if (!this.#tolerates?.(error)) throw error;
      this.#isOff = true;
      return undefined;
    }
  }
}
