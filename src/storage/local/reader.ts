import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  read,
  readSync,
  readv,
  readvSync,
  type Stats,
  statSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { throwIfAborted } from '../../errors.ts';
import { readableRange } from '../checks.ts';
import type {
  ByteRange,
  CallOptions,
  FilledObject,
  GetOptions,
  ObjectInfo,
  ReadTarget,
  StoredObject,
} from '../contract.ts';
import { rangeOf } from '../read-into.ts';
import { codeOf, isAbsent, localError, type Target } from './errors.ts';

const readAsync = promisify(read);
const readvAsync = promisify(readv);

/** Up to this size synchronous calls read, in about 0.1 ms: a trip through the thread pool takes longer. */
const SYNC_READ_BYTES = 1024 * 1024;
/** A pipe in the place of an object would otherwise keep the process until somebody writes to it; Windows has no such flag. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
/** The most bytes asked of one system call, so that an abort is noticed between them. */
const MAX_READ_BYTES = 16 * 1024 * 1024;
/** The most pieces of memory of one system call; `IOV_MAX` of Linux and macOS. */
const MAX_READ_PIECES = 1024;

/** Reads a file, or a part of it; small ones by synchronous calls. A file never changes once it has its name. */
export function readFile(
  target: Target,
  options: GetOptions,
): StoredObject | undefined | Promise<StoredObject> {
  return reading<StoredObject>(target, (fd, stats) => {
    const range = readableRange(target.name, stats.size, options);
    if (range.length > SYNC_READ_BYTES) return readLarge(fd, target, stats, range, options);
    const body = new Uint8Array(range.length);
    const bytesRead = readAllSync(fd, body, range.offset);
    return { body: body.subarray(0, bytesRead), ...infoOf(target.name, stats) };
  });
}

/** Reads a part of a file into the memory of `part`; small ones by synchronous calls. */
export function readFileInto(
  target: Target,
  { offset, into }: ReadTarget,
  options: CallOptions,
): FilledObject | undefined | Promise<FilledObject> {
  return reading<FilledObject>(target, (fd, stats) => {
    const range = readableRange(target.name, stats.size, rangeOf(offset, into));
    if (range.length > SYNC_READ_BYTES) return readLargeInto(fd, target, stats, range, into, options);
    const reads = fillingReads(into, range);
    let filled = 0;
    for (let next = reads.next(filled); !next.done; next = reads.next(filled)) {
      const count = readvSync(fd, next.value, range.offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return { ...infoOf(target.name, stats), filled };
  });
}

/** Opens a file for `read`, which closes it itself where it returns a promise. `undefined` where there is no file. */
function reading<T>(
  target: Target,
  read: (fd: number, stats: Stats) => T | Promise<T>,
): T | undefined | Promise<T> {
  const fd = openFile(target);
  if (fd === undefined) return undefined;
  let result: T | undefined | Promise<T>;
  try {
    const stats = fstatSync(fd);
    if (stats.isFile()) result = read(fd, stats);
    return result;
  } catch (error) {
    throw localError(error, target);
  } finally {
    if (!(result instanceof Promise)) closeSync(fd);
  }
}

/** Tells about a file, or `undefined` where there is none. */
export function headFile(target: Target): ObjectInfo | undefined {
  try {
    const stats = statSync(target.path, { throwIfNoEntry: false });
    return stats?.isFile() ? infoOf(target.name, stats) : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw localError(error, target);
  }
}

/** True if a folder is at the path, which is no object. */
export function isFolder(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The version of a file: each one that takes a name differs from the one before, see `Writer.replace`. */
export function versionOf(stats: Stats): string {
  return `${stats.ino}-${stats.mtimeMs}-${stats.size}`;
}

function infoOf(name: string, stats: Stats): ObjectInfo {
  return { name, bytes: stats.size, modifiedAtMs: stats.mtimeMs, version: versionOf(stats) };
}

function openFile(target: Target): number | undefined {
  try {
    return openSync(target.path, READ);
  } catch (error) {
    if (isAbsent(error) || codeOf(error) === 'EISDIR') return undefined;
    throw localError(error, target);
  }
}

async function readLarge(
  fd: number,
  target: Target,
  stats: Stats,
  range: ByteRange,
  options: GetOptions,
): Promise<StoredObject> {
  try {
    // Not cleared first, which would take as long as reading it.
    const body = new Uint8Array(Buffer.allocUnsafeSlow(range.length).buffer);
    let bytesRead = 0;
    while (bytesRead < body.length) {
      throwIfAborted(options.signal);
      const length = Math.min(body.length - bytesRead, MAX_READ_BYTES);
      const result = await readAsync(fd, body, bytesRead, length, range.offset + bytesRead);
      if (result.bytesRead === 0) break;
      bytesRead += result.bytesRead;
    }
    throwIfAborted(options.signal);
    return { body: bytesRead < body.length ? body.slice(0, bytesRead) : body, ...infoOf(target.name, stats) };
  } catch (error) {
    throw localError(error, target);
  } finally {
    closeSync(fd);
  }
}

async function readLargeInto(
  fd: number,
  target: Target,
  stats: Stats,
  range: ByteRange,
  into: readonly Uint8Array[],
  options: CallOptions,
): Promise<FilledObject> {
  try {
    const reads = fillingReads(into, range);
    let filled = 0;
    for (let next = reads.next(filled); !next.done; next = reads.next(filled)) {
      throwIfAborted(options.signal);
      const { bytesRead } = await readvAsync(fd, next.value, range.offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    throwIfAborted(options.signal);
    return { ...infoOf(target.name, stats), filled };
  } catch (error) {
    throw localError(error, target);
  } finally {
    closeSync(fd);
  }
}

/** The memory of each system call in turn, which may fill less than it was given: it is told how much has been filled so far. */
function* fillingReads(
  into: readonly Uint8Array[],
  { length }: ByteRange,
): Generator<Uint8Array[], void, number> {
  let filled = 0;
  let index = 0;
  /** The bytes before the piece at `index`. */
  let before = 0;
  while (filled < length) {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    let from = filled - before;
    for (let i = index; i < into.length && pieces.length < MAX_READ_PIECES; i++) {
      const room = Math.min(length - filled, MAX_READ_BYTES) - bytes;
      if (room === 0) break;
      const piece = (into[i] as Uint8Array).subarray(from, from + room);
      from = 0;
      bytes += piece.length;
      if (piece.length > 0) pieces.push(piece);
    }
    filled = yield pieces;
    for (let piece = into[index]; piece && before + piece.length <= filled; piece = into[index]) {
      before += piece.length;
      index += 1;
    }
  }
}

function readAllSync(fd: number, body: Uint8Array, position: number): number {
  let bytesRead = 0;
  while (bytesRead < body.length) {
    const count = readSync(fd, body, bytesRead, body.length - bytesRead, position + bytesRead);
    if (count === 0) break;
    bytesRead += count;
  }
  return bytesRead;
}
