import { mapBounded } from '../async/bounded-work.ts';
import { type ListedRun, listRuns } from '../attempts/run-listing.ts';
import { StowageError } from '../errors.ts';
import type { JsonValue } from '../format/json-value.ts';
import { type RunEnd, readRunFinished } from '../format/run-ends.ts';
import { type RunPin, readRunPin } from '../format/run-pins.ts';
import { type RunCode, type RunCreated, readRunCreated } from '../format/run-records.ts';
import type { Owner, RecordedError } from '../format/session-files.ts';
import { durationBetween } from './attempts.ts';
import { missing } from './not-found.ts';
import { formatStorePath, type RunPath } from './paths.ts';
import { hasTagsAndText } from './run-filter.ts';
import { type StoreView, unreadable } from './store-view.ts';

/** A run, as its records tell. */
export interface RunView {
  flow: string;
  run: string;
  /** `open` until its end is recorded. */
  status: 'open' | RunEnd | 'damaged' | 'unreadable';
  /** ISO 8601; empty where it is not known. */
  createdAt: string;
  /** The process that made it. */
  owner?: Owner;
  finishedAt?: string;
  durationMs?: number;
  tags: readonly string[];
  parameters: Readonly<Record<string, JsonValue>>;
  parents: readonly string[];
  /** The run that it resumes, `<flow>/<run>`. */
  resumes?: string;
  /** The steps and tasks of that run that are run again in any case. */
  rerun?: readonly string[];
  /** The address for content of its tasks, if not the store itself. */
  rawDataPath?: string;
  /** The sources that made it, of a run that was made with them. */
  code?: CodeView;
  error?: RecordedError;
  /** Present where retention leaves it: since when, and why. */
  pinned?: { at: string; reason?: string };
  /** The reason why little is known of it. */
  failure?: { code: string; message: string };
}

/** The code of a run, as its record tells. */
export interface CodeView {
  /** The name of the folder. */
  name: string;
  /** The digest of its entries: equal sources have equal ones. */
  digest: string;
  fileCount: number;
  /** The bytes of all files together. */
  size: number;
}

/** The wanted runs: those that pass all that is given. */
export interface RunFilter {
  /** They have all of these tags. */
  tags?: readonly string[] | undefined;
  status?: 'open' | RunEnd | undefined;
  /** They were created at this time or later, in milliseconds since 1970. */
  createdSinceMs?: number | undefined;
  /** It stands in their path, a tag or the parameters as JSON, in capitals or not. */
  text?: string | undefined;
}

/** Runs that were chosen. */
export interface SelectedRuns {
  runs: RunView[];
  /** The number of older ones that were not looked at, because there were enough. */
  unread: number;
  /** Tags of all runs that were read, chosen or not, where tags are looked for. */
  seenTags: ReadonlySet<string>;
}

type RunToRead = Pick<ListedRun, 'flow' | 'run' | 'finished'> & Partial<ListedRun>;
/** Tells by created.json whether a run is wanted; `undefined` stands for none. */
type RunWanted = (run: RunPath, created: RunCreated | undefined) => boolean;

/** So many runs are read at once. */
const CONCURRENCY = 32;

/**
 * The runs of a flow, or of all flows, newest first.
 *
 * @throws StowageError `RUN_NOT_FOUND` for a flow that has none
 */
export async function listedRuns(view: StoreView, flow: string | undefined): Promise<ListedRun[]> {
  const runs = await listRuns(view.storage, flow, view);
  if (runs.length === 0 && flow !== undefined) throw await missing(view, { flow });
  return runs;
}

/**
 * Those of listed runs that come behind one of them.
 *
 * @throws StowageError `RUN_NOT_FOUND` where it is none of them
 */
export async function runsBehind(
  view: StoreView,
  listed: readonly ListedRun[],
  path: RunPath,
): Promise<readonly ListedRun[]> {
  const at = listed.findIndex(({ flow, run }) => flow === path.flow && run === path.run);
  if (at !== -1) return listed.slice(at + 1);
  const where = formatStorePath(path);
  const message = `The run ${where} is none of those that are listed.`;
  throw (
    (await missing(view, path)) ??
    new StowageError('RUN_NOT_FOUND', message, { details: { ...path, missing: 'run' } })
  );
}

