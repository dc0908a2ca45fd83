import { mapBounded } from '../async/bounded-work.ts';
import { hasRuns, listRuns } from '../attempts/run-listing.ts';
import { StowageError, type StowageErrorCode } from '../errors.ts';
import { attemptNumbersOf, hasTasks, listAttempts } from '../format/attempt-files.ts';
import { createdName } from '../format/run-records.ts';
import { didYouMean, listed, suggest } from '../options/suggestions.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { isUserName } from '../storage/names.ts';
import { formatStorePath, type StorePath } from './paths.ts';

/** The data needed to look for a path. */
interface Place extends CallOptions {
  readonly storage: DataStoreStorage;
}

/** A part of a path: what its names are called, and where they are listed. */
interface Level {
  name: string;
  what: 'flow' | 'run' | 'step' | 'task';
  folder: string;
  code: StowageErrorCode;
  /** The owner of the part, as a message begins with it. */
  parent: string;
}

/** So many names are looked at at once. */
const CONCURRENCY = 16;
/** An error carries so many existing names in its details. */
export const MAX_EXISTING = 20;

/**
 * The error that says which part of a path does not exist, and what was likely meant; `undefined` where all of it does. Its details
 * are the path, `missing` (`flow`, `run`, `step`, `task` or `attempt`), `suggestions` and `existing`. Looks with a LIST for each
 * part, so that it is asked only once something was not found.
 */
export async function missing(place: Place, path: StorePath): Promise<StowageError | undefined> {
  for (const level of levelsOf(path)) {
    const names = await childrenOf(place, level.folder);
    const isThere = names.includes(level.name);
    if (isThere && (await namesOfRecords(place, path, level.what, [level.name])).length > 0) continue;
    const others = names.filter((name) => name !== level.name);
    return level.what === 'flow' ? noFlow(place, path, level, others) : notFound(place, path, level, others);
  }
  return path.attempt === undefined ? undefined : missingAttempt(place, path);
}

/**
 * Those of `names` that are flows, or runs, steps or tasks below `path`, by their own records: other programs leave folders among them
 * (`@eaDir`, `lost+found`). One LIST for each, which ends at the first record.
 */
export async function namesOfRecords(
  { storage, signal }: Place,
  { flow = '', run = '', step = '' }: StorePath,
  what: Level['what'],
  names: readonly string[],
): Promise<string[]> {
  const isRecorded = async (name: string): Promise<boolean> => {
    switch (what) {
      case 'flow':
        return hasRuns(storage, name, { signal });
      case 'run': {
        const created = await storage.head(createdName(flow, name), { signal });
        return created !== undefined || hasTasks(storage, { flow, run: name }, { signal });
      }
      case 'step':
        return hasTasks(storage, { flow, run, step: name }, { signal });
      case 'task':
        return (await listAttempts(storage, { flow, run, step, task: name }, { signal })).size > 0;
    }
  };
  const recorded = await mapBounded(names, CONCURRENCY, async (name) => isUserName(name) && isRecorded(name));
  return names.filter((_, index) => recorded[index]);
}

/** The names directly below a folder, which ends in `/`. */
export async function childrenOf({ storage, signal }: Place, folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix: folder, depth: 'one', signal })) {
    for (const child of page.folders) names.push(child.slice(folder.length, -1));
  }
  return names;
}

/** The error for an artifact that an attempt does not have; `why` is told where it has none at all. */
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

function levelsOf({ flow, run, step, task }: StorePath): Level[] {
  const levels: Level[] = [];
  const add = (name: string | undefined, level: Omit<Level, 'name'>): void => {
    if (name !== undefined) levels.push({ name, ...level });
  };
  const [inRun, inStep] = [`${flow}/${run}`, `${flow}/${run}/${step}`];
  add(flow, { what: 'flow', folder: 'runs/', code: 'RUN_NOT_FOUND', parent: 'The store' });
  add(run, { what: 'run', folder: `runs/${flow}/`, code: 'RUN_NOT_FOUND', parent: `Flow ${flow}` });
  add(step, { what: 'step', folder: `flows/${inRun}/`, code: 'STEP_NOT_FOUND', parent: `Run ${inRun}` });
  add(task, { what: 'task', folder: `flows/${inStep}/`, code: 'TASK_NOT_FOUND', parent: `Step ${inStep}` });
  return levels;
}

async function notFound(
  place: Place,
  path: StorePath,
  { name, what, code, parent }: Level,
  folders: string[],
): Promise<StowageError> {
  // Those that are told, and no more: there may be very many.
  const told = new Set([...folders.slice(0, MAX_EXISTING), ...suggest(name, folders)]);
  const names = await namesOfRecords(place, path, what, [...told]);
  const suggestions = suggest(name, names);
  const details = { ...path, missing: what, suggestions, existing: names.slice(0, MAX_EXISTING) };
  return new StowageError(code, `${parent} has no ${what} ${name}.${didYouMean(suggestions)}`, { details });
}

/** Often the flow was left out: then the first part is a run. */
async function noFlow(place: Place, path: StorePath, level: Level, names: string[]): Promise<StowageError> {
  const { name, code } = level;
  const runs = suggest(name, names).length > 0 ? [] : await listRuns(place.storage, undefined, place);
  const meant = runs.filter(({ run }) => run === name).slice(0, 3);
  if (meant.length === 0) return notFound(place, path, level, names);
  const suggestions = meant.map(({ flow, run }) => `${flow}/${run}`);
  const message = `The store has no flow ${name}; a path begins with the flow.${didYouMean(suggestions)}`;
  const details = { ...path, missing: 'flow', suggestions, existing: names.slice(0, MAX_EXISTING) };
  return new StowageError(code, message, { details });
}

async function missingAttempt(place: Place, path: StorePath): Promise<StowageError | undefined> {
  const { flow = '', run = '', step = '', task = '', attempt = 0 } = path;
  const attempts = await listAttempts(place.storage, { flow, run, step, task }, place);
  if (attempts.has(attempt)) return undefined;
  const existing = attemptNumbersOf(attempts);
  const where = formatStorePath({ flow, run, step, task });
  return new StowageError(
    'ATTEMPT_NOT_FOUND',
    `Task ${where} has no attempt ${attempt}; it has ${listed(existing)}.`,
    { details: { ...path, missing: 'attempt', existing: existing.slice(-MAX_EXISTING) } },
  );
}
