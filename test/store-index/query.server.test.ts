import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { type PostgresPool, PostgresStorage } from '../../src/storage/databases.ts';
import type { QueryOptions, QueryRow } from '../../src/store-index/query.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { until } from '../waiting.ts';
import { allOf } from './asked-store.ts';

const { Pool } = createRequire(import.meta.url)('pg') as {
  Pool: new (options: {
    connectionString: string;
    max?: number;
  }) => PostgresPool & {
    query(text: string): Promise<{ rows: Record<string, unknown>[] }>;
    on(event: 'error', listener: () => void): void;
  };
};

const TASKS = 5;

function rowsFor(index: StoreIndex, sql: string, options?: QueryOptions): Promise<QueryRow[]> {
  return allOf(index.query(sql, options));
}

describeOnPostgres('a query to an index in PostgreSQL', (server) => {
  let schemas = 0;
  const pool = (max = 5): InstanceType<typeof Pool> => {
    const made = new Pool({ connectionString: server.address(), max });
    made.on('error', () => {});
    afterThisTest(() => made.end());
    return made;
  };
  /** An index of some tasks, in a schema of its own. */
  const indexOfTasks = async (): Promise<{ index: StoreIndex; address: string; schema: string }> => {
    schemas += 1;
    const schema = `q${schemas}`;
    const address = `${server.address()}/${schema}`;
    const flow = await openFlow({ flowName: 'Train', storage: address, rawDataPath: scratchFolder() });
    for (let task = 0; task < TASKS; task += 1)
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: `${task}` }, (open) =>
        open.saveArtifacts({ task }),
      );
    const index = await StoreIndex.open({ store: address });
    afterThisTest(() => index.close());
    await index.catchUp();
    return { index, address, schema };
  };
  /** All that a statement could have changed. */
  const contents = async (schema: string): Promise<unknown> => {
    const all = pool();
    const { rows } = await all.query(
      "select table_schema, table_name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema') order by 1, 2",
    );
    const { rows: settings } = await all.query('select rolname, rolconfig from pg_roles order by 1');
    const { rows: objects } = await all.query('select count(*) from pg_largeobject_metadata');
    const { rows: runs } = await all.query(`select * from ${schema}.runs order by flow, run`);
    const { rows: attempts } = await all.query(`select * from ${schema}.attempts order by id`);
    const { rows: stored } = await all.query(`select name, id from ${schema}.stowage_objects order by name`);
    return [rows, settings, objects, runs, attempts, stored];
  };

  it('gives rows, and each kind of value as in SQLite', async () => {
    const { index } = await indexOfTasks();
    const text =
      'select task, count(*) as n, sum(attempt) as s from attempts where step = $2 and task >= $1 group by task order by task desc; ';
    expect(await rowsFor(index, text, { parameters: ['3', 'fit'] })).toEqual([
      { task: '4', n: 1, s: 0 },
      { task: '3', n: 1, s: 0 },
    ]);
    const values = `select null as a, 1 as b, -9007199254740993 as c, 0.5 as d, 'é' as e, '\\x00ff'::bytea as f,
      'infinity'::float8 as g, 9223372036854775807 as h, true as i, '{"a": 1}'::jsonb as j, 1 as b -- the end`;
    expect(await rowsFor(index, values)).toEqual([
      {
        a: null,
        b: 1,
        c: -9007199254740993n,
        d: 0.5,
        e: 'é',
        f: Uint8Array.of(0, 255),
        g: Number.POSITIVE_INFINITY,
        h: 9223372036854775807n,
        i: true,
        j: '{"a": 1}',
        'b:1': 1,
      },
    ]);
    const parameters = [null, 'é', 0.5, 7n, Uint8Array.of(1, 2), true];
    const bound =
      'select $1::text as a, $2::text as b, $3::float8 as c, $4::bigint as d, $5::bytea as e, $6::int as f';
    expect(Object.values((await rowsFor(index, bound, { parameters }))[0] ?? {})).toEqual([
      null,
      'é',
      0.5,
      7,
      Uint8Array.of(1, 2),
      1,
    ]);
    expect(await rowsFor(index, 'select * from generate_series(1, 100000) n')).toHaveLength(10_000);
    expect(await rowsFor(index, 'select * from generate_series(1, 9) n', { limit: 3 })).toHaveLength(3);
  });

  it('refuses what would change something, in its own words, and changes nothing', async () => {
    const { index, schema } = await indexOfTasks();
    const before = await contents(schema);
    for (const text of [
      ...[
        'selec 1',
        '',
        'select * from nowhere',
        'select nope from runs',
        'select 1 / 0',
        "select 'unfinished",
      ],
      "insert into runs (flow, run) values ('a', 'b') returning *",
      "with x as (insert into runs (flow, run) values ('a', 'b') returning *) select * from x",
      ...['delete from runs', 'drop table runs', 'select * from runs for update', 'select 1 as a into made'],
      ...['select 1; drop table runs', 'select 1); drop table runs; --', 'select 1) as answer; commit; --'],
      'select 1) as answer limit 1; set transaction read write; delete from runs; --',
      ...['select 1) /*', 'commit', 'rollback', 'set transaction read write', 'do $$begin end$$'],
      "select set_config('transaction_read_only', 'off', true)",
      "select set_config('transaction_read_only', 'off', false) from runs",
      "copy runs to '/tmp/out'",
      "select nextval('stowage_ids')",
      "select query_to_xml('delete from runs', true, true, '')",
      'select (select 1 union select 2)',
      'select $1',
      'select $1, $3',
      'prepare p as delete from runs',
      'explain analyze delete from runs',
      'vacuum',
      'create temp table t (x int)',
      'lock table runs',
      'notify x',
    ]) {
      const { message } = await errorOf(rowsFor(index, text), 'INVALID_ARGUMENT');
      expect(message, text).toMatch(/^The database refuses the statement: .{10}/);
      expect(message, text).not.toContain('stowage@');
    }
    expect(await contents(schema)).toEqual(before);
    const { details, message } = await errorOf(rowsFor(index, 'select nope from runs'), 'INVALID_ARGUMENT');
    expect(message).toContain('column "nope" does not exist');
    expect(details).toEqual({ cause: '42703', position: 8 });
  });

  it('takes back what functions do within it, and leaves no settings, locks and notices behind', async () => {
    const { index, address, schema } = await indexOfTasks();
    const own = pool(1);
    const storage = await PostgresStorage.open(address, { pool: own });
    const asked = await StoreIndex.open({ store: storage });
    afterThisTest(() => asked.close());
    const before = await contents(schema);
    for (const text of [
      "select set_config('default_transaction_read_only', 'on', false)",
      "select set_config('search_path', 'nowhere', false)",
      'select pg_advisory_lock(4711)',
      'select lo_create(0)',
      "select pg_notify('stowage', 'x')",
    ])
      expect(await rowsFor(asked, text), text).toHaveLength(1);
    const { rows } = await own.query(
      "select current_setting('default_transaction_read_only') as ro, current_setting('search_path') as path, (select count(*)::int from pg_locks where locktype = 'advisory') as locks",
    );
    expect(rows).toEqual([{ ro: 'off', path: '"$user", public', locks: 0 }]);
    expect(await contents(schema)).toEqual(before);
    expect(await rowsFor(index, 'select task from attempts')).toHaveLength(TASKS);
  });

  it('that is left or aborted ends on the server as well', async () => {
    const { index } = await indexOfTasks();
    const admin = pool(1);
    const isAnswering = async (): Promise<boolean> => {
      const { rows } = await admin.query(
        "select 1 from pg_stat_activity where pid <> pg_backend_pid() and query like '%stowage_answer%'",
      );
      return rows.length > 0;
    };
    for await (const { n } of index.query('select generate_series(1, 1000000000) as n', {
      limit: 10 ** 12,
    })) {
      if (n === 600) expect(await isAnswering()).toBe(true);
      if (n === 700) break;
    }
    await until(async () => !(await isAnswering()));

    const aborting = new AbortController();
    const slow = rowsFor(index, 'select pg_sleep(600)', { signal: aborting.signal });
    const ended = errorOf(slow, 'ABORTED');
    await until(isAnswering);
    aborting.abort();
    await ended;
    await until(async () => !(await isAnswering()));
    await errorOf(rowsFor(index, 'select 1', { signal: AbortSignal.abort() }), 'ABORTED');
  });

  it('tells that the server gave it up, or was lost, and says what to do', async () => {
    const { index } = await indexOfTasks();
    const late = (setting: string): string =>
      `select n, case n when 1 then set_config('${setting}', '50', true) when 800 then pg_sleep(600)::text end as x from generate_series(1, 2000) n`;
    const tooLong = await errorOf(rowsFor(index, late('statement_timeout')), 'STORAGE_FAILED');
    expect(tooLong.message).toContain('statement timeout');
    expect(tooLong.message).toContain('ask for less');

    const idle = index.query(
      "select set_config('idle_in_transaction_session_timeout', '20', true) from generate_series(1, 2000)",
    );
    await idle.next();
    const admin = pool(1);
    const open = async (): Promise<unknown[]> =>
      (await admin.query("select 1 from pg_stat_activity where state = 'idle in transaction'")).rows;
    await until(async () => (await open()).length === 0);
    const waited = await errorOf(allOf(idle), 'STORAGE_FAILED');
    expect(waited.message).toContain('take them sooner');

    const lost = index.query('select * from generate_series(1, 2000)');
    await lost.next();
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'",
    );
    await errorOf(allOf(lost), 'STORAGE_UNAVAILABLE');
    expect(await rowsFor(index, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('is answered to a user who may read alone, and names the right that another one needs', async () => {
    const { address, schema } = await indexOfTasks();
    const admin = pool();
    await admin.query(
      `create role ${schema}_reader login; grant usage on schema ${schema} to ${schema}_reader`,
    );
    const opened = await StoreIndex.open({
      store: address.replace('stowage@', `${schema}_reader:secret@`),
    }).catch((error: unknown) => error);
    expect(opened).toMatchObject({ code: 'STORAGE_NOT_PERMITTED' });
    await admin.query(`grant select on all tables in schema ${schema} to ${schema}_reader`);
    await admin.query(`create table ${schema}.kept_secret (x int)`);
    const index = await StoreIndex.open({ store: address.replace('stowage@', `${schema}_reader:secret@`) });
    afterThisTest(() => index.close());
    expect(await rowsFor(index, 'select task from attempts')).toHaveLength(TASKS);
    const refused = await errorOf(rowsFor(index, 'select * from kept_secret'), 'STORAGE_NOT_PERMITTED');
    expect(refused.message).toContain('permission denied');
    expect(refused.message).not.toMatch(/secret:|:secret|_reader/);
  });
});
