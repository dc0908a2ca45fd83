import { type AttemptSummary, readTasks, summaryOf, type TaskView } from './attempts.ts';
import { tasksAt } from './listing.ts';
import type { RunPath } from './paths.ts';
import { type RunView, readRun } from './runs.ts';
import type { StoreView } from './store-view.ts';

/** A run with its steps, in the order in which they began, and the attempts of their tasks. */
export interface RunTree extends RunView {
  /**
   * Of a run that is open: the latest sign of life in it, ISO 8601. That is when the run was made, when one of its attempts was opened
   * or closed (by their owners' clocks), or when the owner of an open one was last heard (by the storage's).
   */
  heardAt?: string;
  steps: {
    step: string;
    /** The tasks that the step has, and those that were read. */
    total: number;
    tasks: { task: string; attempts: AttemptSummary[] }[];
  }[];
}

/**
 * Reads the tasks that a path leads to, and the run that they belong to.
 *
 * @param limit - of each step at most so many, those first that its listing has first
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`
 */
export async function readRunTree(
  view: StoreView,
  path: RunPath,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<RunTree> {
  const { flow, run } = path;
  const totals = new Map<string, number>();
  const listed = (await tasksAt(view, path)).filter(({ path: { step } }) => {
    const total = (totals.get(step) ?? 0) + 1;
    totals.set(step, total);
    return total <= limit;
  });
  const records = await readRun(view, { flow, run, finished: true });
  const steps = new Map<string, TaskView[]>();
  const read = await readTasks(view, listed);
  for (const task of read) {
    const { step } = task.path;
    const members = steps.get(step);
    if (members) members.push(task);
    else steps.set(step, [task]);
  }
  const starts = new Map([...steps].map(([step, members]) => [step, startOf(members)]));
  const inOrder = [...steps].sort(([a], [b]) => byStart(starts.get(a), starts.get(b)));
  const heardAt = lastSignIn(records, read);
  return {
    ...records,
    ...(heardAt === undefined ? {} : { heardAt }),
    steps: inOrder.map(([step, tasks]) => ({
      step,
      total: totals.get(step) ?? tasks.length,
      tasks: tasks.map(({ path, attempts }) => ({ task: path.task, attempts: attempts.map(summaryOf) })),
    })),
  };
}

/** Of a run that is open, the latest of the times that tell of life in it and in these tasks; `undefined` where none is known. */
export function lastSignIn(
  { status, createdAt }: Pick<RunView, 'status' | 'createdAt'>,
  tasks: readonly TaskView[],
): string | undefined {
  if (status !== 'open') return undefined;
  const times = tasks.flatMap(({ attempts }) =>
    attempts.flatMap(({ startedAt, closedAt, heardAt }) => [startedAt, closedAt, heardAt]),
  );
  const latestMs = [createdAt, ...times].reduce(
    (latest, time) => Math.max(latest, Date.parse(time ?? '') || 0),
    0,
  );
  return latestMs === 0 ? undefined : new Date(latestMs).toISOString();
}

/** When the first attempt of some tasks began; `undefined` where that is not known. */
export function startOf(tasks: readonly TaskView[]): string | undefined {
  return tasks.flatMap(({ attempts }) => attempts.flatMap(({ startedAt }) => startedAt ?? [])).sort()[0];
}

/** Orders times; what is not known comes last. */
export function byStart(a = '~', b = '~'): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
