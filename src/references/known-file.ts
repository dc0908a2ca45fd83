import type { BigIntStats } from 'node:fs';
import type { ContentStore } from '../content/content-store.ts';
import type { ContentKey } from '../format/content-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { openIndexCache } from './directory/index-folder.ts';
import { KeptIndex } from './directory/kept-index.ts';
import { type FileStats, identityOf, statIndexOf } from './directory/stat-index.ts';

const NANOSECONDS = 1_000_000_000n;

/**
 * What is remembered of a file of this machine in one state of it: by this process, or, of one that takes a while to read, by another one of this
 * user. As of directories, of which it is one file without a path.
 */
export class KnownFile {
  readonly #path: string;
  readonly #stats: FileStats;
  readonly #store: ContentStore;

  /** @param path - absolute */
  constructor(path: string, state: BigIntStats, store: ContentStore) {
    this.#path = path;
    this.#stats = statsOf(state);
    this.#store = store;
  }

  /** The digest of its bytes; `undefined` where nobody has read it in this state. */
  async key(options: CallOptions): Promise<ContentKey | undefined> {
    const index = statIndexOf(this.#store);
    const known = index.keyOf(this.#path, this.#stats);
    if (known !== undefined) return known;
    const of = identityOf(this.#stats);
    const key = await this.#withIndex(async (kept) => {
      const found = await kept.load(options);
      if (found?.of !== of) return undefined;
      for await (const file of kept.files(options)) return file.key;
      return undefined;
    });
    if (key !== undefined) index.adopt(this.#path, of, key);
    return key;
  }

  /** @param readAtMs - by this machine's clock, before the file was looked at */
  async remember(key: ContentKey, readAtMs: number, options: CallOptions): Promise<void> {
    if (!statIndexOf(this.#store).remember(this.#path, this.#stats, key, readAtMs)) return;
    const of = identityOf(this.#stats);
    await this.#withIndex((kept) => {
      return kept.save({ of, folder: undefined, packs: [] }, [{ path: '', of, key }], options);
    });
  }

  async #withIndex<T>(work: (kept: KeptIndex) => Promise<T>): Promise<T | undefined> {
    if (!KeptIndex.pays(1, this.#stats.size)) return undefined;
    const cache = await openIndexCache(this.#path);
    try {
      return cache && (await work(new KeptIndex(cache, this.#path, 'file')));
    } finally {
      await cache?.close();
    }
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
