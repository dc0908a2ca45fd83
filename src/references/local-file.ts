import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { openPatiently } from '../async/open-files.ts';
import { invalidArgument, isStowageError, messageOf, throwIfAborted } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';
import { changed, notFound, unreadable } from './errors.ts';
import { checkUnchanged, type FileReadOptions, type FileSource, type SeenFile } from './file-source.ts';

const PIECE_BYTES = 1024 * 1024;
/** What has become a pipe since it was looked at would otherwise keep the process until somebody writes to it. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A file of this machine. */
export class LocalFile implements FileSource {
  readonly path: string;
  readonly #seen: SeenFile | undefined;

  constructor(path: string, seen?: SeenFile) {
    this.path = path;
    this.#seen = seen;
  }

  async look({ signal }: CallOptions): Promise<SeenFile | undefined> {
    throwIfAborted(signal);
    try {
      return seenOf(await statFile(this.path));
    } catch (error) {
      if (isStowageError(error, 'REFERENCE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Its state, to which a later {@link readAs} compares it. */
  state(): Promise<BigIntStats> {
    return statFile(this.path);
  }

  read(options: FileReadOptions): AsyncGenerator<Uint8Array> {
    return this.readAs(undefined, options);
  }

  /**
   * Its bytes, which end with an error where it is not, or not any more when they were all read, in the state that is given: a file that is
   * read several times is the same each time.
   */
  async *readAs(
    state: BigIntStats | undefined,
    { range, signal }: FileReadOptions,
  ): AsyncGenerator<Uint8Array> {
    throwIfAborted(signal);
    await statFile(this.path); // to open a pipe waits for somebody who writes to it, maybe for ever
    const handle = await this.#asking(() => openPatiently(() => open(this.path, READ), signal));
    try {
      const before = await this.#asking(() => handle.stat({ bigint: true }));
      checkUnchanged(this.path, this.#seen, seenOf(before));
      const first = state ?? before;
      this.#checkSame(first, before);
      if (before.size === 0n) await this.#checkEmpty(handle);
      yield* this.#pieces(handle, Number(before.size), { range, signal });
      this.#checkSame(first, await this.#asking(() => handle.stat({ bigint: true })));
    } finally {
      await handle.close();
    }
  }

  async *#pieces(
    handle: FileHandle,
    size: number,
    { range, signal }: FileReadOptions,
  ): AsyncGenerator<Uint8Array> {
    const end = range ? Math.min(size, range.offset + range.length) : size;
    for (let offset = range?.offset ?? 0; offset < end; ) {
      throwIfAborted(signal);
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - offset));
      const { bytesRead } = await this.#asking(() => handle.read(piece, 0, piece.length, offset));
      if (bytesRead === 0) throw changed(this.path, `it had ${size} bytes, and ended after ${offset}`);
      yield piece.subarray(0, bytesRead);
      offset += bytesRead;
    }
  }

  /** Files of `/proc` and the like have bytes, and no length. */
  async #checkEmpty(handle: FileHandle): Promise<void> {
    const { bytesRead } = await this.#asking(() => handle.read(Buffer.alloc(1), 0, 1, 0));
    if (bytesRead > 0)
      throw unreadable(
        this.path,
        'its system gives it the length 0, and bytes all the same. Copy it to a file of its own first.',
      );
  }

  #checkSame(first: BigIntStats, now: BigIntStats): void {
    const isSame = first.ino === now.ino && first.mtimeNs === now.mtimeNs && first.ctimeNs === now.ctimeNs;
    checkUnchanged(this.path, seenOf(first), seenOf(now));
    if (!isSame) throw changed(this.path, 'somebody wrote to it while it was read');
  }

  async #asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw faultOf(this.path, error);
    }
  }
}

/**
 * @throws StowageError `REFERENCE_NOT_FOUND`, `REFERENCE_UNREADABLE` for what is no file, or may not be read; `INVALID_ARGUMENT` for
 * what is no path
 */
async function statFile(path: string): Promise<BigIntStats> {
  let stats: BigIntStats;
  try {
    stats = await stat(path, { bigint: true });
  } catch (error) {
    throw faultOf(path, error);
  }
  if (stats.isFile()) return stats;
  const what = stats.isDirectory() ? 'a folder' : 'a pipe, socket or device';
  throw unreadable(path, `it is ${what}, not a file.`);
}

function faultOf(path: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return notFound(path, error);
  if (code === 'ERR_INVALID_ARG_VALUE')
    return invalidArgument(`${JSON.stringify(path)} is no path of a file.`);
  return unreadable(path, `${messageOf(error)}.`, { systemCode: code }, error);
}

function seenOf({ size, mtimeMs }: BigIntStats): SeenFile {
  return { size: Number(size), modifiedAtMs: Number(mtimeMs) };
}
