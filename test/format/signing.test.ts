import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TaskCache } from '../../src/cache/task-cache.ts';
import { isStowageError } from '../../src/errors.ts';
import { decodeEntry, encodeEntry, signatureFault } from '../../src/format/cache-entry.ts';
import { entryName } from '../../src/format/cache-names.ts';
import { EntrySigner } from '../../src/format/signing.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf, heldBy, inlineEntry, keyOf } from '../cache/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

const SECRET = 'correct horse battery staple and some more of it';
const BASE64 = Buffer.from(SECRET).toString('base64');
const numRuns = propertyRuns;

function stored(value: string, signer?: EntrySigner, key = keyOf('a')): Uint8Array {
  const createdAt = '2026-03-01T12:00:00.000Z';
  return encodeEntry({ ...inlineEntry(value), key, createdAt, leaseToken: 0 }, signer);
}

function refused(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isStowageError(error, 'INVALID_ARGUMENT')) return inspect(error);
    throw error;
  }
  throw new Error('nothing was thrown');
}

afterEach(() => vi.unstubAllEnvs());

describe('signatures', () => {
  test.prop([fc.uint8Array({ minLength: 32, maxLength: 80 }), fc.string()], { numRuns })(
    'hold for the entry that was signed, by whoever has the secret',
    (secret, value) => {
      const bytes = stored(value, new EntrySigner([{ id: 'k', secret }]));
      expect(signatureFault(bytes, keyOf('a'), new EntrySigner([{ id: 'k', secret }]))).toBeUndefined();
      expect(heldBy(decodeEntry(bytes, keyOf('a'), 'entry'))).toBe(value);
    },
  );

  test.prop([fc.nat(), fc.integer({ min: 1, max: 255 })], { numRuns })(
    'hold for no other bytes',
    (at, change) => {
      const signer = new EntrySigner(SECRET);
      const bytes = stored('yes', signer);
      const signedBytes = bytes.length - 77;
      bytes[at % signedBytes] = (bytes[at % signedBytes] as number) ^ change;
      expect(signatureFault(bytes, keyOf('a'), signer)).toMatch(/unsigned|forged|unknown-key/);
    },
  );

  it('hold for no other key: an entry cannot be moved', () => {
    const signer = new EntrySigner(SECRET);
    expect(signatureFault(stored('yes', signer), keyOf('b'), signer)).toBe('forged');
    expect(entryName(keyOf('a'))).not.toBe(entryName(keyOf('b')));
  });

  it('of an object inside the entry are none', () => {
    const signer = new EntrySigner(SECRET);
    const signature = { key: 'k', hmac: '0'.repeat(64) };
    const entry = { ...inlineEntry('yes', { keyDescription: { a: 1, signature } }), key: keyOf('a') };
    const bytes = encodeEntry({ ...entry, createdAt: '2026-03-01T12:00:00.000Z', leaseToken: 0 }, undefined);
    expect(signatureFault(bytes, keyOf('a'), signer)).toBe('unsigned');
  });

  it('are none without a key, or by another secret', () => {
    const signer = new EntrySigner(SECRET);
    expect(signatureFault(stored('yes'), keyOf('a'), signer)).toBe('unsigned');
    const other = new EntrySigner([{ id: 'k', secret: `${SECRET}!` }]);
    expect(signatureFault(stored('yes', other), keyOf('a'), signer)).toBe('unknown-key');
    const same = new EntrySigner([{ id: 'k', secret: SECRET }]);
    expect(signatureFault(stored('yes', other), keyOf('a'), same)).toBe('forged');
  });

  it('by an earlier secret hold as long as it is in the ring', () => {
    const [old, now] = [`old:${BASE64}`, `new:${Buffer.from(`${SECRET}!`).toString('base64')}`];
    const bytes = stored('yes', new EntrySigner(old));
    expect(signatureFault(bytes, keyOf('a'), new EntrySigner(`${now}, ${old}`))).toBeUndefined();
    expect(signatureFault(bytes, keyOf('a'), new EntrySigner(now))).toBe('unknown-key');
    const rotated = stored('yes', new EntrySigner(`${now},${old}`));
    expect(decodeEntry(rotated, keyOf('a'), 'entry').signedBy).toBe('new');
  });
});

