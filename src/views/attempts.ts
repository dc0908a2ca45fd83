import { mapBounded } from '../async/bounded-work.ts';
import { type AttemptStatus, type ReadAttempt, readAttempt } from '../attempts/attempt-reader.ts';
import type { Metadata } from '../attempts/metadata-parts.ts';
import { shell } from '../codec/shell-command.ts';
import type { StoredCodec } from '../content/reading/stored-codecs.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { attemptNumbersOf, type ListedTask, latestAttempt, readDone } from '../format/attempt-files.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { ReportEntry } from '../format/report-records.ts';
import type { Owner, RecordedError } from '../format/session-files.ts';
import { listed } from '../options/suggestions.ts';
import { sourceOfHit } from './hit-source.ts';
import { lastSignOf } from './open-attempts.ts';
import type { ReferenceView } from './references.ts';
import { type StoreView, unreadable } from './store-view.ts';

/** An attempt as it is shown: as far as it got, or why nothing is known of it. */
export type ShownStatus = AttemptStatus | 'deleted' | 'damaged' | 'unreadable';

/** An artifact, as its attempt describes it. */
export interface ArtifactView {
  name: string;
  type: string;
  encoding: string;
  key: string;
  bytes: number;
  storedBytes: number;
  inline: boolean;
  /** `storedBytes / bytes`: 0.41 of what takes 41 % of its size; `null` of what is inline or empty. */
  storedRatio: number | null;
  /** The codecs of its stored bytes, the most frequent first; only where one attempt is shown, see `artifactsInFull`. */
  codecs?: readonly StoredCodec[];
  /** The file, directory or data frame that it refers to; only where one attempt is shown. */
  reference?: ReferenceView;
  /** The place that its content lies at, if not in the store itself. */
  place?: string;
}

/** An attempt, as its records tell. */
export interface AttemptSummary {
  attempt: number;
  status: ShownStatus;
  /** The name that its owner gave it. */
  label?: string;
  startedAt?: string;
  closedAt?: string;
  durationMs?: number;
  /** The process that opened it; told while it is open, or where it was given up. */
  owner?: Owner;
  /** Of an attempt that is open: when its owner last gave a sign of life, ISO 8601, by the storage's clock; see `lastSignOf`. */
  heardAt?: string;
  error?: RecordedError;
  /** Retention gave up its content. */
  purged?: true;
  erased?: { reason: string; artifacts: readonly string[] };
  metadata?: Metadata;
  readFrom?: readonly string[];
  /** The attempt that it was taken over from, in place of being run: `<flow>/<run>/<step>/<task>/<n>`. */
  takenOver?: string;
  /** The attempt that it is a recorded hit of the cache of, in place of being run. */
  hitOf?: string;
  artifacts: ArtifactView[];
  /** The reason why nothing is known of it. */
  failure?: { code: string; message: string };
}

/** An attempt, with the rows of its artifact table. */
export interface AttemptDetail extends AttemptSummary {
  entries?: readonly ArtifactEntry[];
  /** Of an attempt that is described. */
  reports?: readonly ReportEntry[];
}

/** A task with its attempts, oldest first: all of them, or the latest only. */
export interface TaskView {
  path: TaskPath;
  /** The number of attempts that were started. */
  started: number;
  attempts: AttemptDetail[];
}

/** The attempts of a task that are read. */
export type WhichAttempts = 'all' | 'latest';

/** The choice of an attempt of a task: a number, the latest that is done, or (`undefined`) the latest started. */
export type AttemptRule = number | 'latestDone' | undefined;

/** So many tasks are read at once. */
const CONCURRENCY = 32;
/** So many are held whole at once, where very many are gone through. */
const PIECE = 256;

/** Reads attempts of tasks, whatever became of them. One that cannot be read is shown as such. */
export function readTasks(
  view: StoreView,
  tasks: readonly ListedTask[],
  which: WhichAttempts = 'all',
): Promise<TaskView[]> {
  return readEach(view, tasks, (task) => readTask(view, task, which));
}

/** Reads all attempts of tasks, some hundreds of tasks at a time. */
export async function* readTasksInPieces(
  view: StoreView,
  tasks: readonly ListedTask[],
): AsyncGenerator<TaskView> {
  for (let at = 0; at < tasks.length; at += PIECE) yield* await readTasks(view, tasks.slice(at, at + PIECE));
}

/** Reads the attempts of one task. */
export async function readTask(
  view: StoreView,
  listed: ListedTask,
  which: WhichAttempts = 'all',
): Promise<TaskView> {
  const numbers = attemptNumbersOf(listed.attempts);
  const attempts: AttemptDetail[] = [];
  for (const number of which === 'all' ? numbers : numbers.slice(-1)) {
    attempts.push(await readView(view, listed, number));
  }
  return { path: listed.path, started: numbers.length, attempts };
}

/** The status of each task's latest attempt, in the order of `tasks`: its listing and DONE tell; no description is read. */
export function readStatuses(view: StoreView, tasks: readonly ListedTask[]): Promise<ShownStatus[]> {
  return readEach(view, tasks, async ({ path, attempts }) => {
    const attempt = latestAttempt(attempts);
    const files = attempts.get(attempt);
    if (files?.has('deleted')) return 'deleted';
    if (!files?.has('done')) return 'open';
    try {
      const done = await readDone(view.storage, path, attempt, view);
      return done?.outcome ?? 'deleted'; // it was deleted since it was listed
    } catch (error) {
      return unreadable(view, error).status;
    }
  });
}

