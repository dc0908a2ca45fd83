import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { Tar, type TarFile } from '../../../src/cli/page/tar.ts';
import { test } from '../../property.ts';

const { signal } = new AbortController();

/** A file of these bytes, which are read by ranges, some bytes at a time. */
function fileOf(path: string, bytes: Buffer, isExecutable = false): TarFile {
  return {
    path,
    size: bytes.length,
    isExecutable,
    async *open({ offset, length }) {
      for (let at = offset; at < offset + length; at += 700)
        yield bytes.subarray(at, Math.min(at + 700, offset + length));
    },
  };
}

async function read(tar: Tar, range?: { offset: number; length: number }): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of tar.open(range, signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The files in an archive, as POSIX.1-2001 has it. */
function filesIn(tar: Buffer): { path: string; mode: number; bytes: Buffer }[] {
  const files: { path: string; mode: number; bytes: Buffer }[] = [];
  let path: string | undefined;
  for (let at = 0; tar[at] !== 0; ) {
    const head = Buffer.from(tar.subarray(at, at + 512));
    const text = (from: number, length: number): string =>
      head.toString('latin1', from, from + length).replace(/\0.*$/, '');
    const sum = Number.parseInt(text(148, 8), 8);
    head.fill(' ', 148, 156);
    expect(head.reduce((all, byte) => all + byte, 0)).toBe(sum);
    const size = Number.parseInt(text(124, 12), 8);
    const bytes = tar.subarray(at + 512, at + 512 + size);
    if (text(156, 1) === 'x') {
      const [, length, value = ''] = /^(\d+) path=([\s\S]*)\n$/.exec(bytes.toString()) ?? [];
      expect(Number(length)).toBe(bytes.length);
      path = value;
    } else {
      files.push({ path: path ?? text(0, 100), mode: Number.parseInt(text(100, 8), 8), bytes });
      path = undefined;
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

const name = fc
  .oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ minLength: 80, maxLength: 180 }))
  .map((text) => text.toWellFormed().replaceAll('\0', '_'));
const files = fc.array(
  fc.record({
    path: name,
    bytes: fc
      .oneof(fc.nat(3_000), fc.constantFrom(0, 511, 512, 513))
      .map((length) => Buffer.from(Array.from({ length }, (_, index) => (index * 7) % 256))),
    isExecutable: fc.boolean(),
  }),
  { maxLength: 5 },
);

describe('an archive', () => {
  test.prop([files])('has each file as it is, whatever it is called', async (given) => {
    const tar = new Tar(given.map(({ path, bytes, isExecutable }) => fileOf(path, bytes, isExecutable)));
    const whole = await read(tar);
    expect(whole.length).toBe(tar.size);
    expect(whole.length % 512).toBe(0);
    expect(filesIn(whole)).toEqual(
      given.map(({ path, bytes, isExecutable }) => ({ path, mode: isExecutable ? 0o755 : 0o644, bytes })),
    );
  });

  test.prop([files, fc.nat(), fc.nat()])('is read by any range', async (given, first, second) => {
    const tar = new Tar(given.map(({ path, bytes }) => fileOf(path, bytes)));
    const [offset, end] = [first % tar.size, second % (tar.size + 1)].sort((a, b) => a - b) as [
      number,
      number,
    ];
    const whole = await read(tar);
    expect(await read(tar, { offset, length: end - offset })).toEqual(whole.subarray(offset, end));
  });
});
