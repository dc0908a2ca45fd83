import type { CallOptions, DataStoreStorage, ListedObject } from '../storage/contract.ts';
import { isUserName } from '../storage/names.ts';
import type { TaskPath } from './pathspec.ts';
import type { RecordSubject } from './record-fields.ts';
import {
  type DoneRecord,
  decodeDone,
  erasedRevisionOf,
  readSessionFile,
  SESSION_FILES,
  type SessionFiles,
} from './session-files.ts';

/** The DONE that a listing showed: its name, length and time tell it from any other that was or will be there. */
export interface ListedDone {
  name: string;
  bytes: number;
  modifiedAtMs: number;
}

/** The files of an attempt that a listing showed. */
export interface AttemptFiles extends ReadonlySet<AttemptFile> {
  /** The DONE, if the listing was asked for details. */
  readonly listedDone?: ListedDone;
  /** The description after an erasure that counts, if there is one. */
  readonly erasedRevision?: number;
}
export type AttemptFile = keyof typeof SESSION_FILES | 'erased';

/** The attempts of a task, by number. */
export type TaskAttempts = Map<
  number,
  Set<AttemptFile> & { listedDone?: ListedDone; erasedRevision?: number }
>;

/** The latest attempt that was started; -1 without any. */
export function latestAttempt(attempts: ReadonlyMap<number, unknown>): number {
  let latest = -1;
  for (const attempt of attempts.keys()) latest = Math.max(latest, attempt);
  return latest;
}

/** The numbers of a task's attempts, in their order. */
export function attemptNumbersOf(attempts: ReadonlyMap<number, unknown>): number[] {
  return [...attempts.keys()].sort((a, b) => a - b);
}

/** Options of listings of attempts. */
export interface ListAttemptsOptions extends CallOptions {
  /** `true` tells one DONE from another, as a metadata cache needs it; on some storages it costs extra. Default `false`. */
  details?: boolean | undefined;
}

const fileBySuffix = new Map(
  Object.entries(SESSION_FILES).map(([file, suffix]) => [suffix as string, file as AttemptFile]),
);

/** The folder that holds a task's attempts, with the `/` at its end. */
export function taskPrefix({ flow, run, step, task }: TaskPath): string {
  return `flows/${flow}/${run}/${step}/${task}/`;
}

/** The beginning of the names of an attempt's own files. */
export function attemptBase(path: TaskPath, attempt: number): string {
  return taskPrefix(path) + attempt;
}

/** The subject of the records of an attempt. */
export function attemptSubject({ flow, run, step, task }: TaskPath, attempt: number): RecordSubject {
  return { flow, run, step, task, attempt };
}

/** Those of the session that owns the attempt. */
export function attemptSession(path: TaskPath, attempt: number): SessionFiles {
  return {
    base: attemptBase(path, attempt),
    subject: attemptSubject(path, attempt),
    values: valuesBase(path, attempt),
    step: { flow: path.flow, step: path.step },
  };
}

/** The beginning of the names of an attempt's objects of values; {@link OwnValue} has the rest. */
export function valuesBase({ flow, run, step, task }: TaskPath, attempt: number): string {
  return `values/${flow}/${run}/${step}/${task}/${attempt}.`;
}

/** The beginning of the names of an attempt's partial records. They lie apart, so that listings of tasks do not meet them. */
export function partialBase({ flow, run, step, task }: TaskPath, attempt: number): string {
  return `partial/${flow}/${run}/${step}/${task}/${attempt}`;
}

/** The beginning of the names of an attempt's log parts. */
export function logBase({ flow, run, step, task }: TaskPath, attempt: number): string {
  return `logs/${flow}/${run}/${step}/${task}/${attempt}`;
}

/** One LIST: a task's attempts, or one of them. Empty where there is none. */
export async function listAttempts(
  storage: DataStoreStorage,
  path: TaskPath,
  { signal, details, attempt }: ListAttemptsOptions & { attempt?: number | undefined },
): Promise<TaskAttempts> {
  const folder = taskPrefix(path);
  const prefix = attempt === undefined ? folder : `${folder}${attempt}.`;
  const attempts: TaskAttempts = new Map();
  for await (const page of storage.list({ prefix, signal, details })) {
    for (const object of page.objects) addAttemptFile(attempts, object.name.slice(folder.length), object);
  }
  return attempts;
}

