import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createHasher } from '../../digest/blake3.ts';
import { compareNames } from '../../storage/name-order.ts';
import { linesOf } from '../../streams/file-lines.ts';

const READ_BYTES = 1024 * 1024;
const WRITE_BYTES = 256 * 1024;
/** A digest and its line end. */
const TAIL_BYTES = 65;

/**
 * A file of lines, each a key, a tab and a value, ascending by key, that a process wrote for a later one: a header tells whose they are, and the
 * last line is the digest of all before it. What is not whole, or another's, holds nothing.
 */
export class RememberedLines {
  readonly #fd: number | undefined;
  readonly #lines: Iterator<string, void>;
  #key: string | undefined;
  #value = '';

  private constructor(fd: number | undefined) {
    this.#fd = fd;
    this.#lines = fd === undefined ? [].values() : linesOf(fd);
    this.#lines.next(); // the header
    this.#next();
  }

  /** Opens a file whose header is `header`, once it was read whole. */
  static open(path: string | undefined, header: string): RememberedLines {
    if (path === undefined) return new RememberedLines(undefined);
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch {
      return new RememberedLines(undefined); // there is none, or none that can be read
    }
    if (isWhole(fd, header)) return new RememberedLines(fd);
    closeSync(fd);
    return new RememberedLines(undefined);
  }

  /** The value of a key. Keys are asked for in their order. */
  find(key: string): string | undefined {
    while (this.#key !== undefined && compareNames(this.#key, key) < 0) this.#next();
    return this.#key === key ? this.#value : undefined;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #next(): void {
    const line = this.#lines.next().value;
    const end = line?.indexOf('\t') ?? -1;
    // The last line has no key.
    this.#key = end === -1 ? undefined : line?.slice(0, end);
    this.#value = line?.slice(end + 1) ?? '';
  }
}

/** Writes a file for {@link RememberedLines}, in place of the one before, at once or not at all. */
export function writeRemembered(path: string, header: string, lines: Iterable<string>): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}.tmp`;
  const hasher = createHasher();
  const fd = openSync(unfinished, 'w', 0o600);
  try {
    let piece = `${header}\n`;
    const flush = (): void => {
      const bytes = Buffer.from(piece);
      hasher.update(bytes);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      piece = '';
    };
    for (const line of lines) {
      piece += `${line}\n`;
      if (piece.length >= WRITE_BYTES) flush();
    }
    flush();
    writeSync(fd, `${hasher.digestHex()}\n`);
    closeSync(fd);
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/** Removes all files of a folder but those that were written last. */
export function keepLatest(folder: string, count: number): void {
  const files = readdirSync(folder).map((name) => join(folder, name));
  const byAge = files.map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }));
  byAge.sort((a, b) => b.at - a.at);
  for (const { path } of byAge.slice(count)) rmSync(path, { force: true });
}

function isWhole(fd: number, header: string): boolean {
  const hashed = fstatSync(fd).size - TAIL_BYTES;
  if (hashed < 0) return false;
  const head = Buffer.alloc(Buffer.byteLength(header) + 1);
  if (readSync(fd, head, 0, head.length, 0) < head.length || head.toString() !== `${header}\n`) return false;
  const hasher = createHasher();
  const piece = Buffer.alloc(READ_BYTES);
  for (let at = 0; at < hashed; ) {
    const length = readSync(fd, piece, 0, Math.min(piece.length, hashed - at), at);
    if (length === 0) return false;
    hasher.update(piece.subarray(0, length));
    at += length;
  }
  const tail = Buffer.alloc(TAIL_BYTES);
  readSync(fd, tail, 0, TAIL_BYTES, hashed);
  return tail.toString('latin1') === `${hasher.digestHex()}\n`;
}
