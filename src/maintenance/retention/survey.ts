import { type ListedRun, listRuns } from '../../attempts/run-listing.ts';
import { createdName, runDeletedName } from '../../format/run-records.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { compareNames } from '../../storage/name-order.ts';
import { isUserName } from '../../storage/names.ts';
import { type ListedSession, listSessions } from '../collection/session-listing.ts';

/** The attempts of a run, as a listing showed them. */
export interface RunAttempts {
  /** Nobody has closed them, and nothing gives them up. */
  open: number;
  /** Closed attempts of which all or the content can be given up. */
  closed: number;
  /** Those of the closed ones whose content was given up. */
  purged: number;
  /** Attempts that are marked as deleted, and still described: their deletion was begun. */
  begun: number;
}

/** A run of the store, with its attempts. */
export interface StoredRun extends ListedRun, RunAttempts {
  /** The deletion of its records was begun. */
  isBeingDeleted: boolean;
  /** `false`: attempts were opened in it that no record of a run names. */
  isRecorded: boolean;
}

const NONE: RunAttempts = { open: 0, closed: 0, purged: 0, begun: 0 };

/**
 * Lists the runs of a store, newest first, with the number of their attempts; `flow` and `run` narrow it down. One LIST of all files of attempts and one of those of runs.
 * What is left of runs that are gone is none.
 */
export async function surveyRuns(
  storage: DataStoreStorage,
  { flow, run }: { flow?: string | undefined; run?: string | undefined },
  { signal }: CallOptions,
  onRun: () => void = () => {},
): Promise<StoredRun[]> {
  const prefix = `flows/${flow === undefined ? '' : `${flow}/${run === undefined ? '' : `${run}/`}`}`;
  const counted = new Map<string, { flow: string; run: string } & RunAttempts>();
  // Attempts first: a run that is not recorded by the time when runs are listed had no record when its attempt was opened.
  for await (const session of listSessions(storage, { signal }, [prefix])) {
    const path = pathOf(session);
    const id = `${path.flow}/${path.run}`;
    const counts = counted.get(id) ?? { ...path, ...NONE };
    if (!count(counts, session)) continue;
    if (!counted.has(id)) onRun();
    counted.set(id, counts);
  }
  const runs = await listRuns(storage, flow, { signal });
  const stored = runs
    .filter((listed) => run === undefined || listed.run === run)
    .map((listed): StoredRun => {
      const id = `${listed.flow}/${listed.run}`;
      const counts = counted.get(id) ?? NONE;
      counted.delete(id);
      return { ...listed, ...countsOf(counts), isBeingDeleted: false, isRecorded: true };
    });
  for (const marked of stored) {
    if (marked.isMarked) marked.isBeingDeleted = await isOfThisRun(storage, marked, { signal });
  }
  for (const stray of counted.values()) {
    if (!isUserName(stray.flow) || !isUserName(stray.run)) continue;
    const created = await storage.head(createdName(stray.flow, stray.run), { signal });
    if (created) continue; // made since the listing
    const listed = await strayRun(storage, stray, { signal });
    stored.push({ ...listed, ...countsOf(stray), isBeingDeleted: false, isRecorded: false });
  }
  return stored.sort(
    (a, b) => b.createdAtMs - a.createdAtMs || compareNames(b.run, a.run) || compareNames(b.flow, a.flow),
  );
}

/** The run that an attempt of a task belongs to. */
export function pathOf({ base }: Pick<ListedSession, 'base'>): { flow: string; run: string } {
  const [, flow = '', run = ''] = base.split('/');
  return { flow, run };
}

/** True of an attempt whose description stands beside a mark that gives it up. */
export function isBegun({ files, erasedRevision }: ListedSession): boolean {
  return files.has('deleted') && (files.has('metadata') || erasedRevision !== undefined);
}

/** `false` for what is no more than a tombstone. */
function count(counts: RunAttempts, session: ListedSession): boolean {
  const { files } = session;
  if (files.has('deleted')) {
    if (!isBegun(session)) return false;
    counts.begun += 1;
  } else if (!files.has('done')) counts.open += 1;
  else {
    counts.closed += 1;
    if (files.has('purged')) counts.purged += 1;
  }
  return true;
}

function countsOf({ open, closed, purged, begun }: RunAttempts): RunAttempts {
  return { open, closed, purged, begun };
}

/** The mark of an earlier run of that name is older than the record of this one, by the store's clock. */
async function isOfThisRun(
  storage: DataStoreStorage,
  { flow, run }: { flow: string; run: string },
  { signal }: CallOptions,
): Promise<boolean> {
  const mark = await storage.head(runDeletedName(flow, run), { signal });
  const created = await storage.head(createdName(flow, run), { signal });
  return mark !== undefined && created !== undefined && created.modifiedAtMs <= mark.modifiedAtMs;
}

/** A run without a record is as old as its first attempt, by the store's clock. */
async function strayRun(
  storage: DataStoreStorage,
  { flow, run }: { flow: string; run: string },
  { signal }: CallOptions,
): Promise<ListedRun> {
  let createdAtMs = Number.POSITIVE_INFINITY;
  for await (const page of storage.list({ prefix: `flows/${flow}/${run}/`, details: true, signal })) {
    for (const { name, modifiedAtMs = Date.now() } of page.objects) {
      if (name.endsWith('.attempt.json')) createdAtMs = Math.min(createdAtMs, modifiedAtMs);
    }
  }
  if (createdAtMs === Number.POSITIVE_INFINITY) createdAtMs = Date.now();
  return { flow, run, createdAtMs, finished: false, latestEnd: 0, latestPin: null, isMarked: false };
}
