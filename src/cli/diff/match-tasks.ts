import type { TaskView } from '../../views/attempts.ts';
import { byName } from '../../views/listing.ts';

/** A task of either side, and the one of the other side that it is compared with. */
export interface TaskPair {
  a?: TaskView;
  b?: TaskView;
}

/**
 * Pairs the tasks of two runs by step and task, or of two steps by task alone. Engines that number tasks through all runs
 * give each another name; a step's only task is the same task all the same.
 */
export function matchTasks(a: readonly TaskView[], b: readonly TaskView[], by: 'run' | 'step'): TaskPair[] {
  const stepOf = ({ path }: TaskView): string => (by === 'run' ? path.step : '');
  const others = new Map(b.map((task) => [`${stepOf(task)}/${task.path.task}`, task]));
  const pairs: TaskPair[] = [];
  const alone: TaskView[] = [];
  for (const task of a) {
    const name = `${stepOf(task)}/${task.path.task}`;
    const other = others.get(name);
    others.delete(name);
    if (other) pairs.push({ a: task, b: other });
    else alone.push(task);
  }
  const [onlyOfA, onlyOfB] = [onlyTasks(a, stepOf), onlyTasks(b, stepOf)];
  for (const task of alone) {
    const other = onlyOfA.has(stepOf(task)) ? onlyOfB.get(stepOf(task)) : undefined;
    if (other) others.delete(`${stepOf(other)}/${other.path.task}`);
    pairs.push(other ? { a: task, b: other } : { a: task });
  }
  for (const task of others.values()) pairs.push({ b: task });
  return pairs.sort((x, y) => {
    const [p, q] = [(x.a ?? x.b)?.path, (y.a ?? y.b)?.path];
    return byName(p?.step ?? '', q?.step ?? '') || byName(p?.task ?? '', q?.task ?? '');
  });
}

/** The tasks that are the only ones of their steps. */
function onlyTasks(
  tasks: readonly TaskView[],
  stepOf: (task: TaskView) => string,
): ReadonlyMap<string, TaskView> {
  const counts = new Map<string, number>();
  for (const task of tasks) counts.set(stepOf(task), (counts.get(stepOf(task)) ?? 0) + 1);
  return new Map(tasks.filter((task) => counts.get(stepOf(task)) === 1).map((task) => [stepOf(task), task]));
}
