import type { LinkedAbort } from './linked-abort.ts';

/** The bounds of work that is done ahead of its turn. */
export interface AheadOptions<T> {
  /** So many calls at most are under way, or wait for their turn. */
  limit: number;
  /** What they weigh together at most; one that weighs more goes alone. */
  maxWeight: number;
  weightOf: (item: T) => number;
  /** Is aborted when the results come to their end, whatever ends them; the items and the work go by its signal. */
  call: LinkedAbort;
}

/** Work that was begun. */
interface Begun<R> {
  result: Promise<R>;
  weight: number;
  isSettled: boolean;
}

/**
 * Maps items ahead of their turn and yields the results in the order of the items, each as soon as its turn has come, though the next
 * item keep one waiting. Items are asked for one after the other, no sooner than there is room for one. A failure is thrown in its turn;
 * nothing goes on behind it.
 */
export async function* mapAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  { limit, maxWeight, weightOf, call }: AheadOptions<T>,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const begun: Begun<R>[] = [];
  let weight = 0;
  let asked: Promise<void> | undefined;
  let next: IteratorResult<T> | undefined;
  let failure: { error: unknown } | undefined;
  const ask = async (): Promise<void> => {
    try {
      next = await source.next();
    } catch (error) {
      failure = { error };
    }
    asked = undefined;
  };
  const begin = (item: T, own: number): void => {
    const one: Begun<R> = { result: work(item), weight: own, isSettled: false };
    const settle = (): void => {
      one.isSettled = true;
    };
    one.result.then(settle, settle); // what fails is thrown when its turn comes
    begun.push(one);
    weight += own;
  };
  try {
    for (;;) {
      if (next && !next.done) {
        const own = weightOf(next.value);
        if (begun.length === 0 || weight + own <= maxWeight) {
          begin(next.value, own);
          next = undefined;
        }
      }
      if (!next && !failure && begun.length < limit) asked ??= ask();
      const [first] = begun;
      if (asked && !first?.isSettled) {
        await (first ? Promise.race([asked, first.result.catch(() => {})]) : asked);
        continue;
      }
      if (!first) break;
      yield await first.result;
      begun.shift();
      weight -= first.weight;
    }
    if (failure) throw failure.error;
  } finally {
    call.abort();
    await Promise.allSettled(begun.map(({ result }) => result));
    await asked;
    if (!next?.done && !failure) await source.return?.();
  }
}
