import { type AttemptStatus, type ReadAttempt, readAttempt } from '../attempts/attempt-reader.ts';
import type { Metadata } from '../attempts/metadata-parts.ts';
import { isStowageError } from '../errors.ts';
import { attemptNumbersOf, type ListedTask } from '../format/attempt-files.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { RecordedError } from '../format/session-files.ts';
import type { Invocation } from './invocation.ts';
import type { OpenStore } from './store.ts';
import type { Style } from './ui/paint.ts';
import { Progress } from './ui/progress.ts';
import { countOf, formatCount } from './ui/sizes.ts';
import type { Cell } from './ui/table.ts';
import { durationBetween, formatDuration } from './ui/times.ts';
import { unreadable } from './unreadable.ts';

/** How an attempt is shown: as far as it got, or why nothing is known of it. */
export type ShownStatus = AttemptStatus | 'deleted' | 'damaged' | 'unreadable';

/** An artifact in `--json`. */
export interface ArtifactJson {
  name: string;
  type: string;
  encoding: string;
  key: string;
  bytes: number;
  storedBytes: number;
  inline: boolean;
  /** The place that its content lies at, if not in the store itself. */
  place?: string;
}

/** An attempt in `--json`. */
export interface AttemptJson {
  attempt: number;
  status: ShownStatus;
  startedAt?: string;
  closedAt?: string;
  durationMs?: number;
  error?: RecordedError;
  /** Retention gave up its content. */
  purged?: true;
  erased?: { reason: string; artifacts: readonly string[] };
  metadata?: Metadata;
  readFrom?: readonly string[];
  artifacts: ArtifactJson[];
  /** Why nothing is known of it. */
  failure?: { code: string; message: string };
}

/** A task with its attempts, oldest first: all of them, or the latest only. */
export interface TaskView {
  path: TaskPath;
  /** How many attempts were started. */
  started: number;
  attempts: AttemptView[];
}

/** Which attempts of a task are read. */
export type WhichAttempts = 'all' | 'latest';

/** An attempt, with the rows of its artifact table. */
export interface AttemptView extends AttemptJson {
  entries?: readonly ArtifactEntry[];
}

const CONCURRENCY = 32;

const STYLES: Readonly<Record<ShownStatus, Style>> = {
  done: 'green',
  failed: 'red',
  open: 'yellow',
  abandoned: 'yellow',
  deleted: 'dim',
  damaged: 'red',
  unreadable: 'red',
};

/** Reads attempts of tasks, whatever became of them; what cannot be read is noted and shown as such. */
export async function* readTasks(
  invocation: Invocation,
  store: OpenStore,
  tasks: readonly ListedTask[],
  which: WhichAttempts = 'all',
): AsyncGenerator<TaskView> {
  const progress = new Progress();
  try {
    for (let start = 0; start < tasks.length; start += CONCURRENCY) {
      progress.update(() => `reading ${formatCount(start)} of ${countOf(tasks.length, 'task')}`);
      const slice = tasks.slice(start, start + CONCURRENCY);
      yield* await Promise.all(slice.map((task) => readTaskView(invocation, store, task, which)));
    }
  } finally {
    progress.end();
  }
}

/** Reads the attempts of one task. */
export async function readTaskView(
  invocation: Invocation,
  store: OpenStore,
  listed: ListedTask,
  which: WhichAttempts = 'all',
): Promise<TaskView> {
  const numbers = attemptNumbersOf(listed.attempts);
  const attempts: AttemptView[] = [];
  for (const number of which === 'all' ? numbers : numbers.slice(-1)) {
    attempts.push(await readView(invocation, store, listed, number));
  }
  return { path: listed.path, started: numbers.length, attempts };
}

async function readView(
  invocation: Invocation,
  store: OpenStore,
  { path, attempts }: ListedTask,
  attempt: number,
): Promise<AttemptView> {
  if (attempts.get(attempt)?.has('deleted')) return { attempt, status: 'deleted', artifacts: [] };
  const rule = { attempt, allowNotDone: true };
  const { signal } = invocation;
  try {
    return viewOf(await readAttempt(store.storage, store.content.reader, path, attempts, rule, { signal }));
  } catch (error) {
    if (isStowageError(error, 'ATTEMPT_DELETED')) return { attempt, status: 'deleted', artifacts: [] };
    return { attempt, artifacts: [], ...unreadable(invocation, error) };
  }
}

function viewOf(read: ReadAttempt): AttemptView {
  const { attempt, status, startedAt, closedAt, done, described, metadata, purged, erased } = read;
  const durationMs = durationBetween(startedAt, closedAt);
  const entries = described?.table().artifacts ?? [];
  return {
    attempt,
    status,
    startedAt,
    ...(closedAt === undefined ? {} : { closedAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(done?.error ? { error: done.error } : {}),
    ...(purged ? { purged } : {}),
    ...(erased ? { erased } : {}),
    metadata,
    readFrom: described?.readFrom ?? [],
    artifacts: entries.map(artifactJson),
    entries,
  };
}

/** An artifact without the names of its content's objects. */
export function artifactJson({ name, type, encoding, key, bytes, content }: ArtifactEntry): ArtifactJson {
  const { storedBytes = 0, place } = content ?? {};
  const stored = { storedBytes, inline: !content, ...(place === undefined ? {} : { place }) };
  return { name, type, encoding, key, bytes, ...stored };
}

/** The attempt without what only this program needs. */
export function attemptJson({ entries: _, ...attempt }: AttemptView): AttemptJson {
  return attempt;
}

/** The attempt that stands for the task: the latest started. */
export function latestView({ attempts }: TaskView): AttemptView {
  return attempts.at(-1) as AttemptView;
}

export function statusCell({ status, purged }: Pick<AttemptJson, 'status' | 'purged'>): Cell {
  return { text: purged ? `${status}, purged` : status, style: STYLES[status] };
}

/** How long an attempt took, or has been open. */
export function durationCell({ durationMs }: Pick<AttemptJson, 'durationMs'>): string {
  return durationMs === undefined ? '' : formatDuration(durationMs);
}

/** `Error: what happened`, without the stack. */
export function errorLine({ name, message }: RecordedError): string {
  return message === '' ? name : `${name}: ${message}`;
}