describe('a ring', () => {
  it('is the same as a text, as a list, and without ids', () => {
    const bytes = stored('yes', new EntrySigner(`k:${BASE64}`));
    expect(signatureFault(bytes, keyOf('a'), new EntrySigner([{ id: 'k', secret: SECRET }]))).toBeUndefined();
    const plain = stored('yes', new EntrySigner(SECRET));
    const same = [{ secret: Buffer.from(SECRET) }];
    expect(signatureFault(plain, keyOf('a'), new EntrySigner(same))).toBeUndefined();
  });

  it('is taken from STOWAGE_CACHE_KEY where none is passed', async () => {
    vi.stubEnv('STOWAGE_CACHE_KEY', `k:${BASE64}`);
    const storage = new MemoryStorage();
    const cache = new TaskCache(contentOf(storage));
    await cache.store(keyOf('a'), inlineEntry('signed'));
    expect(await cache.lookup(keyOf('a'))).toMatchObject({ status: 'hit', entry: { signedBy: 'k' } });
    await new TaskCache(contentOf(storage), { signingKeys: false }).store(
      keyOf('b'),
      inlineEntry('unsigned'),
    );
    expect(await cache.lookup(keyOf('b'))).toMatchObject({ status: 'miss', reason: 'unsigned' });
    vi.stubEnv('STOWAGE_CACHE_KEY', undefined);
    expect(await new TaskCache(contentOf(storage)).lookup(keyOf('b'))).toMatchObject({ status: 'hit' });
  });

  it('of STOWAGE_CACHE_KEY that is empty is an error: a secret that did not arrive verifies nothing', () => {
    vi.stubEnv('STOWAGE_CACHE_KEY', '');
    const told = refused(() => new TaskCache(contentOf(new MemoryStorage())));
    expect(told).toContain('The environment variable STOWAGE_CACHE_KEY cannot be used');
    expect(told).toContain('it is empty');
    expect(told).toContain('unset it');
    expect(new TaskCache(contentOf(new MemoryStorage()), { signingKeys: false }).isSigned).toBe(false);
  });

  it('of STOWAGE_CACHE_KEY that cannot be used is told to be that one, by whoever passed none', () => {
    vi.stubEnv('STOWAGE_CACHE_KEY', `k:${BASE64},k:${Buffer.from('short').toString('base64')}`);
    const told = refused(() => new TaskCache(contentOf(new MemoryStorage())));
    expect(told).toContain('The environment variable STOWAGE_CACHE_KEY cannot be used');
    expect(told).toContain('the secret of key 2 has 5 bytes');
    expect(told).not.toContain(BASE64.slice(0, 12));
    expect(
      refused(() => new TaskCache(contentOf(new MemoryStorage()), { signingKeys: 'short' })),
    ).not.toContain('environment variable');
  });

  it.each([
    ['a short secret', 'short'],
    ['a short secret in base64', `k:${Buffer.from('short').toString('base64')}`],
    ['what is not base64', `k:${SECRET}`],
    ['an id that cannot be one', `k k:${BASE64}`],
    ['two keys of one id', `k:${BASE64},k:${BASE64}`],
    ['nothing', ''],
    ['an empty list', []],
    ['no secret', [{ id: 'k' }]],
    ['a misspelt member', [{ secret: SECRET, name: 'k' }]],
    ['a number', 7],
  ])('of %s is refused, and no secret is told', (_, keys) => {
    const told = refused(() => new TaskCache(contentOf(new MemoryStorage()), { signingKeys: keys as never }));
    expect(told).not.toContain('short');
    expect(told).not.toContain('horse');
    expect(told).not.toContain(BASE64.slice(0, 12));
  });

  it('shows no secret to whoever prints it', () => {
    const signer = new EntrySigner([{ id: 'k', secret: SECRET }]);
    const cache = new TaskCache(contentOf(new MemoryStorage()), { signingKeys: SECRET });
    for (const thing of [signer, cache]) {
      const shown = inspect(thing, { depth: 10, showHidden: true }) + String(thing) + JSON.stringify(thing);
      expect(shown).not.toContain('horse');
      expect(shown).not.toContain(BASE64.slice(0, 12));
    }
  });
});
