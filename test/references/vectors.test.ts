import { describe, expect, it } from 'vitest';
import vectors from '../../docs/format-vectors/references.json' with { type: 'json' };
import { ContentStore } from '../../src/content/content-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import type { ContentRef } from '../../src/format/content-ref.ts';
import { decodeListing, encodeListing, entriesDigest } from '../../src/references/directory/entries.ts';
import { referenceReader } from '../../src/references/read-reference.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { CACHE_DIGEST, type CacheDigest } from '../../src/values/cache-digest.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';

const registry = new SerializerRegistry();
const store = new ContentStore(new MemoryStorage());
const encoding = { encoding: 'msgpack', type: 'FileRef' };

describe('references.json', () => {
  it.each(vectors.cases)('$name', (vector) => {
    const refs = vector.refs as ContentRef[];
    const bytes = Buffer.from(vector.bytes, 'hex');
    const loaded = registry.deserialize('a', encoding, bytes, referenceReader(store, refs));
    const serialized = registry.serialize('a', loaded);
    expect(Buffer.from(serialized.bytes).toString('hex')).toBe(vector.bytes);
    expect(digestHex(serialized.bytes)).toBe(vector.key);
    expect(serialized.type).toBe(vector.type);
    expect(serialized.refs).toEqual(refs);
    expect((loaded as CacheDigest)[CACHE_DIGEST]()).toBe(vector.counts);
    if (!vector.listing) return;
    const listing = decodeListing(Buffer.from(vector.listing), 'it');
    expect(Buffer.from(encodeListing(listing)).toString()).toBe(vector.listing);
    expect(digestHex(Buffer.from(vector.listing))).toBe(vector.members.listing);
    expect(entriesDigest(listing.entries)).toBe(vector.members.entries);
  });

  it.each(vectors.refused)('$name is refused', ({ bytes, refs, code }) => {
    const load = (): unknown =>
      registry.deserialize(
        'a',
        encoding,
        Buffer.from(bytes, 'hex'),
        referenceReader(store, refs as ContentRef[]),
      );
    expect(load).toThrow(expect.objectContaining({ code }));
  });
});
