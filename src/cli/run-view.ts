import type { ListedRun } from '../attempts/run-listing.ts';
import type { JsonValue } from '../format/json-value.ts';
import { type RunCreated, type RunFinished, readRunCreated, readRunFinished } from '../format/run-records.ts';
import type { RecordedError } from '../format/session-files.ts';
import type { Invocation } from './invocation.ts';
import type { OpenStore } from './store.ts';
import type { Style } from './ui/paint.ts';
import type { Cell } from './ui/table.ts';
import { durationBetween } from './ui/times.ts';
import { unreadable } from './unreadable.ts';

/** A run in `--json`. */
export interface RunJson {
  flow: string;
  run: string;
  /** `open` until somebody recorded its end. */
  status: 'open' | 'done' | 'failed' | 'damaged' | 'unreadable';
  createdAt: string;
  finishedAt?: string;
  durationMs?: number;
  tags: readonly string[];
  parameters: Readonly<Record<string, JsonValue>>;
  parents: readonly string[];
  /** Where content of its tasks goes, if not to the store itself. */
  rawDataPath?: string;
  error?: RecordedError;
  /** Why little is known of it. */
  failure?: { code: string; message: string };
}

const CONCURRENCY = 32;

/** How the status of a run stands out. */
export const RUN_STYLES: Readonly<Record<RunJson['status'], Style>> = {
  open: 'yellow',
  done: 'green',
  failed: 'red',
  damaged: 'red',
  unreadable: 'red',
};

/** Whether a run is to be shown, as far as its created.json tells; `undefined` where there is none. */
export type RunWanted = (created: RunCreated | undefined) => boolean;

type RunToRead = Pick<ListedRun, 'flow' | 'run' | 'finished'> & Partial<ListedRun>;

/** Reads what is recorded of runs; what cannot be read is noted and shown as such. */
export async function readRuns(
  invocation: Invocation,
  store: OpenStore,
  runs: readonly ListedRun[],
): Promise<RunJson[]> {
  return (await readWantedRuns(invocation, store, runs, undefined)) as RunJson[];
}

/** Like {@link readRuns}; of a run that is not wanted no more is read than what says so, and `undefined` stands for it. */
export async function readWantedRuns(
  invocation: Invocation,
  store: OpenStore,
  runs: readonly ListedRun[],
  isWanted: RunWanted | undefined,
): Promise<(RunJson | undefined)[]> {
  const read: (RunJson | undefined)[] = [];
  for (let start = 0; start < runs.length; start += CONCURRENCY) {
    const slice = runs.slice(start, start + CONCURRENCY);
    read.push(...(await Promise.all(slice.map((run) => readIf(invocation, store, run, isWanted)))));
  }
  return read;
}

/** Reads what is recorded of a run. */
export async function readRun(invocation: Invocation, store: OpenStore, run: RunToRead): Promise<RunJson> {
  return (await readIf(invocation, store, run, undefined)) as RunJson;
}

async function readIf(
  invocation: Invocation,
  { storage }: OpenStore,
  { flow, run, createdAtMs, finished, latestEnd }: RunToRead,
  isWanted: RunWanted | undefined,
): Promise<RunJson | undefined> {
  const { signal } = invocation;
  const listedAt = createdAtMs === undefined ? '' : new Date(createdAtMs).toISOString();
  const readEnd = async (): Promise<RunFinished | undefined> =>
    finished ? readRunFinished(storage, flow, run, { signal }, latestEnd) : undefined;
  try {
    const reading = readRunCreated(storage, flow, run, { signal });
    if (isWanted && !isWanted(await reading)) return undefined;
    const [created, end] = await Promise.all([reading, readEnd()]);
    const { createdAt = listedAt, tags = [], parameters = {}, parents = [] } = created ?? {};
    const durationMs = durationBetween(createdAt, end?.finishedAt);
    return {
      flow,
      run,
      status: end?.status ?? 'open',
      createdAt,
      ...(end ? { finishedAt: end.finishedAt } : {}),
      ...(durationMs === undefined ? {} : { durationMs }),
      tags,
      parameters,
      parents,
      ...(created?.rawDataPath ? { rawDataPath: created.rawDataPath } : {}),
      ...(end?.error ? { error: end.error } : {}),
    };
  } catch (error) {
    const shown = unreadable(invocation, error);
    return { flow, run, createdAt: listedAt, tags: [], parameters: {}, parents: [], ...shown };
  }
}

export function runStatusCell({ status }: Pick<RunJson, 'status'>): Cell {
  return { text: status, style: RUN_STYLES[status] };
}
