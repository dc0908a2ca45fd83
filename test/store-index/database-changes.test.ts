import { join } from 'node:path';
import { setImmediate } from 'node:timers';
import { describe, expect } from 'vitest';
import { StowageError, type StowageErrorCode } from '../../src/errors.ts';
import { removeFromStore } from '../../src/maintenance/retention/remove.ts';
import type {
  DataStoreStorage,
  GetOptions,
  StorageDatabase,
  StoredObject,
} from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SqliteStorage } from '../../src/storage/sqlite.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitrarySteps, History } from './history.ts';
import { openIndex, planOf, recordStatements, rowsIn, rowsOf, scansOf } from './indexes.ts';

async function openSqlite(): Promise<SqliteStorage> {
  const storage = await SqliteStorage.open(`sqlite:${join(scratchFolder(), 'runs.db')}`);
  afterThisTest(() => storage.close());
  return storage;
}

async function openIndexIn(storage: SqliteStorage): Promise<StoreIndex> {
  const index = await StoreIndex.open({ store: storage });
  afterThisTest(() => index.close());
  return index;
}

async function count(storage: SqliteStorage, table: string): Promise<number> {
  const [row] = await (storage.database as StorageDatabase).read({
    text: `select count(*) as n from ${table}`,
  });
  return Number(row?.n);
}

