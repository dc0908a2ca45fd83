import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { sealEnvelope } from '../../src/codec/envelope.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { isStowageError } from '../../src/errors.ts';
import { copyName } from '../../src/format/content-names.ts';
import {
  type ChunkColumns,
  type ChunkGroup,
  encodeManifest,
  GROUP_CHUNKS,
  groupRoot,
  type Manifest,
  manifestRoot,
} from '../../src/format/manifest.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { ContentAddress, StoredContent } from '../../src/format/stored-content.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test } from '../property.ts';
import { contentOf, MIB } from './contents.ts';
import { bodyOf, cloneOf, freshStore, manifestIn, namesOf, ObservedStorage } from './storages.ts';

const TYPED = ['CONTENT_DAMAGED', 'CONTENT_NOT_FOUND', 'CONTENT_TOO_LARGE'] as const;
const BYTES = 600_000;
const content = contentOf(BYTES, 3);
const other = contentOf(BYTES, 4);

/** A store with two contents, raw, of a pack each. */
async function makeStore(): Promise<{ storage: MemoryStorage; saved: StoredContent; packs: string[] }> {
  const storage = new MemoryStorage();
  const [saved] = await freshStore(storage).saveBlobs([content]);
  const [second] = await freshStore(storage).saveBlobs([other]);
  const [first, last] = await Promise.all(
    [saved, second].map((blob) => manifestIn(storage, blob as StoredContent)),
  );
  const packs = [first, last].map((manifest) => (manifest as Manifest).packs[0]?.name as string);
  return { storage, saved: saved as StoredContent, packs };
}
let made: ReturnType<typeof makeStore> | undefined;

/** The store, with a manifest of the first content that says something else, and is whole as such. */
async function storeWith(
  change: (manifest: Manifest) => Manifest,
): Promise<{ storage: MemoryStorage; address: ContentAddress }> {
  made ??= makeStore();
  const { storage: before, saved } = await made;
  const changed = change(await manifestIn(before, saved));
  const groups = changed.groups.map((group) => ({
    ...group,
    root: group.columns ? groupRoot(group.columns.digests, group.columns.lengths) : group.root,
  }));
  const root = manifestRoot(changed.chunker, groups);
  const sealed = sealEnvelope('manifest', encodeManifest({ ...changed, groups, root }));
  const copy = copyName('manifests', saved.key, newSessionId(), 0, sealed.length);
  const storage = await cloneOf(before);
  await storage.delete([saved.copy]);
  await storage.create(copy, sealed);
  return { storage, address: { key: saved.key, bytes: changed.bytes, root, copy } };
}

/**
 * Loads by record and by key, and expects the content or a typed error. A record that holds the root of a lie gets what that says, for its
 * root is what it asks for.
 */
async function expectNothingElse(storage: MemoryStorage, address: ContentAddress): Promise<void> {
  for (const asked of [address, { key: address.key }]) {
    try {
      const loaded = await freshStore(await cloneOf(storage)).reader.load(asked);
      expect(digestHex(loaded) === address.key || asked === address).toBe(true);
    } catch (error) {
      expect(isStowageError(error, ...TYPED), String(error)).toBe(true);
    }
  }
}

