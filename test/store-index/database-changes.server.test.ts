import { createRequire } from 'node:module';
import { expect } from 'vitest';
import type { StorageDatabase } from '../../src/storage/contract.ts';
import { PostgresStorage } from '../../src/storage/databases.ts';
import { WRITTEN } from '../../src/store-index/database-changes.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { catchUpAtOnce, goOnAtOnce, killFirst, LONGEST_MS, saveTasks, TASKS } from './catch-up-at-once.ts';
import { arbitrarySteps, History } from './history.ts';
import { rowsIn } from './indexes.ts';

interface Client {
  query(text: string, parameters?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): void;
}
const { Pool } = createRequire(import.meta.url)('pg') as {
  Pool: new (options: { connectionString: string; max: number }) => Client;
};

describeOnPostgres('the index of a store in PostgreSQL', (server) => {
  let schemas = 0;
  const open = async (): Promise<{ storage: PostgresStorage; schema: string }> => {
    schemas += 1;
    const schema = `s${schemas}`;
    const storage = await PostgresStorage.open(`${server.address()}/${schema}`);
    afterThisTest(() => storage.close());
    return { storage, schema };
  };
  const openIndex = async (storage: PostgresStorage): Promise<StoreIndex> => {
    const index = await StoreIndex.open({ store: storage });
    afterThisTest(() => index.close());
    return index;
  };
  /** One connection, on which transactions stay open. */
  const connect = (): Client => {
    const pool = new Pool({ connectionString: server.address(), max: 1 });
    pool.on('error', () => {}); // the server stops
    afterThisTest(() => pool.end());
    return pool;
  };
  const tasksIn = async (storage: PostgresStorage): Promise<string[]> => {
    const text = "select task from attempts where status = 'done' order by task";
    const rows = await (storage.database as StorageDatabase).read({ text });
    return rows.map(({ task }) => String(task));
  };

  test.prop([arbitrarySteps], { numRuns: Math.ceil(propertyRuns / 25) })(
    'that was caught up at any moments has the rows of one that is made from nothing, deletions as well',
    async (steps) => {
      const { storage } = await open();
      const history = await History.begin(storage, scratchFolder());
      const index = await openIndex(storage);
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

  test('of several that catch up at once, from the first on, each has all in the end', async () => {
    const { storage, schema } = await open();
    const flow = await openFlow({ flowName: 'Train', storage, rawDataPath: scratchFolder() });
    await flow.createRun({ runId: 'r1' });
    const indexes = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const own = await PostgresStorage.open(`${server.address()}/${schema}`);
        afterThisTest(() => own.close());
        return openIndex(own);
      }),
    );
    const saving = async (): Promise<void> => {
      for (let task = 0; task < 20; task += 1)
        await flow.task({ runId: 'r1', stepName: 'fit', taskId: `${task}` }, (one) =>
          one.saveArtifacts({ task }),
        );
    };
    const catchingUp = async (index: StoreIndex, at: number): Promise<void> => {
      for (let times = 0; times < 5; times += 1) {
        if (at === 0 && times === 2) await index.rebuild();
        else await index.catchUp();
      }
    };
    await Promise.all([saving(), ...indexes.map(catchingUp)]);
    await indexes[0]?.catchUp();
    const caughtUp = await rowsIn(storage);
    await indexes[0]?.rebuild();
    expect(caughtUp).toEqual(await rowsIn(storage));
  }, 60_000);

  test(
    'that processes catch up at once, one of which is killed again and again, has what one that is made from nothing has',
    async () => {
      const { storage, schema } = await open();
      const rawDataPath = scratchFolder();
      await (await openFlow({ flowName: 'Train', storage, rawDataPath })).createRun({ runId: 'first' });
      await catchUpAtOnce({ store: `${server.address()}/${schema}`, rawDataPath });
      const caughtUp = await rowsIn(storage);
      await (await openIndex(storage)).rebuild();
      expect(caughtUp).toEqual(await rowsIn(storage));
    },
    LONGEST_MS,
  );

  test(
    'is gone on with by several processes from where one was killed',
    async () => {
      const { storage, schema } = await open();
      const store = `${server.address()}/${schema}`;
      await saveTasks(await openFlow({ flowName: 'Train', storage, rawDataPath: scratchFolder() }));
      await killFirst({ store });
      const [{ n } = {}] = await (storage.database as StorageDatabase).read({
        text: 'select count(*) as n from attempts',
      });
      expect(Number(n)).toBeGreaterThan(0);
      for (const { attempts } of await goOnAtOnce({ store }))
        expect(attempts).toBeLessThanOrEqual(TASKS - Number(n));
      const caughtUp = await rowsIn(storage);
      await (await openIndex(storage)).rebuild();
      expect(caughtUp).toEqual(await rowsIn(storage));
    },
    LONGEST_MS,
  );

  test('misses nothing of a transaction that began early and commits late', async () => {
    const rawDataPath = scratchFolder();
    const { storage, schema } = await open();
    const { storage: other, schema: otherSchema } = await open();
    for (const [store, taskId] of [
      [storage, 'early'],
      [other, 'late'],
    ] as const) {
      const flow = await openFlow({ flowName: 'Train', storage: store, rawDataPath });
      await flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ taskId }));
    }
    const index = await openIndex(storage);
    await index.catchUp();
    const late = connect();
    await late.query('begin');
    await late.query(`insert into ${schema}.stowage_objects (name, body, modified)
      select name, body, modified from ${otherSchema}.stowage_objects where name like 'flows/Train/r1/fit/late/%'`);
    // Others write, commit, and are caught up with, while it is open.
    const flow = await openFlow({ flowName: 'Train', storage, rawDataPath });
    for (const taskId of ['meanwhile', 'more']) {
      await flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ taskId }));
      await index.catchUp();
    }
    expect(await tasksIn(storage)).toEqual(['early', 'meanwhile', 'more']);
    await late.query('commit');
    await index.catchUp();
    expect(await tasksIn(storage)).toEqual(['early', 'late', 'meanwhile', 'more']);
  });

  test('lets users delete who have no rights on its tables', async () => {
    const { storage, schema } = await open();
    const flow = await openFlow({ flowName: 'Train', storage, rawDataPath: scratchFolder() });
    const double = flow.cachedTask({ name: 'double', version: '1', run: async (input: number) => 2 * input });
    await double(1);
    const index = await openIndex(storage);
    await index.catchUp();
    const admin = connect();
    await admin.query(`create role writer login;
      grant usage on schema ${schema} to writer; grant usage on sequence ${schema}.stowage_ids to writer;
      grant select on ${schema}.stowage_schema to writer;
      grant select, insert, update, delete on ${schema}.stowage_objects to writer`);
    const address = server.address().replace('stowage@', 'writer@');
    const theirs = await PostgresStorage.open(`${address}/${schema}`);
    afterThisTest(() => theirs.close());
    const names: string[] = [];
    for await (const { objects } of theirs.list({ prefix: 'cache/' }))
      names.push(...objects.map(({ name }) => name));
    expect(await theirs.delete(names)).toEqual([]);
    expect(await index.catchUp()).toMatchObject({ removed: 1 });
  });

  test('is as it was where the connection breaks off within a transaction, and is caught up by the next', async () => {
    const { storage } = await open();
    const flow = await openFlow({ flowName: 'Train', storage, rawDataPath: scratchFolder() });
    await flow.createRun({ runId: 'r1' });
    const index = await openIndex(storage);
    await index.catchUp();
    const database = storage.database as StorageDatabase;
    const write = database.write(function* () {
      yield { text: "update runs set status = 'gone'" };
      yield { text: 'select pg_terminate_backend(pg_backend_pid())' };
    });
    expect(await errorOf(write)).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(await database.read({ text: 'select status from runs' })).toEqual([{ status: 'open' }]);
    expect(await index.catchUp()).toMatchObject({ runs: 0 });
  });

  test('finds what was written by an index of the table, and not by reading all of it', async () => {
    const { storage, schema } = await open();
    const flow = await openFlow({ flowName: 'Train', storage, rawDataPath: scratchFolder() });
    await flow.createRun({ runId: 'r1' });
    await (await openIndex(storage)).catchUp();
    const admin = connect();
    const statement = WRITTEN.postgres
      .replace('stowage_objects', `${schema}.stowage_objects`)
      .replace('$1', "'5'")
      .replace('$2', "''")
      .replace('$3', "'900'");
    const results = await admin.query(`set enable_seqscan = off; explain ${statement}`);
    const rows = (results as unknown as { rows: Record<string, unknown>[] }[])[1]?.rows;
    expect(JSON.stringify(rows)).toContain('stowage_objects_written');
  });
});
