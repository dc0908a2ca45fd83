import { type AttemptSummary, readTasks, summaryOf, type TaskView } from './attempts.ts';
import { tasksAt } from './listing.ts';
import type { RunPath } from './paths.ts';
import { type RunView, readRun } from './runs.ts';
import type { StoreView } from './store-view.ts';

/** A run with its steps, in the order in which they began, and the attempts of their tasks. */
export interface RunTree extends RunView {
  steps: { step: string; tasks: { task: string; attempts: AttemptSummary[] }[] }[];
}

/**
 * Reads all tasks that a path leads to, and the run that they belong to.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`
 */
export async function readRunTree(view: StoreView, path: RunPath): Promise<RunTree> {
  const { flow, run } = path;
  const listed = await tasksAt(view, path);
  const records = await readRun(view, { flow, run, finished: true });
  const steps = new Map<string, TaskView[]>();
  for (const task of await readTasks(view, listed)) {
    const { step } = task.path;
    const members = steps.get(step);
    if (members) members.push(task);
    else steps.set(step, [task]);
  }
  const inOrder = [...steps].sort(([, a], [, b]) => (startOf(a) < startOf(b) ? -1 : 1));
  return {
    ...records,
    steps: inOrder.map(([step, tasks]) => ({
      step,
      tasks: tasks.map(({ path, attempts }) => ({ task: path.task, attempts: attempts.map(summaryOf) })),
    })),
  };
}

function startOf(tasks: readonly TaskView[]): string {
  const starts = tasks.flatMap(({ attempts }) => attempts.map(({ startedAt }) => startedAt ?? '~'));
  return starts.sort()[0] ?? '~';
}
