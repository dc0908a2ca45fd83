import { expect, it } from 'vitest';
import { describeOnPostgres } from '../servers/postgres.ts';
import { until } from '../waiting.ts';
import { openFlow, scratchFolder } from './fixtures.ts';
import {
  endWriters,
  expectKeptPromises,
  LONGEST_MS,
  startWriters,
  TASKS,
  WRITERS,
  watchDone,
} from './writers-at-once.ts';

const KILLED = 2;

describeOnPostgres('16 processes write to one PostgreSQL', (server) => {
  it(
    'which is killed and started again twice, while two of them are killed: each attempt has one owner, each key one run, what was done is there, and nothing is half visible',
    async () => {
      const store = `${server.address()}/writers`;
      const rawDataPath = scratchFolder();
      const counts = Array.from({ length: WRITERS }, (_, me) => (me < KILLED ? 'endless' : String(TASKS)));
      const writers = await startWriters(store, counts, rawDataPath);
      const stopWatching = watchDone(await openFlow({ storage: store, rawDataPath }));
      const done = (): number => writers.flatMap(({ told }) => told).filter((told) => told.done).length;
      await until(() => done() >= WRITERS);
      await server.kill();
      for (const { child } of writers.slice(0, KILLED)) child.kill('SIGKILL');
      const before = done();
      await until(() => done() >= before + WRITERS);
      await server.kill();
      const codes = await endWriters(writers);
      expect(codes).toEqual(counts.map((count) => (count === 'endless' ? null : 0)));
      expect(await stopWatching()).toBeGreaterThan(1);
      await expectKeptPromises(await openFlow({ storage: store, rawDataPath }), writers);
    },
    LONGEST_MS,
  );
});
