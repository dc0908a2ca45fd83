import { closeSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { BoundedMap } from '../../async/bounded-map.ts';
import { mapBounded } from '../../async/bounded-work.ts';
import type { StowageError } from '../../errors.ts';
import { AdaptiveFsync } from './adaptive-fsync.ts';
import { codeOf, isAbsent, localError } from './errors.ts';
import type { LocalSystem } from './system.ts';

/** The most folders remembered as durable. Past that, all are forgotten, and synced once more when used. */
const MAX_KNOWN_FOLDERS = 8_192;
/** The most files remembered as durable. Past that, those that were used longest ago are synced once more. */
const MAX_KNOWN_FILES = 16_384;
/** The most fsyncs at a time in the thread pool. */
const MAX_CONCURRENT_FSYNCS = 8;
/** The most files and folders that wait for a barrier. Past that, they are synced without one. */
export const MAX_DEFERRED = 2_048;
/** Windows opens no folder for syncing, and its file systems journal names themselves. */
const SYNCS_FOLDERS = process.platform !== 'win32';

/**
 * Makes files and names survive a power failure. A name is durable once the folder that holds it was synced after it
 * was made, and so was the parent of every folder on the way: of those this process made, and of those it finds,
 * because whoever made them may not have got that far. What it made durable once is not synced again while it is the same file
 * in the same folders.
 *
 * A failed fsync is not tried again, because the system may forget what it could not write and then say yes: the path
 * stays failed for as long as this instance lives, and so does every barrier that would have to vouch for it.
 */
export class Durability {
  readonly #root: string;
  readonly #system: LocalSystem;
  readonly #fsync: AdaptiveFsync;
  readonly #enabled: boolean;
  /** Folders that are durable up to the root of their file system, by the identity they had. */
  readonly #known = new Map<string, string>();
  /** Files that are durable, and their names in the folders that they had then, by their identity. */
  readonly #knownFiles = new BoundedMap<string, string>(MAX_KNOWN_FILES);
  readonly #failed = new Map<string, StowageError>();
  readonly #running = new Map<string, RunningSync>();
  #deferredFolders = new Set<string>();
  #deferredFiles = new Set<string>();
  /** Files of this process that are durable as soon as their folders are, by their identity. */
  #deferredNames = new Map<string, string>();
  #flushing: Promise<void> | undefined;
  #nextFlush: Promise<void> | undefined;

  constructor(root: string, system: LocalSystem, enabled: boolean) {
    this.#root = root;
    this.#system = system;
    this.#fsync = new AdaptiveFsync(system);
    this.#enabled = enabled;
  }

  /** Syncs a small file that was just written. `undefined` means done. */
  syncFile(fd: number, name: string, path: string): Promise<void> | undefined {
    if (!this.#enabled) return undefined;
    const failed = (error: unknown): Error =>
      localError(error, { operation: 'sync', name, path, step: 'fsync' });
    try {
      return this.#fsync.sync(fd)?.catch((error: unknown) => {
        throw failed(error);
      });
    } catch (error) {
      throw failed(error);
    }
  }

  /** Syncs a large file that was just written, off the event loop. */
  async syncLargeFile(fd: number, name: string, path: string): Promise<void> {
    if (!this.#enabled) return;
    try {
      await this.#system.fsync(fd);
    } catch (error) {
      throw localError(error, { operation: 'sync', name, path, step: 'fsync' });
    }
  }

  /** The identity of a file that was synced, and is about to get its name: for {@link deferName}. */
  identityOf(path: string): string | undefined {
    return this.#enabled && SYNCS_FOLDERS ? fileIdentity(path) : undefined;
  }

  /** Makes the name of a file that was synced durable now. `undefined` means done. */
  syncName(path: string): Promise<void> | undefined {
    return this.#enabled && SYNCS_FOLDERS ? this.#syncFolders([dirname(path)]) : undefined;
  }

  /** Makes the name of a file that was synced durable by the next barrier. */
  deferName(path: string, identity: string | undefined): Promise<void> | undefined {
    if (!this.#enabled || !SYNCS_FOLDERS) return undefined;
    if (identity !== undefined && this.#deferredNames.size < MAX_DEFERRED)
      this.#deferredNames.set(path, identity);
    return this.#deferFolder(dirname(path));
  }

  /** Makes a file that somebody may have written, and its name, durable by the next barrier, unless this process knows that it is. */
  deferFile(path: string): Promise<void> | undefined {
    if (!this.#enabled || this.#isKnown(path)) return undefined;
    this.#deferredFiles.add(path);
    const flushed = this.#deferredFiles.size >= MAX_DEFERRED ? this.flush() : undefined;
    if (flushed || !SYNCS_FOLDERS) return flushed;
    return this.#deferFolder(dirname(path));
  }

  #deferFolder(folder: string): Promise<void> | undefined {
    this.#deferredFolders.add(folder);
    return this.#deferredFolders.size >= MAX_DEFERRED ? this.flush() : undefined;
  }

  /** True if the file, and each folder up to the root of the store, is the one that was made durable. */
  #isKnown(path: string): boolean {
    const known = this.#knownFiles.get(path);
    if (known === undefined || fileIdentity(path) !== known) return false;
    for (let folder = dirname(path); folder.length >= this.#root.length; folder = dirname(folder)) {
      const stats = statSync(folder, { throwIfNoEntry: false });
      if (!stats || this.#known.get(folder) !== folderIdentity(stats)) return false;
      if (folder === dirname(folder)) break;
    }
    return true;
  }

  #rememberFiles(files: Iterable<readonly [path: string, identity: string | undefined]>): void {
    for (const [path, identity] of files) if (identity !== undefined) this.#knownFiles.set(path, identity);
  }

  /**
   * The barrier: makes all that was deferred so far durable. `undefined` means done. Barriers that come while one is
   * running share the next one, since the running one may have begun before what they wait for.
   */
  flush(): Promise<void> | undefined {
    if (this.#nextFlush) return this.#nextFlush;
    if (!this.#flushing) return this.#flushNow();
    this.#nextFlush = this.#flushing.then(ignore, ignore).then(() => {
      this.#nextFlush = undefined;
      return this.#flushNow();
    });
    return this.#nextFlush;
  }

  #flushNow(): Promise<void> | undefined {
    const folders = this.#deferredFolders;
    const files = this.#deferredFiles;
    const names = this.#deferredNames;
    if (folders.size === 0 && files.size === 0) return undefined;
    this.#deferredFolders = new Set();
    this.#deferredFiles = new Set();
    this.#deferredNames = new Map();
    // Before they are synced: what takes a name afterwards is another file.
    const identities = [...files].map((path) => [path, fileIdentity(path)] as const);
    const remember = (): void => {
      this.#rememberFiles(names);
      this.#rememberFiles(identities);
    };
    const failed = (error: unknown): never => {
      for (const folder of folders) this.#deferredFolders.add(folder);
      for (const file of files) this.#deferredFiles.add(file);
      for (const [path, identity] of names) this.#deferredNames.set(path, identity);
      throw error;
    };
    let pending: Promise<void> | undefined;
    try {
      const syncingFiles = this.#syncAll([...files]);
      pending = syncingFiles
        ? syncingFiles.then(() => this.#syncFolders(folders))
        : this.#syncFolders(folders);
    } catch (error) {
      failed(error);
    }
    if (!pending) {
      remember();
      return undefined;
    }
    const flushing = pending.then(remember, failed).finally(() => {
      if (this.#flushing === flushing) this.#flushing = undefined;
    });
    this.#flushing = flushing;
    return flushing;
  }

  #syncFolders(folders: Iterable<string>): Promise<void> | undefined {
    const plan = this.#plan(folders);
    const remember = (): void => {
      if (this.#known.size > MAX_KNOWN_FOLDERS) this.#known.clear();
      for (const [folder, identity] of plan) this.#known.set(folder, identity);
    };
    const pending = this.#syncAll([...plan.keys()]);
    if (pending) return pending.then(remember);
    remember();
    return undefined;
  }

  /** The folders to sync: those given, and the parents of all that are not known to be durable, with their identities. */
  #plan(folders: Iterable<string>): Map<string, string> {
    const plan = new Map<string, string>();
    for (const folder of folders) {
      let device: number | undefined;
      for (let path = folder; !plan.has(path); path = dirname(path)) {
        const stats = statSync(path, { throwIfNoEntry: false });
        // Gone, and with it all that it held; or the root of a mounted file system, which has no name in its parent.
        if (!stats || (device !== undefined && stats.dev !== device)) break;
        device = stats.dev;
        const identity = folderIdentity(stats);
        plan.set(path, identity);
        if (this.#known.get(path) === identity) break;
      }
    }
    return plan;
  }

  #syncAll(paths: readonly string[]): Promise<void> | undefined {
    for (let i = 0; i < paths.length; i += 1) {
      const pending = this.#syncPath(paths[i] as string);
      if (pending) return this.#syncInPool(pending, paths.slice(i + 1));
    }
    return undefined;
  }

  async #syncInPool(first: Promise<void>, rest: readonly string[]): Promise<void> {
    const syncs = [() => first, ...rest.map((path) => () => this.#syncPath(path))];
    await mapBounded(syncs, MAX_CONCURRENT_FSYNCS, async (sync) => sync());
  }

  /** Syncs a path. Calls that come while it is being synced share the next sync of it. */
  #syncPath(path: string): Promise<void> | undefined {
    const running = this.#running.get(path);
    if (!running) return this.#start(path);
    running.next ??= running.done.then(ignore, ignore).then(() => this.#start(path));
    return running.next;
  }

  #start(path: string): Promise<void> | undefined {
    this.#running.delete(path);
    const pending = this.#openAndSync(path);
    if (!pending) return undefined;
    const running: RunningSync = { done: pending, next: undefined };
    this.#running.set(path, running);
    const forget = (): void => {
      if (this.#running.get(path) === running && !running.next) this.#running.delete(path);
    };
    pending.then(forget, forget);
    return pending;
  }

  #openAndSync(path: string): Promise<void> | undefined {
    const earlier = this.#failed.get(path);
    if (earlier) throw earlier;
    const fd = this.#open(path);
    if (fd === undefined) return undefined;
    const finish = (error?: unknown): void => {
      closeSync(fd);
      if (error !== undefined) this.#fail(path, error);
    };
    let pending: Promise<void> | undefined;
    try {
      pending = this.#fsync.sync(fd);
    } catch (error) {
      finish(error);
    }
    if (pending) return pending.then(() => finish(), finish);
    finish();
    return undefined;
  }

  #open(path: string): number | undefined {
    try {
      return openSync(path, SYNCS_FOLDERS ? 'r' : 'r+');
    } catch (error) {
      if (isAbsent(error)) return undefined;
      // Above the store we sync what we can: a folder we may not read was there before us.
      const isAbove = !path.startsWith(this.#root);
      if (isAbove && (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM')) return undefined;
      throw localError(error, { operation: 'sync', name: this.#nameOf(path), path });
    }
  }

  #fail(path: string, error: unknown): void {
    const code = codeOf(error);
    // Some file systems (CIFS, some FUSE) cannot sync folders, and say so this way.
    if ((code === 'EINVAL' || code === 'ENOTSUP') && statSync(path, { throwIfNoEntry: false })?.isDirectory())
      return;
    const failure = localError(error, { operation: 'sync', name: this.#nameOf(path), path, step: 'fsync' });
    this.#failed.set(path, failure as StowageError);
    throw failure;
  }

  #nameOf(path: string): string {
    return relative(this.#root, path) || '.';
  }
}

interface RunningSync {
  done: Promise<void>;
  next: Promise<void> | undefined;
}

function ignore(): void {}

/** A folder that was removed and made again may get its old inode, but is born later. */
function folderIdentity(stats: Stats): string {
  return `${stats.ino}-${stats.birthtimeMs}`;
}

/** The identity of a file, for as long as nobody writes it anew. None where the file system does not tell when a file was born. */
function fileIdentity(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats || stats.birthtimeMs === 0) return undefined;
  return `${stats.dev}-${stats.ino}-${stats.birthtimeMs}-${stats.mtimeMs}-${stats.size}`;
}
