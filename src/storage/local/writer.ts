import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { nodeCrypto } from '../../digest/node-crypto.ts';
import { throwIfAborted } from '../../errors.ts';
import { isStream } from '../../streams/body-stream.ts';
import { goneError } from '../checks.ts';
import type { CreateOptions } from '../contract.ts';
import type { Durability } from './durability.ts';
import { codeOf, type FailedStep, localError, type Target } from './errors.ts';
import { hideFromGit } from './git-ignore.ts';
import { makeFolders } from './make-folders.ts';
import { STORE_RECORD, storeIdOf } from './name-encoding.ts';
import { versionOf } from './reader.ts';
import type { LocalSystem } from './system.ts';
import { removeStaleTmp } from './tmp-folder.ts';
import { writeAll, writeAllSync, writeStream } from './write-bytes.ts';

/** Bodies up to this size are written by synchronous calls, which are faster and too short to matter. */
export const SMALL_BODY_BYTES: number = 64 * 1024;
/** The most folders remembered as made. Past that, all are forgotten. */
const MAX_MADE_FOLDERS = 8_192;
/** A folder that another process removes again and again is made anew so often. */
const MAX_FOLDER_ATTEMPTS = 16;
/** The step by which the modification time of an overwritten object goes on at least; what a double can tell apart. */
const MIN_MTIME_STEP_MS = 0.002;

/**
 * Writes objects: a file in the folder of unfinished writes, synced, then linked to its name, which nobody else has (`create`), or renamed to
 * it, whoever has it (`replace`). Until then nobody sees it; afterwards its name is made durable as asked.
 */
export class Writer {
  readonly #tmpFolder: string;
  readonly #root: string;
  readonly #recordPath: string;
  readonly #durability: Durability;
  readonly #system: LocalSystem;
  /** What the paths of all its unfinished writes begin with. */
  #tmpStart: string | undefined;
  /** Folders that were there once: making the others first is cheaper than failing to link into them. */
  readonly #madeFolders = new Set<string>();
  /** The store whose record was there; `undefined` as long as none was seen. */
  #store: { id: unknown } | undefined;
  /** The version of its record that was last found to be of that store. */
  #recordVersion: string | undefined;
  #tmpCount = 0;
  #cleaned = false;

  constructor(tmpFolder: string, durability: Durability, system: LocalSystem) {
    this.#tmpFolder = tmpFolder;
    this.#root = dirname(tmpFolder);
    this.#recordPath = join(this.#root, STORE_RECORD);
    this.#durability = durability;
    this.#system = system;
  }

