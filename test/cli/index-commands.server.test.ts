import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { afterThisTest } from '../cleanups.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const { Pool } = createRequire(import.meta.url)('pg') as {
  Pool: new (options: {
    connectionString: string;
  }) => {
    query(text: string): Promise<{ rows: Record<string, unknown>[] }>;
    on(event: 'error', listener: () => void): void;
    end(): Promise<void>;
  };
};

const rawDataPath = scratchFolder();

describeOnPostgres('the commands that ask an index, of a store in PostgreSQL', (server) => {
  let schemas = 0;
  const newStore = async (): Promise<{ store: string; schema: string }> => {
    schemas += 1;
    const schema = `c${schemas}`;
    const store = `${server.address()}/${schema}`;
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store, rawDataPath });
    await flow.task({ runId: 'run-1', stepName: 'load', taskId: '0' }, (task) =>
      task.saveArtifacts({ rows: noise(50_000) }),
    );
    const load = await flow.getTaskDataStore('run-1/load/0');
    await flow.task({ runId: 'run-1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.passdownPartial(load, ['rows']);
      await task.saveMetadata({ auc: 0.9 });
    });
    return { store, schema };
  };
  const admin = (): InstanceType<typeof Pool> => {
    const pool = new Pool({ connectionString: server.address() });
    pool.on('error', () => {});
    afterThisTest(() => pool.end());
    return pool;
  };

  it('answer from the database, which they catch up first', async () => {
    const { store, schema } = await newStore();
    const missing = await stowage(store, ['find', '--no-update']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('stowage index');
    const made = await json(store, ['index']);
    expect(made).toMatchObject({ runs: 1, attempts: 2, isWhole: true, unreadable: 0 });
    expect(made.address).toMatch(new RegExp(`^postgres://127\\.0\\.0\\.1:\\d+/postgres/${schema}$`));
    expect(made).not.toHaveProperty('path');
    const { attempts } = await json(store, ['find', 'Train/latest', '--metadata', 'auc>0.8']);
    expect(attempts).toMatchObject([{ pathspec: 'Train/run-1/fit/0/0', metadata: { auc: 0.9 } }]);
    const { links } = await json(store, ['lineage', 'Train/run-1/load/0', '--down', 'all']);
    expect(links).toMatchObject([
      { direction: 'start', pathspec: 'Train/run-1/load/0/0' },
      { direction: 'down', pathspec: 'Train/run-1/fit/0/0', use: 'read' },
    ]);
    expect(await json(store, ['du', 'Train/latest'])).toMatchObject({
      entries: [{ name: 'rows', artifacts: 2, sharedBytes: 0 }],
      isCut: false,
    });
    const text = "select step, count(*) as n from attempts where flow = 'Train' group by step order by step";
    expect((await stowage(store, ['sql', text])).stdout).toBe('step  n\nfit   1\nload  1\n');
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store, rawDataPath });
    await flow.task({ runId: 'run-2', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
    expect((await json(store, ['sql', text])).rows).toEqual([
      { step: 'fit', n: 2 },
      { step: 'load', n: 1 },
    ]);
    const refused = await stowage(store, ['sql', 'delete from attempts']);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('syntax error');
    const file = await stowage(store, ['find', '--index', 'index.db']);
    expect(file.code).toBe(2);
    expect(file.stderr.replaceAll(/\s+/g, ' ')).toContain('lies there');
  });

  it('say to a user who may only read what is missing, and answer what is there', async () => {
    const { store, schema } = await newStore();
    const pool = admin();
    await pool.query(
      `create role ${schema}_reader login; grant usage on schema ${schema} to ${schema}_reader`,
    );
    await pool.query(`grant select on all tables in schema ${schema} to ${schema}_reader`);
    await pool.query(`create role ${schema}_frozen login superuser`);
    await pool.query(`alter role ${schema}_frozen set default_transaction_read_only = on`);
    for (const user of [`${schema}_reader`, `${schema}_frozen`]) {
      const as = store.replace('stowage@', `${user}:hidden@`);
      const refused = await stowage(as, ['index']);
      expect(refused.code, refused.stderr).toBe(1);
      expect(refused.stderr.replaceAll(/\s+/g, ' ')).toMatch(/permission denied|read-only transaction/);
      expect(refused.stderr).not.toContain('hidden');
    }
    const { rows } = await pool.query(
      `select count(*)::int as n from information_schema.tables where table_schema = '${schema}' and table_name in ('attempts', 'stowage_gone')`,
    );
    expect(rows).toEqual([{ n: 0 }]); // nothing half made
    expect((await stowage(store, ['index'])).code).toBe(0);
    await pool.query(`grant select on all tables in schema ${schema} to ${schema}_reader`);
    for (const user of [`${schema}_reader`, `${schema}_frozen`]) {
      const as = store.replace('stowage@', `${user}:hidden@`);
      const { rows: told } = await json(as, ['sql', 'select count(*) as n from attempts', '--no-update']);
      expect(told).toEqual([{ n: 2 }]);
      expect((await json(as, ['find', '--no-update'])).attempts).toHaveLength(2);
    }
  });

  it('leave tables of another program, and an index of a newer release, as they are', async () => {
    const { store, schema } = await newStore();
    const pool = admin();
    await pool.query(`create table ${schema}.runs (theirs int); insert into ${schema}.runs values (7)`);
    const foreign = await stowage(store, ['index']);
    expect(foreign.code, foreign.stderr).toBe(2);
    expect(foreign.stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /another program .*"runs" already exists.* Rename or move/,
    );
    expect((await pool.query(`select theirs from ${schema}.runs`)).rows).toEqual([{ theirs: 7 }]);
    await pool.query(`drop table ${schema}.runs`);
    expect((await stowage(store, ['index'])).code).toBe(0);
    await pool.query(`update ${schema}.stowage_index set schema_version = 99`);
    for (const args of [['index'], ['index', '--rebuild'], ['find'], ['sql', 'select 1', '--no-update']]) {
      const newer = await stowage(store, args);
      expect(newer.code, args.join(' ')).toBe(1);
      expect(newer.stderr).toContain('newer release');
    }
    expect((await pool.query(`select count(*)::int as n from ${schema}.attempts`)).rows).toEqual([{ n: 2 }]);
  });
});
