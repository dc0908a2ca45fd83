import type { CallOptions } from '../storage/contract.ts';

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
