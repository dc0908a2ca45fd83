import type { ByteRange } from '../../storage/contract.ts';

/** A file that goes into an archive. */
export interface TarFile {
  /** Below the archive, with `/` between its names. */
  path: string;
  size: number;
  isExecutable: boolean;
  /** A range of its bytes. */
  open(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
/** Two empty blocks end an archive. */
const END = 2 * BLOCK;
/** What a plain head has room for: ASCII paths, and sizes of 11 octal digits. */
const MAX_PATH = 100;
const MAX_SIZE = 8 ** 11 - 1;
const PLAIN = /^[\x20-\x7e]*$/;

/**
 * An archive of files, in the interchange format of POSIX.1-2001 (pax), which is written as it is read: any range of it, without what comes
 * before. All files are of the year 1970 and of nobody, so that equal files are equal archives.
 */
export class Tar {
  readonly #files: readonly TarFile[];
  /** In bytes. */
  readonly size: number;

  constructor(files: readonly TarFile[]) {
    this.#files = files;
    this.size = files.reduce((sum, file) => sum + headOf(file).length + padded(file.size), END);
  }

  async *open(
    { offset, length }: ByteRange = { offset: 0, length: this.size },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const end = offset + length;
    let at = 0;
    /** Those of bytes that lie at `at` which are wanted. */
    const wanted = (bytes: Uint8Array): Uint8Array =>
      bytes.subarray(Math.max(0, offset - at), Math.max(0, end - at));
    for (const file of this.#files) {
      if (at >= end) return;
      const head = headOf(file);
      yield wanted(head);
      at += head.length;
      const from = Math.min(file.size, Math.max(0, offset - at));
      const to = Math.min(file.size, Math.max(0, end - at));
      if (to > from) yield* file.open({ offset: from, length: to - from }, signal);
      at += file.size;
      const rest = new Uint8Array(padded(file.size) - file.size);
      yield wanted(rest);
      at += rest.length;
    }
    yield wanted(new Uint8Array(END));
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

/** The blocks before the bytes of a file: two more where its path or size has no room in the plain one. */
function headOf({ path, size, isExecutable }: TarFile): Buffer {
  const mode = isExecutable ? 0o755 : 0o644;
  const extended = [
    ...(PLAIN.test(path) && path.length <= MAX_PATH ? [] : [recordOf('path', path)]),
    ...(size <= MAX_SIZE ? [] : [recordOf('size', String(size))]),
  ];
  const plain = block({ path: plainPath(path), mode, size: Math.min(size, MAX_SIZE), type: '0' });
  if (extended.length === 0) return plain;
  const body = Buffer.concat(extended);
  const before = block({ path: 'PaxHeader', mode: 0o644, size: body.length, type: 'x' });
  return Buffer.concat([before, body, Buffer.alloc(padded(body.length) - body.length), plain]);
}

/** `<length> <name>=<value>\n`, where the length counts its own digits. */
function recordOf(name: string, value: string): Buffer {
  const rest = Buffer.from(` ${name}=${value}\n`);
  let length = rest.length;
  while (rest.length + String(length).length !== length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** What a reader without extended heads is to call the file. */
function plainPath(path: string): string {
  return path.replace(/[^\x20-\x7e]/g, '_').slice(-MAX_PATH);
}

function block(head: { path: string; mode: number; size: number; type: '0' | 'x' }): Buffer {
  const { path, mode, size, type } = head;
  const bytes = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number): void => {
    bytes.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  };
  bytes.write(path, 0, MAX_PATH, 'latin1');
  octal(mode, 100, 7);
  octal(0, 108, 7); // the user,
  octal(0, 116, 7); // the group,
  octal(size, 124, 11);
  octal(0, 136, 11); // and the time
  bytes.write('        ', 148, 'latin1'); // the sum counts itself as spaces
  bytes.write(type, 156, 'latin1');
  bytes.write('ustar\x0000', 257, 'latin1');
  const sum = bytes.reduce((all, byte) => all + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}
