import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TaskCache } from '../../src/cache/task-cache.ts';
import { isStowageError } from '../../src/errors.ts';
import { type CacheEntry, decodeEntry, encodeEntry, MAX_ENTRY_BYTES } from '../../src/format/cache-entry.ts';
import { entryName } from '../../src/format/cache-names.ts';
import { HERE } from '../../src/format/content-ref.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { EntrySigner } from '../../src/format/signing.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { isUserName } from '../../src/storage/names.ts';
import { contentOf, inlineEntry, keyOf } from '../cache/fixtures.ts';
import { withFlippedBit } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';

const numRuns = propertyRuns;
const key = keyOf('a');
const signer = new EntrySigner('a secret that is long enough for signing');

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
const name = fc.string({ minLength: 1, maxLength: 20 });
const integer = fc.maxSafeNat();
/** A record holds no key `__proto__`. */
const json = fc
  .jsonValue({ maxDepth: 3 })
  .filter((value) => !JSON.stringify(value).includes('__proto__'))
  .map((value) => JSON.parse(JSON.stringify(value)));
const inline = fc.oneof(fc.record({ json }), fc.record({ base64: fc.base64String() })) as fc.Arbitrary<{
  json: never;
}>;
const refs = fc.array(fc.record({ place: fc.constant(''), kind: fc.constant('key' as const), name: hex }), {
  minLength: 1,
  maxLength: 3,
});
const row = fc.record(
  { name: name.filter(isUserName), type: name, encoding: name, key: hex, bytes: integer, refs, inline },
  { requiredKeys: ['name', 'type', 'encoding', 'key', 'bytes', 'inline'] },
);
const arbitraryEntry: fc.Arbitrary<Omit<CacheEntry, 'signedBy'>> = fc.record(
  {
    key: fc.constant(key),
    task: fc.string(),
    scope: fc.string(),
    version: fc.string(),
    keyDescription: json,
    createdAt: fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
      .map((d) => d.toISOString()),
    expiresAt: fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
      .map((d) => d.toISOString()),
    durationMs: integer,
    leaseToken: fc.integer({ min: 0, max: 999_999_999_999 }),
    source: fc.record({
      flow: name,
      run: name,
      step: name,
      task: name,
      attempt: integer,
      session: name,
      metadataDigest: hex,
    }),
    table: fc.record({
      artifacts: fc.array(row, { maxLength: 4 }),
    }),
  },
  {
    requiredKeys: [
      'key',
      'task',
      'scope',
      'version',
      'keyDescription',
      'createdAt',
      'leaseToken',
      'source',
      'table',
    ],
  },
);

async function lookUp(bytes: Uint8Array, options: ConstructorParameters<typeof TaskCache>[1] = {}) {
  const storage = new MemoryStorage();
  await storage.create(entryName(key), bytes);
  return new TaskCache(contentOf(storage), options).lookup(key);
}

function encoded(value: string, by?: EntrySigner): Uint8Array {
  return encodeEntry(
    { ...inlineEntry(value), key, createdAt: '2026-03-01T12:00:00.000Z', leaseToken: 3 },
    by,
  );
}

