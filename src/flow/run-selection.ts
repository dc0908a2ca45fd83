import { isOfOneRecord, type ListedRun } from '../attempts/run-listing.ts';
import { foldersAt } from '../attempts/unreadable-attempts.ts';
import { shell } from '../codec/shell-command.ts';
import { StowageError } from '../errors.ts';
import { type RunEnd, readRunFinished } from '../format/run-ends.ts';
import { type RunCreated, readRunCreated } from '../format/run-records.ts';
import { DATE, NAMES, type OptionTable, oneOf, wholeNumber } from '../options/option-table.ts';
import { didYouMean, listed, suggest } from '../options/suggestions.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** The choice of some runs of a flow. */
export interface RunFilter {
  /** Only runs with all of these tags. One more request for each run that is looked at. */
  tags?: readonly string[] | undefined;
  /** Only runs that ended so, or that nobody has recorded the end of. One more request for each finished run that is looked at. */
  status?: 'open' | RunEnd | undefined;
  /** Only runs created after this time, by their creators' clocks. */
  createdAfter?: Date | undefined;
  /** Only runs created before this time, by their creators' clocks. */
  createdBefore?: Date | undefined;
  /** The most runs, the newest ones. No more are looked at than that takes. Default: no limit. */
  limit?: number | undefined;
}

/** So many runs are looked at at once. */
const CONCURRENCY = 32;
/** An error carries so many existing names in its details. */
const MAX_EXISTING = 20;

/** The options of listing runs. */
export const RUN_FILTER: OptionTable<RunFilter> = {
  tags: NAMES,
  status: oneOf('open', 'done', 'failed', 'abandoned'),
  createdAfter: DATE,
  createdBefore: DATE,
  limit: wholeNumber(0),
};

/** A run that a filter lets through, or of which a record that cannot be read does not tell whether it should. */
export interface SelectedRun {
  listed: ListedRun;
  problem: StowageError | undefined;
}

/** The runs that a filter lets through, in their order. Records are read only where the listing does not tell. */
export async function selectRuns(
  storage: DataStoreStorage,
  runs: readonly ListedRun[],
  filter: RunFilter,
  options: CallOptions,
): Promise<SelectedRun[]> {
  const { limit = Number.POSITIVE_INFINITY } = filter;
  const candidates = runs.filter((run) => isCandidate(run, filter));
  const selected: SelectedRun[] = [];
  // A search for few begins with few.
  let size = Math.min(limit, CONCURRENCY);
  for (let start = 0; start < candidates.length && selected.length < limit; ) {
    const slice = candidates.slice(start, start + size);
    const looked = await Promise.all(slice.map((listed) => look(storage, listed, filter, options)));
    for (const one of looked) if (one) selected.push(one);
    start += size;
    size = Math.min(size * 2, CONCURRENCY);
  }
  return selected.slice(0, limit);
}

function isCandidate({ createdAtMs, finished }: ListedRun, filter: RunFilter): boolean {
  const { createdAfter, createdBefore, status } = filter;
  if (createdAfter && createdAtMs <= createdAfter.getTime()) return false;
  if (createdBefore && createdAtMs >= createdBefore.getTime()) return false;
  return status === undefined || finished === (status !== 'open');
}

async function look(
  storage: DataStoreStorage,
  listed: ListedRun,
  filter: RunFilter,
  options: CallOptions,
): Promise<SelectedRun | undefined> {
  try {
    const fits = await doesFit(storage, listed, filter, options);
    return fits ? { listed, problem: undefined } : undefined;
  } catch (error) {
    if (!isOfOneRecord(error)) throw error;
    return { listed, problem: error };
  }
}

async function doesFit(
  storage: DataStoreStorage,
  { flow, run, latestEnd }: ListedRun,
  { tags = [], status }: RunFilter,
  options: CallOptions,
): Promise<boolean> {
  if (status !== undefined && status !== 'open') {
    const finished = await readRunFinished(storage, flow, run, options, latestEnd);
    if (finished?.status !== status) return false;
  }
  if (tags.length === 0) return true;
  const created = await readRunCreated(storage, flow, run, options);
  return tags.every((tag) => created?.tags.includes(tag));
}

/**
 * Reads the record of a run that must be there.
 *
 * @throws StowageError `RUN_NOT_FOUND`
 */
export async function requireRun(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  options: CallOptions,
): Promise<RunCreated> {
  const created = await readRunCreated(storage, flow, run, options);
  if (created) return created;
  throw runNotFound(flow, run, await foldersAt(storage, `runs/${flow}/`, options));
}

/** `RUN_NOT_FOUND`; `existing` are runs of the flow, of which one may have been meant. */
export function runNotFound(flow: string, run: string, existing: readonly string[] = []): StowageError {
  const suggestions = suggest(run, existing);
  const remedy = didYouMean(suggestions) || ` See its runs with: ${shell`stowage runs ${flow}`}`;
  return new StowageError('RUN_NOT_FOUND', `Flow ${flow} has no run ${run} in this store.${remedy}`, {
    details: { flow, run, suggestions },
  });
}

/** `STEP_NOT_FOUND`: no task of this step was started in the run. One more request. */
export async function stepNotFound(
  storage: DataStoreStorage,
  { flow, run, step }: { flow: string; run: string; step: string },
  options: CallOptions,
): Promise<StowageError> {
  const existing = await foldersAt(storage, `flows/${flow}/${run}/`, options);
  const suggestions = suggest(step, existing);
  const has = existing.length > 0 ? `it has ${listed(existing)}` : 'it has no tasks yet';
  const message = `Run ${run} of flow ${flow} has no task of a step ${step}; ${has}.${didYouMean(suggestions)}`;
  const details = { flow, run, step, suggestions, existing: existing.slice(0, MAX_EXISTING) };
  return new StowageError('STEP_NOT_FOUND', message, { details });
}
