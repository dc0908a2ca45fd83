import type { Stats } from 'node:fs';
import { BoundedMap } from '../../async/bounded-map.ts';
import type { ContentStore } from '../../content/content-store.ts';
import type { SoughtContent } from '../../content/writing/copy-finder.ts';
import type { ContentKey } from '../../format/content-names.ts';
import { IndexCache, tellsOfChanges } from './index-folder.ts';

/** So many files a process remembers. */
const KNOWN_FILES = 1_000_000;
/**
 * A file that was written so shortly before it was read may be written to again within the same tick of its file system's clock, and look
 * the same: nothing is remembered of it. Of systems with whole seconds or milliseconds a tick may take two seconds.
 */
const FINE_TICK_MS = 100;
const COARSE_TICK_MS = 2_100;

/** What the system tells of a file that counts; its own object has four dates beside. */
export type FileStats = Pick<Stats, 'dev' | 'ino' | 'size' | 'mtimeMs' | 'ctimeMs' | 'mode'>;

/** A folder that was saved. */
export interface KnownFolder {
  files: number;
  size: number;
  entries: string;
  /** The listing first, then packs and large files. */
  contents: readonly SoughtContent[];
}

/** The files that a process has read, by what the system tells of them: as long as that stays as it was, so do their bytes. */
export class StatIndex {
  readonly #files = new BoundedMap<string, { of: string; key: ContentKey }>(KNOWN_FILES);
  /** The contents of folders, by all that {@link walkTree} told of them. */
  readonly folders: BoundedMap<string, KnownFolder> = new BoundedMap(1_000);
  /** The keys of packs, by the digest of the keys of their files. */
  readonly packs: BoundedMap<string, ContentKey> = new BoundedMap(100_000);

  /** What other processes remember. */
  readonly cache: IndexCache = new IndexCache();

  /** Takes over what another process remembers of a file. */
  adopt(path: string, of: string, key: ContentKey): void {
    this.#files.set(path, { of, key });
  }

  /** The digest of a file that is as it was when it was read; `undefined` where it may not be. */
  keyOf(path: string, stats: FileStats): ContentKey | undefined {
    const known = this.#files.get(path);
    return known?.of === identityOf(stats) ? known.key : undefined;
  }

  /**
   * False where nothing can be remembered of the file: it was written just now, or lies where the system does not tell of each change.
   *
   * @param readAtMs - by this machine's clock, before the file was read
   */
  remember(path: string, stats: FileStats, key: ContentKey, readAtMs: number): boolean {
    const { ctimeMs, mtimeMs } = stats;
    const isFine = ctimeMs % 1 !== 0;
    const latestMs = Math.max(ctimeMs, mtimeMs);
    if (readAtMs - latestMs < (isFine ? FINE_TICK_MS : COARSE_TICK_MS)) return false;
    if (!tellsOfChanges(path)) return false;
    this.#files.set(path, { of: identityOf(stats), key });
    return true;
  }
}

const indexes = new WeakMap<ContentStore, StatIndex>();

/** The index of those who save in a store. */
export function statIndexOf(store: ContentStore): StatIndex {
  const known = indexes.get(store) ?? new StatIndex();
  indexes.set(store, known);
  return known;
}

/** Ends what is remembered for a store that is about to be closed. */
export async function closeStatIndex(store: ContentStore): Promise<void> {
  await indexes.get(store)?.cache.close();
}

/** The same for two looks at a file that nobody has written to between them; ctime is set by the system alone. */
export function identityOf({ dev, ino, size, mtimeMs, ctimeMs, mode }: FileStats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs} ${mode}`;
}
