import { mapBounded } from '../async/bounded-work.ts';
import { isStowageError, type StowageError } from '../errors.ts';
import { parseRunEnd } from '../format/run-ends.ts';
import { parseRunPin } from '../format/run-pins.ts';
import { createdName, parseRunTime, RUN_DELETED, readRunCreated } from '../format/run-records.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { compareNames } from '../storage/name-order.ts';
import { isUserName } from '../storage/names.ts';

/** A run that a listing showed. */
export interface ListedRun {
  flow: string;
  run: string;
  /** The time at which it was created, in milliseconds since 1970, by its creator's clock. */
  createdAtMs: number;
  /** Somebody recorded its end. */
  finished: boolean;
  /** The number of its latest end, from 0 on: more than 0 where it was finished anew. */
  latestEnd: number;
  /** The number of the latest word on its pin, from 0 on; `null` where nobody pinned it. */
  latestPin: number | null;
  /** Its records were being deleted, or those of an earlier run of that name. */
  isMarked: boolean;
}

/** A run as the names of its files show it. */
interface Seen {
  flow: string;
  run: string;
  isCreated: boolean;
  finished: boolean;
  latestEnd: number;
  latestPin: number | null;
  isMarked: boolean;
  /** The earliest of the times that its files tell, and how many tell one. */
  timeMs: number;
  times: number;
}

const NO_TIME = Number.POSITIVE_INFINITY;
/** So many records are read at once, of runs whose files do not tell their time. */
const CONCURRENCY = 32;

/**
 * The runs of a flow, or of all flows, newest first; those of one millisecond by their names. One LIST, and one GET
 * for each run whose files tell no time, or several, which the record settles.
 *
 * @param begun - only runs whose ids begin so, which a LIST of a flow tells by itself. Default: all
 */
export async function listRuns(
  storage: DataStoreStorage,
  flow: string | undefined,
  { signal }: CallOptions,
  begun = '',
): Promise<ListedRun[]> {
  const prefix = flow === undefined ? 'runs/' : `runs/${flow}/${begun}`;
  const seen = await seeRuns(storage, prefix, { signal });
  // Files that tell no time, or several, leave it to the record.
  const runs = await mapBounded(seen, CONCURRENCY, async (run) =>
    toListed(run, run.times === 1 ? run.timeMs : await findTime(storage, run, { signal })),
  );
  return runs.sort(
    (a, b) => b.createdAtMs - a.createdAtMs || compareNames(b.run, a.run) || compareNames(b.flow, a.flow),
  );
}

/** One LIST: the number of the runs of a flow; 0 of what is no flow, as a folder of another program. */
export async function countRuns(
  storage: DataStoreStorage,
  flow: string,
  { signal }: CallOptions,
): Promise<number> {
  return (await seeRuns(storage, `runs/${flow}/`, { signal })).length;
}

/** Tells a flow by the record of a run of it. One LIST, which ends there. */
export async function hasRuns(
  storage: DataStoreStorage,
  flow: string,
  { signal }: CallOptions,
): Promise<boolean> {
  for await (const page of storage.list({ prefix: `runs/${flow}/`, signal })) {
    for (const { name } of page.objects) {
      const [, , run = '', file, ...more] = name.split('/');
      if (file === 'created.json' && more.length === 0 && isUserName(run)) return true;
    }
  }
  return false;
}

/** The runs that were created, with what their files tell. */
async function seeRuns(storage: DataStoreStorage, prefix: string, { signal }: CallOptions): Promise<Seen[]> {
  const runs = new Map<string, Seen>();
  for await (const page of storage.list({ prefix, signal })) {
    for (const { name } of page.objects) {
      const [, flow, run, file, ...more] = name.split('/');
      if (flow === undefined || run === undefined || file === undefined || more.length > 0) continue;
      const id = `${flow}/${run}`;
      let seen = runs.get(id);
      if (!seen) {
        const nothing = {
          isCreated: false,
          finished: false,
          latestEnd: 0,
          latestPin: null,
          isMarked: false,
          times: 0,
        };
        seen = { flow, run, ...nothing, timeMs: NO_TIME };
        runs.set(id, seen);
      }
      if (file === 'created.json') seen.isCreated = true;
      if (file === RUN_DELETED) seen.isMarked = true;
      const end = parseRunEnd(file);
      if (end === 0) seen.finished = true;
      if (end !== undefined) seen.latestEnd = Math.max(seen.latestEnd, end);
      seen.latestPin = parseRunPin(file) ?? seen.latestPin; // ascending, as they are listed
      const timeMs = parseRunTime(file);
      if (timeMs === undefined) continue;
      seen.timeMs = Math.min(seen.timeMs, timeMs);
      seen.times += 1;
    }
  }
  // What nobody can have named is no run, whoever put it there.
  return [...runs.values()].filter(
    ({ isCreated, flow, run }) => isCreated && isUserName(flow) && isUserName(run),
  );
}

/** The time of a run by its record; where that cannot be read, the earliest of its files', or when it was written. */
async function findTime(storage: DataStoreStorage, run: Seen, options: CallOptions): Promise<number> {
  const ways = [
    async () => (await readRunCreated(storage, run.flow, run.run, options))?.createdAt,
    async () => (run.times > 0 ? run.timeMs : undefined),
    async () => (await storage.head(createdName(run.flow, run.run), options))?.modifiedAtMs,
  ];
  for (const way of ways) {
    try {
      const time = await way();
      if (time !== undefined) return new Date(time).getTime();
    } catch (error) {
      if (!isOfOneRecord(error)) throw error;
    }
  }
  return 0;
}

/** Tells an error of one record, while the storage is there: it hides none of the others. */
export function isOfOneRecord(error: unknown): error is StowageError {
  return isStowageError(error, ...OF_ONE_RECORD);
}

const OF_ONE_RECORD = [
  'RECORD_DAMAGED',
  'UNSUPPORTED_FORMAT',
  'OBJECT_TOO_LARGE',
  'STORAGE_NOT_PERMITTED',
  'STORAGE_FAILED',
] as const;

function toListed(
  { flow, run, finished, latestEnd, latestPin, isMarked }: Seen,
  createdAtMs: number,
): ListedRun {
  return { flow, run, createdAtMs, finished, latestEnd, latestPin, isMarked };
}
