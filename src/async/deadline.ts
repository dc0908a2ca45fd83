import { StowageError, throwIfAborted } from '../errors.ts';
import type { CallOptions } from './call-options.ts';
import { clockMs } from './clock.ts';
import { inTime, TOO_LATE } from './in-time.ts';
import { type AbortSource, LinkedAbort } from './linked-abort.ts';

/**
 * Bounds how long the cache may keep a task waiting. Several calls that share one take no longer than the limit together: a lookup,
 * a lease and the storing of what was run, say.
 */
export class Deadline {
  readonly #limitMs: number;
  readonly #nowMs: () => number;
  #leftMs: number;
  /** Of a run that came to its end, for the next one: each has a signal, and making one is a twentieth of a hit. */
  #idle: LinkedAbort | undefined;

  /** @param nowMs - a clock that never goes back. */
  constructor(limitMs: number, nowMs: () => number = clockMs) {
    this.#limitMs = limitMs;
    this.#nowMs = nowMs;
    this.#leftMs = limitMs;
  }

  /** The time that all calls together may take, in milliseconds. */
  get limitMs(): number {
    return this.#limitMs;
  }

  /** All the time is there again: what was waited for meanwhile was not the cache. */
  renew(): void {
    this.#leftMs = this.#limitMs;
  }

  /** Takes off time that was waited between two tries of what fails; returns whether any is left. */
  elapse(ms: number): boolean {
    this.#leftMs -= ms;
    return this.#leftMs > 0;
  }

  /**
   * Waits for `work` as long as there is time, and takes what it took off that. Work that nobody waits for any more is aborted.
   *
   * @throws StowageError `STORAGE_UNAVAILABLE` when the time is over, `ABORTED`, and whatever `work` throws.
   */
  run<T>({ signal }: CallOptions, work: (options: { signal: AbortSignal }) => Promise<T>): Promise<T> {
    return this.runUntil(signal, work);
  }

  /** As {@link run}, of a call whose signal nobody asked for yet. @internal */
  async runUntil<T>(
    signal: AbortSource | undefined,
    work: (options: { signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    if (this.#leftMs <= 0) throw this.#over();
    const beganMs = this.#nowMs();
    const ending = this.#idle ?? new LinkedAbort();
    this.#idle = undefined;
    ending.link(signal);
    try {
      const result = await inTime(work({ signal: ending.signal }), this.#leftMs, ending);
      if (result === TOO_LATE) throw this.#over();
      return result;
    } catch (error) {
      // Work that came to its end has nothing left to abort, and the exception that an abort makes is a twentieth of a hit.
      ending.abort();
      throw error;
    } finally {
      this.#leftMs -= this.#nowMs() - beganMs;
      ending.release();
      if (!ending.aborted) this.#idle = ending;
    }
  }

  #over(): StowageError {
    return new StowageError(
      'STORAGE_UNAVAILABLE',
      `The cache took longer than ${this.#limitMs} ms, and was not waited for any longer. Where it is slow but well, raise cacheTimeoutMs.`,
      { details: { limitMs: this.#limitMs } },
    );
  }
}
