import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { invalidArgument, throwIfAborted } from '../../errors.ts';
import { isContentKey } from '../../format/content-names.ts';
import { checkOptions, FUNCTION, type OptionTable, wholeNumber } from '../../options/option-table.ts';
import { isBuiltIn } from '../../storage/address-text.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { refuseHome } from '../../storage/home-folder.ts';
import { type ByteCache, type CacheOperation, reportCacheFailure } from './byte-cache.ts';
import { makeRoom } from './disk-cache-eviction.ts';
import { DiskCacheFolder, sizeOnDisk } from './disk-cache-folder.ts';

/** Options of {@link DiskCache.open}. */
export interface DiskCacheOptions {
  /**
   * The most disk space that the cache takes up, in bytes, a file counted in blocks of 4 KiB. Default 10,000,000,000 (10 GB).
   * While room is made for it, what was just written may exceed it; each further process that writes into the folder, by a tenth.
   */
  maxBytes?: number | undefined;
  /** Milliseconds since 1970. Default `Date.now`. */
  nowMs?: (() => number) | undefined;
}

const OPTIONS: OptionTable<DiskCacheOptions> = {
  maxBytes: wholeNumber(1, undefined, 'a whole number of bytes'),
  nowMs: FUNCTION,
};
const DEFAULT_MAX_BYTES = 10_000_000_000;
/** A look leaves nine tenths, and comes once a sixteenth more is written; half of that may be written while it lasts. */
const KEPT_SHARE = 0.9;
const UNSEEN_SHARE = 1 / 16;
const UNSEEN_SHARE_WHILE_LOOKING = 1 / 32;
/** A use of an entry is noted only so long after the last one that was, so that hits do not cost a write each. */
const TOUCH_AFTER_MS = 5 * 60 * 1000;
/** Nothing is written for so long after a write failed: a full disk stays full for a while. */
const PAUSE_MS = 30_000;

/**
 * Keeps bytes as files in a folder, which any number of processes may share, and forgets first what was used longest ago; a use
 * counts from five minutes after the last that counted. What takes up more than a quarter of `maxBytes` is not kept. Folders and
 * files are readable by their owner alone.
 *
 * A failure of the disk costs speed only, and is told by the channel `stowage:cache-failed`: what cannot be read is a
 * miss; after a write that failed, be it that the folder cannot be made, none is tried for 30 seconds; a folder that was deleted,
 * be it in the middle of a write, is made again by the next one.
 * Files are not synced: after a power failure an entry may be damaged, which its reader notices.
 *
 * When it is opened, and whenever it has written `maxBytes`/16, it looks at the whole folder in the background and removes what
 * is too much. Close it, so that this is done before the process ends.
 */
export class DiskCache implements ByteCache, AsyncDisposable {
  readonly #folder: DiskCacheFolder;
  readonly #maxBytes: number;
  readonly #nowMs: () => number;
  #looking: Promise<void> | undefined;
  /** Bytes written since the last look began. */
  #unseenBytes = 0;
  /** Bytes that are being written: a look may miss them. */
  #beingWrittenBytes = 0;
  #pausedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  private constructor(folder: DiskCacheFolder, maxBytes: number, nowMs: () => number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  /**
   * Opens a cache in `folder`, which the first write makes. It should be the cache's own; files of others in it are left alone.
   *
   * @throws StowageError `INVALID_ARGUMENT`, also for a file, for a folder that is a store or lies in one, and for `~`, which no shell expanded.
   */
  static async open(folder: string, options: DiskCacheOptions = {}): Promise<DiskCache> {
    checkOptions<DiskCacheOptions>(options, 'DiskCache.open', OPTIONS);
    const { maxBytes = DEFAULT_MAX_BYTES, nowMs = Date.now } = options;
    if (typeof folder !== 'string' || folder === '') {
      throw invalidArgument('DiskCache.open takes the path of a folder.');
    }
    if (isBuiltIn(folder))
      throw invalidArgument(
        `DiskCache.open takes the path of a folder of this machine, not the address ${folder}.`,
      );
    refuseHome(folder);
    const path = resolve(folder);
    await checkFolder(path);
    const cache = new DiskCache(new DiskCacheFolder(path), maxBytes, nowMs);
    cache.#look();
    return cache;
  }

