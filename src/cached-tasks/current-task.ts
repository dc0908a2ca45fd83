import { AsyncLocalStorage } from 'node:async_hooks';
import { invalidArgument } from '../errors.ts';
import { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import { tellUnrecorded } from './attempt-recording.ts';
import type { Provenance } from './result.ts';

/** The task within which code runs. */
export interface CurrentTask {
  /** The flow store that opened it: in tasks of another flow or store it has no part. */
  readonly flow: object;
  readonly runId: string;
  /** Absent where its attempt could not be recorded. */
  readonly task: OpenTaskDataStore | undefined;
  /** The key of the cached call that it runs for; absent for tasks that are not cached. */
  readonly key: string | undefined;
}

interface EnteredTask extends CurrentTask {
  readonly enclosing: EnteredTask | undefined;
  /** Whether it has ended. What it began may go on for long (a pool, a server), and is no part of it any more. */
  isOver: boolean;
}

const current = new AsyncLocalStorage<EnteredTask>();

/** The task of `flow` within which the caller runs, if any: the innermost one that has not ended. */
export function currentTask(flow: object): CurrentTask | undefined {
  return innermost((task) => task.flow === flow);
}

/** Runs `work` within a task, so that cached tasks it calls are recorded in its run, and among what it read. */
export async function withinTask<T>(task: CurrentTask, work: () => T | Promise<T>): Promise<T> {
  const entered: EnteredTask = { ...task, enclosing: innermost(() => true), isOver: false };
  try {
    return await current.run(entered, work);
  } finally {
    entered.isOver = true;
  }
}

/** Whoever waits for his own end waits forever. */
export function refuseOwnCall(flow: object, task: string, key: string): void {
  if (!innermost((outer) => outer.flow === flow && outer.key === key)) return;
  throw invalidArgument(
    `Task "${task}" calls itself with the input that it was called with, and would wait for its own end. Call the plain function, or call it with another input.`,
    { task, key },
  );
}

function innermost(isIt: (task: CurrentTask) => boolean): EnteredTask | undefined {
  let found = current.getStore();
  while (found && (found.isOver || !isIt(found))) found = found.enclosing;
  return found;
}

const full = new WeakSet<OpenTaskDataStore>();

/** Notes that a task rests on a result, for its provenance. An attempt that can note no more of them is told of once. */
export function noteRead(
  name: string,
  enclosing: CurrentTask | undefined,
  provenance: Provenance | undefined,
): void {
  const task = enclosing?.task;
  if (!task || !provenance || full.has(task)) return;
  const attempt = OpenTaskDataStore.attemptOf(task);
  try {
    if (attempt.isOpen) attempt.recordRead(`${provenance.flowName}/${provenance.pathspec}`);
  } catch (error) {
    full.add(task);
    tellUnrecorded({ task: name, pathspec: task.pathspec, error });
  }
}
