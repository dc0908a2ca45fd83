import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, unlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapBounded } from '../../async/bounded-work.ts';
import { nodeCrypto } from '../../digest/node-crypto.ts';
import { throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../../storage/contract.ts';

/** A file of a cache, as a look at its folder shows it. */
export interface CacheFile {
  path: string;
  /** Bytes that it takes up on disk. */
  sizeBytes: number;
  /** The time at which it was written, or used five minutes or longer after that. */
  modifiedAtMs: number;
  /** A file that somebody writes, or was writing when they ended. */
  isTemporary: boolean;
}

/** An entry that was read. */
export interface CacheEntry {
  bytes: Uint8Array;
  modifiedAtMs: number;
}

/** File systems give space in blocks: without this a cache of small entries would take up far more than it says. */
const BLOCK_BYTES = 4096;
/** The most bytes asked of one system call, so that an abort is noticed between them. */
const MAX_READ_BYTES = 16 * 1024 * 1024;
/** So many files are looked at at once: the thread pool has other work. */
const LOOKED_AT_ONCE = 16;
/** Times that one write makes its folder: somebody may be deleting it at the same time. */
const MAX_FOLDERS_MADE = 3;
/** Neither follows a link to elsewhere, nor waits at a pipe that somebody put in an entry's place. Windows has neither. */
const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

const shardRegExp = /^[0-9a-f]{2}$/;
const fileRegExp = /^([0-9a-f]{2})[0-9a-f]{62}\.cached(\.[0-9a-f]{16}\.tmp)?$/;

/**
 * The files of a disk cache: `<folder>/<first two digits of the key>/<key>.cached`. An entry is written under a name of its own
 * beside that, `<key>.cached.<16 digits>.tmp`, and renamed, so that no process sees a part of one. Everything else in
 * the folder belongs to others and is left alone; the ending tells entries from packs and objects of other tools, whose names
 * are digests too.
 */
export class DiskCacheFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** An entry, or `undefined` where there is none, or something else than a file of at most `maxBytes` has its name. */
  async read(key: string, maxBytes: number, { signal }: CallOptions): Promise<CacheEntry | undefined> {
    const file = await unlessAbsent(open(this.#pathOf(key), READ_FLAGS));
    if (!file) return undefined;
    try {
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > maxBytes) return undefined;
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(stats.size).buffer);
      for (let at = 0; at < bytes.length; ) {
        throwIfAborted(signal);
        const { bytesRead } = await file.read(bytes, at, Math.min(bytes.length - at, MAX_READ_BYTES), at);
        if (bytesRead === 0) return undefined;
        at += bytesRead;
      }
      return { bytes, modifiedAtMs: stats.mtimeMs };
    } finally {
      await file.close();
    }
  }

  /** Writes an entry, whatever was there, and makes the folders that are missing. Leaves nothing where it fails. */
  async write(key: string, bytes: Uint8Array, options: CallOptions): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#write(key, bytes, options);
      } catch (error) {
        if (!isAbsent(error) || tries > MAX_FOLDERS_MADE) throw error;
        await makeFolder(dirname(this.#pathOf(key)));
      }
    }
  }

  /** Notes that an entry was used. */
  async touch(key: string, nowMs: number): Promise<void> {
    await unlessAbsent(utimes(this.#pathOf(key), nowMs / 1000, nowMs / 1000));
  }

  async delete(key: string): Promise<void> {
    await this.remove(this.#pathOf(key));
  }

  /** Removes a file that {@link files} showed. */
  async remove(path: string): Promise<void> {
    await unlessAbsent(unlink(path));
  }

  /**
   * The files that look like the cache's own, whoever wrote them.
   *
   * @param onFailure - told of a folder that cannot be read; the look goes on with the next.
   */
  async *files(onFailure: (error: unknown) => void): AsyncGenerator<CacheFile> {
    const shards = (await unlessAbsent(readdir(this.path, { withFileTypes: true }))) ?? [];
    for (const shard of shards) {
      if (!shard.isDirectory() || !shardRegExp.test(shard.name)) continue;
      try {
        yield* filesOf(join(this.path, shard.name), shard.name);
      } catch (error) {
        onFailure(error);
      }
    }
  }

  #pathOf(key: string): string {
    return join(this.path, key.slice(0, 2), `${key}.cached`);
  }

  async #write(key: string, bytes: Uint8Array, { signal }: CallOptions): Promise<void> {
    const path = this.#pathOf(key);
    const temporary = `${path}.${nodeCrypto().randomBytes(8).toString('hex')}.tmp`;
    try {
      await writeFile(temporary, bytes, { flag: 'wx', mode: 0o600, ...(signal ? { signal } : {}) });
      await rename(temporary, path);
    } catch (error) {
      // The error that brought us here is the one to tell; what is left of the file goes with a later look.
      await unlink(temporary).catch(() => {});
      throw error;
    }
  }
}

async function* filesOf(folder: string, shard: string): AsyncGenerator<CacheFile> {
  const names = ((await unlessAbsent(readdir(folder))) ?? []).filter(
    (name) => fileRegExp.exec(name)?.[1] === shard,
  );
  for (const file of await mapBounded(names, LOOKED_AT_ONCE, (name) => fileAt(join(folder, name)))) {
    if (file) yield file;
  }
}

async function fileAt(path: string): Promise<CacheFile | undefined> {
  const stats = await unlessAbsent(lstat(path));
  if (!stats?.isFile()) return undefined;
  return {
    path,
    sizeBytes: sizeOnDisk(stats.size),
    modifiedAtMs: stats.mtimeMs,
    isTemporary: path.endsWith('.tmp'),
  };
}

/**
 * Makes a folder, and those above it that are missing, one by one. Node's recursive `mkdir` never ends where nothing can be made
 * in a folder that is there, as in `/proc`.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await makeOne(path);
  } catch (error) {
    const above = dirname(path);
    if (!isAbsent(error) || above === path) throw error;
    await makeFolder(above);
    await makeOne(path);
  }
}

/** Makes a folder, unless something has its name: whether that is a folder, whoever writes into it finds out. */
async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Bytes that a file of this length takes up. */
export function sizeOnDisk(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BLOCK_BYTES)) * BLOCK_BYTES;
}

async function unlessAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