/**
 * One GET: how an attempt was closed; `undefined` where it was not.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export async function readDone(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  { signal }: CallOptions,
): Promise<DoneRecord | undefined> {
  const name = attemptBase(path, attempt) + SESSION_FILES.done;
  const bytes = await readSessionFile(storage, name, { signal });
  return bytes && decodeDone(bytes, storage.uri(name), attemptSubject(path, attempt));
}

/** A task that a listing of a run showed. */
export interface ListedTask {
  path: TaskPath;
  attempts: TaskAttempts;
}

/** Options of listings of tasks. */
export interface ListTasksOptions extends ListAttemptsOptions {
  limit?: number | undefined;
  /** Told of each page before the tasks that end on it are yielded: what is read from then on is newer than the page. */
  onPage?: (() => void) | undefined;
}

/**
 * One LIST, paged: the tasks of a run, or of one step of it, in the order of their names. With a `limit` only so many names are
 * listed, and a task that they may show in part is left out.
 */
export async function* listTasks(
  storage: DataStoreStorage,
  { flow, run, step }: { flow: string; run: string; step?: string | undefined },
  { signal, details, limit, onPage }: ListTasksOptions,
): AsyncGenerator<ListedTask> {
  const runPrefix = `flows/${flow}/${run}/`;
  const prefix = step === undefined ? runPrefix : `${runPrefix}${step}/`;
  let current: ListedTask | undefined;
  let names = 0;
  for await (const page of storage.list({ prefix, signal, details, limit })) {
    names += page.objects.length;
    onPage?.();
    for (const object of page.objects) {
      const [stepName, task, file, ...more] = object.name.slice(runPrefix.length).split('/');
      if (stepName === undefined || task === undefined || file === undefined || more.length > 0) continue;
      if (current?.path.step !== stepName || current.path.task !== task) {
        if (current && current.attempts.size > 0) yield current;
        // What nobody can have named is no task, whoever put it there.
        if (!isUserName(stepName) || !isUserName(task)) {
          current = undefined;
          continue;
        }
        current = { path: { flow, run, step: stepName, task }, attempts: new Map() };
      }
      addAttemptFile(current.attempts, file, object);
    }
  }
  if (current && current.attempts.size > 0 && names !== limit) yield current;
}

/** Tells whether a run, or one step of it, has tasks, rather than files of other programs. One LIST, which ends at the first task. */
export async function hasTasks(
  storage: DataStoreStorage,
  path: { flow: string; run: string; step?: string | undefined },
  { signal }: CallOptions,
): Promise<boolean> {
  for await (const _task of listTasks(storage, path, { signal })) return true;
  return false;
}

function addAttemptFile(attempts: TaskAttempts, fileName: string, object: ListedObject): void {
  const dot = fileName.indexOf('.');
  const suffix = fileName.slice(dot);
  const erasedRevision = erasedRevisionOf(suffix);
  const file = erasedRevision === undefined ? fileBySuffix.get(suffix) : 'erased';
  const number = fileName.slice(0, dot);
  const attempt = Number(number);
  // A number that JavaScript cannot tell from its neighbours is none that anybody opened.
  if (!file || !/^(0|[1-9]\d{0,15})$/.test(number) || !Number.isSafeInteger(attempt)) return;
  let files = attempts.get(attempt);
  if (files) files.add(file);
  else {
    files = new Set([file]);
    attempts.set(attempt, files);
  }
  if (erasedRevision !== undefined) {
    files.erasedRevision = Math.max(erasedRevision, files.erasedRevision ?? 0);
  }
  const { name, bytes, modifiedAtMs } = object;
  if (file === 'done' && bytes !== undefined && modifiedAtMs !== undefined) {
    files.listedDone = { name, bytes, modifiedAtMs };
  }
}
