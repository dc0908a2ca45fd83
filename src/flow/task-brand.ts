import type { AttemptView } from '../attempts/attempt-view.ts';
import { invalidArgument, type StowageError } from '../errors.ts';

/** By it every copy of the package in a process knows the tasks of the others. */
export const TASK_BRAND: unique symbol = Symbol.for('stowage.TaskDataStore') as never;
/** Under it a task opened for reading gives its attempt to the parts of this copy that take artifacts from it; nobody else can name it. */
export const VIEW: unique symbol = Symbol('view');

/** What can be asked of a task that another copy opened. */
export interface NamedTask {
  readonly flowName: string;
  readonly pathspec: string;
}

/** Knows a task opened for reading, by whatever copy of the package. */
export function isTask(value: unknown): value is NamedTask {
  return typeof value === 'object' && value !== null && TASK_BRAND in value;
}

/**
 * The attempt of a task that a user passed.
 *
 * @throws StowageError `INVALID_ARGUMENT` for anything but a task opened for reading by this copy of the package
 */
export function viewOf(task: unknown, method: string): AttemptView {
  if (isTask(task) && VIEW in task) return task[VIEW] as AttemptView;
  throw isTask(task) ? taskOfAnotherCopy(task, method) : notTasks(method);
}

/** `INVALID_ARGUMENT`: the method takes tasks, or a task, opened for reading. */
export function notTasks(method: string): StowageError {
  const what = method === 'mergeArtifacts' ? 'a list of tasks that were' : 'a task that was';
  return invalidArgument(`${method} takes ${what} opened for reading, by getTaskDataStore.`);
}

/** This copy cannot use the private parts of another one's tasks, nor should it: they may be of another version. */
function taskOfAnotherCopy({ flowName, pathspec }: NamedTask, method: string): StowageError {
  return invalidArgument(
    `${method} was given ${flowName}/${pathspec}, opened by another copy of this package in the process (two versions, or two installations of one). Open it by this copy, \`getTaskDataStore('${pathspec}')\` of a flow opened by the same import; \`npm ls stowage\` lists the copies.`,
    { flow: flowName, pathspec },
  );
}
