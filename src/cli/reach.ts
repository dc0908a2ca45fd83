import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { usageError } from './cli-error.ts';
import { byName } from './listings.ts';
import { childrenOf, missing } from './not-found.ts';
import { formatStorePath, type Reaching, type StorePath } from './store-path.ts';

/** More names than these are not told, but how to see them. */
const MAX_TOLD = 10;

/**
 * The path, which must go as far as a run or a task. One that ends before may do so by mistake, and what it names tells which:
 * it does not exist, or it is where the user can go on from.
 *
 * @throws CliError `USAGE`; StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`
 */
export async function reachRun(
  storage: DataStoreStorage,
  path: StorePath,
  options: CallOptions,
): Promise<Reaching<'flow' | 'run'>> {
  if (path.run === undefined) throw await tooShort(storage, path, options);
  return path as Reaching<'flow' | 'run'>;
}

/** Like {@link reachRun}, for a path that must go as far as a task. */
export async function reachTask(
  storage: DataStoreStorage,
  path: StorePath,
  options: CallOptions,
): Promise<Reaching<'flow' | 'run' | 'step' | 'task'>> {
  if (path.task === undefined) throw await tooShort(storage, path, options);
  return path as Reaching<'flow' | 'run' | 'step' | 'task'>;
}

async function tooShort(storage: DataStoreStorage, path: StorePath, options: CallOptions): Promise<Error> {
  const error = await missing(storage, path, options);
  if (error) return error;
  const where = formatStorePath(path);
  const { flow, run, step } = path;
  if (run === undefined) {
    return usageError(`${where} is a flow; its runs: stowage runs ${where}`, { ...path, missing: 'run' });
  }
  const [what, part] = step === undefined ? (['run', 'step'] as const) : (['step', 'task'] as const);
  const folder = ['flows', flow, run, step, ''].filter((name) => name !== undefined).join('/');
  const names = (await childrenOf(storage, folder, options)).sort(byName);
  return usageError(`${where} is a ${what}; ${said(part, names, where)}`, {
    ...path,
    missing: part,
    existing: names.slice(0, 2 * MAX_TOLD),
  });
}

function said(part: 'step' | 'task', names: readonly string[], where: string): string {
  if (names.length === 0) return `it has no ${part}s yet.`;
  if (names.length === 1) return `its ${part} is ${names[0]}.`;
  if (names.length > MAX_TOLD) return `its ${part}s: stowage ls ${where}`;
  return `its ${part}s are ${names.join(', ')}.`;
}
