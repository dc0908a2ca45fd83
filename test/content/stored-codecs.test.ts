import fc from 'fast-check';
import { expect } from 'vitest';
import { readEnvelopeHeader } from '../../src/codec/envelope.ts';
import { codecsOfContent } from '../../src/content/reading/stored-codecs.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { anyCompression } from './arbitrary-content.ts';
import { contentOf } from './contents.ts';
import { bodyOf, freshStore, manifestIn } from './storages.ts';

/** Text, noise and numbers, one behind the other. */
const parts = fc.array(
  fc.record({
    kind: fc.constantFrom('text', 'noise', 'numbers'),
    bytes: fc.constantFrom(8, 40_000, 200_000),
  }),
  { minLength: 1, maxLength: 5 },
);

function partOf({ kind, bytes }: { kind: string; bytes: number }, index: number): Uint8Array {
  if (kind === 'noise') return contentOf(bytes, index + 1);
  if (kind === 'text') return Buffer.from(`line ${index} of a text\n`.repeat(bytes)).subarray(0, bytes);
  return new Uint8Array(BigInt64Array.from({ length: bytes / 8 }, (_, i) => BigInt(i * 3)).buffer);
}

/** The codec in the header of every envelope of a content. */
async function allCodecs(storage: MemoryStorage, content: StoredContent): Promise<Set<string>> {
  if (content.copy.startsWith('data/'))
    return new Set([readEnvelopeHeader(await bodyOf(storage, content.copy)).codec]);
  const { packs, groups } = await manifestIn(storage, content);
  const codecs = new Set<string>();
  for (const { columns } of groups) {
    for (const [i, offset] of (columns?.offsets ?? []).entries()) {
      const pack = packs[columns?.packs[i] as number]?.name as string;
      codecs.add(readEnvelopeHeader(await bodyOf(storage, pack), offset).codec);
    }
  }
  return codecs;
}

test.prop([parts, anyCompression, fc.constantFrom(undefined, 8)], { numRuns: propertyRuns })(
  'codecs of a content are those that their envelopes have, however they are stored',
  async (given, compression, elementBytes) => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const bytes = Buffer.concat(given.map(partOf));
    const [saved] = await store.saveBlobs([bytes], { compression, elementBytes });
    const content = saved as StoredContent;
    const found = await codecsOfContent(storage, content, {});
    const all = await allCodecs(storage, content);
    expect(new Set(found).size).toBe(found.length);
    expect([...all]).toEqual(expect.arrayContaining(found));
    expect(found.includes('raw')).toBe(all.has('raw'));
    // Where several codecs compress, those of a few chunks are told.
    const compressing = [...all].filter((codec) => codec !== 'raw');
    if (compressing.length === 1) expect(new Set(found)).toEqual(all);
    else expect(found.some((codec) => codec !== 'raw')).toBe(compressing.length > 0);
  },
);

test('a plain object has none, and is not read for it', async () => {
  const storage = new MemoryStorage();
  const [saved] = await freshStore(storage).saveData([{ name: 'a.txt', data: contentOf(300_000) }]);
  expect(await codecsOfContent(new MemoryStorage(), saved as StoredContent, {})).toEqual(['plain']);
});
