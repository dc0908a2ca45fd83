import type { CachedCallOptions } from './cached-task-options.ts';
import { loadableOutput } from './load-hit.ts';
import { type MapOptions, mapCalls } from './map-calls.ts';
import type { TaskDefinition } from './task-definition.ts';

/** What many calls of a cached task would come to. */
export interface CallPlan {
  /** Calls whose result is there. */
  hits: number;
  /** Calls for which the function would run. */
  misses: number;
  /** Calls that are equal to an earlier one of the list that is a miss, and would get its result. */
  duplicates: number;
  /** The places in the list of the `misses`, ascending. */
  missing: number[];
  /** How long the function ran for the hits when it ran, in milliseconds, where that is known. */
  savedMs: number;
}

/** How many lookups are under way at once. */
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
  const { host, checked } = definition;
  const plan: CallPlan = { hits: 0, misses: 0, duplicates: 0, missing: [], savedMs: 0 };
  const missed = new Set<string>();
  const lookUp = async (input: unknown, inner: AbortSignal): Promise<Looked> => {
    const { brief } = await definition.keyed(input, salt);
    const found = await host.cache.lookup(brief.key, { maxAgeMs: checked.maxAgeMs, signal: inner });
    if (found.status === 'miss' && found.reason === 'unavailable') {
      host.warnings.failed(definition.name, 'lookup', found.error);
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

interface Looked {
  hit: boolean;
  key: string;
  savedMs: number;
}
