import { channel } from 'node:diagnostics_channel';
import type { CallOptions } from '../../storage/contract.ts';

/**
 * Keeps bytes nearer than the store does: in memory ({@link MemoryCache}), on a local disk ({@link DiskCache}), or wherever
 * a class of your own keeps them. Keys are 64 lowercase hexadecimal digits.
 *
 * A cache may forget anything at any time, and may return anything: whatever it returns is verified, and what turns out to be
 * something else is deleted and read from the store. An error of it, or silence, costs speed only; the channel
 * `stowage:cache-failed` tells it.
 *
 * A cache outlives what the store gives up: whoever erases content for good empties the caches that may hold it.
 */
export interface ByteCache {
  /** The bytes under `key`, or `undefined`. The caller owns the array, so that nothing else may use its memory. */
  get(key: string, options?: CallOptions): Promise<Uint8Array | undefined>;

  /**
   * Offers bytes, which the cache may keep or not. The array is the caller's, who changes it once the promise settles.
   * A key always stands for the same bytes.
   */
  set(key: string, bytes: Uint8Array, options?: CallOptions): Promise<void>;

  /** Forgets what is under `key`, if anything is. */
  delete(key: string): Promise<void>;
}

/**
 * The operation at which a cache failed: `get`, `set` and `delete` threw, or took too long; `verify`: it returned other bytes than it was given;
 * `scan`: a disk cache could not look at its folder, or not remove from it.
 */
export type CacheOperation = 'get' | 'set' | 'delete' | 'verify' | 'scan';

/** A message of the channel `stowage:cache-failed`. */
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