/** The attempt that stands for a task: the latest started. */
export function latestOf({ attempts }: TaskView): AttemptDetail {
  return attempts.at(-1) as AttemptDetail;
}

/**
 * The attempt that `rule` chooses among those of a task, oldest first.
 *
 * @throws StowageError `ATTEMPT_NOT_FOUND`, `ATTEMPT_NOT_DONE`
 */
export function chooseAttempt<A extends { attempt: number; status: string }>(
  where: string,
  attempts: readonly A[],
  rule: AttemptRule,
): A {
  const existing = attempts.map(({ attempt }) => attempt);
  if (rule === undefined) return attempts.at(-1) as A;
  const chosen =
    rule === 'latestDone'
      ? attempts.findLast(({ status }) => status === 'done')
      : attempts.find(({ attempt }) => attempt === rule);
  if (chosen) return chosen;
  if (rule === 'latestDone') throw noneDone(where, existing);
  const details = { path: where, missing: 'attempt', existing };
  const message = `Task ${where} has no attempt ${rule}; it has ${listed(existing)}.`;
  throw new StowageError('ATTEMPT_NOT_FOUND', message, { details });
}

function noneDone(where: string, existing: readonly number[]): StowageError {
  return new StowageError(
    'ATTEMPT_NOT_DONE',
    `Task ${where} has no attempt that is done (it has ${listed(existing)}). See why with: ${shell`stowage show ${where}`}`,
    { details: { path: where, existing } },
  );
}

/** An artifact without the names of its content's objects. */
export function artifactView(entry: ArtifactEntry): ArtifactView {
  const { name, type, encoding, key, bytes, content, own, inline } = entry;
  const { storedBytes = 0, place } = content ?? own ?? {};
  const storedRatio = inline !== undefined || bytes === 0 ? null : storedBytes / bytes;
  const stored = {
    storedBytes,
    inline: inline !== undefined,
    storedRatio,
    ...(place === undefined ? {} : { place }),
  };
  return { name, type, encoding, key, bytes, ...stored };
}

/** The attempt without the rows of its artifact table. */
export function summaryOf({ entries: _, reports: __, ...summary }: AttemptDetail): AttemptSummary {
  return summary;
}

/** From one ISO 8601 time to another, in milliseconds; `undefined` unless both are known. */
export function durationBetween(from: string | undefined, to: string | undefined): number | undefined {
  const ms = Date.parse(to ?? '') - Date.parse(from ?? '');
  return Number.isFinite(ms) ? ms : undefined;
}

function readEach<T>(
  view: StoreView,
  tasks: readonly ListedTask[],
  read: (task: ListedTask) => Promise<T>,
): Promise<T[]> {
  let count = 0;
  return mapBounded(tasks, CONCURRENCY, async (task) => {
    view.progress('tasks', count, tasks.length);
    const result = await read(task);
    count += 1;
    return result;
  });
}

async function readView(
  view: StoreView,
  { path, attempts }: ListedTask,
  attempt: number,
): Promise<AttemptDetail> {
  if (attempts.get(attempt)?.has('deleted')) return { attempt, status: 'deleted', artifacts: [] };
  const { storage, content, signal } = view;
  const rule = { attempt, allowNotDone: true };
  try {
    const read = await readAttempt(storage, content.reader, path, attempts, rule, { signal });
    return viewOf(read, await lastSignOf(view, read));
  } catch (error) {
    if (isStowageError(error, 'ATTEMPT_DELETED')) return { attempt, status: 'deleted', artifacts: [] };
    return { attempt, artifacts: [], ...unreadable(view, error) };
  }
}

/** Where the result of an attempt comes from that was not run. */
function originOf({ path, described }: ReadAttempt): Pick<AttemptSummary, 'takenOver' | 'hitOf'> {
  const { takenOver, readFrom = [] } = described ?? {};
  if (takenOver !== undefined) return { takenOver };
  const hitOf = sourceOfHit(path, readFrom);
  return hitOf === undefined ? {} : { hitOf };
}

function viewOf(read: ReadAttempt, heardAt: string | undefined): AttemptDetail {
  const { attempt, status, label, startedAt, closedAt, opened, done, described, metadata, purged, erased } =
    read;
  const durationMs = durationBetween(startedAt, closedAt);
  const entries = described?.table().artifacts ?? [];
  return {
    attempt,
    status,
    ...(label === undefined ? {} : { label }),
    startedAt,
    ...(closedAt === undefined ? {} : { closedAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(opened ? { owner: opened.owner } : {}),
    ...(heardAt === undefined ? {} : { heardAt }),
    ...(done?.error ? { error: done.error } : {}),
    ...(purged ? { purged } : {}),
    ...(erased ? { erased } : {}),
    metadata,
    readFrom: described?.readFrom ?? [],
    ...originOf(read),
    artifacts: entries.map(artifactView),
    entries,
    ...(described ? { reports: described.reports } : {}),
  };
}
