import { LinkedAbort } from '../async/linked-abort.ts';
import { nextOrAborted } from '../async/next-or-aborted.ts';
import { invalidArgument, throwIfAborted } from '../errors.ts';
import { LABEL } from '../format/label.ts';
import { FUNCTION, type OptionKind, type OptionTable, wholeNumber } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { takeOnce } from '../streams/read-once.ts';
import type { TaskDefinition } from './define.ts';
import { loadableOutput } from './hits.ts';
import type { CachedCallOptions } from './options.ts';

/** At most so many results are ready before the next in order, for each call that may be under way. */
const READY_PER_CALL = 8;
const DEFAULT_CONCURRENCY = 8;

/** Options of calling a cached task with many inputs. */
export interface MapOptions extends CallOptions {
  /** The most calls under way at once, from 1 to 10,000. Default 8. */
  concurrency?: number | undefined;
  /** Told after every call that ended. Errors it throws end the whole. */
  onProgress?: ((progress: MapProgress) => void) | undefined;
}

/** The name that people see for the attempt of each call, or the function that tells it by the input and its place in the list. */
export type MapLabel<Input> = string | ((input: Input, index: number) => string | undefined) | undefined;

export const MAP_LABEL: OptionKind = {
  expects: `${LABEL.expects}, or a function that returns one for an input`,
  accepts: (value) => typeof value === 'function' || LABEL.accepts(value),
};

/** The options of `map` but those of each call. */
export const MAP_OPTIONS: OptionTable<MapOptions> = {
  concurrency: wholeNumber(1, 10_000),
  onProgress: FUNCTION,
};

/** The progress of a map. */
export interface MapProgress {
  /** Calls that ended. */
  done: number;
  /** Of these, how many were hits. */
  hits: number;
  /** Of these, how many failed. */
  failed: number;
  /** The number of inputs, where it is known. */
  total: number | undefined;
}

/** The outcome of one input. */
export type MapOutcome<Result> =
  | ({ readonly index: number; readonly ok: true } & Result)
  | { readonly index: number; readonly ok: false; readonly error: unknown };

/**
 * Calls with each of many inputs, a bounded number at a time, and yields what became of each in the order of the inputs. One that
 * fails does not end the others. Inputs are taken as they are needed; when the consumer stops, calls under way are aborted. When the
 * inputs' iterator throws, what was begun is yielded first.
 *
 * @throws StowageError `ABORTED`; and what the inputs' iterator throws.
 */
export async function* mapCalls<Input, Result extends { hit: boolean }>(
  inputs: Iterable<Input> | AsyncIterable<Input>,
  call: (input: Input, signal: AbortSignal, index: number) => Promise<Result>,
  { concurrency = DEFAULT_CONCURRENCY, onProgress, signal }: MapOptions,
): AsyncGenerator<MapOutcome<Result>> {
  throwIfAborted(signal);
  const stop = new LinkedAbort(signal);
  const source = iteratorOf(inputs);
  const progress = { done: 0, hits: 0, failed: 0, total: Array.isArray(inputs) ? inputs.length : undefined };
  const outcomes: Promise<MapOutcome<Result>>[] = [];
  let underWay = 0;
  let index = 0;
  let isExhausted = false;
  let broken: { error: unknown } | undefined;
  let wake: () => void = () => {};
  const begin = (input: Input): void => {
    underWay += 1;
    const outcome = settle(index, call(input, stop.signal, index)).then((settled) => {
      underWay -= 1;
      progress.done += 1;
      if (!settled.ok) progress.failed += 1;
      else if (settled.hit) progress.hits += 1;
      wake();
      onProgress?.({ ...progress });
      return settled;
    });
    index += 1;
    outcome.catch(() => {}); // told when its turn comes
    outcomes.push(outcome);
  };
  const hasRoom = (): boolean =>
    !isExhausted && underWay < concurrency && outcomes.length < concurrency * READY_PER_CALL;
  let taking: Promise<'taken'> | undefined;
  const take = async (): Promise<'taken'> => {
    try {
      const next = await nextOrAborted(source, stop.signal);
      if (next.done) isExhausted = true;
      else begin(next.value);
    } catch (error) {
      // Thrown when those before have had their turn: they cost more than an input that cannot be read.
      broken = { error };
      isExhausted = true;
    }
    taking = undefined;
    return 'taken';
  };
  try {
    for (;;) {
      // Neither an input that is long in coming holds back a result, nor the other way round.
      if (hasRoom()) taking ??= take();
      const first = outcomes[0];
      if (!first && !taking) {
        if (broken) throw broken.error;
        return;
      }
      const room = new Promise<'room'>((resolve) => {
        wake = () => resolve('room');
      });
      const event = await Promise.race([...(first ? [first] : []), ...(taking ? [taking] : []), room]);
      throwIfAborted(signal);
      if (event === 'room' || event === 'taken') continue;
      outcomes.shift();
      yield event;
    }
  } finally {
    stop.abort();
    stop.release();
    // Not waited for: an iterator that is being asked for its next item answers only after that.
    if (!isExhausted) source.return(undefined).catch(() => {});
  }
}

