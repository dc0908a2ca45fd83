import { describe, expect, test } from 'vitest';
import { MIN_CHUNK_BYTES, nextCut } from '../../src/codec/chunker.ts';
import { GEAR } from '../../src/codec/gear-table.ts';
import { createHasher } from '../../src/digest/blake3.ts';
import { GROUP_CHUNKS, type Manifest } from '../../src/format/manifest.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { bodyOf, cloneOf, codeOf, freshStore, manifestIn, namesOf, withFlippedBit } from './storages.ts';

/** Bytes that end a chunk when they stand right after its first 16 KiB: the shortest chunks there are. */
function shortestCut(): number[] {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      for (let c = 0; c < 256; c++) {
        const hash = [a, b, c].reduce((hash, byte) => ((hash << 1) + (GEAR[byte] as number)) | 0, 0);
        if (hash >>> 15 === 0) return [a, b, c];
      }
    }
  }
  throw new Error('no three bytes end a chunk');
}

/** A content of as many chunks as possible for its length: each is its number, zeros, and what ends it. */
async function* manyChunks(chunks: number): AsyncGenerator<Uint8Array> {
  const cut = shortestCut();
  const length = MIN_CHUNK_BYTES + cut.length;
  for (let first = 0; first < chunks; first += 64) {
    const piece = Buffer.alloc(Math.min(64, chunks - first) * length);
    for (let i = 0; i * length < piece.length; i++) {
      piece.writeUInt32LE(first + i, i * length);
      piece.set(cut, i * length + MIN_CHUNK_BYTES);
    }
    yield piece;
  }
}

describe('a content of more chunks than a group holds', () => {
  const length = MIN_CHUNK_BYTES + 3;

  test('is made of the shortest chunks there are, so that the test is quick', async () => {
    const first = (await manyChunks(64).next()).value as Uint8Array;
    expect(nextCut(first, 0, first.length)).toBe(length);
    expect(nextCut(first, length, first.length)).toBe(2 * length);
  });

  test('one group up to 8192 chunks; from 8193 on groups lie in packs; ranges and damage reach across them', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const [single] = await store.saveBlobs([manyChunks(GROUP_CHUNKS)]);
    const { groups } = await manifestIn(storage, single as StoredContent);
    expect(groups.map(({ chunks, at }) => [chunks, at])).toEqual([[GROUP_CHUNKS, undefined]]);

    const [saved] = await store.saveBlobs([manyChunks(GROUP_CHUNKS + 100)]);
    const manifest = await manifestIn(storage, saved as StoredContent);
    expect(manifest.groups.map(({ chunks }) => chunks)).toEqual([GROUP_CHUNKS, 100]);
    expect(manifest.groups.every(({ at, columns }) => at && !columns)).toBe(true);
    // The chunks that both have in common lie in one pack, which the manifest names beside its own.
    expect(manifest.packs).toHaveLength(2);
    expect((await namesOf(storage, 'packs/')).length).toBe(2);

    const hasher = createHasher();
    for await (const piece of freshStore(storage).streamBlob(saved?.key as string)) hasher.update(piece);
    expect(hasher.digestHex()).toBe(saved?.key);

    const border = GROUP_CHUNKS * length;
    for (const offset of [border - 10, border, border + 50 * length]) {
      const parts: Uint8Array[] = [];
      const range = { offset, length: 20 };
      for await (const part of freshStore(storage).streamBlob(saved?.key as string, { range }))
        parts.push(part);
      const expected = Buffer.concat([
        await numbered(offset - 20_000, length),
        await numbered(offset, length),
      ]);
      expect(Buffer.concat(parts)).toEqual(expected.subarray(20_000, 20_020));
    }

    const { at } = manifest.groups[0] as NonNullable<Manifest['groups'][0]>;
    const pack = manifest.packs[at?.pack as number]?.name as string;
    const body = await bodyOf(storage, pack);
    const start = at?.offset as number;
    for (const place of [
      start,
      start + 20,
      start + 50,
      start + 1000,
      start + (at?.storedBytes as number) - 1,
    ]) {
      const broken = await cloneOf(storage);
      await broken.overwrite(pack, withFlippedBit(body, place * 8 + 3));
      const read = freshStore(broken).streamBlob(saved?.key as string);
      expect(await codeOf(read.next()), `byte ${place - start}`).toBe('CONTENT_DAMAGED');
      expect(await namesOf(broken, `${pack}.damaged`)).toHaveLength(1);
    }
  });

  /** 20,000 bytes of the content from `offset` on. */
  async function numbered(offset: number, chunkLength: number): Promise<Buffer> {
    const first = Math.floor(offset / chunkLength);
    const chunks = Buffer.alloc(3 * chunkLength);
    for (let i = 0; i < 3; i++) {
      chunks.writeUInt32LE(first + i, i * chunkLength);
      chunks.set(shortestCut(), i * chunkLength + MIN_CHUNK_BYTES);
    }
    return chunks.subarray(offset - first * chunkLength, offset - first * chunkLength + 20_000);
  }
});
