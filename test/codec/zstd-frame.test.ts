import fc from 'fast-check';
import { expect } from 'vitest';
import { compress, decompress, maxFrameBytes, prepareCodec } from '../../src/codec/zstd.ts';
import { checkZstdFrame, writeWithContentSize } from '../../src/codec/zstd-frame.ts';
import { isStowageError } from '../../src/errors.ts';
import { test } from '../property.ts';

await prepareCodec();

const magic = [0x28, 0xb5, 0x2f, 0xfd];
/** An empty last block of the raw type. */
const end = [1, 0, 0];

test.each<[string, RegExp, number[]]>([
  ['claims 4 GiB', /claims to hold 4294967295 bytes, not 1000/, [...magic, 0xa0, 255, 255, 255, 255, ...end]],
  ['claims 2^60 bytes', /claims to hold/, [...magic, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, ...end]],
  ['claims a byte too few', /claims to hold 999 bytes/, [...magic, 0x60, 0xe7, 0x02, ...end]],
  ['needs a window of 3.75 TiB', /window of 4123168604160 bytes/, [...magic, 0x40, 0xff, 0xe8, 0x02, ...end]],
  ['needs a window over its size', /window of 1152 bytes/, [...magic, 0x40, 0x01, 0xe8, 0x02, ...end]],
  ['needs a dictionary', /dictionary/, [...magic, 0x61, 0x07, 0xe8, 0x02, ...end]],
  ['sets the reserved bit', /reserved bit/, [...magic, 0x68, 0xe8, 0x02, ...end]],
  ['has a block of the reserved type', /reserved type/, [...magic, 0x60, 0xe8, 0x02, 7, 0, 0]],
  ['has a block that ends beyond it', /truncated/, [...magic, 0x60, 0xe8, 0x02, 0xf1, 0xff, 0xff]],
  ['has no last block', /truncated/, [...magic, 0x60, 0xe8, 0x02, 0, 0, 0]],
  ['lacks the checksum it announces', /truncated/, [...magic, 0x64, 0xe8, 0x02, ...end]],
  ['is followed by a byte', /followed by 1 bytes/, [...magic, 0x60, 0xe8, 0x02, ...end, 0]],
  ['is a skippable frame', /no zstd frame/, [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0, 0, 0]],
  ['is empty', /no zstd frame/, []],
])('a frame that %s is refused before a decoder sees it', (_, message, frame) => {
  const check = (): void => checkZstdFrame(Uint8Array.from(frame), 1000);
  expect(check).toThrow(message);
  expect(check).toThrow(expect.toSatisfy((error) => isStowageError(error, 'CONTENT_DAMAGED')));
});

test('a frame that does not tell its content size is refused', () => {
  const frame = Uint8Array.from([...magic, 0x00, 0x00, ...end]);
  expect(() => checkZstdFrame(frame, 5000)).toThrow(/does not tell its content size/);
});

test('a frame with a checksum is accepted', () => {
  checkZstdFrame(Uint8Array.from([...magic, 0x64, 0xe8, 0x02, ...end, 1, 2, 3, 4]), 1000);
});

test.prop([fc.integer({ min: 0, max: 150_000 }), fc.integer({ min: 1, max: 12 })])(
  'every frame that we write is accepted, and within its bound',
  (rawBytes, level) => {
    const raw = new Uint8Array(rawBytes).map((_, i) => Math.imul(i, i) >>> 9);
    const frame = compress(raw, level);
    checkZstdFrame(frame, rawBytes);
    expect(frame.length).toBeLessThanOrEqual(maxFrameBytes(rawBytes));
  },
);

test.prop([
  fc.oneof(fc.constantFrom(0, 1, 255, 256, 65_791, 65_792), fc.integer({ min: 0, max: 300_000 })),
  fc.boolean(),
])('a frame of raw blocks without content size is a good one once it has it', (rawBytes, hasChecksum) => {
  const raw = new Uint8Array(rawBytes).map((_, i) => Math.imul(i, i) >>> 9);
  const target = new Uint8Array(maxFrameBytes(rawBytes) + 10).fill(0xee);
  const frame = frameWithoutSize(raw, hasChecksum);
  const frameBytes = writeWithContentSize(target, frame, rawBytes);
  checkZstdFrame(target.subarray(0, frameBytes), rawBytes);
  expect(target[frameBytes]).toBe(0xee);
  // Its checksum is none: a decoder looks at it.
  if (!hasChecksum) expect(decompress(target.slice(0, frameBytes), rawBytes)).toEqual(raw);
});

test('a frame that has its content size stays as it is', () => {
  const frame = compress(new Uint8Array(5000).fill(7), 3);
  const target = new Uint8Array(100);
  expect(writeWithContentSize(target, frame, 5000)).toBe(frame.length);
  expect(target.slice(0, frame.length)).toEqual(frame);
});

/** As a stream is compressed whose end was not known: a window of 2 MiB, blocks of up to 128 KiB, no content size. */
function frameWithoutSize(raw: Uint8Array, hasChecksum: boolean): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(...magic, hasChecksum ? 4 : 0, 0x58)];
  for (let from = 0; from === 0 || from < raw.length; from += 131_072) {
    const block = raw.subarray(from, from + 131_072);
    const header = (block.length << 3) | (from + 131_072 >= raw.length ? 1 : 0);
    parts.push(Uint8Array.of(header & 255, (header >>> 8) & 255, header >>> 16), block);
  }
  if (hasChecksum) parts.push(new Uint8Array(4));
  return new Uint8Array(Buffer.concat(parts));
}

test.prop([fc.uint8Array({ maxLength: 40 })])('any bytes are accepted or damage, never a crash', (bytes) => {
  try {
    checkZstdFrame(Uint8Array.from([...magic, ...bytes]), 10);
  } catch (error) {
    expect(error).toSatisfy((error) => isStowageError(error, 'CONTENT_DAMAGED'));
  }
});
