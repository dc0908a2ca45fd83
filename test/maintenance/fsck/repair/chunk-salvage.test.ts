import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { bodyOf, cloneOf, freshStore, namesOf, withFlippedBit } from '../../../content/storages.ts';
import { noise } from '../../../flow/fixtures.ts';
import { faultsOf, stepsOf } from './damaged-stores.ts';

const first = noise(2_000_000);
/** Most of it is in the first one as well. */
const second = Buffer.concat([noise(50_000, 2), first.subarray(100_000)]);

/** Two contents that two processes saved, which knew nothing of each other, so that equal chunks lie in packs of both. */
async function twoContents(): Promise<{ store: MemoryStorage; packs: [string, string]; keys: string[] }> {
  const store = new MemoryStorage();
  const keys: string[] = [];
  const packs: string[] = [];
  for (const bytes of [first, second]) {
    const known = await namesOf(store, 'packs/');
    const [saved] = await freshStore(store).saveBlobs([bytes]);
    keys.push(saved?.key as string);
    packs.push(...(await namesOf(store, 'packs/')).filter((name) => !known.includes(name)));
  }
  expect(packs).toHaveLength(2);
  return { store, packs: packs as [string, string], keys };
}

async function flip(store: MemoryStorage, name: string, byte: number): Promise<void> {
  const body = await bodyOf(store, name);
  await store.delete([name]);
  await store.create(name, withFlippedBit(body, byte * 8));
}

async function contentsOf(store: MemoryStorage, keys: readonly string[]): Promise<Uint8Array[]> {
  const blobs: Uint8Array[] = [];
  for await (const { blob } of freshStore(store).loadBlobs(keys)) blobs.push(blob);
  return blobs;
}

describe('a content that no copy gives whole', () => {
  it('is put together from chunks in packs of another, though both have lost some', async () => {
    const { store, packs, keys } = await twoContents();
    await flip(store, packs[0], 1_500_000);
    await flip(store, packs[1], 600_000);
    expect((await faultsOf(store)).map(({ severity }) => severity)).toEqual(['lost', 'lost']);

    const steps = await stepsOf({ store });

    expect(steps.map(({ outcome }) => outcome)).toEqual(['mended', 'mended']);
    expect(await faultsOf(store)).toEqual([]);
    expect(await contentsOf(store, keys)).toEqual([first, new Uint8Array(second)]);
  });

  it('is put together from chunks of another store that has lost others of it', async () => {
    const { store, packs, keys } = await twoContents();
    const other = await cloneOf(store);
    for (const pack of packs) await flip(store, pack, 1_000_000);
    for (const pack of packs) await flip(other, pack, 1_900_000);
    const left = await namesOf(other);

    const steps = await stepsOf({ store, from: [other] });

    expect(steps.map(({ outcome }) => outcome)).toEqual(['mended', 'mended']);
    expect(await faultsOf(store)).toEqual([]);
    expect(await contentsOf(store, keys)).toEqual([first, new Uint8Array(second)]);
    expect(await namesOf(other)).toEqual(left); // it is only read
  });

  it('is lost where a chunk of it is whole nowhere, and told so', async () => {
    const { store, packs, keys } = await twoContents();
    await flip(store, packs[0], 20_000); // in what only the first one has
    await flip(store, packs[1], 1_000_000);

    const steps = await stepsOf({ store });

    expect(steps.filter(({ outcome }) => outcome === 'lost')).toMatchObject([
      { kind: 'artifact', key: keys[0] },
    ]);
    expect(await contentsOf(store, keys.slice(1))).toEqual([new Uint8Array(second)]);
  });

  it('changes nothing in a dry run, which tells the same', async () => {
    const { store, packs } = await twoContents();
    await flip(store, packs[0], 1_500_000);
    const names = await namesOf(store);

    const steps = await stepsOf({ store, dryRun: true });

    expect(await namesOf(store)).toEqual(names);
    const told = steps.map(({ outcome, object }) => ({ outcome, object }));
    expect((await stepsOf({ store })).map(({ outcome, object }) => ({ outcome, object }))).toEqual(told);
  });
});
