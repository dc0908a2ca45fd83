import { readTasks, type TaskView } from '../../views/attempts.ts';
import { byName, tasksAt } from '../../views/listing.ts';
import { missing } from '../../views/not-found.ts';
import { formatStorePath, type RunPath } from '../../views/paths.ts';
import { type RunView, readRun } from '../../views/runs.ts';
import type { StoreView } from '../../views/store-view.ts';
import type { Invocation } from '../invocation.ts';
import type { OpenStore } from '../store.ts';
import { workOnItems } from '../ui/progress-line.ts';
import { Explainer, type ExplainLimits } from './explain.ts';
import { reusedTasks } from './reused-tasks.ts';
import { type ArtifactDiff, diffJson, diffTasks, isDifferent, sideOf, type TaskDiff } from './task-diff.ts';
import type { ChangedParts } from './value-diff.ts';

/** Two things that were compared, and their differences. */
export interface Comparison {
  a: RunPath;
  b: RunPath;
  kind: 'runs' | 'steps' | 'tasks';
  /** For runs: the records of both, and their differences. */
  runs?: ComparedRuns;
  /** Only those that differ, in artifacts, status or metadata. */
  tasks: TaskDiff[];
  /** The number of others that differ. */
  more: number;
  /** The number of tasks that are the same, or of artifacts of two tasks. */
  same: number;
  isDifferent: boolean;
}

/** The records of two runs, and how they differ. */
export interface ComparedRuns {
  a: RunView;
  b: RunView;
  changes: ChangedParts;
}

/** A task of either side, and the one of the other side that it is compared with. */
interface TaskPair {
  a?: TaskView;
  b?: TaskView;
}

/**
 * Compares two runs, steps or tasks by their records; values are looked at by {@link explainAll}.
 *
 * @param limits - the most changes of each record, and the most tasks that are told
 */
export async function compare(
  view: StoreView,
  { a, b, kind }: Pick<Comparison, 'a' | 'b' | 'kind'>,
  { limit, maxTasks }: { limit: number; maxTasks: number },
): Promise<Comparison> {
  const tasksOfA = await tasksOf(view, a);
  // What is compared with itself is read once.
  const tasksOfB = formatStorePath(a) === formatStorePath(b) ? [...tasksOfA] : await tasksOf(view, b);
  if (kind === 'runs') {
    const reusedByB = await reusedTasks(view, b, tasksOfB, tasksOfA);
    tasksOfA.push(...(await reusedTasks(view, a, tasksOfA, tasksOfB)));
    tasksOfB.push(...reusedByB);
  }
  const pairs: TaskPair[] =
    kind === 'tasks'
      ? [{ a: tasksOfA[0] as TaskView, b: tasksOfB[0] as TaskView }]
      : matchTasks(tasksOfA, tasksOfB, kind === 'runs' ? 'run' : 'step');
  const all = pairs.map((pair) =>
    diffTasks(pair.a && sideOf(pair.a, a.attempt), pair.b && sideOf(pair.b, b.attempt), limit),
  );
  const different = all.filter((task) => isDifferent(task) || task.metadata.total > 0);
  const tasks = different.slice(0, maxTasks);
  return {
    a,
    b,
    kind,
    ...(kind === 'runs' ? { runs: await compareRuns(view, a, b, limit) } : {}),
    tasks,
    more: different.length - tasks.length,
    same: kind === 'tasks' ? (all[0]?.same ?? 0) : all.filter((task) => !isDifferent(task)).length,
    isDifferent: all.some(isDifferent),
  };
}

async function tasksOf(view: StoreView, path: RunPath): Promise<TaskView[]> {
  return readTasks(view, await tasksAt(view, path));
}

/**
 * Pairs the tasks of two runs by step and task, or of two steps by task alone. Engines that number tasks through all runs
 * give each another name; a step's only task is the same task all the same.
 */
function matchTasks(a: readonly TaskView[], b: readonly TaskView[], by: 'run' | 'step'): TaskPair[] {
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

/**
 * Compares two runs by their own records alone: however many tasks they have, none is read.
 *
 * @throws StowageError `RUN_NOT_FOUND`
 */
export async function compareInBrief(
  view: StoreView,
  { a, b }: Pick<Comparison, 'a' | 'b'>,
  limit: number,
): Promise<ComparedRuns> {
  const compared = await compareRuns(view, a, b, limit);
  // A run that nobody made has tasks alone. To look for it takes a listing of the flow's runs.
  for (const run of [compared.a, compared.b]) {
    const error = run.createdAt === '' ? await missing(view, { flow: run.flow, run: run.run }) : undefined;
    if (error) throw error;
  }
  return compared;
}

async function compareRuns(
  view: StoreView,
  pathOfA: RunPath,
  pathOfB: RunPath,
  limit: number,
): Promise<ComparedRuns> {
  const read = ({ flow, run }: RunPath): Promise<RunView> => readRun(view, { flow, run, finished: true });
  const [a, b] = await Promise.all([read(pathOfA), read(pathOfB)]);
  const comparable = ({ status, tags, parameters, parents, resumes, rerun }: RunView): object => ({
    status,
    ...(resumes === undefined ? {} : { resumes }),
    ...(rerun === undefined ? {} : { rerun: new Set(rerun) }),
    tags: new Set(tags),
    parameters,
    parents: new Set(parents),
  });
  return { a, b, changes: diffJson(comparable(a), comparable(b), limit) };
}

/** Finds out how artifacts changed, of at most `most`; resolves to how many were left. */
export async function explainAll(
  invocation: Invocation,
  store: OpenStore,
  tasks: readonly TaskDiff[],
  most: number,
  limits: ExplainLimits,
): Promise<number> {
  const total = tasks.flatMap(changedIn).length;
  let count = 0;
  for (const task of tasks) {
    const explainer = new Explainer(store, task, limits);
    for (const artifact of changedIn(task)) {
      if (count === most) return total - count;
      invocation.progress(() => workOnItems('comparing', count, total, 'artifacts'));
      const how = await explainer.explain(artifact);
      if (how) artifact.how = how;
      count += 1;
    }
  }
  return 0;
}

function changedIn({ artifacts }: TaskDiff): ArtifactDiff[] {
  return artifacts.filter(({ change }) => change === 'changed');
}
