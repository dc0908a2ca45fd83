import type { BigIntStats } from 'node:fs';
import type { ContentStore } from '../content/content-store.ts';
import type { ContentKey } from '../format/content-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { KeptIndex } from './directory/kept-index.ts';
import { type FileStats, identityOf, type StatIndex, statIndexOf } from './directory/stat-index.ts';

const NANOSECONDS = 1_000_000_000n;

/**
 * What is remembered of a file of this machine in one state of it: by this process, or, of one that takes a while to read, by another one of this
 * user. As of directories, of which it is one file without a path.
 */
export class KnownFile {
  readonly #path: string;
  readonly #stats: FileStats;
  readonly #index: StatIndex;

  /** @param path - absolute */
  constructor(path: string, state: BigIntStats, store: ContentStore) {
    this.#path = path;
    this.#stats = statsOf(state);
    this.#index = statIndexOf(store);
  }

  /** The digest of its bytes; `undefined` where nobody has read it in this state. */
  async key(options: CallOptions): Promise<ContentKey | undefined> {
    const known = this.#index.keyOf(this.#path, this.#stats);
    if (known !== undefined) return known;
    const of = identityOf(this.#stats);
    const kept = await this.#kept();
    if (!kept || (await kept.load(options))?.of !== of) return undefined;
    for await (const { key } of kept.files(options)) {
      this.#index.adopt(this.#path, of, key);
      return key;
    }
    return undefined;
  }

  /** @param readAtMs - by this machine's clock, before the file was looked at */
  async remember(key: ContentKey, readAtMs: number, options: CallOptions): Promise<void> {
    if (!this.#index.remember(this.#path, this.#stats, key, readAtMs)) return;
    const of = identityOf(this.#stats);
    const kept = await this.#kept();
    await kept?.save({ of, folder: undefined, packs: [] }, [{ path: '', of, key }], options);
  }

  /** What other processes share of it; `undefined` where none do. */
  async #kept(): Promise<KeptIndex | undefined> {
    if (!KeptIndex.pays(1, this.#stats.size)) return undefined;
    const cache = await this.#index.cache.open(this.#path);
    return cache && new KeptIndex(cache, this.#path, 'file');
  }
}

/** As Node makes them of the same times, so that a file is known whoever has read it. */
function statsOf({ dev, ino, size, mtimeNs, ctimeNs, mode }: BigIntStats): FileStats {
  return {
    dev: Number(dev),
    ino: Number(ino),
    size: Number(size),
    mtimeMs: millisecondsOf(mtimeNs),
    ctimeMs: millisecondsOf(ctimeNs),
    mode: Number(mode),
  };
}

function millisecondsOf(ns: bigint): number {
  return Number(ns / NANOSECONDS) * 1_000 + Number(ns % NANOSECONDS) / 1_000_000;
}
