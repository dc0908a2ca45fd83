import { expect, it } from 'vitest';
import { afterThisTest } from '../cleanups.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { until } from '../waiting.ts';
import { openFlow, scratchFolder } from './fixtures.ts';
import { expectKeptPromises, LONGEST_MS, startWriters, TASKS, WRITERS } from './writers-at-once.ts';

describeOnPostgres('16 processes write to one PostgreSQL', (server) => {
  it(
    'which is killed and started again: each attempt has one owner, what was done is there, and nothing is half visible',
    async () => {
      const store = `${server.address()}/writers`;
      const rawDataPath = scratchFolder();
      const counts = Array.from({ length: WRITERS }, () => String(TASKS));
      const writers = await startWriters(store, counts, rawDataPath);
      const done = (): number => writers.flatMap(({ told }) => told).filter((told) => told.done).length;
      await until(() => done() >= WRITERS);
      expect(writers.some(({ child }) => child.exitCode === null)).toBe(true);
      await server.kill();
      expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual(counts.map(() => 0));

      const flow = await openFlow({ storage: store, rawDataPath });
      afterThisTest(() => flow.close());
      await expectKeptPromises(flow, writers);
      const told = writers.flatMap((writer) => writer.told);
      for (let n = 0; n < TASKS; n += 1) {
        expect(told.filter((each) => each.done === `r1/contested/${n}/0`)).toHaveLength(1);
        const turns = told.filter((each) => each.done?.startsWith(`r1/turns/${n}/`));
        expect(turns).toHaveLength(WRITERS);
      }
    },
    LONGEST_MS,
  );
});
