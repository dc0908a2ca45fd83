import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Malformed } from '../../src/values/faults.ts';
import { readUtf8 } from '../../src/values/utf8-reader.ts';
import { test as property, propertyRuns } from '../property.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '\ufeff', '\0'), maxLength: 60 });
const pieceBytes = fc.integer({ min: 1, max: 9 });

describe('text that is longer than what is decoded at once', () => {
  property.prop([text, pieceBytes, fc.nat({ max: 5 })], { numRuns: 2 * propertyRuns })(
    'is the same in pieces, wherever they end',
    (given, piece, before) => {
      // Longer than what is scanned for ASCII.
      const long = given + 'x'.repeat(300) + given;
      const bytes = Buffer.from('y'.repeat(before) + long);
      expect(readUtf8(bytes, before, bytes.length, 10, piece)).toBe(long);
    },
  );

  property.prop([text, pieceBytes, fc.constantFrom([0xff], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0x80])], {
    numRuns: 2 * propertyRuns,
  })('is refused where it is no UTF-8, at its end too, and the next is not', (given, piece, wrong) => {
    const start = Buffer.from(`${given}${'x'.repeat(300)}`);
    for (const end of ['', 'x']) {
      const bytes = Buffer.concat([start, Buffer.from(wrong), Buffer.from(end)]);
      expect(() => readUtf8(bytes, 0, bytes.length, 10, piece)).toThrow(Malformed);
    }
    expect(readUtf8(start, 0, start.length, 10, piece)).toBe(start.toString());
  });

  it('is decoded at once where it can be', () => {
    const bytes = Buffer.from('é'.repeat(300));
    expect(readUtf8(bytes, 0, bytes.length)).toBe('é'.repeat(300));
  });
});
