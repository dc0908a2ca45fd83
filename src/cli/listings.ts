import { type ListedRun, listRuns } from '../attempts/run-listing.ts';
import { type ListedTask, latestAttempt, listTasks } from '../format/attempt-files.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { missing } from './not-found.ts';
import type { Reaching, StorePath } from './store-path.ts';

/** Orders names, numbers in them by their value. */
export const byName: (a: string, b: string) => number = new Intl.Collator('en', { numeric: true }).compare;

/** The runs of a flow, or of all flows, newest first; never none of a flow that is named. */
export async function runsAt(
  storage: DataStoreStorage,
  flow: string | undefined,
  options: CallOptions,
): Promise<ListedRun[]> {
  const runs = await listRuns(storage, flow, options);
  if (runs.length === 0 && flow !== undefined) throw await missing(storage, { flow }, options);
  return runs;
}

/**
 * The tasks that a path leads to, by step and name, numbers in them by their value. None only of a run that has none yet.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`
 */
export async function tasksAt(
  storage: DataStoreStorage,
  path: Reaching<'flow' | 'run'>,
  options: CallOptions,
): Promise<ListedTask[]> {
  const tasks: ListedTask[] = [];
  for await (const task of listTasks(storage, path, options)) {
    if (path.task === undefined || task.path.task === path.task) tasks.push(task);
  }
  if (tasks.length === 0) {
    const error = await missing(storage, path, options);
    if (error) throw error;
  }
  const { attempt } = path;
  if (attempt !== undefined && !tasks[0]?.attempts.has(attempt)) throw await missing(storage, path, options);
  return tasks.sort((a, b) => byName(a.path.step, b.path.step) || byName(a.path.task, b.path.task));
}

/** The latest attempt of a task that was started, which is the one that readers get. */
export function latestOf({ attempts }: ListedTask): number {
  return latestAttempt(attempts);
}

/** The path of a listed task. */
export function pathOf({ path: { flow, run, step, task } }: ListedTask): Reaching<'task'> {
  return { flow, run, step, task } satisfies StorePath;
}