  /** Creates the object if its name is free, and tells whether it was. */
  async create(
    target: Target,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions,
  ): Promise<boolean> {
    const { durability = 'immediate', isContent = false, signal } = options;
    const tmp = this.newTmpPath();
    let identity: string | undefined;
    try {
      const flushed = durability === 'barrier' ? this.#durability.flush() : undefined;
      flushed?.catch(() => {});
      const written =
        isStream(body) || body.length > SMALL_BODY_BYTES
          ? this.#writeLarge(tmp, target, body, signal)
          : this.#writeSmall(tmp, target, body);
      if (written) await written;
      if (flushed) await flushed;
      throwIfAborted(signal);
      if (isContent && durability === 'deferred') identity = this.#durability.identityOf(tmp);
      if (!this.#link(tmp, target)) return false;
    } finally {
      remove(tmp);
    }
    // The object is visible now, so that an abort comes too late.
    const { path } = target;
    const synced =
      durability === 'deferred'
        ? this.#durability.deferName(path, identity)
        : this.#durability.syncName(path);
    if (synced) await synced;
    return true;
  }

  /**
   * Puts the object in the place of what is there, without making it durable, and returns its file's state, which
   * differs from that of every file the name had before.
   */
  replace(target: Target, body: Uint8Array): Stats {
    const tmp = this.newTmpPath();
    try {
      const stats = this.#writeUnsynced(tmp, target, body);
      this.#inFolder(target, () => this.#system.renameSync(tmp, target.path));
      return stats;
    } catch (error) {
      remove(tmp);
      throw localError(error, target);
    }
  }

  /**
   * As {@link replace}, if `isAllowed`, which is asked last, and if nobody removed `tmp` since: whoever does keeps us from replacing
   * anything. Returns `undefined` where the object was not replaced.
   */
  replaceIf(target: Target, body: Uint8Array, isAllowed: (tmp: string) => boolean): Stats | undefined {
    const tmp = this.newTmpPath();
    try {
      const stats = this.#writeUnsynced(tmp, target, body);
      if (isAllowed(tmp) && this.#renameIfThere(tmp, target.path)) return stats;
      remove(tmp);
      return undefined;
    } catch (error) {
      remove(tmp);
      throw localError(error, target);
    }
  }

  #renameIfThere(tmp: string, path: string): boolean {
    try {
      this.#system.renameSync(tmp, path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** A path in that folder that nobody else uses. */
  newTmpPath(): string {
    this.#tmpCount += 1;
    this.#tmpStart ??= join(this.#tmpFolder, nodeCrypto().randomBytes(12).toString('hex'));
    return `${this.#tmpStart}-${this.#tmpCount}`;
  }

  #writeSmall(tmp: string, target: Target, body: Uint8Array): Promise<void> | undefined {
    const fd = this.#openTmp(tmp, target);
    let synced: Promise<void> | undefined;
    try {
      writeAllSync(fd, body);
      synced = this.#durability.syncFile(fd, target.name, tmp);
    } catch (error) {
      closeSync(fd);
      throw localError(error, { ...target, path: tmp });
    }
    if (synced) return synced.finally(() => closeSync(fd));
    this.#close(fd, tmp, target);
    return undefined;
  }

  async #writeLarge(
    tmp: string,
    target: Target,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const fail = (error: unknown): Error => localError(error, { ...target, path: tmp });
    const fd = this.#openTmp(tmp, target);
    try {
      if (isStream(body)) {
        await writeStream(fd, body, fail, signal);
      } else {
        await writeAll(fd, body, signal).catch((error: unknown) => {
          throw fail(error);
        });
      }
      throwIfAborted(signal);
      await this.#durability.syncLargeFile(fd, target.name, tmp);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#close(fd, tmp, target);
  }

  #writeUnsynced(tmp: string, target: Target, body: Uint8Array): Stats {
    const fd = this.#openTmp(tmp, target);
    let stats: Stats;
    try {
      writeAllSync(fd, body);
      stats = advanceMtime(fd, tmp, statSync(target.path, { throwIfNoEntry: false }));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#close(fd, tmp, target);
    return stats;
  }

  #openTmp(tmp: string, target: Target): number {
    try {
      const fd = this.#inFolder({ ...target, path: tmp }, () => openSync(tmp, 'wx'));
      if (!this.#cleaned) {
        this.#cleaned = true;
        removeStaleTmp(this.#tmpFolder, fd);
      }
      return fd;
    } catch (error) {
      throw localError(error, { ...target, path: tmp });
    }
  }

  /** A network file system may tell only here that it had no room. */
  #close(fd: number, tmp: string, target: Target): void {
    try {
      closeSync(fd);
    } catch (error) {
      throw localError(error, { ...target, path: tmp });
    }
  }

  #link(tmp: string, target: Target): boolean {
    const folder = dirname(target.path);
    if (!this.#madeFolders.has(folder)) {
      this.#makeFolder(folder, target);
      if (this.#madeFolders.size >= MAX_MADE_FOLDERS) this.#madeFolders.clear();
      this.#madeFolders.add(folder);
    }
    try {
      this.#inFolder(target, () => this.#system.linkSync(tmp, target.path));
      return true;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST')
        throw localError(error, { ...target, step: this.#linkStep(tmp, error) });
      const isFolder = lstatSync(target.path, { throwIfNoEntry: false })?.isDirectory();
      if (isFolder) throw localError(Object.assign(new Error('is a folder'), { code: 'EISDIR' }), target);
      return false;
    }
  }

  /** `EPERM` means that a file system has no links, if not even two names in one folder of ours can be had. */
  #linkStep(tmp: string, error: unknown): FailedStep['step'] {
    if (codeOf(error) !== 'EPERM') return 'link';
    const second = this.newTmpPath();
    try {
      this.#system.linkSync(tmp, second);
      return 'link';
    } catch (again) {
      return codeOf(again) === 'EPERM' ? 'no-links' : 'link';
    } finally {
      remove(second);
    }
  }

  /** From now on folders are made only while the record of the store is there, which tells whether the whole of it is. */
  expectStore(record: Uint8Array): void {
    this.#store = { id: storeIdOf(record) };
    this.#recordVersion = undefined;
  }

  #makeFolder(folder: string, target: FailedStep): void {
    const expected = target.name === STORE_RECORD ? undefined : this.#store;
    const root = this.#root;
    try {
      if (expected) this.#ensureStore(expected.id);
      makeFolders(folder, expected ? root : undefined);
      if (folder === this.#tmpFolder) hideFromGit(root);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT') return;
      const cause =
        code === 'EEXIST'
          ? Object.assign(new Error('is an object'), { code: 'ENOTDIR', cause: error })
          : error;
      throw localError(cause, { ...target, path: folder });
    }
  }

  #ensureStore(id: unknown): void {
    const path = this.#recordPath;
    const stats = statSync(path, { throwIfNoEntry: false });
    if (!stats) throw goneError(this.#root);
    const version = versionOf(stats);
    if (version === this.#recordVersion) return;
    if (storeIdOf(readFileSync(path)) !== id) throw goneError(this.#root, 'replaced');
    this.#recordVersion = version;
  }

  /** Does something to a path, and makes its folder first where that is missing or is removed meanwhile. */
  #inFolder<T>(target: Target, action: () => T): T {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return action();
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || attempt === MAX_FOLDER_ATTEMPTS) throw error;
      }
      this.#makeFolder(dirname(target.path), target);
    }
  }
}

/** Removes a file in the folder of unfinished writes; one that cannot be removed is removed as stale some day. */
export function remove(tmp: string): void {
  try {
    unlinkSync(tmp);
  } catch {}
}

/**
 * Versions are made of inode, modification time and length. Inodes are used again and clocks are coarse, so that the
 * time is moved on where it did not pass.
 */
function advanceMtime(fd: number, tmp: string, replaced: Stats | undefined): Stats {
  const stats = fstatSync(fd);
  if (!replaced || stats.mtimeMs > replaced.mtimeMs) return stats;
  const mtimeMs = replaced.mtimeMs + MIN_MTIME_STEP_MS;
  utimesSync(tmp, stats.atimeMs / 1000, mtimeMs / 1000); // by its path: Node's permission model has no other way
  return fstatSync(fd);
}
