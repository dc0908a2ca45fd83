import { AsyncLocalStorage } from 'node:async_hooks';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { invalidArgument, type StowageError } from '../errors.ts';
import type { CachedTasks } from './cached-tasks.ts';
import { tellUnrecorded } from './record.ts';
import type { Provenance } from './result.ts';

/** The task within which code runs. */
export interface CurrentTask {
  /** Those of the flow store that opened it: in tasks of another flow or store it has no part. */
  readonly tasks: CachedTasks;
  readonly runId: string;
  /** Absent where it could not be recorded. */
  readonly attempt: OpenAttempt | undefined;
  /** The key of the cached call that it runs for; absent for tasks that are not cached. */
  readonly key: string | undefined;
}

interface EnteredTask extends CurrentTask {
  readonly enclosing: EnteredTask | undefined;
  /** Work that a task began may go on after its end (a pool, a server), and is no part of it any more. */
  isOver: boolean;
}

const current = new AsyncLocalStorage<EnteredTask>();

/** The task of the same flow store within which the caller runs, if any: the innermost one that has not ended. */
export function currentTask(tasks: CachedTasks): CurrentTask | undefined {
  return innermost((task) => task.tasks === tasks);
}

/** Runs `work` within a task, so that cached tasks it calls are recorded in its run, and among what it read. */
export async function withinTask<T>(task: CurrentTask, work: () => T | Promise<T>): Promise<T> {
  const entered: EnteredTask = { enclosing: innermost(() => true), isOver: false, ...task };
  try {
    return await current.run(entered, work);
  } finally {
    entered.isOver = true;
  }
}

/**
 * Refuses a task that awaits itself: it would wait forever.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function refuseOwnCall(tasks: CachedTasks, task: string, key: string): void {
  if (!innermost((outer) => outer.tasks === tasks && outer.key === key)) return;
  throw invalidArgument(
    `Task "${task}" calls itself with the input that it was called with, and would wait for its own end. Call the plain function, or call it with another input.`,
    { task, key },
  );
}

/**
 * The error of calls of which each would wait for the next one, and the last for the first.
 *
 * @param names - those of their tasks, in this order
 */
export function waitForEachOther(names: readonly string[], key: string): StowageError {
  const [task] = names;
  const circle = [...names, task].map((name) => `"${name}"`).join(', which waits for ');
  return invalidArgument(
    `Calls of cached tasks would wait for each other for ever: ${circle}. Have one of the tasks call the plain function of the next, or pass it what it needs as an input.`,
    { task, key, circle: names },
  );
}

function innermost(isIt: (task: CurrentTask) => boolean): EnteredTask | undefined {
  let found = current.getStore();
  while (found && (found.isOver || !isIt(found))) found = found.enclosing;
  return found;
}

const full = new WeakSet<OpenAttempt>();

/** Notes that a task rests on a result, for its provenance. Tells once of an attempt that can note no more of them. */
export function noteRead(
  name: string,
  attempt: OpenAttempt | undefined,
  provenance: Provenance | undefined,
): void {
  if (!attempt?.isOpen || !provenance || full.has(attempt)) return;
  try {
    attempt.recordRead(`${provenance.flowName}/${provenance.pathspec}`);
  } catch (error) {
    full.add(attempt);
    tellUnrecorded({ task: name, pathspec: attempt.pathspec, error });
  }
}
