import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { isBoundedMsgpack } from '../../src/format/msgpack-bounds.ts';
import { propertyRuns, test } from '../property.ts';

const leaf = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.string({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 400 }),
);
const arrays = (depth: number): fc.Arbitrary<unknown> =>
  depth === 0
    ? leaf
    : fc.oneof(
        leaf,
        fc.array(arrays(depth - 1), { maxLength: 20 }),
        fc.dictionary(fc.string(), leaf, { maxKeys: 20 }),
      );

test.prop([arrays(3)], { numRuns: propertyRuns })('what an encoder writes is bounded', (value) => {
  expect(isBoundedMsgpack(encode(value), 3)).toBe(true);
});

test.prop([arrays(3), fc.nat(), fc.uint8Array({ maxLength: 5 })], { numRuns: propertyRuns })(
  'what is cut off or has bytes behind it is not',
  (value, at, more) => {
    const bytes = encode(value);
    expect(isBoundedMsgpack(bytes.subarray(0, at % bytes.length), 3)).toBe(false);
    if (more.length > 0) expect(isBoundedMsgpack(Buffer.concat([bytes, more]), 3)).toBe(false);
  },
);

test('long forms of every length are read', () => {
  const long = [
    'x'.repeat(40),
    'x'.repeat(300),
    'x'.repeat(70_000),
    new Uint8Array(300),
    new Uint8Array(70_000),
    Array.from({ length: 17 }, () => 1),
    Array.from({ length: 70_000 }, () => 1),
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i])),
    Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])),
  ];
  for (const value of long) expect(isBoundedMsgpack(encode([value]), 2)).toBe(true);
});

describe('a bomb is refused', () => {
  const claiming = (head: number, size: number, width: number): Buffer => {
    const bytes = Buffer.alloc(1 + width);
    bytes[0] = head;
    bytes.writeUIntBE(size, 1, width);
    return bytes;
  };

  test.each<[string, Uint8Array]>([
    ['an array of 2^32 elements', claiming(0xdd, 0xffffffff, 4)],
    ['an array of 2^16 elements', claiming(0xdc, 0xffff, 2)],
    ['a map of 2^32 entries', claiming(0xdf, 0xffffffff, 4)],
    ['a binary of 2^32 bytes', claiming(0xc6, 0xffffffff, 4)],
    ['a text of 2^32 bytes', claiming(0xdb, 0xffffffff, 4)],
    ['arrays in arrays', Buffer.alloc(10_000, 0x91)],
    ['arrays in arrays that each claim all that is left', Buffer.alloc(500_000, claiming(0xdd, 90_000, 4))],
    ['nil', Uint8Array.of(0xc0)],
    ['a float', encode(1.5)],
    ['a negative number', encode(-1)],
    ['an extension', encode(new Date(5))],
    ['a boolean', encode(true)],
    ['nothing', new Uint8Array(0)],
  ])('%s', (_, bytes) => {
    expect(isBoundedMsgpack(bytes, 4)).toBe(false);
  });

  test('arrays one level too deep', () => {
    expect(isBoundedMsgpack(encode([[[1]]]), 3)).toBe(true);
    expect(isBoundedMsgpack(encode([[[1]]]), 2)).toBe(false);
    expect(isBoundedMsgpack(encode([[], [[]]]), 3)).toBe(true);
  });
});
