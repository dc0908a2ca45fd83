import { isStowageError, StowageError, type StowageErrorCode } from '../errors.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import type { TaskDataStore } from './task-data-store.ts';

/**
 * The reason why a task is not among those that were opened: its attempt failed, was given up by a collector (`abandoned`), or is `open`;
 * `retrying` where that is open and earlier ones were closed; `deleted`; or `absent`, where the attempt that was asked for does not exist.
 */
export type LeftOutReason = 'failed' | 'abandoned' | 'open' | 'retrying' | 'deleted' | 'absent';

/** A task of the run that is not among those that were opened. */
export interface LeftOutTask {
  stepName: string;
  taskId: string;
  /** `run/step/task/attempt` of the attempt that kept it out; `run/step/task` where none stands for the task. */
  pathspec: string;
  reason: LeftOutReason;
  /** The error that opening the task by its name throws; its message tells the reason in words. */
  error: StowageError;
}

/** Tasks that were opened for reading, in their order, and those of the run that were left out. */
export interface OpenedTasks extends Array<TaskDataStore> {
  /** The tasks of the run, or of its steps that were asked for, that the rules do not let be read. Not enumerable. */
  readonly leftOut: readonly LeftOutTask[];
}

/** Errors of a task that rules do not let be read, rather than of the store. */
export const LEFT_OUT: readonly StowageErrorCode[] = [
  'ATTEMPT_NOT_FOUND',
  'ATTEMPT_NOT_DONE',
  'ATTEMPT_DELETED',
];
/** A message tells of so many tasks; `details` of all. */
const MAX_TOLD = 5;

/** The task that reading failed for; throws an error that is not about the task alone. */
export function leftOutBy(error: unknown, path: TaskPath): LeftOutTask {
  if (!isStowageError(error, ...LEFT_OUT)) throw error;
  const { pathspec = formatPathspec(path) } = error.details as { pathspec?: string };
  return { stepName: path.step, taskId: path.task, pathspec, reason: reasonOf(error), error };
}

/**
 * `ATTEMPT_NOT_DONE`: not all tasks of a run can be read.
 *
 * @param total - how many tasks there are
 */
export function incomplete(
  { flow, run }: { flow: string; run: string },
  leftOut: readonly [LeftOutTask, ...LeftOutTask[]],
  total: number,
): StowageError {
  const [{ error: cause }] = leftOut;
  const told = leftOut.slice(0, MAX_TOLD).map(({ error }) => `- ${error.message}`);
  const more =
    leftOut.length > MAX_TOLD ? [`and ${leftOut.length - MAX_TOLD} more, see details.leftOut`] : [];
  return new StowageError(
    'ATTEMPT_NOT_DONE',
    [
      `${leftOut.length} of ${total} tasks of run ${run} of flow ${flow} cannot be read, and all are required. Run them again, or leave out require: 'all'.`,
      ...told,
      ...more,
    ].join('\n'),
    {
      details: { flow, run, leftOut: leftOut.map(({ pathspec, reason }) => ({ pathspec, reason })) },
      cause,
    },
  );
}

/** Gives a list of tasks the member that tells of the others. */
export function withLeftOut(tasks: TaskDataStore[], leftOut: readonly LeftOutTask[]): OpenedTasks {
  return Object.defineProperty(tasks, 'leftOut', { value: leftOut }) as OpenedTasks;
}

function reasonOf({ code, details }: StowageError): LeftOutReason {
  if (code === 'ATTEMPT_NOT_FOUND') return 'absent';
  if (code === 'ATTEMPT_DELETED') return 'deleted';
  const { status, latestStatus, existing } = details as {
    status?: 'failed' | 'abandoned' | 'open';
    latestStatus?: 'failed' | 'abandoned' | 'open' | 'deleted';
    existing: readonly number[];
  };
  const reason = status ?? latestStatus ?? 'absent';
  return reason === 'open' && existing.length > 1 ? 'retrying' : reason;
}
