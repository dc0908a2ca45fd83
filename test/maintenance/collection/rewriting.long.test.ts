import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestHex } from '../../../src/digest/blake3.ts';
import { damagedMarkOf } from '../../../src/format/content-names.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import { collect } from './collect.ts';
import { contentNames, keptNames, markClosed, readEverything } from './histories.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const PIECES = Array.from({ length: 6 }, (_, i) => noise(270_000, 100 + i));

/** Pieces of 270 kB, one after the other: contents that have some in common share their chunks. */
function contentOf(pieces: readonly number[]): Uint8Array {
  return Buffer.concat(pieces.map((piece) => PIECES[piece] as Uint8Array));
}

/** A store in which content of six pieces was saved, and then contents of some of them, by the same process; then the first one is given up. */
async function sparseStore(
  contents: readonly (readonly number[])[],
  localReads = false,
): Promise<MemoryStorage> {
  const storage = new MemoryStorage('', { localReads });
  const flow = await openFlow({ storage });
  await saveTask(flow, { content: contentOf([0, 1, 2, 3, 4, 5]) }, { taskId: 'old' });
  for (const [index, pieces] of contents.entries())
    await saveTask(flow, { content: contentOf(pieces) }, { taskId: `new-${index}` });
  await flow.close();
  await markClosed(storage, 'old', 'DELETED');
  await collect(storage, { rewrite: false });
  return storage;
}

/** The digest of each content, as another process reads it. */
async function readAgain(storage: DataStoreStorage): Promise<Record<string, string>> {
  const read = await readEverything(await openFlow({ storage }));
  const digests = Object.entries(read).map(([name, artifacts]) => {
    const { content } = artifacts as { content: Uint8Array };
    return [name, digestHex(content)];
  });
  return Object.fromEntries(digests);
}

async function sizesOf(storage: DataStoreStorage, prefix: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const page of storage.list({ prefix, details: true }))
    for (const { name, bytes = 0 } of page.objects) sizes.set(name, bytes);
  return sizes;
}

/** Names of packs, the largest first. */
async function largestPacks(storage: DataStoreStorage): Promise<string[]> {
  const sizes = [...(await sizesOf(storage, 'packs/'))].sort(([, a], [, b]) => b - a);
  return sizes.map(([name]) => name);
}

async function bytesOf(storage: DataStoreStorage, prefix: string): Promise<number> {
  return [...(await sizesOf(storage, prefix)).values()].reduce((total, bytes) => total + bytes, 0);
}

/** Which pieces contents have: each a list of some. */
const arbitraryContents = fc.array(
  fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }),
  {
    minLength: 1,
    maxLength: 4,
  },
);

/** Collects until nothing is left to be done. */
async function collectAll(storage: DataStoreStorage): Promise<void> {
  for (let times = 0; times < 6; times++) if ((await collect(storage)).outcome === 'nothing') return;
  throw new Error('collections do not come to an end');
}

