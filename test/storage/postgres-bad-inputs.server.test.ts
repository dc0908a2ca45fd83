import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import type { StowageErrorCode } from '../../src/errors.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { PostgresStorage } from '../../src/storage/databases.ts';
import { openStorage } from '../../src/storage/open.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { json, stowage } from '../cli/fixture.ts';
import { errorOf, noise, scratchFolder } from '../flow/fixtures.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { until } from '../waiting.ts';
import { hasSmallDisks, withSmallDisk } from './small-disk.ts';

interface Client {
  query(text: string): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): void;
}
const { Pool } = createRequire(import.meta.url)('pg') as {
  Pool: new (options: { connectionString: string }) => Client;
};

const BODY = new TextEncoder().encode('x');
const SECRET = 'hunter2';

const hasDisks = await hasSmallDisks();

/** Bad addresses and states, each with the address of what it is made of, the code of the error, and what the error says. */
type Bad = [what: string, address: (server: string) => string, code: StowageErrorCode, says: RegExp];

const as =
  (user: string, schema = 'good', more = '') =>
  (server: string): string =>
    `${server.replace('stowage@', `${user}:${SECRET}@`)}/${schema}${more}`;

const BAD: Bad[] = [
  ['a wrong password', as('keeper'), 'STORAGE_CREDENTIALS', /refuses the user or the password .*PGPASSWORD/],
  [
    'no password where one is asked for',
    (server) => `${server.replace('stowage@', 'keeper@')}/good`,
    'STORAGE_CREDENTIALS',
    /refuses the user or the password .*PGPASSWORD/,
  ],
  ['a user that is not there', as('nobody'), 'STORAGE_CREDENTIALS', /role "nobody" does not exist/],
  [
    'a database that is not there',
    (server) => as('stowage')(server).replace('/postgres/', '/nowhere/'),
    'NO_SUCH_BUCKET',
    /no such database .*createdb/,
  ],
  [
    'a user who may not use the schema',
    as('stranger'),
    'STORAGE_NOT_PERMITTED',
    /permission denied for schema good.* grant it usage of the schema/,
  ],
  ['a table of objects of another program', as('stowage', 'theirs'), 'NOT_A_STORE', /schema of its own/],
  ['a view of that name', as('stowage', 'view'), 'NOT_A_STORE', /stowage_objects .*schema of its own/],
  ['a table of versions of another program', as('stowage', 'other'), 'NOT_A_STORE', /stowage_schema/],
  ['one with versions that are none', as('stowage', 'text'), 'NOT_A_STORE', /schema of its own/],
  ['an empty one', as('stowage', 'empty'), 'NOT_A_STORE', /schema of its own/],
  [
    'tables of a newer release',
    as('stowage', 'newer'),
    'UNSUPPORTED_FORMAT',
    /newer release of Stowage \(tables of version 9\); install that/,
  ],
  [
    'encryption that the server has not',
    as('stowage', 'good', '?sslmode=verify-full'),
    'STORAGE_FAILED',
    /takes no encrypted connections .*sslmode/,
  ],
  [
    'a certificate that is not there',
    as('stowage', 'good', '?sslmode=verify-full&sslrootcert=/no/such.pem'),
    'STORAGE_FAILED',
    /file that the address names cannot be read .*sslrootcert/,
  ],
  [
    'a port at which nobody listens',
    () => `postgres://stowage:${SECRET}@127.0.0.1:1/postgres`,
    'STORAGE_UNAVAILABLE',
    /nothing has ever answered there .*ECONNREFUSED.* see the address/,
  ],
];

