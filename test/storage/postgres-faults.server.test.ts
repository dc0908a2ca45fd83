import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { PostgresStorage } from '../../src/storage/databases.ts';
import { openStorage } from '../../src/storage/open.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, noise, scratchFolder } from '../flow/fixtures.ts';
import { describeOnPostgres } from '../servers/postgres.ts';

const BODY = new TextEncoder().encode('x');

interface Client {
  query(text: string, parameters?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): void;
}
const { Pool } = createRequire(import.meta.url)('pg') as {
  Pool: new (options: { connectionString: string }) => Client;
};

/** Each commit waits for the disk, or not, as a transaction says; where it does not, a crash loses it. */
const LAZY = ['synchronous_commit = off', 'wal_writer_delay = 10s', 'max_connections = 60'];

describeOnPostgres(
  'a store in PostgreSQL',
  (server) => {
    let schemas = 0;
    const newSchema = (): string => {
      schemas += 1;
      return `s${schemas}`;
    };
    const open = async (schema: string, user?: string): Promise<PostgresStorage> => {
      const address =
        user === undefined ? server.address() : server.address().replace('stowage@', `${user}@`);
      const storage = await PostgresStorage.open(`${address}/${schema}`);
      afterThisTest(() => storage.close());
      return storage;
    };
    const admin = (): Client => {
      const pool = new Pool({ connectionString: server.address() });
      pool.on('error', () => {});
      afterThisTest(() => pool.end());
      return pool;
    };
    /** Every backend goes, and shared memory with them: what was not on the disk is lost. */
    const crash = async (): Promise<void> => {
      const pool = new Pool({ connectionString: server.address() });
      pool.on('error', () => {});
      const { rows } = await pool.query('select pg_backend_pid() as pid');
      process.kill(Number(rows[0]?.pid), 'SIGKILL');
      await pool.end().catch(() => {});
    };
    const untilUp = async (): Promise<void> => {
      for (let tries = 0; ; tries += 1) {
        const pool = new Pool({ connectionString: server.address() });
        pool.on('error', () => {});
        try {
          await pool.query('select 1');
          return;
        } catch (error) {
          if (tries > 200) throw error;
          await sleep(50);
        } finally {
          await pool.end().catch(() => {});
        }
      }
    };

    it('survives a crash of a server that is set to lose what it committed last', async () => {
      const storage = await open('crash');
      await storage.create('first', BODY);
      const pool = admin();
      await pool.query('create table lost (x int)');
      await pool.query('checkpoint');
      await pool.query('insert into lost values (1)'); // by the server's own setting
      const writes = ['a', 'b', 'c'].map((name) => storage.create(name, BODY));
      expect(await Promise.all(writes)).toEqual([true, true, true]);
      await pool.query('insert into lost values (2)');
      await crash();
      await untilUp();
      const again = await open('crash');
      for (const name of ['first', 'a', 'b', 'c']) expect((await again.get(name))?.body).toEqual(BODY);
      const { rows } = await admin().query('select x from lost');
      expect(rows).not.toContainEqual({ x: 2 });
    });

    it('has one winner for each name, whatever connections break off', async () => {
      const schema = newSchema();
      await (await open(schema)).create('made', BODY);
      const writers = await Promise.all(
        [0, 1].map(async () => new RetryStorage(await open(schema), { baseDelayMs: 5, maxAttempts: 60 })),
      );
      const pool = admin();
      let isOver = false;
      const breaking = (async () => {
        while (!isOver) {
          await pool.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stowage'",
          );
          await sleep(15);
        }
      })();
      const names = Array.from({ length: 150 }, (_, i) => `n${i}`);
      const bodies = ['of the one', 'of the other'].map((text) => new TextEncoder().encode(text));
      const won = await Promise.all(
        writers.map((writer, i) =>
          Promise.all(names.map((name) => writer.create(name, bodies[i] as Uint8Array))),
        ),
      );
      isOver = true;
      await breaking;
      const reader = await open(schema);
      for (const [i, name] of names.entries()) {
        const winner = won[0]?.[i] ? 0 : 1;
        expect([won[0]?.[i], won[1]?.[i]].filter(Boolean), name).toHaveLength(1);
        expect((await reader.get(name))?.body, name).toEqual(bodies[winner]);
      }
    });

    it('lets two processes create the same names in other orders, and holds nobody up for ever', async () => {
      const schema = newSchema();
      const [one, other] = [await open(schema), await open(schema)];
      for (let round = 0; round < 10; round += 1) {
        const names = Array.from({ length: 60 }, (_, i) => `${round}/${i}`);
        const [a, b] = await Promise.all([
          Promise.all(names.map((name) => one.create(name, BODY))),
          Promise.all([...names].reverse().map((name) => other.create(name, BODY))),
        ]);
        expect(a.filter(Boolean).length + b.filter(Boolean).length).toBe(names.length);
      }
    });

    it('is made once, by whoever comes first of many', async () => {
      const schema = newSchema();
      const storages = await Promise.all(Array.from({ length: 6 }, () => open(schema)));
      const won = await Promise.all(storages.map((storage) => storage.create('stowage.json', BODY)));
      expect(won.filter(Boolean)).toHaveLength(1);
    });

    it('shows late commits of others to whoever reads what was committed', async () => {
      const schema = newSchema();
      const storage = await open(schema);
      await storage.create('a', BODY);
      const late = admin();
      const table = `${schema}.stowage_objects`;
      const client = new Pool({ connectionString: server.address() });
      afterThisTest(() => client.end());
      await late.query('select 1');
      // One transaction that stays open, begun before another one commits.
      const slow = client.query(
        `begin; insert into ${table} (name, body, modified) values ('late', 'x', 1); select pg_sleep(0.5); commit`,
      );
      await sleep(200);
      await storage.create('early', BODY);
      const seen = async (): Promise<unknown[]> =>
        (
          await late.query(
            `select name from ${table} where written < pg_snapshot_xmin(pg_current_snapshot()) order by name`,
          )
        ).rows.map(({ name }) => name);
      expect(await seen()).toEqual(['a']);
      await slow;
      expect(await seen()).toEqual(['a', 'early', 'late']);
    });

    it('gives a version once, also after a delete', async () => {
      const storage = await open(newSchema());
      await storage.create('a', BODY);
      const old = (await storage.head('a'))?.version as string;
      await storage.delete(['a']);
      await storage.create('a', BODY);
      await errorOf(storage.overwrite('a', BODY, { ifMatch: old }), 'PRECONDITION_FAILED');
    });

    it('tells the time of a write, not that of the beginning of its transaction', async () => {
      const storage = await open(newSchema());
      const beforeMs = Date.now();
      await storage.create('a', BODY);
      expect(Math.abs(((await storage.head('a'))?.modifiedAtMs ?? 0) - beforeMs)).toBeLessThan(60_000);
    });

    it('takes content that has no other place in packs that fit into its rows', async () => {
      const storage = await open(newSchema());
      const store = new ContentAddressedStore(storage);
      afterThisTest(() => store.close());
      const large = noise(20_000_000, 3);
      const [saved] = await store.saveBlobs([large]);
      const packs = [];
      for await (const page of storage.list({ prefix: 'packs/', details: true })) packs.push(...page.objects);
      expect(packs).toHaveLength(3);
      for (const { bytes } of packs) expect(bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
      for await (const { blob } of new ContentAddressedStore(storage).loadBlobs([saved?.key ?? '']))
        expect(Buffer.compare(blob, large)).toBe(0);
    });

    it('keeps records in the database and content elsewhere, and asks where that is', async () => {
      const address = `${server.address()}/${newSchema()}`;
      await errorOf(FlowDataStore.open({ flowName: 'Train', storage: address }), 'INVALID_ARGUMENT');
      const rawDataPath = scratchFolder();
      const openFlow = async (): Promise<FlowDataStore> => {
        const flow = await FlowDataStore.open({ flowName: 'Train', storage: address, rawDataPath });
        afterThisTest(() => flow.close());
        return flow;
      };
      const artifacts = { small: [1], medium: noise(20_000, 1), huge: noise(20_000_000, 2) };
      const flow = await openFlow();
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts(artifacts));
      const task = await (await openFlow()).getTaskDataStore('r1/fit/0');
      expect(await task.loadArtifacts()).toEqual(artifacts);
    });
  },
  LAZY,
);

describe('an address of PostgreSQL', () => {
  it.each([
    'postgres://',
    'postgres://host',
    'postgres://host/',
    'postgres://host/db/a/b',
    'postgres://host/db/Pg',
    'postgres://host/db/pg_x',
  ])('%s is refused', async (address) => {
    await errorOf(openStorage(address), 'INVALID_ARGUMENT');
  });
});
