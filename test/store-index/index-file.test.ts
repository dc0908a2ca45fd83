import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { removeFromStore } from '../../src/maintenance/retention/remove.ts';
import type { GetOptions, ListOptions, ListPage, StoredObject } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { loadSqlite } from '../../src/storage/sql/sqlite/library.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { filesOf, openIndex, rowsOf, select } from './indexes.ts';

const TASKS = 40;

/** A flow with a run of some tasks. */
async function saved(
  storage = new MemoryStorage(),
): Promise<{ storage: MemoryStorage; flow: FlowDataStore }> {
  const flow = await openFlow({ flowName: 'Train', storage });
  await addTasks(flow, 'r1');
  return { storage, flow };
}

async function addTasks(flow: FlowDataStore, runId: string): Promise<void> {
  for (let task = 0; task < TASKS; task += 1)
    await flow.task({ runId, stepName: 'fit', taskId: `${task}` }, (open) => open.saveArtifacts({ task }));
}

/** Has all in the file itself: a library may leave the log beside it when it closes. */
async function settle(path: string): Promise<void> {
  const connection = (await loadSqlite()).open(path, { readOnly: false });
  connection.prepare('pragma wal_checkpoint(truncate)').all();
  connection.close();
}

/** A file of an index that nobody has open. */
async function closedIndex(
  storage: MemoryStorage,
  path = join(scratchFolder(), 'index.db'),
): Promise<string> {
  const index = await StoreIndex.open({ store: storage, path });
  await index.catchUp();
  await index.close();
  await settle(path);
  return path;
}

async function byHand(path: string, ...statements: string[]): Promise<void> {
  const connection = (await loadSqlite()).open(path, { readOnly: false });
  for (const statement of statements) connection.exec(statement);
  connection.close();
}

async function expectWhole(storage: MemoryStorage, path: string): Promise<void> {
  const anew = await closedIndex(storage);
  expect(await rowsOf(path)).toEqual(await rowsOf(anew));
}

const DAMAGE: [string, (path: string) => void][] = [
  ['is cut off within a page', (path) => truncateSync(path, 5_000)],
  ['is cut off behind the header', (path) => truncateSync(path, 100)],
  [
    'has pages of something else',
    (path) => {
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0xa5, 1_000));
    },
  ],
];