describeOnPostgres('a store in PostgreSQL that is not as it should be', (server) => {
  const rawDataPath = scratchFolder();
  let pool: Client;
  const query = async (text: string): Promise<Record<string, unknown>[]> => (await pool.query(text)).rows;
  /** All that is in the database, but for the rows of other programs. */
  const everything = async (): Promise<unknown> => ({
    schemas: await query('select nspname from pg_namespace order by 1'),
    relations: await query(
      "select oid::regclass::text, relkind from pg_class where relnamespace::regnamespace::text !~ '^pg_' order by 1",
    ),
    objects: await query('select name, id from good.stowage_objects order by 1'),
  });

  beforeAll(async () => {
    pool = new Pool({ connectionString: server.address() });
    pool.on('error', () => {}); // the server stops
    for (const schema of ['good', 'newer']) {
      const storage = `${server.address()}/${schema}`;
      const flow = await FlowDataStore.open({ flowName: 'Train', storage, rawDataPath });
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
      await flow.close();
    }
    for (const statement of [
      'update newer.stowage_schema set version = 9',
      'create schema theirs; create table theirs.stowage_objects (id int, note text)',
      "create schema view; create view view.stowage_objects as select 'x' as name",
      'create schema other; create table other.stowage_schema (note text)',
      "create schema text; create table text.stowage_schema (version text); insert into text.stowage_schema values ('v1')",
      'create schema empty; create table empty.stowage_schema (version int)',
      "create role keeper login password 'right'",
      'create role stranger login',
      'create role reader login; grant usage on schema good to reader; grant select on all tables in schema good to reader',
      'create role frozen login superuser; alter role frozen set default_transaction_read_only = on',
    ])
      await query(statement);
    const [{ hba_file: rules } = {}] = await query('show hba_file');
    const others = readFileSync(String(rules), 'utf8');
    writeFileSync(String(rules), `host all keeper 127.0.0.1/32 scram-sha-256\n${others}`);
    await query('select pg_reload_conf()');
    const asked = "select 1 from pg_hba_file_rules where 'keeper' = any (user_name)";
    await until(async () => (await query(asked)).length > 0);
    return () => pool.end();
  });

  it.each(BAD)(
    '%s is told with what to do, and leaves no trace and no password',
    async (_, at, code, says) => {
      const before = await everything();
      const address = at(server.address());
      const storage = await PostgresStorage.open(address); // which does not try again
      afterThisTest(() => storage.close());
      const [failure] = await storage.delete(['a']);
      const errors = [
        await errorOf(storage.get('a'), code),
        await errorOf(storage.create('a', BODY), code),
        await errorOf(storage.overwrite('a', BODY), code),
        await errorOf(Promise.reject(failure?.error), code),
        await errorOf(StoreIndex.open({ store: storage }), code),
      ];
      for (const error of errors) {
        expect(error.message).toMatch(says);
        expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(SECRET);
      }
      for (const args of [['runs'], ['index', '--json']]) {
        const { code: ended, stdout, stderr } = await stowage(address, args);
        const told = args.includes('--json') ? String(JSON.parse(stderr).error.message) : stderr;
        expect(ended, stderr).toBe(code === 'NOT_A_STORE' ? 10 : 1);
        expect(told.replaceAll(/\s+/g, ' ')).toMatch(says);
        expect(stdout + stderr).not.toContain(SECRET);
      }
      expect(await everything()).toEqual(before);
    },
  );

  it.each([
    ['the right to read alone', 'reader', /this user may not \(permission denied .* grant it/],
    ['transactions that only read', 'frozen', /may only be read .* default_transaction_read_only/],
  ])('%s: is read, and nothing of what it would write is', async (_what, user, says) => {
    const before = await everything();
    const address = as(user)(server.address());
    const flow = await FlowDataStore.open({ flowName: 'Train', storage: address, rawDataPath });
    afterThisTest(() => flow.close());
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual({ x: 1 });
    expect((await json(address, ['show', 'Train/r1/fit/0'])).attempt).toBeDefined();
    const spec = { runId: 'r2', stepName: 'fit', taskId: '0' };
    const saving = flow.task(spec, (task) => task.saveArtifacts({ x: 2 }));
    expect((await errorOf(saving, 'STORAGE_NOT_PERMITTED')).message).toMatch(says);
    const index = await StoreIndex.open({ store: address });
    afterThisTest(() => index.close());
    expect((await errorOf(index.catchUp(), 'STORAGE_NOT_PERMITTED')).message).toMatch(says);
    for (const args of [['rm', 'Train/r1', '--yes'], ['index'], ['find']]) {
      const ended = await stowage(address, args);
      expect(ended.code, ended.stderr).toBe(1);
      expect(ended.stderr.replaceAll(/\s+/g, ' ')).toMatch(says);
      expect(ended.stderr).not.toContain(SECRET);
    }
    const nowhere = await openStorage(as(user, 'new')(server.address()));
    afterThisTest(() => nowhere.close());
    await errorOf(nowhere.create('a', BODY), 'STORAGE_NOT_PERMITTED');
    expect(await everything()).toEqual(before);
  });

  describe.runIf(hasDisks)('whose disk is full', () => {
    it('says so, keeps what it had whole, and works again once there is room; and so does its index', async () => {
      await withSmallDisk('24m', async (disk) => {
        const folder = join(disk, 'tables');
        mkdirSync(folder);
        execFileSync('chown', ['postgres', folder]);
        await query(`create tablespace small location '${folder}'`);
        await query('create role full_up login superuser');
        await query('alter role full_up set default_tablespace = small');
        await fillUp(as('full_up', 'small')(server.address()));
        await query('drop schema small cascade');
        await query('checkpoint'); // files of tables that are gone stay until then
        await query('drop tablespace small');
      });
    });

    async function fillUp(address: string): Promise<void> {
      const storage = await openStorage(address);
      const flow = await FlowDataStore.open({ flowName: 'Train', storage, rawDataPath });
      const save = (taskId: string): Promise<unknown> =>
        flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) =>
          task.saveArtifacts({ inRecord: noise(1500, 1) }),
        );
      const done = async (): Promise<string[]> =>
        (await flow.getTaskDataStores({ runId: 'r1' })).map(({ taskId }) => taskId);
      await save('0');
      await query('create table small.ballast (x bytea) tablespace small');
      await query('alter table small.ballast alter x set storage external');
      const filling = query(
        "do $$ begin loop insert into small.ballast values (decode(repeat('00', 100000), 'hex')); commit; end loop; end $$",
      );
      await expect(filling).rejects.toMatchObject({ code: '53100' });
      for (const bytes of [20_000, 1000]) {
        const full = await errorOf(async () => {
          for (let at = 0; at < 1000; at += 1) await storage.create(`${bytes}/${at}`, noise(bytes, at));
        }, 'STORAGE_FULL');
        expect(full.message).toMatch(/no room .*No space left on device.*make room, and try again/);
      }
      await errorOf(save('1'), 'STORAGE_FULL');
      expect(await done()).toEqual(['0']);
      const index = await StoreIndex.open({ store: storage });
      expect((await errorOf(index.catchUp(), 'STORAGE_FULL')).message).toContain('make room');
      const told = await stowage(address, ['index']);
      expect(told.code, told.stderr).toBe(1);
      expect(told.stderr.replaceAll(/\s+/g, ' ')).toMatch(/no room .* make room, and try again/);
      await query('drop table small.ballast');
      await query('checkpoint');
      await save('2');
      expect(await done()).toEqual(['0', '2']);
      expect(await index.catchUp()).toMatchObject({ runs: 1, unreadable: 0 });
      await index.close();
      await flow.close();
      await storage.close();
    }
  });
});
