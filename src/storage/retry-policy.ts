import { clockMs } from '../async/clock.ts';
import { delay } from '../async/in-time.ts';
import { LinkedAbort } from '../async/linked-abort.ts';
import { abortError, isInstance, isStowageError, StowageError, throwIfAborted } from '../errors.ts';
import { checkMembers } from '../options/option-names.ts';
import { AMOUNT, checkKinds, FUNCTION, type OptionTable, wholeNumber } from '../options/option-table.ts';
import type { StorageOperation } from './decorator.ts';
import { reportRetry } from './retry-report.ts';

/** Tells when a {@link RetryStorage} tries again, and when it gives up. */
export interface RetryOptions {
  /** The most times one call is tried. Default 10. */
  maxAttempts?: number | undefined;
  /** The longest one call may take, waits included. Default 120,000 (2 minutes). */
  budgetMs?: number | undefined;
  /**
   * The longest one call may take, waits included, while its storage cannot be reached and never answered: the address may be wrong, and
   * waiting in vain. No longer than `budgetMs`. Default 5,000 (5 seconds).
   */
  firstContactBudgetMs?: number | undefined;
  /** The longest wait before the second attempt; it doubles with each. Default 100. */
  baseDelayMs?: number | undefined;
  /** The longest wait at all, unless the storage asks for more. Default 20,000. */
  maxDelayMs?: number | undefined;
  /** A clock that never goes back, in milliseconds. Default: the process's. */
  nowMs?: (() => number) | undefined;
  /** Random numbers from 0 to 1. Default `Math.random`. */
  random?: (() => number) | undefined;
  /** Waits; rejects when `signal` is aborted. Default: a timer. */
  sleep?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined;
}

const RETRY_OPTIONS: OptionTable<RetryOptions> = {
  maxAttempts: wholeNumber(1),
  budgetMs: AMOUNT,
  firstContactBudgetMs: AMOUNT,
  baseDelayMs: AMOUNT,
  maxDelayMs: AMOUNT,
  nowMs: FUNCTION,
  random: FUNCTION,
  sleep: FUNCTION,
};

/** The call that is being tried. */
export interface Attempted {
  operation: StorageOperation;
  name: string;
  signal?: AbortSignal | undefined;
}

/**
 * Tries again what failed as `STORAGE_UNAVAILABLE`, after waits of random length ("full jitter", AWS Architecture Blog, "Exponential Backoff
 * And Jitter") or as long as the answer asks for (`details.retryAfterMs`), until the attempts or the time are used up: sooner where nothing
 * was ever reached (`details.neverAnswered`). All other errors pass at once.
 */
export class RetryPolicy {
  readonly #options: Required<{ [K in keyof RetryOptions]: NonNullable<RetryOptions[K]> }>;
  readonly #waits = new Set<LinkedAbort>();
  #closed: StowageError | undefined;

  /** @throws StowageError `INVALID_ARGUMENT` */
  constructor(options: RetryOptions = {}) {
    checkMembers(options, 'RetryStorage', Object.keys(RETRY_OPTIONS));
    checkKinds(options, RETRY_OPTIONS, ' of RetryStorage');
    this.#options = {
      maxAttempts: options.maxAttempts ?? 10,
      budgetMs: options.budgetMs ?? 120_000,
      firstContactBudgetMs: options.firstContactBudgetMs ?? 5_000,
      baseDelayMs: options.baseDelayMs ?? 100,
      maxDelayMs: options.maxDelayMs ?? 20_000,
      nowMs: options.nowMs ?? clockMs,
      random: options.random ?? Math.random,
      sleep: options.sleep ?? delay,
    };
  }

  /**
   * Does a call, again where it failed for a while. One that succeeds at once costs one reaction beside its own promise, and no frame.
   *
   * @throws StowageError `STORAGE_UNAVAILABLE` where it is given up, with the last error as cause
   */
  run<T>(what: Attempted, call: (attempt: number) => Promise<T>): Promise<T> {
    const startMs = this.#options.nowMs();
    if (what.signal?.aborted) return Promise.reject(abortError(what.signal));
    try {
      return call(1).then(undefined, (error: unknown) => this.#again(what, call, startMs, error));
    } catch (error) {
      return this.#again(what, call, startMs, error);
    }
  }

  async #again<T>(
    what: Attempted,
    call: (attempt: number) => Promise<T>,
    startMs: number,
    firstError: unknown,
  ): Promise<T> {
    const { nowMs, maxAttempts } = this.#options;
    let error = firstError;
    for (let attempt = 1; ; attempt += 1) {
      if (isInstance(error, NotRepeatable)) throw error.reason;
      if (!isUnavailable(error)) throw error;
      const delayMs = this.#delayMs(attempt, error);
      const endMs = startMs + this.#budgetMs(error);
      if (attempt >= maxAttempts || nowMs() + delayMs > endMs) throw givenUp(what, attempt, error);
      reportRetry({ operation: what.operation, name: what.name, attempt, delayMs, error });
      await this.#wait(delayMs, what.signal);
      throwIfAborted(what.signal);
      try {
        return await call(attempt + 1);
      } catch (next) {
        error = next;
      }
    }
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) throw this.#closed;
    const wait = new LinkedAbort(signal);
    this.#waits.add(wait);
    try {
      await this.#options.sleep(ms, wait.signal);
    } catch (error) {
      throw this.#closed ?? error;
    } finally {
      this.#waits.delete(wait);
      wait.release();
    }
  }

  #budgetMs(error: StowageError): number {
    const { budgetMs, firstContactBudgetMs } = this.#options;
    return error.details.neverAnswered === true ? Math.min(budgetMs, firstContactBudgetMs) : budgetMs;
  }

  #delayMs(attempt: number, error: StowageError): number {
    const { baseDelayMs, maxDelayMs, random } = this.#options;
    const jitteredMs = random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1));
    const { retryAfterMs } = error.details;
    return typeof retryAfterMs === 'number' ? Math.max(jitteredMs, retryAfterMs) : jitteredMs;
  }

  /** Ends the calls that wait to be tried again, with `error`. */
  close(error: StowageError): void {
    this.#closed = error;
    for (const wait of this.#waits) wait.abort(error);
  }
}

/** The cause says what to do, unless there is more to say. */
export function givenUp(
  what: Attempted,
  attempts: number,
  cause: StowageError,
  remedy?: string,
): StowageError {
  const { operation, name } = what;
  const times = attempts === 1 ? 'once' : `${attempts} times`;
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `Gave up on ${operation} of "${name}" after trying it ${times}: ${cause.message}${remedy === undefined ? '' : ` ${remedy}`}`,
    { details: { ...cause.details, operation, name, attempts }, cause },
  );
}

/** Carries an error past the retries. */
export class NotRepeatable {
  readonly reason: StowageError;

  constructor(reason: StowageError) {
    this.reason = reason;
  }
}

/** A failure that may pass. */
export function isUnavailable(error: unknown): error is StowageError {
  return isStowageError(error, 'STORAGE_UNAVAILABLE');
}
