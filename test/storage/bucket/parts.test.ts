import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partBytesAt, partsOfBytes, partsOfStream } from '../../../src/storage/bucket/parts.ts';
import { propertyRuns, test } from '../../property.ts';

const MIB = 1024 * 1024;

describe('the sizes of parts', () => {
  it.each([5 * MIB, 8 * MIB, 64 * MIB, 1024 * MIB])(
    'from %i on, 10,000 parts hold 5 TiB, and none is larger than 1 GiB',
    (firstPartBytes) => {
      const sizes = Array.from({ length: 10_000 }, (_, index) => partBytesAt(index, firstPartBytes));
      expect(sizes[0]).toBe(firstPartBytes);
      expect(sizes[699]).toBe(firstPartBytes);
      expect(sizes.reduce((sum, bytes) => sum + bytes)).toBeGreaterThanOrEqual(5 * 1024 ** 4);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 * MIB);
      expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    },
  );
});

describe('cutting into parts', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
  test.prop([chunks, sizes], { numRuns: propertyRuns })(
    'gives the same bytes in parts of their sizes, from a stream (of one buffer) as from bytes',
    async (given, sizesGiven) => {
      const bytesAt = (index: number) => sizesGiven[index % sizesGiven.length] as number;
      const whole = new Uint8Array(given.flatMap((chunk) => [...chunk]));
      async function* stream() {
        const buffer = new Uint8Array(50);
        for (const chunk of given) {
          buffer.set(chunk);
          yield buffer.subarray(0, chunk.length);
        }
      }
      const parts: Uint8Array[] = [];
      for await (const part of partsOfStream(stream(), bytesAt)) parts.push(part);
      expect(new Uint8Array(parts.flatMap((part) => [...part]))).toEqual(whole);
      for (const [index, part] of parts.slice(0, -1).entries()) expect(part.length).toBe(bytesAt(index));
      expect(parts.at(-1)?.length).toBeLessThanOrEqual(bytesAt(parts.length - 1));
      if (whole.length > 0) expect(parts.at(-1)?.length).toBeGreaterThan(0);

      const ofBytes: Uint8Array[] = [];
      for await (const part of partsOfBytes(whole, bytesAt)) ofBytes.push(part);
      expect(ofBytes).toEqual(parts);
    },
  );
});