/** Reads the records of a run. One whose records cannot be read is shown as such. */
export async function readRun(view: StoreView, run: RunToRead): Promise<RunView> {
  return (await readIfWanted(view, run, undefined)) as RunView;
}

/** Chooses the first `limit` of `listed`, newest first, that pass the filter; reads no more records than it must. */
export async function selectRuns(
  view: StoreView,
  listed: readonly ListedRun[],
  { tags = [], status, createdSinceMs = Number.NEGATIVE_INFINITY, text = '' }: RunFilter,
  limit: number,
): Promise<SelectedRuns> {
  const seenTags = new Set<string>();
  const isWanted: RunWanted = ({ flow, run }, created) => {
    const { tags: ofRun = [], parameters = {} } = created ?? {};
    for (const tag of ofRun) seenTags.add(tag);
    return hasTagsAndText({ flow, run, tags: ofRun, parameters }, { tags, text });
  };
  const isSought = tags.length > 0 || text !== '';
  // The listing tells when a run was created, and whether it ended.
  const candidates = listed.filter(
    ({ createdAtMs, finished }) =>
      createdAtMs >= createdSinceMs && (status === undefined || finished === (status !== 'open')),
  );
  const isFiltered = isSought || status !== undefined || Number.isFinite(createdSinceMs);
  const runs: RunView[] = [];
  let next = 0;
  while (next < candidates.length && runs.length < limit) {
    const slice = candidates.slice(next, next + (isFiltered ? CONCURRENCY : limit));
    const read = await mapBounded(slice, CONCURRENCY, (run) =>
      readIfWanted(view, run, isSought ? isWanted : undefined),
    );
    for (const run of read) {
      if (runs.length === limit) break;
      next += 1;
      const hasTags = tags.every((tag) => run?.tags.includes(tag));
      const passes = run && (status === undefined || run.status === status) && hasTags;
      if (passes) runs.push(run);
    }
  }
  return { runs, unread: candidates.length - next, seenTags };
}

/** Reads a run; of one that is not wanted no more than created.json, and `undefined` stands for it. */
async function readIfWanted(
  view: StoreView,
  { flow, run, createdAtMs, finished, latestEnd, latestPin }: RunToRead,
  isWanted: RunWanted | undefined,
): Promise<RunView | undefined> {
  const { storage } = view;
  const listedAt = createdAtMs === undefined ? '' : new Date(createdAtMs).toISOString();
  try {
    const reading = readRunCreated(storage, flow, run, view);
    if (isWanted && !isWanted({ flow, run }, await reading)) return undefined;
    const ending = finished ? readRunFinished(storage, flow, run, view, latestEnd) : undefined;
    const pinning = readRunPin(storage, flow, run, view, latestPin);
    const [created, end, pin] = await Promise.all([reading, ending, pinning]);
    const {
      createdAt = listedAt,
      owner,
      tags = [],
      parameters = {},
      parents = [],
      rawDataPath,
      code,
      resumes,
      rerun,
    } = created ?? {};
    const durationMs = durationBetween(createdAt, end?.finishedAt);
    return {
      flow,
      run,
      status: end?.status ?? 'open',
      createdAt,
      ...(owner ? { owner } : {}),
      ...(end ? { finishedAt: end.finishedAt } : {}),
      ...(durationMs === undefined ? {} : { durationMs }),
      tags,
      parameters,
      parents,
      ...(resumes === undefined ? {} : { resumes }),
      ...(rerun === undefined ? {} : { rerun }),
      ...(rawDataPath ? { rawDataPath } : {}),
      ...(code ? { code: codeView(code) } : {}),
      ...(end?.error ? { error: end.error } : {}),
      ...(pin?.pinned ? { pinned: pinView(pin) } : {}),
    };
  } catch (error) {
    const shown = unreadable(view, error);
    return { flow, run, createdAt: listedAt, tags: [], parameters: {}, parents: [], ...shown };
  }
}

function pinView({ at, reason }: RunPin): { at: string; reason?: string } {
  return { at, ...(reason === undefined ? {} : { reason }) };
}

function codeView({ name, entries, files, size }: RunCode): CodeView {
  return { name, digest: entries, fileCount: files, size };
}
