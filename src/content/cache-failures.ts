import { channel } from 'node:diagnostics_channel';
import type { ByteCache } from './byte-cache.ts';

/**
 * What a cache failed at: `get`, `set` and `delete` threw, or took too long; `verify`: it returned other bytes than it was given;
 * `scan`: a disk cache could not look at its folder, or not remove from it.
 */
export type CacheOperation = 'get' | 'set' | 'delete' | 'verify' | 'scan';

/** What the channel `stowage:cache-failed` carries. */
export interface CacheFailure {
  cache: ByteCache;
  operation: CacheOperation;
  error: unknown;
}

const cacheFailed = channel('stowage:cache-failed');
const told = new WeakMap<ByteCache, Set<CacheOperation>>();

/**
 * Tells a failure of a cache, which has cost speed and nothing else, by the channel `stowage:cache-failed`: the first one of
 * each cache and operation, since what fails once often fails at every load.
 */
export function reportCacheFailure(cache: ByteCache, operation: CacheOperation, error: unknown): void {
  if (!cacheFailed.hasSubscribers) return;
  const operations = told.get(cache) ?? new Set();
  if (operations.has(operation)) return;
  told.set(cache, operations.add(operation));
  const failure: CacheFailure = { cache, operation, error };
  cacheFailed.publish(failure);
}
