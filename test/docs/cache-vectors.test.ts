import { describe, expect, test } from 'vitest';
import vectors from '../../docs/format-vectors/cache.json' with { type: 'json' };
import { EntryReader } from '../../src/cache/entry-reader.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { type CacheEntry, decodeEntry, encodeEntry } from '../../src/format/cache-entry.ts';
import {
  entryName,
  leaseName,
  parseEntryName,
  parseLeaseName,
  releasedName,
} from '../../src/format/cache-names.ts';
import { decodeLease } from '../../src/format/lease-record.ts';
import { EntrySigner } from '../../src/format/signing.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';

const secret = Buffer.from(vectors.signatures[0]?.secret ?? '', 'hex');

describe('cache.json', () => {
  test.each(vectors.names)('names of the key $key', ({ key, token, entry, lease, released }) => {
    expect([entryName(key), leaseName(key, token), releasedName(key, token)]).toEqual([
      entry,
      lease,
      released,
    ]);
    expect(parseEntryName(entry)).toBe(key);
    expect([lease, released, entry].map(parseLeaseName)).toEqual([
      { token, kind: 'json' },
      { token, kind: 'released' },
      undefined,
    ]);
  });

  test.each(vectors.entries)('entry: $title', ({ key, entry, text, ...signed }) => {
    const signedBy = 'signedBy' in signed ? signed.signedBy : undefined;
    const expected = entry as unknown as CacheEntry;
    expect(decodeEntry(Buffer.from(text), key, 'entry')).toEqual({
      ...expected,
      ...(signedBy === undefined ? {} : { signedBy }),
    });
    const signer = signedBy === undefined ? undefined : new EntrySigner([{ id: signedBy, secret }]);
    expect(Buffer.from(encodeEntry(expected, signer)).toString()).toBe(text);
  });

  test.each(vectors.signatures)('signature of $name', ({ name, signed, hmac }) => {
    const signer = new EntrySigner([{ id: 'k', secret }]);
    expect(signer.sign(name, Buffer.from(signed))).toEqual({ key: 'k', hmac });
  });

  test.each(vectors.rings)('ring $ring', ({ ring, signedBy }) => {
    expect(new EntrySigner(ring).sign('x', new Uint8Array(0)).key).toBe(signedBy);
  });

  test.each(vectors.misses)('$title is a miss', ({ ring, key, text, reason }) => {
    const signer = ring === null ? undefined : new EntrySigner(ring);
    const reader = new EntryReader(new ContentAddressedStore(new MemoryStorage()), signer);
    expect(reader.read(key, Buffer.from(text), '1')).toMatchObject({ problem: reason });
  });

  test.each(vectors.leases)('lease with the token $fields.token', ({ fields, text }) => {
    expect(decodeLease(Buffer.from(text), fields, 'lease')).toEqual(fields);
  });
});
