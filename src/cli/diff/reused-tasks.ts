import { listAttempts } from '../../format/attempt-files.ts';
import { CACHED_TASK_ID } from '../../format/cache-names.ts';
import { parseAttemptName, type TaskPath } from '../../format/pathspec.ts';
import { readTask, type TaskView } from '../../views/attempts.ts';
import type { RunPath } from '../../views/paths.ts';
import type { StoreView } from '../../views/store-view.ts';

/**
 * The attempts of cached tasks of other runs that a run's tasks rest on, directly or not, in steps that another run has: a call that finds
 * its result runs nothing in its own run. Reads those that lie in neither of both runs.
 *
 * @param own - the tasks of the run
 * @param others - those of the run that it is compared with
 */
export async function reusedTasks(
  view: StoreView,
  run: RunPath,
  own: readonly TaskView[],
  others: readonly TaskView[],
): Promise<TaskView[]> {
  const owned = new Set(own.map(({ path }) => nameOf(path)));
  const steps = new Set(others.map(({ path }) => path.step));
  const known = new Map(others.map((task) => [whereOf(task.path), task]));
  const found = new Map<string, TaskView>();
  const seen = new Set<string>();
  let readFrom = own.flatMap(({ attempts }) => attempts.at(-1)?.readFrom ?? []);
  while (readFrom.length > 0) {
    const next: string[] = [];
    for (const pathspec of readFrom) {
      const read = parseAttemptName(pathspec);
      if (!read || seen.has(pathspec) || (read.flow === run.flow && read.run === run.run)) continue;
      seen.add(pathspec);
      const isReused = CACHED_TASK_ID.test(read.task) && steps.has(read.step) && !owned.has(nameOf(read));
      const task = known.get(whereOf(read)) ?? (isReused ? await readAt(view, read) : undefined);
      const attempts = task?.attempts.filter(({ attempt }) => attempt === read.attempt) ?? [];
      next.push(...attempts.flatMap((attempt) => attempt.readFrom ?? []));
      if (task && isReused && attempts.length > 0) found.set(nameOf(read), { ...task, attempts });
    }
    readFrom = next;
  }
  return [...found.values()];
}

/** An attempt that is gone since is none. */
async function readAt(
  view: StoreView,
  { attempt, ...path }: TaskPath & { attempt: number },
): Promise<TaskView | undefined> {
  const attempts = await listAttempts(view.storage, path, { signal: view.signal, attempt });
  return attempts.size === 0 ? undefined : readTask(view, { path, attempts });
}

function nameOf({ step, task }: TaskPath): string {
  return `${step}/${task}`;
}

function whereOf({ flow, run, step, task }: TaskPath): string {
  return `${flow}/${run}/${step}/${task}`;
}
