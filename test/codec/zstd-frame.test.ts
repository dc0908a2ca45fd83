import fc from 'fast-check';
import { expect } from 'vitest';
import { compress, maxFrameBytes, prepareCodec } from '../../src/codec/zstd.ts';
import { checkZstdFrame } from '../../src/codec/zstd-frame.ts';
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

test.prop([fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 1, max: 12 })])(
  'every frame that we write is accepted, and within its bound',
  (rawBytes, level) => {
    const raw = new Uint8Array(rawBytes).map((_, i) => Math.imul(i, i) >>> 9);
    const frame = compress(raw, level);
    checkZstdFrame(frame, rawBytes);
    expect(frame.length).toBeLessThanOrEqual(maxFrameBytes(rawBytes));
  },
);

test.prop([fc.uint8Array({ maxLength: 40 })])('any bytes are accepted or damage, never a crash', (bytes) => {
  try {
    checkZstdFrame(Uint8Array.from([...magic, ...bytes]), 10);
  } catch (error) {
    expect(error).toSatisfy((error) => isStowageError(error, 'CONTENT_DAMAGED'));
  }
});