describe('a pack of which much is dead', () => {
  it('goes with the next collection, once its contents are written anew', async () => {
    const storage = await sparseStore([[0, 3]]);
    const before = await readAgain(storage);
    const [old] = await largestPacks(storage);
    const packBytes = await bytesOf(storage, 'packs/');
    const first = await collect(storage);
    expect(first).toMatchObject({
      superseded: 1,
      rewritten: { copies: 1, packs: 1 },
      deleted: { copies: 1, packs: 0 },
    });
    expect(await collect(storage)).toMatchObject({
      rewritten: { copies: 0 },
      deleted: { copies: 0, packs: 1 },
    });
    expect(await objectNames(storage, 'packs/')).not.toContain(old);
    expect(await bytesOf(storage, 'packs/')).toBeLessThan(0.5 * packBytes);
    expect(await readAgain(storage)).toEqual(before);
    expect(await collect(storage)).toMatchObject({ outcome: 'nothing' });
  });

  it('is moved once where several contents share it, as it is stored', async () => {
    const storage = await sparseStore([[0, 3], [0], [3, 0]]);
    const before = await readAgain(storage);
    const packBytes = await bytesOf(storage, 'packs/');
    const { rewritten } = await collect(storage, { rewrite: { deadShare: 0.5 } });
    expect(rewritten).toMatchObject({ copies: 3, packs: 1 });
    const written = (await bytesOf(storage, 'packs/')) - packBytes;
    expect(written).toBeLessThan(rewritten.writtenBytes);
    expect(written).toBeLessThan(2.2 * 270_000);
    await collect(storage);
    expect(await bytesOf(storage, 'packs/')).toBe(packBytes + written - rewritten.freedBytes);
    expect(await readAgain(storage)).toEqual(before);
  });

  test.prop([arbitraryContents, fc.boolean(), fc.nat(3)], { numRuns: Math.ceil(propertyRuns / 4) })(
    'frees what it can, whatever shares what: everything reads as before, and takes up no more',
    async (contents, localReads, given) => {
      const storage = await sparseStore(contents, localReads);
      if (given < contents.length - 1) await markClosed(storage, `new-${given}`, 'DELETED');
      const before = await readAgain(storage);
      const dry = await collect(storage, { dryRun: true });
      const [packBytes, others] = [await bytesOf(storage, 'packs/'), await bytesOf(storage, 'manifests/')];
      const { rewritten } = await collect(storage);
      expect(rewritten).toEqual(dry.rewritten);
      expect(rewritten.writtenBytes).toBeLessThanOrEqual(rewritten.freedBytes);
      await collectAll(storage);
      expect((await bytesOf(storage, 'packs/')) + (await bytesOf(storage, 'manifests/'))).toBeLessThanOrEqual(
        packBytes + others - rewritten.freedBytes + rewritten.writtenBytes,
      );
      expect(await readAgain(storage)).toEqual(before);
      expect(await contentNames(storage)).toEqual(await keptNames(storage));
    },
    120_000,
  );

  test.prop([arbitraryContents, fc.nat(150), fc.constantFrom('before', 'after')], {
    numRuns: Math.ceil(propertyRuns / 3),
  })(
    'is finished by the next collection, wherever the one that rewrites it dies',
    async (contents, diesAt, kind) => {
      const storage = await sparseStore(contents);
      const before = await readAgain(storage);
      let calls = 0;
      const dying = new FaultStorage(storage, () => {
        calls += 1;
        if (calls < diesAt) return undefined;
        return calls === diesAt && kind === 'after' ? { kind: 'after' } : { kind: 'before' };
      });
      await collect(dying).catch(() => {});
      expect(await readAgain(storage)).toEqual(before);
      const later = { nowMs: Date.now() + 2 * DAY_MS };
      for (let times = 0; times < 4; times++) await collect(storage, later);
      expect(await readAgain(storage)).toEqual(before);
      expect(await contentNames(storage)).toEqual(await keptNames(storage));
      expect((await collect(storage, { dryRun: true })).rewritten.copies).toBe(0);
    },
    120_000,
  );

  test.prop([arbitraryContents, arbitraryContents, fc.infiniteStream(fc.integer({ min: 0, max: 3 }))], {
    numRuns: Math.ceil(propertyRuns / 6),
  })(
    'is rewritten beside writers and another collection without a loss',
    async (contents, meanwhile, turns) => {
      const storage = await sparseStore(contents);
      const slow = (): FaultStorage =>
        new FaultStorage(storage, () => ({ kind: 'delay', ms: turns.next().value ?? 0 }));
      const writer = await openFlow({ storage: slow() });
      const save = async (): Promise<void> => {
        for (const [index, pieces] of meanwhile.entries())
          await saveTask(writer, { content: contentOf(pieces) }, { taskId: `beside-${index}` });
      };
      await Promise.all([save(), collect(slow()), collect(slow())]);
      const before = await readAgain(storage);
      await collectAll(storage);
      expect(await readAgain(storage)).toEqual(before);
    },
    120_000,
  );

  it('stays by default up to a quarter, and as the caller says', async () => {
    const storage = await sparseStore([[0, 1, 2, 3, 4]]);
    const before = await contentNames(storage);
    expect(await collect(storage)).toMatchObject({ outcome: 'nothing' });
    for (const options of [
      { rewrite: false },
      { superseded: false, rewrite: { deadShare: 0.1 } },
      { rewrite: { deadShare: 0.1, maxBytes: 700_000 } },
    ] as const)
      expect((await collect(storage, options)).rewritten.copies).toBe(0);
    expect(await contentNames(storage)).toEqual(before);
    expect(
      await collect(storage, { rewrite: { deadShare: 0.1, maxBytes: 700_000 }, dryRun: true }),
    ).toMatchObject({
      more: true,
    });
    expect((await collect(storage, { rewrite: { deadShare: 0.1 } })).rewritten.copies).toBe(1);
  });

  it('stays where its contents would take up more', async () => {
    const contents = Array.from({ length: 24 }, (_, i) => [i % 6, ...(i < 12 ? [] : [(i + 1) % 6])]);
    const storage = await sparseStore(contents.filter((pieces) => !pieces.includes(5)));
    const manifests = await bytesOf(storage, 'manifests/');
    const { rewritten } = await collect(storage, { rewrite: { deadShare: 0 } });
    expect(rewritten.writtenBytes).toBeLessThanOrEqual(rewritten.freedBytes);
    expect(manifests).toBeGreaterThan(0);
  });

  it('stays where a chunk that lives in it is damaged, which is marked, and others go on', async () => {
    const storage = await sparseStore([[0], [3]]);
    const flow = await openFlow({ storage });
    const other = Buffer.concat([noise(700_000, 77), noise(400_000, 78)]);
    await saveTask(flow, { content: other }, { taskId: 'second' });
    await saveTask(flow, { content: other.subarray(0, 350_000) }, { taskId: 'part' });
    await markClosed(storage, 'second', 'DELETED');
    await collect(storage, { rewrite: false });
    const [first = '', second = ''] = await largestPacks(storage);
    const body = (await storage.get(first))?.body as Uint8Array;
    body.fill(1, 60, 200);
    await storage.overwrite(first, body);
    const { rewritten } = await collect(storage);
    await collect(storage);
    const left = await objectNames(storage, 'packs/');
    expect(left).toContain(first);
    expect(left).toContain(damagedMarkOf(first));
    expect(left).not.toContain(second);
    expect(rewritten).toMatchObject({ packs: 1 });
  });

  it('has the new copy stay where the collection that wrote it died before it condemned the old one', async () => {
    const storage = await sparseStore([[0, 3]]);
    const [old = ''] = await objectNames(storage, 'manifests/');
    const dying = new FaultStorage(storage, (operation, name) =>
      operation === 'create' && name.startsWith('gc/') ? { kind: 'before' } : undefined,
    );
    await collect(dying).catch(() => {});
    expect(await objectNames(storage, 'manifests/')).toHaveLength(2);
    expect(await collect(storage)).toMatchObject({ superseded: 1, rewritten: { copies: 0 } });
    expect(await objectNames(storage, 'manifests/')).not.toContain(old);
    expect(await collect(storage)).toMatchObject({ deleted: { packs: 1 } });
  });

  it('is refused with options that make no sense', async () => {
    const storage = await sparseStore([]);
    for (const rewrite of [{ deadShare: 2 }, { deadShare: Number.NaN }, { maxBytes: -1 }])
      expect((await errorOf(collect(storage, { rewrite }))).code).toBe('INVALID_ARGUMENT');
  });
});
