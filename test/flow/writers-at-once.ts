import { join } from 'node:path';
import { expect } from 'vitest';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { letBegin, startTelling, type TellingProcess } from '../telling-process.ts';
import { errorOf, expectSame } from './fixtures.ts';
import { bytesOf } from './workers/values.mjs';

export const WRITERS = 16;
/** Of each kind, by each process. More take longer: `STOWAGE_WRITER_TASKS=100`. */
export const TASKS = Number(process.env.STOWAGE_WRITER_TASKS ?? 3);

/** 17 processes on few processors that others use as well may take long. */
export const LONGEST_MS = 240_000;

/** A line that a process printed. */
interface Told {
  ready?: string;
  done?: string;
  ran?: number;
  called?: number;
  by?: string;
}

/** A process that writes tasks; see `workers/write-at-once.mjs`. */
export type Writer = TellingProcess<Told>;

/** Starts processes, which all begin once the last one is ready, and go on until {@link endWriters}. */
export async function startWriters(
  store: string,
  tasks: readonly string[],
  rawDataPath?: string,
): Promise<Writer[]> {
  const writers = tasks.map((count, me) =>
    startTelling<Told>(join(import.meta.dirname, 'workers/write-at-once.mjs'), [
      store,
      String(me),
      count,
      ...(rawDataPath === undefined ? [] : [rawDataPath]),
    ]),
  );
  await letBegin(writers);
  return writers;
}

/** Lets them end once their tasks are done. Resolves to their exit codes; `null` of those that were killed. */
export function endWriters(writers: readonly Writer[]): Promise<(number | null)[]> {
  for (const { child } of writers) child.stdin?.end();
  return Promise.all(writers.map(({ ended }) => ended));
}

/** A task that is done has all that its writer saved. */
async function expectWhole(task: TaskDataStore): Promise<void> {
  const { stepName, taskId } = task;
  if (stepName === 'judge') return;
  const loaded = await task.loadArtifacts();
  const by = String(loaded.by);
  expectSame(loaded, {
    by,
    medium: bytesOf(20_000, Number(by)),
    small: { stepName, taskId, number: task.attempt },
  });
}

/**
 * Looks at the run again and again, while others write, until it is told to stop: what is done is whole as soon as it is seen, and never
 * gone again. Resolves to how many looks that were.
 */
export function watchDone(flow: FlowDataStore): () => Promise<number> {
  let isOver = false;
  const watching = (async () => {
    const seen = new Set<string>();
    for (let looks = 1; ; looks += 1) {
      const isLast = isOver;
      const done = await flow.getTaskDataStores({ runId: 'r1', includePrior: true });
      const names = new Set(done.map(({ pathspec }) => pathspec));
      expect([...seen].filter((name) => !names.has(name))).toEqual([]);
      for (const task of done) {
        if (seen.has(task.pathspec)) continue;
        await expectWhole(task);
        seen.add(task.pathspec);
      }
      if (isLast) return looks;
    }
  })();
  watching.catch(() => {}); // told when it is stopped
  return () => {
    isOver = true;
    return watching;
  };
}

/**
 * All that was told as done is there and whole, by the one who told it; nothing else is visible that is not whole; each attempt had one owner,
 * and each key one run, whose result all who called it have. What is left open is of one that was killed.
 */
export async function expectKeptPromises(flow: FlowDataStore, writers: readonly Writer[]): Promise<void> {
  const told = writers.flatMap((writer) => writer.told);
  const owners = new Map<string, string>();
  for (const { done, by } of told) {
    if (done === undefined) continue;
    expect(owners.has(done), `${done} has one owner`).toBe(false);
    owners.set(done, by as string);
  }
  for (const [pathspec, by] of owners) {
    const task = await flow.getTaskDataStore(pathspec);
    expect(await task.get('by'), pathspec).toBe(by);
  }
  const all = await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true, includePrior: true });
  for (const task of all) {
    if (task.isDone) {
      await expectWhole(task);
      continue;
    }
    expect(task.names()).toEqual([]);
    await errorOf(flow.getTaskDataStore(task.pathspec), 'ATTEMPT_NOT_DONE');
    const owner = writers[Number(task.taskId.split('-')[0])];
    expect([task.stepName, owner?.child.signalCode], task.pathspec).toEqual(['own', 'SIGKILL']);
  }
  const stayed = writers.filter(({ child }) => child.signalCode === null).length;
  for (let n = 0; n < TASKS; n += 1) {
    const [owner, ...others] = writers.flatMap((writer, me) =>
      writer.told.flatMap(({ ran }) => (ran === n ? [String(me)] : [])),
    );
    expect(others).toEqual([]);
    const results = told.flatMap(({ called, by }) => (called === n ? [by] : []));
    expect(results).toEqual(Array(stayed).fill(owner));
    expect(told.filter(({ done }) => done === `r1/contested/${n}/0`)).toHaveLength(1);
    const turns = told.flatMap(({ done = '' }) => {
      const [, step, taskId, attempt] = done.split('/');
      return step === 'turns' && taskId === String(n) ? [Number(attempt)] : [];
    });
    expect(turns.sort((a, b) => a - b)).toEqual(Array.from({ length: stayed }, (_, at) => at));
  }
}
