import { SESSION_FILES } from '../content/session-files.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { TaskPath } from './pathspec.ts';

/** Which files of an attempt a listing showed. */
export type AttemptFiles = ReadonlySet<AttemptFile>;
export type AttemptFile = keyof typeof SESSION_FILES;

/** The attempts of a task, by number. */
export type TaskAttempts = Map<number, Set<AttemptFile>>;

const fileBySuffix = new Map(
  Object.entries(SESSION_FILES).map(([file, suffix]) => [suffix as string, file as AttemptFile]),
);

/** The folder that holds a task's attempts, with the `/` at its end. */
export function taskPrefix({ flow, run, step, task }: TaskPath): string {
  return `flows/${flow}/${run}/${step}/${task}/`;
}

/** What the names of an attempt's own files begin with. */
export function attemptBase(path: TaskPath, attempt: number): string {
  return taskPrefix(path) + attempt;
}

/** What the names of an attempt's partial records begin with; they lie apart, so that listings of tasks do not meet them. */
export function partialBase({ flow, run, step, task }: TaskPath, attempt: number): string {
  return `partial/${flow}/${run}/${step}/${task}/${attempt}`;
}

/** What the names of an attempt's log parts begin with. */
export function logBase({ flow, run, step, task }: TaskPath, attempt: number): string {
  return `logs/${flow}/${run}/${step}/${task}/${attempt}`;
}

/** One LIST: a task's attempts. Empty where there is no such task. */
export async function listAttempts(
  storage: DataStoreStorage,
  path: TaskPath,
  { signal }: CallOptions,
): Promise<TaskAttempts> {
  const prefix = taskPrefix(path);
  const attempts: TaskAttempts = new Map();
  for await (const page of storage.list({ prefix, signal })) {
    for (const { name } of page.objects) addAttemptFile(attempts, name.slice(prefix.length));
  }
  return attempts;
}

/** A task that a listing of a run showed. */
export interface ListedTask {
  path: TaskPath;
  attempts: TaskAttempts;
}

/**
 * One LIST, paged: the tasks of a run, or of one step of it, in the order of their names.
 */
export async function* listTasks(
  storage: DataStoreStorage,
  { flow, run, step }: { flow: string; run: string; step?: string | undefined },
  { signal }: CallOptions,
): AsyncGenerator<ListedTask> {
  const runPrefix = `flows/${flow}/${run}/`;
  const prefix = step === undefined ? runPrefix : `${runPrefix}${step}/`;
  let current: ListedTask | undefined;
  for await (const page of storage.list({ prefix, signal })) {
    for (const { name } of page.objects) {
      const [stepName, task, file, ...more] = name.slice(runPrefix.length).split('/');
      if (stepName === undefined || task === undefined || file === undefined || more.length > 0) continue;
      if (current?.path.step !== stepName || current.path.task !== task) {
        if (current && current.attempts.size > 0) yield current;
        current = { path: { flow, run, step: stepName, task }, attempts: new Map() };
      }
      addAttemptFile(current.attempts, file);
    }
  }
  if (current && current.attempts.size > 0) yield current;
}

function addAttemptFile(attempts: TaskAttempts, name: string): void {
  const dot = name.indexOf('.');
  const file = fileBySuffix.get(name.slice(dot));
  const number = name.slice(0, dot);
  if (!file || !/^(0|[1-9]\d*)$/.test(number)) return;
  const attempt = Number(number);
  const files = attempts.get(attempt);
  if (files) files.add(file);
  else attempts.set(attempt, new Set([file]));
}
