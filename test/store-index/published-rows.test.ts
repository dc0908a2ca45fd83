import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { eraseFromStore } from '../../src/maintenance/erasure/erase-from-store.ts';
import type { DataStoreStorage, SqlRow, StorageDatabase } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SqliteStorage } from '../../src/storage/sqlite.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { noise, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { openIndex, select } from './indexes.ts';

interface Indexed {
  storage: DataStoreStorage;
  flow: FlowDataStore;
  index: StoreIndex;
  rows(statement: string): Promise<readonly SqlRow[]>;
}

async function begun(storage: DataStoreStorage): Promise<FlowDataStore> {
  const flow = await openFlow({ flowName: 'Train', storage });
  await flow.createRun({ runId: 'r1' });
  return flow;
}

const STORES: [string, boolean, () => Promise<Indexed>][] = [
  [
    'a bucket',
    true,
    async () => {
      const storage = new MemoryStorage('', { localReads: false });
      const flow = await begun(storage);
      const { index, path } = await openIndex({ store: storage });
      return { storage, flow, index, rows: (statement) => select(path, statement) };
    },
  ],
  [
    'a database',
    false,
    async () => {
      const storage = await SqliteStorage.open(`sqlite:${join(scratchFolder(), 'runs.db')}`);
      afterThisTest(() => storage.close());
      const flow = await begun(storage);
      const index = await StoreIndex.open({ store: storage });
      afterThisTest(() => index.close());
      return { storage, flow, index, rows: (text) => (storage.database as StorageDatabase).read({ text }) };
    },
  ],
];

const PUBLISHED =
  'select name, version, status, description, attributes, run, task, artifact, bytes from published order by name, version';

describe.each(STORES)('the index of %s', (_where, needsFull, open) => {
  it('tells what was published, withdrawn and erased', async () => {
    const { storage, flow, index, rows } = await open();
    const value = noise(300_000);
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
      task.saveArtifacts({ value, other: 1 }),
    );
    const task = 'r1/fit/0';
    await flow.publish('model', { task, artifact: 'value', description: 'good', attributes: { auc: 0.9 } });
    await flow.publish('model', { task, artifact: 'other' });
    expect(await index.catchUp()).toMatchObject({ published: 2 });
    const of = { name: 'model', run: 'r1', task: '0' };
    const nothing = {
      description: null,
      attributes: null,
      run: null,
      task: null,
      artifact: null,
      bytes: null,
    };
    const first = { ...of, version: 1, description: 'good', attributes: '{"auc":0.9}', artifact: 'value' };
    const [one, two] = await rows(PUBLISHED);
    expect(one).toEqual({ ...first, status: 'published', bytes: expect.any(Number) });
    expect(two).toMatchObject({
      ...of,
      version: 2,
      status: 'published',
      description: null,
      attributes: '{}',
    });

    await flow.withdrawPublished('model', 2);
    expect(await index.catchUp()).toMatchObject({ published: 1 });
    const withdrawn = { ...nothing, name: 'model', version: 2, status: 'withdrawn' };
    expect(await rows(PUBLISHED)).toEqual([one, withdrawn]);

    await eraseFromStore({ store: storage, target: 'Train/r1/fit/0/value', reason: 'asked' });
    await index.catchUp({ full: needsFull });
    expect(await rows(PUBLISHED)).toEqual([{ ...first, status: 'erased', bytes: null }, withdrawn]);
    expect(await index.catchUp()).toMatchObject({ published: 0, removed: 0 });
  });

  it('tells which run another one resumes', async () => {
    const { flow, index, rows } = await open();
    await flow.createRun({ runId: 'r2', resume: 'Train/r1' });
    await index.catchUp();
    expect(await rows('select run, resumes from runs order by run')).toEqual([
      { run: 'r1', resumes: null },
      { run: 'r2', resumes: 'Train/r1' },
    ]);
  });

  it('has the rows of a version that cannot be read, with the reason', async () => {
    const { storage, index, rows } = await open();
    await storage.create('names/model/999999999998.json', new TextEncoder().encode('{}'));
    expect(await index.catchUp()).toMatchObject({ published: 1, unreadable: 1 });
    const [row] = await rows('select name, version, status, failure from published');
    expect(row).toMatchObject({ name: 'model', version: 1, status: 'damaged' });
    expect(row?.failure).toContain('names/model/999999999998.json');
  });
});
