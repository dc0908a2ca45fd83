import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { mapBounded } from '../../src/async/bounded-work.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import type { CaughtUp } from '../../src/store-index/catch-up.ts';
import { letBegin, startTelling, type TellingProcess } from '../telling-process.ts';
import { until } from '../waiting.ts';

/** How often a process that catches up is killed beside others: `STOWAGE_KILLS=100` looks harder. */
const KILLS = Number(process.env.STOWAGE_KILLS ?? 5);
/** So many runs are written meanwhile at least. */
const RUNS = 12;
/** The tasks of a store whose first catch-up is killed. */
export const TASKS = 400;
const LONGEST_KILLED_AFTER_MS = 300;

export const LONGEST_MS = 240_000;

/** The index of a store, as processes open it. */
export interface SharedIndex {
  store: string;
  rawDataPath?: string | undefined;
  /** The file, of a folder or a bucket. */
  path?: string | undefined;
}

/** A line that a process printed. */
interface Told {
  wrote?: number;
  begun?: number;
  caughtUp?: number;
  done?: CaughtUp;
}

type Catching = TellingProcess<Told>;

function start(script: string, args: readonly (string | undefined)[]): Catching {
  const given = args.filter((arg) => arg !== undefined);
  return startTelling<Told>(join(import.meta.dirname, 'workers', script), given);
}

/**
 * Four processes catch one index up again and again, one of which makes it anew in between, while another one writes runs; a further one is
 * killed at random moments, and begun again. All others come to their ends, and each has caught up once nothing more was written.
 */
export async function catchUpAtOnce({ store, rawDataPath, path }: SharedIndex): Promise<void> {
  const writer = start('write-runs.mjs', [store, String(RUNS), rawDataPath]);
  await until(() => writer.told.length > 0 || writer.child.exitCode !== null);
  const catching = ['anew', 'again', 'again', 'again'].map((how) =>
    start('catch-up.mjs', [how, store, path]),
  );
  await letBegin([writer, ...catching]);
  const midway = await killAgainAndAgain({ store, path });
  expect(await writer.ended).toBe(0);
  for (const { child } of catching) child.stdin?.end();
  expect(await Promise.all(catching.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
  expect(writer.told.filter(({ wrote }) => wrote !== undefined)).toHaveLength(RUNS);
  for (const { told } of catching) expect(told.at(-1)?.done).toMatchObject({ unreadable: 0 });
  expect(midway).toBeGreaterThan(0);
}

/** Resolves to how many catch-ups were killed before their ends. */
async function killAgainAndAgain({ store, path }: SharedIndex): Promise<number> {
  let midway = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const { child, told, ended } = start('catch-up.mjs', ['again', store, path]);
    await letBegin([{ child, told, ended }]);
    await until(() => told.some(({ begun }) => begun !== undefined) || child.exitCode !== null);
    await sleep(Math.random() * LONGEST_KILLED_AFTER_MS);
    child.kill('SIGKILL');
    expect(await ended).toBeNull();
    if (told.at(-1)?.begun !== undefined) midway += 1;
  }
  return midway;
}

/** Saves tasks that take several transactions of an index, and longer than it takes a process to tell of the first. */
export async function saveTasks(flow: FlowDataStore): Promise<void> {
  await mapBounded(
    Array.from({ length: TASKS }, (_, task) => task),
    16,
    (task) =>
      flow.task({ runId: 'r1', stepName: 'fit', taskId: `${task}` }, async (open) => {
        await open.saveArtifacts({ task, same: true });
        await open.saveMetadata(Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`m${at}`, at])));
      }),
  );
}

/** Makes an index in a process that is killed in the middle of that, between two transactions. */
export async function killFirst({ store, path }: SharedIndex): Promise<void> {
  const killed = start('catch-up.mjs', ['killed', store, path]);
  await letBegin([killed]);
  expect(await killed.ended).toBeNull();
  expect(killed.told.at(-1)).toEqual({ begun: 1 });
}

/** Four processes catch up at once. Resolves to what each came to the first time. */
export async function goOnAtOnce({ store, path }: SharedIndex): Promise<CaughtUp[]> {
  const catching = Array.from({ length: 4 }, () => start('catch-up.mjs', ['again', store, path]));
  await letBegin(catching);
  for (const { child } of catching) child.stdin?.end();
  expect(await Promise.all(catching.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
  return catching.map(({ told }) => told.find(({ caughtUp }) => caughtUp === 1)?.done as CaughtUp);
}
