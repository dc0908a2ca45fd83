import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { SqlStatement, StorageDatabase } from '../../src/storage/contract.ts';
import { SqliteStorage } from '../../src/storage/sqlite.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitrarySteps, History } from './history.ts';
import { rowsIn } from './indexes.ts';

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
    const texts = new Set(statements.splice(0).map(({ text }) => text));
    const plans: Record<string, string[]> = {};
    for (const text of texts) {
      const rows = await (storage.database as StorageDatabase).read({
        text: `explain query plan ${text}`,
        parameters: Array.from(new Set(text.match(/\$\d+/g)), () => '[]'),
      });
      plans[text] = rows.map(({ detail }) => String(detail));
    }
    const written = Object.keys(plans).find((text) => text.includes('from stowage_objects where (id, name)'));
    expect(plans[written as string]).toEqual([
      expect.stringMatching(/^SEARCH stowage_objects USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)$/),
    ]);
    const small = /^SCAN (CONSTANT ROW|json_each|stowage_index|stowage_gone|sqlite_sequence|sqlite_master)\b/;
    const whole = Object.entries(plans).filter(([, lines]) =>
      lines.some((line) => line.startsWith('SCAN') && !small.test(line)),
    );
    expect(whole).toEqual([]);
    for (const table of ['attempts', 'artifacts', 'metadata'])
      expect([...texts].some((text) => text.startsWith(`insert into ${table} `))).toBe(true);
  });
});

/** Keeps the statements that are run from now on. */
function recordStatements(database: StorageDatabase): SqlStatement[] {
  const statements: SqlStatement[] = [];
  const read = database.read.bind(database);
  const write = database.write.bind(database);
  database.read = (statement, options) => {
    statements.push(statement);
    return read(statement, options);
  };
  database.write = (work, options) =>
    write(function* () {
      const working = work();
      let next = working.next();
      while (!next.done) {
        statements.push(next.value);
        next = working.next(yield next.value);
      }
      return next.value;
    }, options);
  return statements;
}
