import { clockMs } from '../../async/clock.ts';
import { inTime, TOO_LATE } from '../../async/in-time.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { createHasher, digestHex } from '../../digest/blake3.ts';
import { invalidArgument, StowageError, throwIfAborted } from '../../errors.ts';
import type { ContentAddress } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { type ByteCache, type CacheOperation, reportCacheFailure } from './byte-cache.ts';

/** Bounds of the time that a cache may take. */
export interface CachePatience {
  /** The longest one call is waited for, beside a second for every 16 MiB that it moves. Default 5,000. */
  timeoutMs?: number | undefined;
  /** The time in which a cache that kept a call waiting for longer is left alone. Default 30,000. */
  restMs?: number | undefined;
}

const BYTES_PER_MS = (16 * 1024 * 1024) / 1000;

/** The argument of {@link GuardedCache.get}. */
export interface Wanted<T> {
  key: string;
  /** Its length, where that is known. */
  bytes: number | undefined;
  /** Turns bytes into what was asked for; `undefined` if they are something else. */
  verify: (bytes: Uint8Array) => T | undefined | Promise<T | undefined>;
}

/**
 * A cache that can do no harm: what it returns is verified, its errors and its silence are told by the channel
 * `stowage:cache-failed` and count as a miss, and no memory is shared with it. Abort signals still end the call.
 *
 * A call that took too long, or was aborted, may go on in the background; until it ends the cache is not asked again, so that
 * such calls do not pile up. One that never ends has cost the process its cache.
 */
export class GuardedCache {
  readonly #cache: ByteCache;
  readonly #timeoutMs: number;
  readonly #restMs: number;
  /** Memory that callers own, so that a cache which keeps it does not hand it to two of them. */
  readonly #handedOut = new WeakSet<ArrayBufferLike>();
  /** Calls that nobody waits for any more. */
  #leftBehind = 0;
  #restsUntilMs = Number.NEGATIVE_INFINITY;

  /** @throws StowageError `INVALID_ARGUMENT` for anything but a cache. */
  constructor(cache: ByteCache, { timeoutMs = 5000, restMs = 30_000 }: CachePatience = {}) {
    this.#cache = checkCache(cache);
    this.#timeoutMs = timeoutMs;
    this.#restMs = restMs;
  }

  /** Gets what the cache has, verified. Wrong bytes are deleted, and count as a miss. */
  async get<T>({ key, bytes, verify }: Wanted<T>, options: CallOptions): Promise<T | undefined> {
    const found = await this.#call('get', bytes, options, (inner) => this.#cache.get(key, inner));
    if (found === undefined || found === null) return undefined;
    if (!(found instanceof Uint8Array)) {
      reportCacheFailure(this.#cache, 'get', notBytes(found));
      return undefined;
    }
    const verified = await verify(this.#takeOver(found));
    if (verified !== undefined) return verified;
    reportCacheFailure(this.#cache, 'verify', otherBytes(key));
    await this.#call('delete', undefined, options, () => this.#cache.delete(key));
    return undefined;
  }

  /**
   * Offers bytes, and waits: whoever gets them next may change them, and what is waited for does not pile up.
   * A cache that is slow to write slows down what is loaded for the first time.
   */
  async set(key: string, bytes: Uint8Array, options: CallOptions): Promise<void> {
    this.#handedOut.add(bytes.buffer);
    await this.#call('set', bytes.length, options, (inner) => this.#cache.set(key, bytes, inner));
  }

  /** The bytes in memory that is the caller's alone: copied where the cache may keep it, or where it holds more. */
  #takeOver(bytes: Uint8Array): Uint8Array {
    const { buffer } = bytes;
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
    const own = isWhole && !this.#handedOut.has(buffer) ? new Uint8Array(buffer) : new Uint8Array(bytes);
    this.#handedOut.add(own.buffer);
    return own;
  }

  async #call<T>(
    operation: CacheOperation,
    bytes: number | undefined,
    { signal }: CallOptions,
    work: (options: CallOptions) => Promise<T>,
  ): Promise<T | undefined> {
    throwIfAborted(signal);
    if (this.#leftBehind > 0 || clockMs() < this.#restsUntilMs) return undefined;
    const limitMs = this.#timeoutMs + (bytes ?? 0) / BYTES_PER_MS;
    const ending = new AbortController();
    let isRunning = true;
    const running = new Promise<T>((begun) => begun(work({ signal: ending.signal })))
      .catch((error: unknown) => {
        if (!ending.signal.aborted) reportCacheFailure(this.#cache, operation, error);
        return undefined;
      })
      .finally(() => {
        isRunning = false;
      });
    try {
      const result = await inTime(running, limitMs, signal);
      if (result !== TOO_LATE) return result;
      this.#restsUntilMs = clockMs() + this.#restMs;
      reportCacheFailure(this.#cache, operation, tooSlow(operation, limitMs));
      return undefined;
    } finally {
      if (isRunning) this.#leaveBehind(running, ending);
    }
  }

  #leaveBehind(running: Promise<unknown>, ending: AbortController): void {
    this.#leftBehind += 1;
    void running.then(() => {
      this.#leftBehind -= 1;
    });
    ending.abort();
  }
}

function checkCache(cache: unknown): ByteCache {
  const methods = cache as Partial<Record<string, unknown>> | null | undefined;
  const isCache = ['get', 'set', 'delete'].every((name) => typeof methods?.[name] === 'function');
  if (isCache) return cache as ByteCache;
  throw invalidArgument(
    'A cache is an object with the methods get, set and delete, such as await MemoryCache.open() gives.',
  );
}

function notBytes(found: unknown): StowageError {
  return invalidArgument(`The cache returned a ${typeof found} instead of a Uint8Array; correct its get.`);
}

function otherBytes(key: string): StowageError {
  return new StowageError(
    'CONTENT_DAMAGED',
    `The cache returned other bytes for ${key} than it was given; they were deleted there, and read from the store. Where it happens often, check the cache's disk or memory.`,
    { details: { key } },
  );
}

function tooSlow(operation: CacheOperation, limitMs: number): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `The cache did not end a ${operation} within ${Math.round(limitMs)} ms, and is left alone for a while; a cache that is slower than the store is better taken away.`,
    { details: { operation, limitMs } },
  );
}

/** Hashed in one go, which takes half a millisecond. */
const PIECE_BYTES = 1024 * 1024;

/** Compares bytes with the key, and the length, of the content at `address`. Large ones are hashed in turns with whatever else the process does. */
export async function isContent(
  bytes: Uint8Array,
  address: ContentAddress,
  { signal }: CallOptions,
): Promise<boolean> {
  if (address.bytes !== undefined && address.bytes !== bytes.length) return false;
  if (bytes.length <= PIECE_BYTES) return digestHex(bytes) === address.key;
  const hasher = createHasher();
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    hasher.update(bytes.subarray(start, start + PIECE_BYTES));
    if (!isTurnOver()) continue;
    await nextTurn();
    throwIfAborted(signal);
  }
  return hasher.digestHex() === address.key;
}
