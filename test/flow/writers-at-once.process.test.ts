import { join } from 'node:path';
import { expect, it } from 'vitest';
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

const KILLED = 4;

it(
  '16 processes write to one file of SQLite, and four of them are killed: each attempt has one owner, each key one run, and what was done is there',
  async () => {
    const store = `sqlite:${join(scratchFolder(), 'runs.db')}`;
    const counts = Array.from({ length: WRITERS }, (_, me) => (me < KILLED ? 'endless' : String(TASKS)));
    const writers = await startWriters(store, counts);
    const stopWatching = watchDone(await openFlow({ storage: store }));
    for (const { child, told } of writers.slice(0, KILLED)) {
      await until(() => told.some(({ done }) => done !== undefined) || child.exitCode !== null);
      child.kill('SIGKILL');
    }
    const codes = await endWriters(writers);
    expect(codes).toEqual(counts.map((count) => (count === 'endless' ? null : 0)));

    expect(await stopWatching()).toBeGreaterThan(1);
    await expectKeptPromises(await openFlow({ storage: store }), writers);
  },
  LONGEST_MS,
);
