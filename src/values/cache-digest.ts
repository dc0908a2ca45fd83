/**
 * The method by which an object says what it stands for in a cache key: `Symbol.for('stowage.cacheDigest')`.
 *
 * A reference to a file, say, counts by the digest of the file and not by its path; a model of a class that cannot be saved
 * counts by its version.
 */
export const CACHE_DIGEST: unique symbol = Symbol.for('stowage.cacheDigest') as never;

/** An object that counts in cache keys by a text of its own, wherever in a value it is. */
export interface CacheDigest {
  /**
   * A text that is not empty, equal for equal objects only: it should name the kind of the object as well as its digest
   * (`model:9f2c...`), for neither the object's class nor anything in it counts beside it.
   */
  [CACHE_DIGEST](): string;
}

/** True if `value` has {@link CACHE_DIGEST}, its own or its class's. */
export function hasCacheDigest(value: object): value is CacheDigest {
  return CACHE_DIGEST in value;
}
