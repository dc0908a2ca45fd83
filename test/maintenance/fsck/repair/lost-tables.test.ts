import { describe, expect, it } from 'vitest';
import { copyStore } from '../../../../src/maintenance/copy-store.ts';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { bodyOf, namesOf } from '../../../content/storages.ts';
import { noise, openFlow } from '../../../flow/fixtures.ts';
import { faultsOf, stepsOf } from './damaged-stores.ts';

const AT = { runId: 'r1', stepName: 'fit', taskId: '0' };
const METADATA = 'flows/Test/r1/fit/0/0.metadata.json';
/** More than a description takes. */
const ROWS = 15_500;
const BIG = noise(300_000);

/** A store with an attempt whose rows were moved into content, and a copy of it, in which that content is another one. */
async function storeAndCopy(): Promise<{ store: MemoryStorage; copy: MemoryStorage }> {
  const store = new MemoryStorage();
  const flow = await openFlow({ storage: store });
  const many = Object.fromEntries(
    Array.from({ length: ROWS }, (_, i) => [`${'x'.repeat(120)}${i}`, 'v'.repeat(30)]),
  );
  await flow.task(AT, (task) => task.saveArtifacts({ ...many, big: BIG }));
  const copy = new MemoryStorage();
  await copyStore({ from: store, to: copy });
  return { store, copy };
}

/** Deletes all copies of a content. */
async function lose(store: MemoryStorage, key: string): Promise<void> {
  const copies = (await namesOf(store)).filter((name) => name.includes(`/${key}.`));
  expect(copies).not.toEqual([]);
  await store.delete(copies);
}

async function recordIn(store: MemoryStorage): Promise<{ table: { key: string } }> {
  return JSON.parse(Buffer.from(await bodyOf(store, METADATA)).toString());
}

describe('a table of rows that is lost alone', () => {
  it('comes back in its very bytes from a copy that has other ones', async () => {
    const { store, copy } = await storeAndCopy();
    const { key } = (await recordIn(store)).table;
    expect((await recordIn(copy)).table.key).not.toBe(key);
    const described = await bodyOf(store, METADATA);
    await lose(store, key);
    expect(await stepsOf({ store, from: [copy] })).toMatchObject([
      { outcome: 'mended', how: 'restored', key },
    ]);
    expect(await faultsOf(store)).toEqual([]);
    expect(await bodyOf(store, METADATA)).toEqual(described);
    const task = await (await openFlow({ storage: store })).getTaskDataStore('r1/fit/0');
    expect(task.names()).toHaveLength(ROWS + 1);
    expect(await task.get('big')).toEqual(BIG);
  });

  it('has its attempt described anew where it named copies that are gone', async () => {
    const { store, copy } = await storeAndCopy();
    const big = (await namesOf(store, 'manifests/')).map((name) => name.split('/').at(-1)?.slice(0, 64));
    expect(big).toHaveLength(2);
    for (const key of big) await lose(store, key as string);

    const steps = await stepsOf({ store, from: [copy] });
    expect(steps.filter(({ outcome }) => outcome !== 'mended')).toEqual([]);
    expect(steps).toContainEqual(
      expect.objectContaining({ how: 'rewritten', object: 'flows/Test/r1/fit/0/0.ERASED.00000000.json' }),
    );
    expect(await faultsOf(store)).toEqual([]);
    const task = await (await openFlow({ storage: store })).getTaskDataStore('r1/fit/0');
    expect(task.names()).toHaveLength(ROWS + 1);
    expect(await task.get('big')).toEqual(BIG);
  });
});