describe('the index of a store in SQLite', () => {
  test.prop([arbitrarySteps], { numRuns: Math.ceil(propertyRuns / 5) })(
    'that was caught up at any moments has the rows of one that is made from nothing, deletions as well',
    async (steps) => {
      const storage = await openSqlite();
      const history = await History.begin(storage);
      const index = await openIndexIn(storage);
      for (const step of steps) {
        await history.do(step);
        if (step.kind === 'catch up') await index.catchUp();
      }
      await index.catchUp();
      const caughtUp = await rowsIn(storage);
      await index.rebuild();
      expect(caughtUp).toEqual(await rowsIn(storage));
    },
    60_000,
  );

  test('reads what is new, and nothing else', async () => {
    const storage = await openSqlite();
    const flow = await openFlow({ flowName: 'Train', storage });
    for (const taskId of ['0', '1', '2'])
      await flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ taskId }));
    const index = await openIndexIn(storage);
    expect(await index.catchUp()).toMatchObject({ runs: 1, attempts: 3 });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '3' }, (task) =>
      task.saveArtifacts({ taskId: '3' }),
    );
    expect(await index.catchUp()).toMatchObject({ runs: 0, attempts: 1, removed: 0, full: false });
    expect(await index.catchUp()).toMatchObject({ runs: 0, attempts: 0 });
  });

  test('reads and counts an attempt once whose records are told on several pages', async () => {
    const storage = new Disturbed(await openSqlite());
    const flow = await openFlow({ flowName: 'Train', storage });
    await flow.createRun({ runId: 'r1' });
    const index = await StoreIndex.open({ store: storage });
    afterThisTest(() => index.close());
    await index.catchUp();
    const save = (taskId: string): Promise<unknown> =>
      flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ taskId }));
    const early = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: 'early' });
    for (let taskId = 0; taskId < 200; taskId += 1) await save(`${taskId}`);
    await early.done();
    let reads = 0;
    storage.disturb = (name) => {
      if (name.endsWith('.DONE')) reads += 1;
    };
    let itemsDone = 0;
    const onProgress = (progress: { itemsDone: number }): void => {
      itemsDone = progress.itemsDone;
    };
    expect(await index.catchUp({ onProgress })).toMatchObject({ attempts: 201, removed: 0, unreadable: 0 });
    expect([reads, itemsDone]).toEqual([201, 201]);
  }, 60_000);

  test('counts a removed attempt once whose names are told on several pages', async () => {
    const storage = await openSqlite();
    const flow = await openFlow({ flowName: 'Train', storage });
    for (let taskId = 0; taskId < 200; taskId += 1)
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: `${taskId}` }, () => {});
    const index = await openIndexIn(storage);
    await index.catchUp();
    for (const prefix of ['flows/Train/r1/', 'runs/Train/r1/'])
      for await (const { objects } of storage.list({ prefix }))
        expect(await storage.delete(objects.map(({ name }) => name))).toEqual([]);
    expect(await count(storage, 'stowage_gone')).toBeGreaterThan(500);
    expect(await index.catchUp()).toMatchObject({ runs: 1, attempts: 200, removed: 201, unreadable: 0 });
  }, 60_000);

  test('is told what was deleted, once', async () => {
    const storage = await openSqlite();
    const flow = await openFlow({ flowName: 'Train', storage });
    const double = flow.cachedTask({ name: 'double', version: '1', run: async (input: number) => 2 * input });
    await double(1);
    const index = await openIndexIn(storage);
    await index.catchUp();
    expect(await count(storage, 'cache_entries')).toBe(1);
    for await (const { key } of flow.cache.entries()) await flow.cache.evict(key);
    expect(await count(storage, 'stowage_gone')).toBeGreaterThan(0);
    expect(await index.catchUp()).toMatchObject({ entries: 1, removed: 1 });
    expect(await count(storage, 'cache_entries')).toBe(0);
    expect(await count(storage, 'stowage_gone')).toBe(0);
  });

  test('of several that catch up at once, each has all in the end', async () => {
    const storage = await openSqlite();
    const flow = await openFlow({ flowName: 'Train', storage });
    await flow.createRun({ runId: 'r1' });
    const indexes = await Promise.all(Array.from({ length: 4 }, () => openIndexIn(storage)));
    const saving = async (): Promise<void> => {
      for (let task = 0; task < 20; task += 1)
        await flow.task({ runId: 'r1', stepName: 'fit', taskId: `${task}` }, (one) =>
          one.saveArtifacts({ task }),
        );
    };
    const catchingUp = async (index: StoreIndex): Promise<void> => {
      for (let times = 0; times < 5; times += 1) await index.catchUp();
    };
    await Promise.all([saving(), ...indexes.map(catchingUp)]);
    await indexes[0]?.catchUp();
    const caughtUp = await rowsIn(storage);
    await indexes[0]?.rebuild();
    expect(caughtUp).toEqual(await rowsIn(storage));
  }, 60_000);

  test('goes through no table but small ones to find and write what is new, however much there is', async () => {
    const storage = await openSqlite();
    const flow = await openFlow({ flowName: 'Train', storage });
    const save = (taskId: string): Promise<unknown> =>
      flow.task({ runId: 'r1', stepName: 'fit', taskId }, async (task) => {
        await task.saveMetadata({ auc: 0.9 });
        await task.saveArtifacts({ taskId });
      });
    await save('0');
    const index = await openIndexIn(storage);
    await index.catchUp();
    await save('1');
    await storage.delete(['flows/Train/r1/fit/0/0.DONE']);
    const statements = recordStatements(storage.database as StorageDatabase);
    await index.catchUp();
    const recorded = statements.splice(0);
    const texts = new Set(recorded.map(({ text }) => text));
    const written = [...texts].find((text) => text.includes('from stowage_objects where (id, name)'));
    expect(await planOf(storage.database as StorageDatabase, written as string)).toEqual([
      expect.stringMatching(/^SEARCH stowage_objects USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)$/),
    ]);
    const scans = await scansOf(storage.database as StorageDatabase, recorded);
    expect(scans.filter((scan) => !/^SCAN \w+ USING (COVERING )?INDEX \w+_unread:/.test(scan))).toEqual([]);
    for (const table of ['attempts', 'artifacts', 'metadata'])
      expect([...texts].some((text) => text.startsWith(`insert into ${table} `))).toBe(true);
  });

  test('keeps no names of leases, nor of what the index does not tell of', async () => {
    const storage = await openSqlite();
    const flow = await openFlow({ flowName: 'Train', storage });
    await flow.createRun({ runId: 'r1' });
    await (await openIndexIn(storage)).catchUp();
    const key = '0'.repeat(64);
    const told = 'partial/Train/r1/fit/0/0.metadata.00000000.json';
    const names = [
      `cache/000/${key}.lease.00000001.json`,
      'partial/Train/r1/fit/0/0.trace.x.json',
      'beats/x',
      told,
    ];
    for (const name of names) await storage.create(name, new Uint8Array(1));
    expect(await storage.delete(names)).toEqual([]);
    const text = 'select name from stowage_gone';
    expect(await (storage.database as StorageDatabase).read({ text })).toEqual([{ name: told }]);
  });

  test('is told of deletions again where somebody removed its table, and left the trigger', async () => {
    const storage = await openSqlite();
    const flow = await openFlow({ flowName: 'Train', storage });
    await flow.cachedTask({ name: 'double', version: '1', run: async (input: number) => 2 * input })(1);
    const index = await openIndexIn(storage);
    await index.catchUp();
    await (storage.database as StorageDatabase).write(function* () {
      yield { text: 'drop table stowage_gone' };
    });
    await index.catchUp();
    for await (const { key } of flow.cache.entries()) await flow.cache.evict(key);
    expect(await index.catchUp()).toMatchObject({ entries: 1, removed: 1 });
  });

  test('gives timers a turn with each question', async () => {
    const storage = await openSqlite();
    await (await openFlow({ flowName: 'Train', storage })).createRun({ runId: 'r1' });
    const index = await openIndexIn(storage);
    await index.catchUp();
    let hadTurn = false;
    setImmediate(() => {
      hadTurn = true;
    });
    await index.status();
    expect(hadTurn).toBe(true);
  });
});

/** Reads fail, or have an effect before they are told, where a name says so. */
class Disturbed extends StorageDecorator {
  disturb: (name: string) => void | Promise<void> = () => {};

  override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    const read = await this.inner.get(name, options);
    await this.disturb(name);
    return read;
  }
}

