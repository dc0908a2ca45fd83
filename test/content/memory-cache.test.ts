import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryCache } from '../../src/content/caches/memory-cache.ts';
import { propertyRuns, test } from '../property.ts';
import { keyOf } from './caches.ts';
import { contentOf, KIB } from './contents.ts';
import { codeOf } from './storages.ts';

const anyStep = fc.record({
  key: fc.nat(15),
  kind: fc.constantFrom('get', 'get', 'set', 'set', 'delete'),
});

/** The bytes that a key stands for, of very different lengths. */
const bytesOf = (key: number): Uint8Array => contentOf(key ** 3 * 10, key + 1);

describe('a memory cache', () => {
  test.prop([fc.array(anyStep, { maxLength: 60 })], { numRuns: propertyRuns })(
    'that has room gives what it was given',
    async (steps) => {
      const cache = await MemoryCache.open();
      const kept = new Set<number>();
      for (const { key, kind } of steps) {
        if (kind === 'set') {
          await cache.set(keyOf(key), bytesOf(key));
          kept.add(key);
        } else if (kind === 'delete') {
          await cache.delete(keyOf(key));
          kept.delete(key);
        } else {
          const found = await cache.get(keyOf(key));
          expect(found !== undefined).toBe(kept.has(key));
          if (found) expect(Buffer.compare(found, bytesOf(key))).toBe(0);
        }
      }
    },
  );

  test.prop([fc.array(anyStep, { maxLength: 60 }), fc.integer({ min: 1, max: 100_000 })], {
    numRuns: propertyRuns,
  })('of any size stays within it, and gives what it was given or nothing', async (steps, maxBytes) => {
    const cache = await MemoryCache.open({ maxBytes });
    for (const { key, kind } of steps) {
      if (kind === 'set') await cache.set(keyOf(key), bytesOf(key));
      else if (kind === 'delete') await cache.delete(keyOf(key));
      const found = await cache.get(keyOf(key));
      if (kind === 'delete') expect(found).toBeUndefined();
      else if (found) expect(Buffer.compare(found, bytesOf(key))).toBe(0);
      expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
    }
  });

  it('forgets first what was used longest ago', async () => {
    const cache = await MemoryCache.open({ maxBytes: 44 * KIB });
    for (const key of [0, 1, 2, 3]) await cache.set(keyOf(key), contentOf(10 * KIB, key + 1));
    await cache.get(keyOf(0));
    await cache.set(keyOf(4), contentOf(10 * KIB, 5));
    const found = await Promise.all([0, 1, 2, 3, 4].map((key) => cache.get(keyOf(key))));
    expect(found.map((bytes) => bytes !== undefined)).toEqual([true, false, true, true, true]);
  });

  it('counts what an empty entry takes up', async () => {
    const cache = await MemoryCache.open({ maxBytes: 10 * KIB });
    for (let key = 0; key < 100; key++) await cache.set(keyOf(key), new Uint8Array(0));
    const found = await Promise.all(Array.from({ length: 100 }, (_, key) => cache.get(keyOf(key))));
    expect(found.filter((bytes) => bytes !== undefined)).toHaveLength(20);
  });

  it('does not give up all it has for one entry of more than a quarter', async () => {
    const cache = await MemoryCache.open({ maxBytes: 40 * KIB });
    await cache.set(keyOf(1), contentOf(9 * KIB));
    await cache.set(keyOf(2), contentOf(10 * KIB));
    expect(await cache.get(keyOf(1))).toEqual(contentOf(9 * KIB));
    expect(await cache.get(keyOf(2))).toBeUndefined();
  });

  it('shares no memory with those who give and take', async () => {
    const cache = await MemoryCache.open();
    const given = Buffer.from('as it was');
    await cache.set(keyOf(1), given);
    given.fill(0);
    const taken = await cache.get(keyOf(1));
    taken?.fill(1);
    const again = await cache.get(keyOf(1));
    expect(again).toEqual(new Uint8Array(Buffer.from('as it was')));
    // Typed arrays are laid over what is loaded.
    expect([again?.byteOffset, again?.buffer.byteLength]).toEqual([0, 9]);
  });

  it.each([
    null,
    5,
    { maxBytes: 0 },
    { maxBytes: -1 },
    { maxBytes: 1.5 },
    { maxBytes: Number.NaN },
    { maxBytes: '10GB' },
    { maxbytes: 10 },
  ])('is not opened with %j', async (options) => {
    expect(await codeOf(MemoryCache.open(options as never))).toBe('INVALID_ARGUMENT');
  });

  it('ends with its signal', async () => {
    const cache = await MemoryCache.open();
    const signal = AbortSignal.abort();
    expect(await codeOf(cache.get(keyOf(1), { signal }))).toBe('ABORTED');
    expect(await codeOf(cache.set(keyOf(1), new Uint8Array(1), { signal }))).toBe('ABORTED');
    expect(await cache.get(keyOf(1))).toBeUndefined();
  });
});
