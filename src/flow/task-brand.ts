/** By it every copy of the package in a process knows the tasks of the others. */
export const TASK_BRAND: unique symbol = Symbol.for('stowage.TaskDataStore') as never;

/** What can be asked of a task that another copy opened. */
export interface NamedTask {
  readonly flowName: string;
  readonly pathspec: string;
}

/** Whether `value` is a task opened for reading, by whatever copy of the package. */
export function isTask(value: unknown): value is NamedTask {
  return typeof value === 'object' && value !== null && TASK_BRAND in value;
}
