import { listRuns } from '../attempts/run-listing.ts';
import { StowageError, type StowageErrorCode } from '../errors.ts';
import { attemptNumbersOf, listAttempts } from '../format/attempt-files.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { StorePath } from './store-path.ts';
import { didYouMean, listed, suggest } from './suggestions.ts';

/** A level of a path: what its names are called, where they are listed, and how to see them all. */
interface Level {
  name: string;
  what: string;
  folder: string;
  code: StowageErrorCode;
  parent: string;
  see: string;
}

/** Options of {@link missing}. */
interface MissingOptions extends CallOptions {
  /** What `--store` has to name in the commands of the message, if it has to. */
  store?: string | undefined;
}

/** How many existing names an error carries in its details. */
export const MAX_EXISTING = 20;

/**
 * The error that says which part of a path does not exist, and what was likely meant; `undefined` where all of it does.
 * Looks only once something was not found: a LIST for each part of the path.
 */
export async function missing(
  storage: DataStoreStorage,
  path: StorePath,
  options: MissingOptions,
): Promise<StowageError | undefined> {
  for (const level of levelsOf(path, options)) {
    const names = await childrenOf(storage, level.folder, options);
    if (names.includes(level.name)) continue;
    if (level.what === 'flow') return noFlow(storage, path, level, names, options);
    return notFound(path, level, names);
  }
  return path.attempt === undefined ? undefined : missingAttempt(storage, path, options);
}

/** The names directly below a folder, which ends in `/`. */
export async function childrenOf(
  storage: DataStoreStorage,
  folder: string,
  { signal }: CallOptions,
): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix: folder, depth: 'one', signal })) {
    for (const child of page.folders) names.push(child.slice(folder.length, -1));
  }
  return names;
}

/** The error for an artifact that an attempt does not have. */
export function artifactNotFound(
  where: string,
  name: string,
  existing: readonly string[],
  why: string,
): StowageError {
  const suggestions = suggest(name, existing);
  const remedy = didYouMean(suggestions) || (existing.length > 0 ? ` It has ${listed(existing)}.` : why);
  return new StowageError('ARTIFACT_NOT_FOUND', `${where} has no artifact ${name}.${remedy}`, {
    details: {
      path: where,
      artifact: name,
      missing: 'artifact',
      suggestions,
      existing: existing.slice(0, MAX_EXISTING),
    },
  });
}

function levelsOf({ flow, run, step, task }: StorePath, { store }: MissingOptions): Level[] {
  const levels: Level[] = [];
  const where = store === undefined ? '' : ` --store ${store}`;
  const add = (name: string | undefined, level: Omit<Level, 'name'>): void => {
    if (name !== undefined) levels.push({ name, ...level, see: `${level.see}${where}` });
  };
  add(flow, { what: 'flow', folder: 'runs/', code: 'RUN_NOT_FOUND', parent: 'The store', see: 'stowage ls' });
  add(run, {
    what: 'run',
    folder: `runs/${flow}/`,
    code: 'RUN_NOT_FOUND',
    parent: `Flow ${flow}`,
    see: `stowage runs ${flow}`,
  });
  add(step, {
    what: 'step',
    folder: `flows/${flow}/${run}/`,
    code: 'STEP_NOT_FOUND',
    parent: `Run ${flow}/${run}`,
    see: `stowage ls ${flow}/${run}`,
  });
  add(task, {
    what: 'task',
    folder: `flows/${flow}/${run}/${step}/`,
    code: 'TASK_NOT_FOUND',
    parent: `Step ${flow}/${run}/${step}`,
    see: `stowage ls ${flow}/${run}/${step}`,
  });
  return levels;
}

function notFound(path: StorePath, { name, what, code, parent, see }: Level, names: string[]): StowageError {
  const suggestions = suggest(name, names);
  const remedy = didYouMean(suggestions) || ` See what it has with: ${see}`;
  const details = { ...path, missing: what, suggestions, existing: names.slice(0, MAX_EXISTING) };
  return new StowageError(code, `${parent} has no ${what} ${name}.${remedy}`, { details });
}

/** Often the flow was left out: then the first part is a run. */
async function noFlow(
  storage: DataStoreStorage,
  path: StorePath,
  level: Level,
  names: string[],
  options: CallOptions,
): Promise<StowageError> {
  const runs = suggest(level.name, names).length > 0 ? [] : await listRuns(storage, undefined, options);
  const meant = runs.filter(({ run }) => run === level.name).slice(0, 3);
  if (meant.length === 0) return notFound(path, level, names);
  const suggestions = meant.map(({ flow, run }) => `${flow}/${run}`);
  return new StowageError(
    level.code,
    `The store has no flow ${level.name}; a path begins with the flow.${didYouMean(suggestions)}`,
    { details: { ...path, missing: 'flow', suggestions, existing: names.slice(0, MAX_EXISTING) } },
  );
}

async function missingAttempt(
  storage: DataStoreStorage,
  path: StorePath,
  options: CallOptions,
): Promise<StowageError | undefined> {
  const { flow = '', run = '', step = '', task = '', attempt = 0 } = path;
  const attempts = await listAttempts(storage, { flow, run, step, task }, options);
  if (attempts.has(attempt)) return undefined;
  const existing = attemptNumbersOf(attempts);
  return new StowageError(
    'ATTEMPT_NOT_FOUND',
    `Task ${flow}/${run}/${step}/${task} has no attempt ${attempt}; it has ${listed(existing)}.`,
    { details: { ...path, missing: 'attempt', existing: existing.slice(-MAX_EXISTING) } },
  );
}
