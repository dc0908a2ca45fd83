import { join } from 'node:path';
import { expect } from 'vitest';
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

/** Starts processes, which all begin once the last one is ready. */
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

/** All that was told as done is there and whole, by the one who told it; nothing else is visible that is not whole; each attempt had one owner. */
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
  for (const task of await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true })) {
    if (!task.isDone) {
      expect(task.names()).toEqual([]);
      await errorOf(flow.getTaskDataStore(task.pathspec), 'ATTEMPT_NOT_DONE');
      continue;
    }
    const loaded = await task.loadArtifacts();
    const by = String(loaded.by);
    const { stepName, taskId } = task;
    if (stepName === 'judge') continue;
    expectSame(loaded, {
      by,
      medium: bytesOf(20_000, Number(by)),
      small: { stepName, taskId, number: task.attempt },
    });
  }
  for (const { called, by } of told) {
    if (called !== undefined)
      expect(writers[Number(by)]?.told, `${by} made the result of ${called}`).toContainEqual({ ran: called });
  }
}