test('a catch-up in SQLite that is overtaken writes nothing older over what the other one wrote', async () => {
  const inner = await openSqlite();
  const storage = new Disturbed(inner);
  const flow = await openFlow({ flowName: 'Train', storage: inner });
  await flow.createRun({ runId: 'r1' });
  const slow = await StoreIndex.open({ store: storage });
  afterThisTest(() => slow.close());
  const fast = await openIndexIn(inner);
  await slow.catchUp();
  const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
  let times = 0;
  storage.disturb = async (name) => {
    if (!name.endsWith('/0.attempt.json') || times++ > 0) return;
    await task.done();
    await fast.catchUp();
  };
  await slow.catchUp();
  expect(times).toBe(1);
  const text = 'select status from attempts';
  expect(await (inner.database as StorageDatabase).read({ text })).toEqual([{ status: 'done' }]);
});

test('a run that is removed while a catch-up in SQLite goes on leaves nothing in the index, whatever is left of it', async () => {
  const inner = await openSqlite();
  const storage = new Disturbed(inner);
  const flow = await openFlow({ flowName: 'Train', storage: inner });
  const save = (runId: string, taskId: string): Promise<void> =>
    flow.task({ runId, stepName: 'fit', taskId }, async (task) => {
      await task.saveArtifacts({ runId });
    });
  for (const runId of ['kept', 'gone']) await save(runId, '0');
  const index = await StoreIndex.open({ store: storage });
  afterThisTest(() => index.close());
  await index.catchUp();
  await save('kept', 'new');
  let times = 0;
  storage.disturb = async (name) => {
    if (name.includes('/new/') && times++ === 0) await removeFromStore({ store: inner, path: 'Train/gone' });
  };
  await index.catchUp();
  expect(times).toBeGreaterThan(0);
  expect((await rowsIn(inner)).attempts).toHaveLength(2);
  await save('gone', 'late'); // by somebody who does not know yet
  await index.catchUp();
  const caughtUp = await rowsIn(inner);
  await index.rebuild();
  expect(caughtUp).toEqual(await rowsIn(inner));
});

describe.each<[string, () => Promise<DataStoreStorage>]>([
  ['in memory', async () => new MemoryStorage()],
  ['in SQLite', openSqlite],
])('the index of a store %s', (_, openStorage) => {
  interface Indexed {
    storage: Disturbed;
    index: StoreIndex;
    rows(): Promise<Record<string, string[]>>;
  }

  /** Three runs that ended, the newest `r2`, with attempts of so many rows that each run takes several transactions. */
  async function threeRuns(): Promise<Indexed> {
    const storage = new Disturbed(await openStorage());
    const flow = await openFlow({ flowName: 'Train', storage });
    const values = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`a${at}`, at]));
    for (const runId of ['r0', 'r1', 'r2']) {
      const run = await flow.createRun({ runId });
      for (let taskId = 0; taskId < 50; taskId += 1)
        await flow.task({ runId, stepName: 'fit', taskId: `${taskId}` }, async (task) => {
          await task.saveArtifacts(values);
        });
      await run.finish();
    }
    if (!storage.database) {
      const { index, path } = await openIndex({ store: storage });
      return { storage, index, rows: () => rowsOf(path) };
    }
    const index = await StoreIndex.open({ store: storage });
    afterThisTest(() => index.close());
    return { storage, index, rows: () => rowsIn(storage) };
  }

  test('knows what became of things that a catch-up had written before it was interrupted', async () => {
    const { storage, index, rows } = await threeRuns();
    const ending = new AbortController();
    storage.disturb = (name) => {
      if (name.startsWith('flows/Train/r2/')) ending.abort();
    };
    await errorOf(index.catchUp({ signal: ending.signal }), 'ABORTED');
    storage.disturb = () => {};
    const before = await rows();
    expect(before.runs).toHaveLength(1); // of r1 there are attempts, and no row
    expect(before.attempts?.length).toBeGreaterThan(50);
    await removeFromStore({ store: storage, path: 'Train/r0', contentOnly: true });
    const gone: string[] = [];
    for (const prefix of ['runs/Train/r1/', 'flows/Train/r1/'])
      for await (const page of storage.list({ prefix })) gone.push(...page.objects.map(({ name }) => name));
    expect(await storage.delete(gone)).toEqual([]);
    await index.catchUp();
    const caughtUp = await rows();
    await index.rebuild();
    expect(caughtUp).toEqual(await rows());
  });

  test('does not take a store that fails for a moment for a record that cannot be read, and reads that again', async () => {
    const { storage, index, rows } = await threeRuns();
    const failing = (code: StowageErrorCode) => (name: string) => {
      if (name === 'runs/Train/r1/created.json') throw new StowageError(code, 'It does not answer.');
    };
    storage.disturb = failing('STORAGE_UNAVAILABLE');
    await errorOf(index.catchUp(), 'STORAGE_UNAVAILABLE');
    storage.disturb = failing('STORAGE_FAILED');
    expect(await index.catchUp()).toMatchObject({ unreadable: 1 });
    storage.disturb = () => {};
    await index.catchUp();
    const caughtUp = await rows();
    await index.rebuild();
    expect(caughtUp).toEqual(await rows());
  });
});
