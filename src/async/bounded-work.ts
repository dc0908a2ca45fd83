import type { CallOptions } from './call-options.ts';
import { LinkedAbort } from './linked-abort.ts';

/**
 * Maps items with at most `limit` calls of `work` under way; the results have the order of the items. The first failure begins no more
 * calls; those under way are waited for, so that nothing goes on in the background, and the failure is thrown.
 */
export async function mapBounded<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const waiting = items[Symbol.iterator]();
  const results: R[] = [];
  let index = 0;
  let failure: { error: unknown } | undefined;
  const takeTurns = async (): Promise<void> => {
    while (!failure) {
      const next = waiting.next();
      if (next.done) return;
      const at = index++;
      try {
        results[at] = await work(next.value, at);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, takeTurns));
  if (failure) throw failure.error;
  return results;
}

/**
 * Maps items as {@link mapBounded} does. The first failure also ends the calls under way, by the signal that each is given, and is thrown
 * whatever these come to: that may be no more than its consequence. A single item is worked on with the caller's own signal.
 */
export async function mapOrAbort<T, R>(
  items: readonly T[],
  limit: number,
  options: CallOptions,
  work: (item: T, own: CallOptions) => Promise<R>,
): Promise<R[]> {
  if (items.length < 2) {
    const results: R[] = [];
    for (const item of items) results.push(await work(item, options));
    return results;
  }
  const call = new LinkedAbort(options.signal);
  try {
    return await mapBounded(items, limit, async (item) => {
      try {
        return await work(item, { signal: call.signal });
      } catch (error) {
        call.abort(error);
        throw error;
      }
    });
  } finally {
    call.release();
  }
}

/**
 * Maps items with at most `limit` calls of `work` under way, and yields the results in the order of the items: no more than `limit` of
 * them wait for their turn. Whoever ends early, or a failure, begins no more; calls under way are waited for.
 */
export async function* mapInOrder<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void> {
  const begun: Promise<R>[] = [];
  try {
    for (const item of items) {
      const result = work(item);
      result.catch(() => {}); // thrown when its turn comes
      begun.push(result);
      if (begun.length >= limit) yield (await begun.shift()) as R;
    }
    while (begun.length > 0) yield (await begun.shift()) as R;
  } finally {
    await Promise.allSettled(begun);
  }
}

/** Work that comes piece by piece, with a bound on what is under way. The first failure ends what is to come; what was begun is waited for. */
export class BoundedWork {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (error: unknown) => void;
  #failure: { error: unknown } | undefined;

  /** @param onFailure told of the first failure, so that it can end what goes on */
  constructor(limit: number, onFailure: (error: unknown) => void = () => {}) {
    this.#limit = limit;
    this.#onFailure = onFailure;
  }

  /** Begins work as soon as there is room; the promise of it resolves when it ended, whether well or badly. */
  async begin(work: () => Promise<void>): Promise<{ ended: Promise<void> }> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.throwIfFailed();
    const ended = this.#tracked(work);
    this.#running.add(ended);
    ended.then(() => this.#running.delete(ended));
    return { ended };
  }

  /** Waits for all that was begun, and throws the first failure. */
  async finish(): Promise<void> {
    await this.settle();
    this.throwIfFailed();
  }

  /** Waits for all that was begun. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running);
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }

  async #tracked(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#failure) return;
      this.#failure = { error };
      this.#onFailure(error);
    }
  }
}
