import { shell } from '../codec/shell-command.ts';
import { StowageError } from '../errors.ts';
import { attemptNumbersOf, type TaskAttempts } from '../format/attempt-files.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import type { DoneRecord, Outcome, RecordedError } from '../format/session-files.ts';
import { didYouMean, suggest } from '../options/suggestions.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** A message lists so many names, of so many that are looked at for it. */
const MAX_SHOWN = 10;
const MAX_LISTED = 1_000;
/** A message tells so many characters of the error that an attempt failed by. */
const MAX_TOLD = 120;
/** `details.existing` of an error holds so many numbers of attempts: the last ones. */
const MAX_EXISTING = 1_000;

/** `TASK_NOT_FOUND`: which part of the name nobody has, and what there is instead. Two more requests. */
export async function taskNotFound(
  storage: DataStoreStorage,
  path: TaskPath,
  options: CallOptions,
): Promise<StowageError> {
  const { flow, run, step } = path;
  const steps = await foldersAt(storage, `flows/${flow}/${run}/`, options);
  const tasks = steps.includes(step)
    ? await foldersAt(storage, `flows/${flow}/${run}/${step}/`, options)
    : [];
  const pathspec = formatPathspec(path);
  const existing = steps.includes(step) ? tasks : steps;
  const message = `Flow ${flow} has no task ${pathspec}. ${why(path, steps, tasks)}`;
  return new StowageError('TASK_NOT_FOUND', message, { details: { flow, pathspec, existing } });
}

function why(
  { flow, run, step, task }: TaskPath,
  steps: readonly string[],
  tasks: readonly string[],
): string {
  if (run === flow) return 'A pathspec begins with the run, without the name of the flow.';
  if (steps.length === 0)
    return `No run ${run} of it has tasks; see its runs with: ${shell`stowage runs ${flow}`}`;
  const [what, name, names] = steps.includes(step)
    ? [`Step ${step} of run ${run} has no task`, task, tasks]
    : [`Run ${run} has no step`, step, steps];
  return `${what} ${name}; it has ${shown(names)}.${didYouMean(suggest(name, names))}`;
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, MAX_SHOWN).join(', ');
  return names.length > MAX_SHOWN ? `${some}, ...` : some;
}

/** The names of the folders at a prefix: the first 1,000, of which an error tells. One LIST. */
export async function foldersAt(
  storage: DataStoreStorage,
  prefix: string,
  { signal }: CallOptions,
): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix, depth: 'one', limit: MAX_LISTED, signal })) {
    for (const folder of page.folders) names.push(folder.slice(prefix.length, -1));
  }
  return names;
}

/** `ATTEMPT_NOT_FOUND`: the task has others. */
export function attemptNotFound(path: TaskPath, attempt: number, attempts: TaskAttempts): StowageError {
  const existing = attemptNumbersOf(attempts);
  const details = { ...where(path), attempt, existing: existing.slice(-MAX_EXISTING) };
  return new StowageError(
    'ATTEMPT_NOT_FOUND',
    `Task ${details.pathspec} of flow ${details.flow} has no attempt ${attempt}; it has ${someOf(existing)}.`,
    { details },
  );
}

/** `ATTEMPT_NOT_DONE`: the attempt is there, and its results are not to be relied on. */
export function attemptNotDone(
  path: TaskPath,
  attempt: number,
  { status, done }: { status: 'open' | Outcome; done?: Pick<DoneRecord, 'error'> },
  attempts: TaskAttempts,
  { attempt: asked }: { attempt?: unknown },
): StowageError {
  const details = {
    ...where(path, attempt),
    status,
    existing: attemptNumbersOf(attempts).slice(-MAX_EXISTING),
  };
  const why = done?.error ? ` (${told(done.error)})` : '';
  const state = { open: 'is not finished', failed: `failed${why}`, abandoned: 'was given up' }[
    status as 'open'
  ];
  const older = asked === undefined && attempts.size > 1 ? " Older results: pass attempt: 'latestDone'." : '';
  return new StowageError(
    'ATTEMPT_NOT_DONE',
    `Attempt ${details.pathspec} of flow ${details.flow} ${state}, so its results are not to be relied on.${older} To look at it all the same, pass allowNotDone: true.`,
    { details },
  );
}

/** `ATTEMPT_NOT_DONE`: the task has attempts, and none of them is done. `status` is that of the latest. */
export function noneDone(
  path: TaskPath,
  attempts: TaskAttempts,
  status: 'open' | 'deleted' | Outcome,
): StowageError {
  const existing = attemptNumbersOf(attempts);
  const details = { ...where(path), latestStatus: status, existing: existing.slice(-MAX_EXISTING) };
  return new StowageError(
    'ATTEMPT_NOT_DONE',
    `Task ${details.pathspec} of flow ${details.flow} has no attempt that is done (it has ${someOf(existing)}).`,
    { details },
  );
}

/** `ATTEMPT_DELETED`: only the number is left. */
export function attemptDeleted(path: TaskPath, attempt: number): StowageError {
  const details = where(path, attempt);
  return new StowageError(
    'ATTEMPT_DELETED',
    `Attempt ${details.pathspec} of flow ${details.flow} was deleted; only its number remains, so that it is never used again.`,
    { details },
  );
}

/** An error in a few words. */
function told({ name, message }: RecordedError): string {
  const line = `${name}: ${message}`.split('\n', 1)[0] as string;
  return line.length > MAX_TOLD ? `${line.slice(0, MAX_TOLD)}...` : line;
}

function where(path: TaskPath, attempt?: number): { flow: string; pathspec: string } {
  return { flow: path.flow, pathspec: formatPathspec(path, attempt) };
}

/** The last of many numbers, which a message can hold. */
function someOf(numbers: readonly number[]): string {
  const last = numbers.slice(-20).join(', ');
  return numbers.length > 20 ? `${numbers.length}, the last of them ${last}` : last;
}