  /** The absolute path of its folder. */
  get folder(): string {
    return this.#folder.path;
  }

  async get(key: string, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    checkKey(key);
    throwIfAborted(options.signal);
    if (this.#isClosed) return undefined;
    const found = await this.#unlessFailing('get', options, () =>
      this.#folder.read(key, this.#maxBytes / 4, options),
    );
    const nowMs = this.#nowMs();
    if (found && Math.abs(nowMs - found.modifiedAtMs) > TOUCH_AFTER_MS) {
      await this.#unlessFailing('get', options, () => this.#folder.touch(key, nowMs));
    }
    return found?.bytes;
  }

  async set(key: string, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    checkKey(key);
    throwIfAborted(options.signal);
    const size = sizeOnDisk(bytes.length);
    if (!this.#admits(size)) return;
    this.#unseenBytes += size;
    this.#beingWrittenBytes += size;
    try {
      await this.#unlessFailing('set', options, () => this.#write(key, bytes, options));
    } finally {
      this.#beingWrittenBytes -= size;
      this.#lookIfDue();
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.#unlessFailing('delete', {}, () => this.#folder.delete(key));
  }

  /** Ends the cache, once a look that is under way is done. It keeps nothing afterwards, and has nothing. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#looking) await this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** True if so much may be written now. */
  #admits(size: number): boolean {
    if (this.#isClosed || size > this.#maxBytes / 4) return false;
    if (Math.abs(this.#nowMs() - this.#pausedAtMs) < PAUSE_MS) return false;
    if (this.#looking) return this.#unseenBytes < this.#maxBytes * UNSEEN_SHARE_WHILE_LOOKING;
    return true;
  }

  /** Looks if more was written than may stay unseen. */
  #lookIfDue(): void {
    const writtenBytes = this.#unseenBytes - this.#beingWrittenBytes;
    if (!this.#looking && writtenBytes > this.#maxBytes * UNSEEN_SHARE) this.#look();
  }

  #look(): void {
    this.#unseenBytes = this.#beingWrittenBytes;
    const target = {
      keepBytes: this.#maxBytes * KEPT_SHARE,
      nowMs: this.#nowMs(),
      onFailure: (error: unknown) => reportCacheFailure(this, 'scan', error),
    };
    this.#looking = this.#unlessFailing('scan', {}, () => makeRoom(this.#folder, target)).then(() => {
      this.#looking = undefined;
      this.#lookIfDue();
    });
  }

  async #write(key: string, bytes: Uint8Array, options: CallOptions): Promise<void> {
    try {
      await this.#folder.write(key, bytes, options);
    } catch (error) {
      if (!isOfEntry(error) && !options.signal?.aborted) this.#pausedAtMs = this.#nowMs();
      throw error;
    }
  }

  async #unlessFailing<T>(
    operation: CacheOperation,
    { signal }: CallOptions,
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      throwIfAborted(signal);
      reportCacheFailure(this, operation, error);
      return undefined;
    }
  }
}

/**
 * True if a write failed for a reason that says nothing of the other entries: a rename, where something else has the entry's name, or a
 * folder that is gone as soon as it was made, while somebody deletes it.
 */
function isOfEntry(error: unknown): boolean {
  const { syscall, code } = error as NodeJS.ErrnoException;
  return syscall === 'rename' || (syscall === 'open' && code === 'ENOENT');
}

function checkKey(key: unknown): void {
  if (isContentKey(key)) return;
  throw invalidArgument(`${JSON.stringify(key)} is no key of a cache; a key is 64 hexadecimal digits.`);
}

async function checkFolder(path: string): Promise<void> {
  const stats = await statOf(path);
  if (stats && !stats.isDirectory()) {
    throw invalidArgument(`${path} is not a folder; choose another place for the cache.`, { path });
  }
  for (let above = path; ; above = dirname(above)) {
    if (await statOf(join(above, 'stowage.json'))) {
      throw invalidArgument(
        `${path} is a store or lies in one (${join(above, 'stowage.json')}), and a cache removes files; give it a folder of its own.`,
        { path, store: above },
      );
    }
    if (above === dirname(above)) return;
  }
}

/** Looks at a path; `undefined` where there is nothing, or nothing that this user may see: then the cache is of no use, but no error. */
async function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}