/** @throws StowageError `INVALID_ARGUMENT` for what cannot be gone through. */
export function checkInputs(inputs: unknown, method: string): void {
  const isIterable =
    typeof inputs === 'object' &&
    inputs !== null &&
    (Symbol.iterator in inputs || Symbol.asyncIterator in inputs);
  if (isIterable) return;
  throw invalidArgument(
    `${method} takes a list of inputs: an array, or anything else that can be gone through.`,
  );
}

async function settle<Result>(index: number, result: Promise<Result>): Promise<MapOutcome<Result>> {
  try {
    return { index, ok: true, ...(await result) };
  } catch (error) {
    return { index, ok: false, error };
  }
}

async function* iteratorOf<T>(inputs: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  yield* takeOnce(inputs, 'The iterator of inputs');
}

/** The outcome that many calls of a cached task would have. */
export interface CallPlan {
  /** Calls whose result is there. */
  hits: number;
  /** Calls for which the function would run. */
  misses: number;
  /** Calls that are equal to an earlier one of the list that is a miss, and would get its result. */
  duplicates: number;
  /** The places in the list of the `misses`, ascending. */
  missing: number[];
  /** The time that the hits save, in milliseconds: the function ran for so long then, as far as that is known. */
  savedMs: number;
}

/** The most lookups under way at once. */
const LOOKUPS = 32;

/** Looks up each call; runs nothing and writes nothing. The first error ends it. */
export async function planCalls<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  inputs: Iterable<unknown> | AsyncIterable<unknown>,
  {
    salt,
    concurrency = LOOKUPS,
    signal,
  }: Pick<CachedCallOptions, 'salt'> & Pick<MapOptions, 'concurrency' | 'signal'>,
): Promise<CallPlan> {
  const { tasks, checked, name } = definition;
  const plan: CallPlan = { hits: 0, misses: 0, duplicates: 0, missing: [], savedMs: 0 };
  const missed = new Set<string>();
  const lookUp = async (
    input: unknown,
    inner: AbortSignal,
  ): Promise<{ hit: boolean; key: string; savedMs: number }> => {
    const { brief } = await definition.keyed(input, salt, undefined);
    const found = await tasks.cache.lookup(brief.key, { maxAgeMs: checked.maxAgeMs, signal: inner });
    if (found.status === 'miss' && found.reason === 'unavailable') {
      tasks.warnings.failed(name, 'lookup', found.error);
    }
    const hit = found.status === 'hit' && loadableOutput(found.entry) !== undefined;
    return { hit, key: brief.key, savedMs: hit ? (found.entry?.durationMs ?? 0) : 0 };
  };
  for await (const outcome of mapCalls(inputs, lookUp, { concurrency, signal })) {
    if (!outcome.ok) throw outcome.error;
    if (outcome.hit) {
      plan.hits += 1;
      plan.savedMs += outcome.savedMs;
    } else if (missed.has(outcome.key)) {
      plan.duplicates += 1;
    } else {
      missed.add(outcome.key);
      plan.misses += 1;
      plan.missing.push(outcome.index);
    }
  }
  return plan;
}
