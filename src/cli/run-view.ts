import { type ListedRun, readRunCreated, readRunFinished } from '../attempts/runs.ts';
import type { JsonValue } from '../codec/json-value.ts';
import type { RecordedError } from '../content/session-files.ts';
import type { Invocation } from './invocation.ts';
import type { Style } from './paint.ts';
import type { OpenStore } from './store.ts';
import type { Cell } from './table.ts';
import { durationBetween } from './times.ts';
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

/** Reads what is recorded of runs; what cannot be read is noted and shown as such. */
export async function readRuns(
  invocation: Invocation,
  store: OpenStore,
  runs: readonly ListedRun[],
): Promise<RunJson[]> {
  const read: RunJson[] = [];
  for (let start = 0; start < runs.length; start += CONCURRENCY) {
    const slice = runs.slice(start, start + CONCURRENCY);
    read.push(...(await Promise.all(slice.map((run) => readRun(invocation, store, run)))));
  }
  return read;
}

/** Reads what is recorded of a run. */
export async function readRun(
  invocation: Invocation,
  { storage }: OpenStore,
  { flow, run, createdAtMs, finished }: Omit<ListedRun, 'createdAtMs'> & { createdAtMs?: number },
): Promise<RunJson> {
  const { signal } = invocation;
  const listedAt = createdAtMs === undefined ? '' : new Date(createdAtMs).toISOString();
  try {
    const [created, end] = await Promise.all([
      readRunCreated(storage, flow, run, { signal }),
      finished ? readRunFinished(storage, flow, run, { signal }) : undefined,
    ]);
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
