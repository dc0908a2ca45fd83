import { type ListedRun, listRuns } from '../attempts/run-listing.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { selectRuns } from '../flow/run-selection.ts';
import { hasTasks } from '../format/attempt-files.ts';
import { createdName } from '../format/run-records.ts';
import { ageOf } from '../options/figures.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { formatStorePath, type StorePath } from '../views/paths.ts';
import { usageError } from './cli-error.ts';
import type { Invocation } from './invocation.ts';

/** Words that stand for a run in a path: the newest at all, and the newest that was finished as done. */
export const RUN_WORDS = ['latest', 'latest-done'] as const;

/** The place where runs are looked for. */
interface Place extends CallOptions {
  readonly storage: DataStoreStorage;
}

/** A run that was found by other than its id, or those of which one may be meant; neither where there is none. */
interface Found {
  run?: string;
  candidates?: readonly ListedRun[];
}

/** So many runs that begin alike are told. */
const MAX_CANDIDATES = 10;

export function isRunWord(run: string | undefined): boolean {
  return RUN_WORDS.some((word) => word === run);
}

/**
 * The path with the id of the run that it means. A run that has the name for its id is always that one. Else `latest` is the newest
 * run of the flow, `latest-done` the newest that was finished as done, and the beginning of the id of one run alone is that run.
 * Says which run was taken. Where nothing is meant, the path is as it was, and whoever reads it says what is missing.
 *
 * One HEAD for a run by its id; else a LIST of the runs that begin so, and one request more.
 *
 * @throws CliError `USAGE` where several runs begin so; StowageError `RUN_NOT_FOUND` for `latest-done` where none is
 */
export async function meantPath<P extends StorePath>(
  invocation: Invocation,
  place: Place,
  path: P,
): Promise<P> {
  const { flow, run } = path;
  if (flow === undefined || run === undefined) return path;
  const found = await findRun(place, flow, run);
  if (found.candidates) throw ambiguous(path, found.candidates);
  if (found.run === undefined) return path;
  invocation.note(`${flow}/${run} is ${flow}/${found.run}.`);
  return { ...path, run: found.run };
}

/**
 * Does what is asked of a path with the id of the run that it means; see {@link meantPath}. A full id costs nothing: only where `work`
 * does not find the run, which it must before it writes anything, the name is looked up, and the work done again.
 */
export async function withMeantRun<T>(
  invocation: Invocation,
  place: Place,
  given: StorePath,
  work: (path: StorePath) => Promise<T>,
): Promise<T> {
  if (isRunWord(given.run)) return work(await meantPath(invocation, place, given));
  try {
    return await work(given);
  } catch (error) {
    if (!isStowageError(error, 'RUN_NOT_FOUND') || error.details.run !== given.run) throw error;
    const path = await meantPath(invocation, place, given);
    if (path.run === given.run) throw error;
    return work(path);
  }
}

/** The id of the run that a name means, which is the name itself where no one run is meant. For who cannot ask again. */
export async function meantRun(place: Place, flow: string, name: string): Promise<string> {
  return (await findRun(place, flow, name)).run ?? name;
}

async function findRun(place: Place, flow: string, name: string): Promise<Found> {
  if (await place.storage.head(createdName(flow, name), place)) return {};
  const runs = await listRuns(place.storage, flow, place, isRunWord(name) ? '' : name);
  // Tasks can be read though the record of their run was lost.
  if (runs.length === 0 || (await hasTasks(place.storage, { flow, run: name }, place))) return {};
  const [first, second] = runs as [ListedRun, ...ListedRun[]];
  if (name === 'latest') return { run: first.run };
  if (name === 'latest-done') return { run: (await newestDone(place, flow, runs)).run };
  if (second) return { candidates: runs };
  return isNumberCut(name, first.run) ? {} : { run: first.run };
}

/** Tells a beginning that is another number: `r1` does not stand for `r10`. */
function isNumberCut(begun: string, run: string): boolean {
  return /\d$/.test(begun) && /^\d+$/.test(run.slice(begun.length));
}

/** @throws StowageError `RUN_NOT_FOUND` where none was finished as done, and what a record that cannot be read throws */
async function newestDone(place: Place, flow: string, runs: readonly ListedRun[]): Promise<ListedRun> {
  const [newest] = await selectRuns(place.storage, runs, { status: 'done', limit: 1 }, place);
  if (newest?.problem) throw newest.problem;
  if (newest) return newest.listed;
  throw new StowageError(
    'RUN_NOT_FOUND',
    `No run of flow ${flow} was finished as done. The newest at all is ${flow}/latest.`,
    { details: { flow, run: 'latest-done', missing: 'run' } },
  );
}

function ambiguous(path: StorePath, runs: readonly ListedRun[]): Error {
  const { flow, run } = path;
  const shown = runs.slice(0, MAX_CANDIDATES);
  const texts = shown.map((one) => `${one.run} (${ageOf(new Date(one.createdAtMs).toISOString())})`);
  const more = runs.length > shown.length ? `, and ${runs.length - shown.length} older` : '';
  const where = formatStorePath({ flow, run } as StorePath);
  return usageError(
    `${runs.length} runs begin with ${where}: ${texts.join(', ')}${more}. Give more of the id, or all of it.`,
    { ...path, missing: 'run', candidates: shown.map((one) => one.run) },
  );
}
