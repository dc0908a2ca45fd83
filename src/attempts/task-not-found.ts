import { StowageError } from '../errors.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** How many names a message lists, and how many are looked at for it. */
const MAX_SHOWN = 10;
const MAX_LISTED = 1_000;

/** The error of a task that is not there: which part of its name nobody has, and what there is instead. Two more requests. */
export async function taskNotFound(
  storage: DataStoreStorage,
  path: TaskPath,
  options: CallOptions,
): Promise<StowageError> {
  const { flow, run, step } = path;
  const steps = await foldersAt(storage, `flows/${flow}/${run}/`, options);
  const tasks = steps.includes(step)
    ? await foldersAt(storage, `flows/${flow}/${run}/${step}/`, options)
    : [];
  const pathspec = formatPathspec(path);
  const existing = steps.includes(step) ? tasks : steps;
  return new StowageError(
    'TASK_NOT_FOUND',
    `Flow ${flow} has no task ${pathspec}. ${why(path, steps, tasks)}`,
    {
      details: { flow, pathspec, existing },
    },
  );
}

function why(
  { flow, run, step, task }: TaskPath,
  steps: readonly string[],
  tasks: readonly string[],
): string {
  if (run === flow) return 'A pathspec begins with the run, without the name of the flow.';
  if (steps.length === 0) return `No run ${run} of it has tasks; see its runs with: stowage runs ${flow}`;
  if (!steps.includes(step)) return `Run ${run} has no step ${step}; it has ${shown(steps)}.`;
  return `Step ${step} of run ${run} has no task ${task}; it has ${shown(tasks)}.`;
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, MAX_SHOWN).join(', ');
  return names.length > MAX_SHOWN ? `${some}, ...` : some;
}

async function foldersAt(
  storage: DataStoreStorage,
  prefix: string,
  { signal }: CallOptions,
): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix, depth: 'one', limit: MAX_LISTED, signal })) {
    for (const folder of page.folders) names.push(folder.slice(prefix.length, -1));
  }
  return names;
}
