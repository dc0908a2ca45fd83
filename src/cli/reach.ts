import { shell } from '../codec/shell-command.ts';
import { byName } from '../views/listing.ts';
import { childrenOf, missing, namesOfRecords } from '../views/not-found.ts';
import { formatStorePath, type RunPath, type StorePath, type TaskOrAttemptPath } from '../views/paths.ts';
import type { StoreView } from '../views/store-view.ts';
import { usageError } from './cli-error.ts';

/** More names than these are not told, but how to see them. */
const MAX_TOLD = 10;

/**
 * The path, which must go as far as a run or a task. One that ends before may do so by mistake, and what it names tells which:
 * it does not exist, or it is where the user can go on from.
 *
 * @throws CliError `USAGE`; StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`
 */
export async function reachRun(store: StoreView, path: StorePath): Promise<RunPath> {
  if (path.run === undefined) throw await incompletePath(store, path);
  return path as RunPath;
}

/** Like {@link reachRun}, for a path that must go as far as a task. */
export async function reachTask(store: StoreView, path: StorePath): Promise<TaskOrAttemptPath> {
  if (path.task === undefined) throw await incompletePath(store, path);
  return path as TaskOrAttemptPath;
}

async function incompletePath(store: StoreView, path: StorePath): Promise<Error> {
  const error = await missing(store, path);
  if (error) return error;
  const where = formatStorePath(path);
  const { flow, run, step } = path;
  if (run === undefined) {
    return usageError(`${where} is a flow; its runs: ${shell`stowage runs ${where}`}`, {
      ...path,
      missing: 'run',
    });
  }
  const [what, part] = step === undefined ? (['run', 'step'] as const) : (['step', 'task'] as const);
  const folder = ['flows', flow, run, step, ''].filter((name) => name !== undefined).join('/');
  const all = (await childrenOf(store, folder)).sort(byName);
  // Of many, nobody is told the names.
  const names = all.length > 2 * MAX_TOLD ? all : await namesOfRecords(store, path, part, all);
  return usageError(`${where} is a ${what}; ${describeParts(part, names, where)}`, {
    ...path,
    missing: part,
    existing: names.slice(0, 2 * MAX_TOLD),
  });
}

function describeParts(part: 'step' | 'task', names: readonly string[], where: string): string {
  if (names.length === 0) return `it has no ${part}s yet.`;
  if (names.length === 1) return `its ${part} is ${names[0]}.`;
  if (names.length > MAX_TOLD) return `its ${part}s: ${shell`stowage ls ${where}`}`;
  return `its ${part}s are ${names.join(', ')}.`;
}
