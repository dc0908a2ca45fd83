import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test } from '../property.ts';
import { contentOf, MIB } from './contents.ts';
import { codeOf, freshStore, manifestIn, namesOf, withFlippedBit } from './storages.ts';

const BYTES = 3 * MIB;
let made:
  | Promise<{ storage: MemoryStorage; content: Uint8Array; saved: StoredContent; cuts: number[] }>
  | undefined;

/** A content in one pack, raw, and where its chunks begin. */
function savedOnce(): NonNullable<typeof made> {
  made ??= (async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const content = contentOf(BYTES, 7);
    const saved = (await freshStore(storage).saveBlobs([content]))[0] as StoredContent;
    const cuts = [0];
    for (const { columns } of (await manifestIn(storage, saved)).groups) {
      for (const length of columns?.lengths ?? []) cuts.push((cuts.at(-1) as number) + length);
    }
    return { storage, content, saved, cuts };
  })();
  return made;
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

describe('a range', () => {
  test.prop([fc.nat(BYTES + 10), fc.oneof(fc.nat(200), fc.nat(BYTES))])(
    'fetches its chunks alone, by one request beside that of the manifest',
    async (offset, length) => {
      const { storage, content, saved, cuts } = await savedOnce();
      const counted = new CountStorage(storage);
      const store = freshStore(counted);
      await store.prepareToRead();
      counted.reset();
      const { bytes: ofManifest } = (await storage.head(saved.copy)) as { bytes: number };
      const got = await collect(store.streamBlob(saved, { range: { offset, length } }));
      expect(Buffer.compare(got, content.subarray(offset, offset + length))).toBe(0);
      const [end, from] = [Math.min(offset + length, BYTES), Math.min(offset, BYTES)];
      const touched = cuts.slice(0, -1).flatMap((start, index) => {
        const stop = cuts[index + 1] as number;
        return stop > from && start < end ? [stop - start + 48] : [];
      });
      const { get, requests } = counted.snapshot();
      expect(requests).toBe(touched.length > 0 ? 2 : 1);
      expect(get.bytes - ofManifest).toBe(touched.reduce((sum, bytes) => sum + bytes, 0));
    },
  );

  test('is verified by its own chunks: damage in others neither matters nor is found', async () => {
    const { storage, content, saved, cuts } = await savedOnce();
    const [pack] = await namesOf(storage, 'packs/');
    const damaged = new MemoryStorage();
    for (const name of await namesOf(storage)) {
      const body = (await storage.get(name))?.body as Uint8Array;
      // The third chunk, whose envelope comes after two others.
      const third = ((cuts[2] as number) + 3 * 48 + 10) * 8;
      await damaged.create(name, name === pack ? withFlippedBit(body, third) : body);
    }
    const store = freshStore(damaged);
    const range = (index: number) => ({ offset: cuts[index] as number, length: 100 });
    for (const index of [0, 1, 3]) {
      const got = await collect(store.streamBlob(saved, { range: range(index) }));
      expect(Buffer.compare(got, content.subarray(cuts[index], (cuts[index] as number) + 100))).toBe(0);
    }
    expect(await namesOf(damaged, 'packs/')).toEqual([pack]);
    expect(await codeOf(collect(store.streamBlob(saved, { range: range(2) })))).toBe('CONTENT_DAMAGED');
    expect(await namesOf(damaged, 'packs/')).toEqual([pack, `${pack}.damaged`]);
  });
});
