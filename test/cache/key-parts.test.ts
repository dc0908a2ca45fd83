import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheKey } from '../../src/cache/cache-key.ts';
import { explainKeys } from '../../src/cache/explain-keys.ts';
import { type CacheKey, readCacheKey } from '../../src/cache/key-parts.ts';
import { test as property, propertyRuns } from '../property.ts';

const made = cacheKey({
  taskName: 'judge',
  version: { digest: 'ab', places: { 'version.run': 'cd' } },
  scope: { flow: 'Train' },
  interface: { input: { type: 'object' } },
  config: { model: 'm' },
  ignoredInputs: ['trace'],
  input: { prompt: 'p', trace: 1 },
  salt: 's',
});

function stored(change: Record<string, unknown> = {}): unknown {
  return JSON.parse(JSON.stringify({ ...made, ...change }));
}

describe('a key that was stored', () => {
  it('comes back as it was', () => {
    expect(readCacheKey(stored())).toEqual(made);
    const plain = cacheKey({ taskName: 'judge', version: '1', input: 0 });
    expect(readCacheKey(JSON.parse(JSON.stringify(plain)))).toEqual(plain);
  });

  it('comes back without places that are none', () => {
    expect(readCacheKey(stored({ places: undefined }))).toEqual({ ...made, places: {} });
    expect(readCacheKey(stored({ places: { input: [1], config: { a: 1 }, other: {} } }))?.places).toEqual({});
  });

  it.each([
    ['another key', { key: '0'.repeat(64) }],
    ['other parts', { parts: { ...made.parts, task: 'jury' } }],
    ['an additional part', { parts: { ...made.parts, more: 'x' } }],
    ['no parts', { parts: undefined }],
    ['parts of other types', { parts: { ...made.parts, scope: 3 } }],
  ])('is none with %s', (_, change) => {
    expect(readCacheKey(stored(change))).toBeUndefined();
  });

  property.prop([fc.jsonValue(), fc.jsonValue()], { numRuns: propertyRuns })(
    'is none, or can be explained, whatever was stored',
    (garbage, places) => {
      expect(readCacheKey(garbage)).toBeUndefined();
      const parts = readCacheKey({ ...(garbage as object), parts: garbage });
      expect(parts).toBeUndefined();
      const other = readCacheKey(stored({ places: { input: places, config: places } })) as CacheKey;
      const later = cacheKey({ taskName: 'judge', version: '1', input: 0 });
      expect(explainKeys(other, later).length).toBeGreaterThan(0);
    },
  );
});