describe('an entry', () => {
  test.prop([arbitraryEntry, fc.boolean()], { numRuns })('comes back as it was stored', (entry, signed) => {
    let bytes: Uint8Array;
    try {
      bytes = encodeEntry(entry, signed ? signer : undefined);
    } catch (error) {
      // Records hold no `__proto__`.
      expect(isStowageError(error, 'INVALID_ARGUMENT') && JSON.stringify(entry).includes('__proto__')).toBe(
        true,
      );
      return;
    }
    const { signedBy, ...read } = decodeEntry(bytes, key, 'entry');
    expect(read).toEqual(entry);
    expect(signedBy === undefined).toBe(!signed);
  });

  it('with any bit flipped is damaged, never another one', async () => {
    for (const bytes of [encoded('yes'), encoded('yes', signer)]) {
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        expect(await lookUp(withFlippedBit(bytes, bit)), `bit ${bit}`).toMatchObject({
          status: 'miss',
          reason: 'damaged',
        });
      }
    }
  });

  it('cut off anywhere is damaged', async () => {
    const bytes = encoded('yes');
    for (let length = 0; length < bytes.length; length += 7) {
      expect(await lookUp(bytes.slice(0, length))).toMatchObject({ status: 'miss', reason: 'damaged' });
    }
  });

  test.prop([fc.uint8Array({ maxLength: 400 })], { numRuns })('of any bytes is a miss', async (bytes) => {
    expect(await lookUp(bytes)).toMatchObject({ status: 'miss', reason: 'damaged' });
  });

  test.prop(
    [
      fc.dictionary(
        fc.constantFrom(
          ...Object.keys(inlineEntry('x')),
          'kind',
          'key',
          'leaseToken',
          'createdAt',
          'artifacts',
        ),
        json,
      ),
    ],
    { numRuns },
  )('of any record is a miss', async (fields) => {
    const bytes = encodeRecord({ ...fields, format: 1 });
    expect(await lookUp(bytes)).toMatchObject({ status: 'miss', reason: 'damaged' });
  });

  it.each(['packs/../../x', '/etc/passwd', 'a\0b', 'packs/\ud800', 'x'.repeat(5000)])(
    'that refers to what no object can be called is damaged, and can be replaced: %j',
    async (name) => {
      const storage = new MemoryStorage();
      const cache = new TaskCache(contentOf(storage));
      const refs = [{ place: HERE, kind: 'pack', name }];
      const { digest: _, ...record } = decodeRecord(encoded('planted'), 'the entry');
      const [row] = record.artifacts as object[];
      await storage.create(entryName(key), encodeRecord({ ...record, artifacts: [{ ...row, refs }] }));
      const miss = await cache.lookup(key);
      expect(miss).toMatchObject({ status: 'miss', reason: 'damaged' });
      expect(await cache.store(key, inlineEntry('new'), { replaces: miss.seen })).toEqual({ stored: true });
      expect(await cache.lookup(key)).toMatchObject({ status: 'hit' });
    },
  );

  it('of another key is damaged, and forged where keys sign', async () => {
    const storage = new MemoryStorage();
    await storage.create(entryName(keyOf('b')), encoded('yes', signer));
    const cache = new TaskCache(contentOf(storage));
    expect(await cache.lookup(keyOf('b'))).toMatchObject({ status: 'miss', reason: 'damaged' });
  });

  it('that is larger than any entry is damaged, and can be replaced', async () => {
    const storage = new MemoryStorage();
    await storage.create(entryName(key), new Uint8Array(MAX_ENTRY_BYTES + 1));
    const cache = new TaskCache(contentOf(storage));
    const miss = await cache.lookup(key);
    expect(miss).toMatchObject({ status: 'miss', reason: 'damaged' });
    expect(await cache.store(key, inlineEntry('new'), { replaces: miss.seen })).toEqual({ stored: true });
    expect(await cache.lookup(key)).toMatchObject({ status: 'hit' });
  });

  it('of a newer format is a miss, and is left as it is', async () => {
    const storage = new MemoryStorage();
    const newer = encodeRecord({ format: 2, kind: 'cache-entry', key, anything: [1] });
    await storage.create(entryName(key), newer);
    const cache = new TaskCache(contentOf(storage));
    const miss = await cache.lookup(key);
    expect(miss).toMatchObject({ status: 'miss', reason: 'newer-format' });
    expect(await cache.store(key, inlineEntry('mine'), { replaces: miss.seen })).toMatchObject({
      stored: false,
      reason: 'newer-format',
    });
    expect((await storage.get(entryName(key)))?.body).toEqual(newer);
  });

  it.each<[string, object]>([
    ['a time that is none', { expiresAt: 'tomorrow' }],
    ['a negative duration', { durationMs: -5 }],
    ['no task', { task: undefined }],
    ['a table of nothing', { table: { artifacts: 7 } }],
    ['more bytes than an entry may have', { keyDescription: 'x'.repeat(MAX_ENTRY_BYTES) }],
  ])('with %s is not stored, and fails nobody', async (_, changes) => {
    const cache = new TaskCache(contentOf(new MemoryStorage()));
    const stored = await cache.store(key, inlineEntry('x', changes as never));
    expect(stored).toMatchObject({ stored: false, reason: 'invalid', error: { code: 'INVALID_ARGUMENT' } });
    expect(await cache.lookup(key)).toMatchObject({ status: 'miss', reason: 'absent' });
  });
});
