import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import {
  CHUNKER_ID,
  MAX_CHUNK_BYTES,
  MIN_CHUNK_BYTES,
  NORMAL_CHUNK_BYTES,
  nextCut,
} from '../../src/codec/chunker.ts';
import { GEAR } from '../../src/codec/gear-table.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { GENERATORS, generate } from '../content/chunker-generators.ts';
import vectors from '../content/chunker-vectors.json' with { type: 'json' };
import { propertyRuns, test } from '../property.ts';
import { lengthsOf } from './chunk-lengths.ts';

const gear = GEAR;

/** The definition, byte by byte. */
function plainCut(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start + MIN_CHUNK_BYTES; at < Math.min(end, start + MAX_CHUNK_BYTES); at++) {
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) >>> 0;
    const zeroBits = at - start < NORMAL_CHUNK_BYTES ? 17 : 15;
    if (hash < 2 ** (32 - zeroBits)) return at + 1;
  }
  return Math.min(end, start + MAX_CHUNK_BYTES);
}

const size = fc.nat(600_000);
const seed = fc.integer({ min: 1, max: 0x7fffffff });
const generator = fc.constantFrom(...Object.keys(GENERATORS));
const content = fc
  .tuple(generator, size, seed)
  .map(([name, bytes, seed]) => generate(name, bytes - (bytes % 4), seed));
const slow = { numRuns: propertyRuns };

describe('golden vectors', () => {
  test('there are at least 10,000 chunks of them', () => {
    expect(vectors.chunker).toBe(CHUNKER_ID);
    expect(vectors.cases.reduce((sum, { chunks }) => sum + chunks, 0)).toBeGreaterThan(10_000);
  });

  // Their first MiB; `chunker.long.test.ts` has all of each.
  test.each(vectors.cases)('$generator, seed $seed, $bytes bytes: the first four chunks', (vector) => {
    const bytes = Math.min(vector.bytes, 4 * MAX_CHUNK_BYTES);
    const lengths = lengthsOf(generate(vector.generator, bytes, vector.seed));
    expect(lengths.slice(0, 4)).toEqual(vector.firstLengths);
  });

  test("the gear table is BLAKE3's extended output for its string", () => {
    const blake3 = createRequire(import.meta.url)('blake3') as {
      hash(input: string, options: { length: number }): Buffer;
    };
    const output = blake3.hash('stowage gear table 1', { length: 1024 });
    expect([...GEAR]).toEqual(Array.from({ length: 256 }, (_, i) => output.readInt32LE(4 * i)));
  });
});

test.prop([content], slow)('chunks cover the content, and their lengths are within bounds', (content) => {
  const lengths = lengthsOf(content);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(content.length);
  for (const length of lengths) expect(length).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
  for (const length of lengths.slice(0, -1)) expect(length).toBeGreaterThan(MIN_CHUNK_BYTES);
  if (content.length > 0) expect(lengths.at(-1)).toBeGreaterThan(0);
});

test.prop([content, fc.nat(200_000)], slow)('cuts are those of the definition', (content, offset) => {
  const start = Math.min(offset, content.length);
  expect(nextCut(content, start, content.length)).toBe(plainCut(content, start, content.length));
});

test.prop([content, fc.nat(100_000)], slow)(
  'a cut depends on nothing outside its chunk',
  (content, offset) => {
    const start = Math.min(offset, content.length);
    const cut = nextCut(content, start, content.length);
    const alone = content.slice(start, Math.min(content.length, start + MAX_CHUNK_BYTES));
    expect(nextCut(alone, 0, alone.length)).toBe(cut - start);
  },
);

test.prop([content, fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 20 })], slow)(
  'content that streams in, in any parts, is cut as the whole',
  (content, parts) => {
    const lengths: number[] = [];
    let pending = new Uint8Array(0);
    let at = 0;
    // Small parts of small contents only: what is pending is copied for each.
    const smallest = Math.ceil(content.length / 500);
    for (let part = 0; at < content.length; part++) {
      const next = content.subarray(at, at + Math.max(smallest, parts[part % parts.length] as number));
      at += next.length;
      pending = Uint8Array.from(Buffer.concat([pending, next]));
      let start = 0;
      while (pending.length - start >= MAX_CHUNK_BYTES) {
        const cut = nextCut(pending, start, pending.length);
        lengths.push(cut - start);
        start = cut;
      }
      pending = pending.slice(start);
    }
    expect([...lengths, ...lengthsOf(pending)]).toEqual(lengthsOf(content));
  },
);

test.prop([seed, fc.nat(500_000), fc.uint8Array({ minLength: 1, maxLength: 5000 })], {
  numRuns: Math.ceil(propertyRuns / 4),
})('after an insertion in the middle, chunks are the same again', (seed, at, inserted) => {
  const content = generate('random', 1 << 20, seed);
  const edited = Buffer.concat([content.subarray(0, at), inserted, content.subarray(at)]);
  const [before, after] = [content, edited].map((content) => {
    let start = 0;
    return lengthsOf(content).map((length) => {
      start += length;
      return digestHex(content.subarray(start - length, start));
    });
  }) as [string[], string[]];
  const fresh = after.filter((digest) => !before.includes(digest));
  expect(fresh.length).toBeLessThan(new Set(before).size / 2);
  expect(after.at(-1)).toBe(before.at(-1));
});

test('content of no entropy is cut at the maximum, and of the minimum not at all', () => {
  expect(lengthsOf(new Uint8Array(MAX_CHUNK_BYTES + 1))).toEqual([MAX_CHUNK_BYTES, 1]);
  expect(lengthsOf(new Uint8Array(MIN_CHUNK_BYTES))).toEqual([MIN_CHUNK_BYTES]);
  expect(lengthsOf(new Uint8Array(0))).toEqual([]);
});

test('random content has chunks of about the normal size', () => {
  const lengths = lengthsOf(generate('random', 16 << 20, 5));
  const mean = (16 << 20) / lengths.length;
  expect(mean).toBeGreaterThan(NORMAL_CHUNK_BYTES);
  expect(mean).toBeLessThan(1.4 * NORMAL_CHUNK_BYTES);
});
