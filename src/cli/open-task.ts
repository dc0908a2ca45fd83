import { shell } from '../codec/shell-command.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { TaskDataStore } from '../flow/task-data-store.ts';
import type { AttemptRule } from '../views/attempts.ts';
import { formatStorePath, type TaskOrAttemptPath } from '../views/paths.ts';
import type { OpenStore } from './store.ts';
import { attemptRule } from './store-path.ts';

/** Opens the attempt of a task that a path and the options name. Errors speak of the options of commands. */
export async function openTask(
  store: OpenStore,
  path: TaskOrAttemptPath,
  options: { attempt?: string; allowNotDone?: boolean },
): Promise<TaskDataStore> {
  const attempt = attemptRule(path, options.attempt);
  const { flow, run, step, task } = path;
  const { allowNotDone = false } = options;
  const { signal } = store;
  try {
    const dataStore = await store.flow(flow);
    return await dataStore.getTaskDataStore(`${run}/${step}/${task}`, { attempt, allowNotDone, signal });
  } catch (error) {
    if (isStowageError(error, 'TASK_NOT_FOUND')) {
      const { missing } = await import('../views/not-found.ts');
      throw (await missing(store, path)) ?? error;
    }
    const where = formatStorePath({ flow, run, step, task });
    if (isStowageError(error, 'ATTEMPT_NOT_DONE')) throw notDone(error, where, attempt);
    throw error;
  }
}

/** The library speaks of its own options; here they have other names. */
function notDone({ details, cause }: StowageError, where: string, rule: AttemptRule): StowageError {
  const { status, existing } = details as { status?: string; existing: readonly number[] };
  const state =
    { open: 'is not finished', failed: 'failed', abandoned: 'was given up' }[status ?? ''] ?? 'is not done';
  const which = typeof rule === 'number' ? `Attempt ${rule} of task` : 'Task';
  const subject = status === undefined ? `No attempt of task ${where} is done` : `${which} ${where} ${state}`;
  const older =
    rule === undefined && existing.length > 1 ? ' For an older result: --attempt latest-done.' : '';
  const all = status === 'failed' ? ' To read it all the same: --allow-not-done.' : '';
  const message = `${subject}.${older}${all} See it with: ${shell`stowage show ${where}`}`;
  return new StowageError('ATTEMPT_NOT_DONE', message, { details, cause });
}

/** The error of an artifact that a task does not have, with those that it has. */
export async function noArtifact(task: TaskDataStore, name: string): Promise<Error> {
  const { artifactNotFound } = await import('../views/not-found.ts');
  try {
    task.info(name); // knows what was erased, and why
  } catch (error) {
    if (!isStowageError(error, 'ARTIFACT_NOT_FOUND')) return error as Error;
  }
  const why = task.isDone ? ' It has none at all.' : ` It is ${task.status}, and has none.`;
  return artifactNotFound(`${task.flowName}/${task.pathspec}`, name, task.names(), why);
}
