import type { LRUCache } from 'lru-cache';
import { throwIfAborted } from '../../errors.ts';
import { checkOptions, type OptionTable, wholeNumber } from '../../options/option-table.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { copyInTurns } from '../../streams/lent-memory.ts';
import type { ByteCache } from './byte-cache.ts';

/** Options of {@link MemoryCache.open}. */
export interface MemoryCacheOptions {
  /** The most memory that its entries take up, in bytes. Default 268,435,456 (256 MiB). */
  maxBytes?: number | undefined;
}

const OPTIONS: OptionTable<MemoryCacheOptions> = {
  maxBytes: wholeNumber(1, undefined, 'a whole number of bytes'),
};
const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;
/** Memory of an entry beside its bytes: its key, its array, and its place in the list. */
const ENTRY_OVERHEAD_BYTES = 512;

/**
 * Keeps bytes in this process's memory, and forgets first what was used longest ago. What takes up more than a quarter of
 * `maxBytes` is not kept. Copies what goes in and what comes out.
 */
export class MemoryCache implements ByteCache {
  readonly #entries: LRUCache<string, Uint8Array>;

  private constructor(entries: LRUCache<string, Uint8Array>) {
    this.#entries = entries;
  }

  /**
   * Makes a cache; its library is loaded with the first.
   *
   * @throws StowageError `INVALID_ARGUMENT`
   */
  static async open(options: MemoryCacheOptions = {}): Promise<MemoryCache> {
    checkOptions<MemoryCacheOptions>(options, 'MemoryCache.open', OPTIONS);
    const { maxBytes: maxSize = DEFAULT_MAX_BYTES } = options;
    const { LRUCache } = await import('lru-cache');
    return new MemoryCache(new LRUCache({ maxSize, sizeCalculation: sizeOf }));
  }

  /** The memory that its entries take up, in bytes, the overhead of each included. */
  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  async get(key: string, { signal }: CallOptions = {}): Promise<Uint8Array | undefined> {
    throwIfAborted(signal);
    const kept = this.#entries.get(key);
    return kept && copyInTurns(kept);
  }

  async set(key: string, bytes: Uint8Array, { signal }: CallOptions = {}): Promise<void> {
    throwIfAborted(signal);
    if (sizeOf(bytes) <= this.#entries.maxSize / 4) this.#entries.set(key, await copyInTurns(bytes));
  }

  async delete(key: string): Promise<void> {
    this.#entries.delete(key);
  }
}

function sizeOf(bytes: Uint8Array): number {
  return bytes.length + ENTRY_OVERHEAD_BYTES;
}