describe('a manifest that lies', () => {
  test.prop(
    [
      fc.constantFrom('lengths', 'packs', 'offsets', 'storedBytes', 'digests' as const),
      fc.nat(30),
      fc.oneof(fc.integer({ min: -300_000, max: 300_000 }), fc.nat(0xffffffff)),
    ],
    { numRuns: 25 },
  )('in one number gives the content or a typed error', async (column, index, by) => {
    const { storage, address } = await storeWith((manifest) => {
      const [group] = manifest.groups as [ChunkGroup];
      const columns = { ...(group.columns as ChunkColumns) };
      const changed = columns[column as keyof ChunkColumns].slice();
      const at = index % changed.length;
      changed[at] = (changed[at] as number) + by;
      const lengths = (column === 'lengths' ? changed : columns.lengths) as Uint32Array;
      const bytes = lengths.reduce((sum, length) => sum + length, 0);
      const told = { ...columns, [column]: changed } as ChunkColumns;
      return { ...manifest, bytes, groups: [{ ...group, bytes, columns: told }] };
    });
    await expectNothingElse(storage, address);
  });

  const TERABYTES = 10e12;
  /** Groups that should lie in a pack. */
  const inPack = (group: ChunkGroup): ChunkGroup[] =>
    Array.from({ length: TERABYTES / 2e9 }, () => ({
      ...group,
      chunks: GROUP_CHUNKS,
      bytes: 2e9,
      columns: undefined,
      at: { pack: 0, offset: 0, storedBytes: 1000 },
    }));
  /** 3 GB of chunks that each should lie in the same few bytes. */
  const inFewBytes = (group: ChunkGroup): ChunkGroup[] => {
    const chunks = 6000;
    const all = (value: number): Uint32Array => new Uint32Array(chunks).fill(value);
    const columns = {
      digests: new Uint8Array(chunks * 32),
      lengths: all(250_000),
      packs: all(0),
      offsets: all(0),
      storedBytes: all(1000),
    };
    return [1, 2].map(() => ({ ...group, chunks, bytes: chunks * 250_000, columns }));
  };
  test.each([
    ['10 TB', inPack],
    ['3 GB', inFewBytes],
  ])('of %s takes no memory for them', async (_, groupsLike) => {
    const { storage, address } = await storeWith((manifest) => {
      const groups = groupsLike(manifest.groups[0] as ChunkGroup);
      return { ...manifest, groups, bytes: groups.reduce((sum, group) => sum + group.bytes, 0) };
    });
    const bytes = address.bytes as number;
    const observed = new ObservedStorage(storage);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    observed.before = () => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    };
    for (const asked of [address, { key: address.key }, { key: address.key, bytes }]) {
      for (const read of [
        () => freshStore(observed).reader.load(asked),
        async () => {
          for await (const _ of freshStore(observed).reader.stream(asked));
        },
      ]) {
        const error = await read().catch((thrown: unknown) => thrown);
        expect(isStowageError(error, ...TYPED), String(error)).toBe(true);
      }
    }
    // A few windows of each of the six, which may not have been collected yet.
    expect(most).toBeLessThan(1024 * MIB);
  });
});

describe('packs that are not what a manifest says', () => {
  test.prop(
    [
      fc.constantFrom('missing', 'cut short', 'longer', 'of another content', 'empty'),
      fc.integer({ min: 1, max: BYTES }),
    ],
    { numRuns: 15 },
  )('are a typed error, and nothing of them is given', async (how, bytes) => {
    made ??= makeStore();
    const { storage: before, saved, packs } = await made;
    const storage = await cloneOf(before);
    const [pack, another] = packs as [string, string];
    const body = await bodyOf(before, pack);
    await storage.delete([pack]);
    if (how === 'cut short') await storage.create(pack, body.slice(0, -bytes));
    if (how === 'longer') await storage.create(pack, Buffer.concat([body, body.subarray(0, bytes)]));
    if (how === 'of another content') await storage.create(pack, await bodyOf(before, another));
    if (how === 'empty') await storage.create(pack, new Uint8Array(0));
    for (const asked of [saved, { key: saved.key }]) {
      const { reader } = freshStore(storage);
      const error = await reader.load(asked).catch((thrown: unknown) => thrown);
      expect(isStowageError(error, ...TYPED), String(error)).toBe(true);
      let given = 0;
      const reading = (async () => {
        for await (const piece of reader.stream(asked)) {
          expect(Buffer.compare(piece, content.subarray(given, given + piece.length))).toBe(0);
          given += piece.length;
        }
      })();
      await expect(reading).rejects.toSatisfy((thrown) => isStowageError(thrown, ...TYPED));
    }
    expect(await namesOf(storage, 'packs/')).not.toContain(`${another}.damaged`);
  });
});