describe('the file of an index', () => {
  it.each(DAMAGE)('that %s is made anew by the next catch-up', async (_what, damage) => {
    const { storage, flow } = await saved();
    const path = await closedIndex(storage);
    damage(path);
    await addTasks(flow, 'r2');
    const { index } = await openIndex({ store: storage, path });
    expect(await index.catchUp()).toMatchObject({ runs: 2, attempts: 2 * TASKS, unreadable: 0 });
    await expectWhole(storage, path);
  });

  it('that was deleted while it was open is made anew', async () => {
    const { storage, flow } = await saved();
    const { index, path } = await openIndex({ store: storage });
    await index.catchUp();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    await addTasks(flow, 'r2');
    await index.catchUp();
    await expectWhole(storage, path);
  });

  it('whose place another one took while it was open is not written by the one that is gone', async () => {
    const { storage, flow } = await saved();
    const other = await closedIndex(storage);
    const { index, path } = await openIndex({ store: storage });
    await index.catchUp();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    renameSync(other, path);
    await addTasks(flow, 'r2');
    await index.catchUp();
    await expectWhole(storage, path);
  });

  it('that another program made is left as it is', async () => {
    const { storage } = await saved();
    const path = join(scratchFolder(), 'theirs.db');
    await byHand(path, 'create table theirs (x int)', 'insert into theirs values (1)');
    const before = readFileSync(path);
    const { index } = await openIndex({ store: storage, path });
    for (const call of [() => index.catchUp(), () => index.rebuild(), () => index.status()]) {
      const { message } = await errorOf(call(), 'INVALID_ARGUMENT');
      expect(message).toContain('of another program');
    }
    const text = join(scratchFolder(), 'notes.txt');
    writeFileSync(text, 'no database, but notes that nobody has elsewhere\n'.repeat(100));
    const { index: onText } = await openIndex({ store: storage, path: text });
    for (const call of [() => onText.catchUp(), () => onText.rebuild(), () => onText.status()])
      await errorOf(call(), 'INVALID_ARGUMENT');
    expect(readFileSync(path)).toEqual(before);
    expect(readFileSync(text, 'utf8')).toMatch(/^no database/);
  });

  it.each(['artifacts', 'stowage_index'])(
    'of a store in SQLite, in which another program has a table of that name, is not made: %s',
    async (table) => {
      const path = join(scratchFolder(), 'store.db');
      const flow = await openFlow({ flowName: 'Train', storage: `sqlite:${path}` });
      await addTasks(flow, 'r1');
      await byHand(path, `create table ${table} (theirs int)`, `insert into ${table} values (7)`);
      const index = await StoreIndex.open({ store: `sqlite:${path}` });
      afterThisTest(() => index.close());
      for (const call of [() => index.catchUp(), () => index.rebuild()])
        expect((await errorOf(call(), 'INVALID_ARGUMENT')).message).toMatch(
          RegExp(`another program .*${table}`),
        );
      expect(await select(path, `select * from ${table}`)).toEqual([{ theirs: 7 }]);
      const others = `select name from sqlite_master where name in ('stowage_index', 'runs') and name <> '${table}'`;
      expect(await select(path, others)).toEqual([]);
    },
  );

  it('of another store is left as it is', async () => {
    const { storage } = await saved();
    const path = await closedIndex(storage);
    const { storage: another } = await saved();
    const before = await rowsOf(path);
    const { index } = await openIndex({ store: another, path });
    for (const call of [() => index.catchUp(), () => index.rebuild()])
      expect((await errorOf(call(), 'INVALID_ARGUMENT')).message).toContain('is of another store');
    expect(await rowsOf(path)).toEqual(before);
  });

  it('of a newer release is left as it is', async () => {
    const { storage } = await saved();
    const path = await closedIndex(storage);
    await byHand(path, 'update stowage_index set schema_version = schema_version + 1');
    const { index } = await openIndex({ store: storage, path });
    for (const call of [() => index.catchUp(), () => index.rebuild(), () => index.status()])
      expect((await errorOf(call(), 'UNSUPPORTED_FORMAT')).message).toContain('newer release');
  });

  it('of an older release, with other tables, is made anew', async () => {
    const { storage } = await saved();
    const path = await closedIndex(storage);
    await byHand(
      path,
      'update stowage_index set schema_version = 0',
      'drop table published',
      'alter table runs add column old text',
    );
    const { index } = await openIndex({ store: storage, path });
    expect(await index.status()).toBeUndefined();
    expect(await index.catchUp()).toMatchObject({ runs: 1, attempts: TASKS });
    await expectWhole(storage, path);
  });

  it('has all, whichever of several catch up with it, or make it anew, at once', async () => {
    const { storage, flow } = await saved();
    const path = join(scratchFolder(), 'index.db');
    const indexes: StoreIndex[] = [];
    for (let opened = 0; opened < 3; opened += 1)
      indexes.push((await openIndex({ store: storage, path })).index);
    const [first] = indexes as [StoreIndex, StoreIndex, StoreIndex];
    await Promise.all([
      addTasks(flow, 'r2'),
      ...indexes.map((index) => index.catchUp()),
      first.rebuild(),
      ...indexes.map((index) => index.catchUp({ full: true })),
    ]);
    await first.catchUp();
    await expectWhole(storage, path);
  });

  it('keeps what a catch-up had written that was aborted, and the next one goes on from there', async () => {
    const { storage, flow } = await saved();
    for (let run = 2; run <= 20; run += 1) await addTasks(flow, `r${run}`);
    const aborting = new AbortController();
    class AbortsLate extends StorageDecorator {
      override list(options: ListOptions): AsyncIterable<ListPage> {
        if (options.prefix?.includes('/r18/')) aborting.abort(); // runs come oldest first
        return super.list(options);
      }
    }
    const { index, path } = await openIndex({ store: new AbortsLate(storage) });
    const stopped = index.catchUp({ signal: aborting.signal });
    await errorOf(stopped, 'ABORTED');
    expect(await index.status()).toMatchObject({ isWhole: false });
    const { attempts } = await index.catchUp();
    expect(attempts).toBeGreaterThan(0);
    expect(attempts).toBeLessThan(20 * TASKS);
    expect(await index.status()).toMatchObject({ isWhole: true });
    await expectWhole(storage, path);
  });
});

