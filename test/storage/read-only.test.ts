import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { ReadOnlyStorage } from '../../src/storage/read-only.ts';

const bytes = new TextEncoder().encode('kept');
let folder: string;
let inner: DataStoreStorage;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-read-only-'));
  inner = await LocalStorage.open(join(folder, 'store'));
  await inner.create('runs/a', bytes);
});
afterAll(async () => {
  await inner.close();
  await rm(folder, { recursive: true, force: true });
});

const WRITES: Readonly<Record<string, (storage: DataStoreStorage) => Promise<unknown>>> = {
  'creates no object': (storage) => storage.create('runs/b', bytes),
  'creates none of a stream': (storage) =>
    storage.create(
      'runs/b',
      (async function* () {
        yield bytes;
      })(),
    ),
  'overwrites none': (storage) => storage.overwrite('runs/a', bytes),
};

it.each(Object.entries(WRITES))('%s', async (_, write) => {
  await expect(write(new ReadOnlyStorage(inner))).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' });
  expect(await namesOf(inner)).toEqual(['runs/a']);
  expect((await inner.get('runs/a'))?.body).toEqual(bytes);
});

it('deletes none, and says so of each', async () => {
  const failures = await new ReadOnlyStorage(inner).delete(['runs/a', 'runs/none']);
  expect(failures.map(({ name, error }) => [name, (error as { code?: string }).code])).toEqual([
    ['runs/a', 'STORAGE_NOT_PERMITTED'],
    ['runs/none', 'STORAGE_NOT_PERMITTED'],
  ]);
  expect(await namesOf(inner)).toEqual(['runs/a']);
});

it('removes nothing that was not finished', async () => {
  const { unfinished } = new ReadOnlyStorage(inner);
  if (unfinished?.kind !== 'listed') throw new Error('A folder lists its unfinished writes.');
  const path = join(folder, 'store', 'left');
  await writeFile(path, bytes);
  const write = { name: 'left', createdAt: new Date(0) } as never;
  await expect(unfinished.remove(write)).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' });
});

it('reads as before', async () => {
  const storage = new ReadOnlyStorage(inner);
  expect((await storage.get('runs/a'))?.body).toEqual(bytes);
  expect(await namesOf(storage)).toEqual(['runs/a']);
});

async function namesOf(storage: DataStoreStorage): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix: 'runs/' }))
    names.push(...page.objects.map(({ name }) => name));
  return names;
}
