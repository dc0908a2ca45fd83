import { invalidArgument, type StowageError } from '../errors.ts';

/** Every copy of the package in a process knows the tasks of the others by it. */
export const TASK_BRAND: unique symbol = Symbol.for('stowage.TaskDataStore') as never;

/** The members that can be read of a task that another copy opened. */
export interface NamedTask {
  readonly flowName: string;
  readonly pathspec: string;
}

/** Knows a task opened for reading, by whatever copy of the package. */
export function isTask(value: unknown): value is NamedTask {
  return typeof value === 'object' && value !== null && TASK_BRAND in value;
}

/** `INVALID_ARGUMENT`: the method takes tasks, or a task, opened for reading. */
export function notTasks(method: string): StowageError {
  const what = method === 'mergeArtifacts' ? 'a list of tasks that were' : 'a task that was';
  return invalidArgument(`${method} takes ${what} opened for reading, by getTaskDataStore.`);
}

/** `INVALID_ARGUMENT`: this copy cannot use what is private to another one's tasks, which may be of another version. */
export function taskOfAnotherCopy({ flowName, pathspec }: NamedTask, method: string): StowageError {
  return invalidArgument(
    `${method} was given ${flowName}/${pathspec}, opened by another copy of this package in the process (two versions, or two installations of one). Open it by this copy, \`getTaskDataStore('${pathspec}')\` of a flow opened by the same import; \`npm ls stowage\` lists the copies.`,
    { flow: flowName, pathspec },
  );
}