describe('a catch-up that was interrupted within a run', () => {
  const MANY = 600;

  /** A file in which some attempts of a run are, and not the run. */
  async function interrupted(
    path: string,
    storage: MemoryStorage,
    flow: FlowDataStore,
    runId: string,
  ): Promise<void> {
    for (let task = 0; task < MANY; task += 1)
      await flow.task({ runId, stepName: 'fit', taskId: `${task}` }, (open) => open.saveArtifacts({ task }));
    const aborting = new AbortController();
    class AbortsLate extends StorageDecorator {
      override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
        if (name.includes(`/${runId}/fit/99/`)) aborting.abort(); // the last of them, by name
        return super.get(name, options);
      }
    }
    const { index } = await openIndex({ store: new AbortsLate(storage), path });
    await errorOf(index.catchUp({ signal: aborting.signal }), 'ABORTED');
  }

  it('is gone on with within the run', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'Train', storage });
    const path = join(scratchFolder(), 'index.db');
    await interrupted(path, storage, flow, 'r1');
    const { index } = await openIndex({ store: storage, path });
    const { attempts } = await index.catchUp();
    expect(attempts).toBeGreaterThan(0);
    expect(attempts).toBeLessThan(MANY / 2);
    await expectWhole(storage, path);
  });

  it('leaves nothing of it where it was removed since', async () => {
    const { storage, flow } = await saved();
    const path = await closedIndex(storage);
    await interrupted(path, storage, flow, 'r2');
    await removeFromStore({ store: storage, path: 'Train/r2' });
    const { index } = await openIndex({ store: storage, path });
    await index.catchUp();
    await expectWhole(storage, path);
  });

  it('leaves nothing of it where another run has its name and its tasks since', async () => {
    const { storage, flow } = await saved();
    const path = await closedIndex(storage);
    await interrupted(path, storage, flow, 'r2');
    await removeFromStore({ store: storage, path: 'Train/r2' });
    for (let task = 0; task < 9; task += 1)
      await flow.task({ runId: 'r2', stepName: 'fit', taskId: `${task}` }, (open) =>
        open.saveArtifacts({ another: task }),
      );
    const { index } = await openIndex({ store: storage, path });
    await index.catchUp();
    await expectWhole(storage, path);
  });
});

describe('STOWAGE_INDEXES', () => {
  const withIndexes = (value: string): void => {
    vi.stubEnv('STOWAGE_INDEXES', value);
    afterThisTest(() => vi.unstubAllEnvs());
  };

  it('names the folder of indexes, which is made, each a file by the id of the store', async () => {
    const { storage } = await saved();
    const folder = join(scratchFolder(), 'no such', 'folder');
    withIndexes(folder);
    const index = await StoreIndex.open({ store: storage });
    afterThisTest(() => index.close());
    expect(await index.status()).toBeUndefined();
    expect(existsSync(dirname(folder))).toBe(false);
    await index.catchUp();
    const { path = '' } = (await index.status()) ?? {};
    expect(dirname(path)).toBe(folder);
    expect(filesOf(folder).every((name) => /^[0-9a-z-]+\.db(-wal|-shm)?$/.test(name))).toBe(true);
    await expectWhole(storage, path);
  });

  it('that is off leaves an index that nobody named without a file', async () => {
    const { storage } = await saved();
    withIndexes('off');
    const { message } = await errorOf(StoreIndex.open({ store: storage }), 'INVALID_ARGUMENT');
    expect(message).toContain('STOWAGE_INDEXES');
    const path = await closedIndex(storage);
    await expectWhole(storage, path);
  });

  it('has indexes made anew that are no databases at all', async () => {
    const { storage } = await saved();
    const folder = join(scratchFolder(), 'indexes');
    withIndexes(folder);
    mkdirSync(folder);
    const open = async (): Promise<StoreIndex> => {
      const index = await StoreIndex.open({ store: storage });
      afterThisTest(() => index.close());
      return index;
    };
    const first = await open();
    await first.catchUp();
    const { path = '' } = (await first.status()) ?? {};
    await first.close();
    await settle(path);
    writeFileSync(path, 'something else\n'.repeat(1_000));
    const index = await open();
    expect(await index.catchUp()).toMatchObject({ runs: 1, attempts: TASKS });
    await expectWhole(storage, path);
  });
});
