import { readTasks, type TaskView } from '../attempt-view.ts';
import type { Invocation } from '../invocation.ts';
import { tasksAt } from '../listings.ts';
import { type RunJson, readRun } from '../run-view.ts';
import type { OpenStore } from '../store.ts';
import type { Reaching } from '../store-path.ts';
import { Progress } from '../ui/progress.ts';
import { countOf, formatCount } from '../ui/sizes.ts';
import { Explainer, type ExplainLimits } from './explain.ts';
import { matchTasks, type TaskPair } from './match-tasks.ts';
import { type ArtifactDiff, diffJson, diffTasks, isDifferent, sideOf, type TaskDiff } from './task-diff.ts';
import type { ChangedParts } from './value-diff.ts';

type RunPath = Reaching<'flow' | 'run'>;

/** Two things that were compared, and their differences. */
export interface Comparison {
  a: RunPath;
  b: RunPath;
  kind: 'runs' | 'steps' | 'tasks';
  /** For runs: the records of both, and their differences. */
  runs?: { a: RunJson; b: RunJson; changes: ChangedParts };
  /** Only those that differ, in artifacts, status or metadata. */
  tasks: TaskDiff[];
  /** The number of tasks that are the same, or of artifacts of two tasks. */
  same: number;
  isDifferent: boolean;
}

/** Compares two runs, steps or tasks by their records; values are looked at by {@link explainAll}. */
export async function compare(
  invocation: Invocation,
  store: OpenStore,
  { a, b, kind }: Pick<Comparison, 'a' | 'b' | 'kind'>,
  limit: number,
): Promise<Comparison> {
  const [tasksOfA, tasksOfB] = [await tasksOf(invocation, store, a), await tasksOf(invocation, store, b)];
  const pairs: TaskPair[] =
    kind === 'tasks'
      ? [{ a: tasksOfA[0] as TaskView, b: tasksOfB[0] as TaskView }]
      : matchTasks(tasksOfA, tasksOfB, kind === 'runs' ? 'run' : 'step');
  const all = pairs.map((pair) =>
    diffTasks(pair.a && sideOf(pair.a, a.attempt), pair.b && sideOf(pair.b, b.attempt), limit),
  );
  const tasks = all.filter((task) => isDifferent(task) || task.metadata.total > 0);
  return {
    a,
    b,
    kind,
    ...(kind === 'runs' ? { runs: await compareRuns(invocation, store, a, b, limit) } : {}),
    tasks,
    same: kind === 'tasks' ? (all[0]?.same ?? 0) : all.filter((task) => !isDifferent(task)).length,
    isDifferent: all.some(isDifferent),
  };
}

async function tasksOf(invocation: Invocation, store: OpenStore, path: RunPath): Promise<TaskView[]> {
  const listed = await tasksAt(store.storage, path, invocation);
  const tasks: TaskView[] = [];
  for await (const task of readTasks(invocation, store, listed)) tasks.push(task);
  return tasks;
}

async function compareRuns(
  invocation: Invocation,
  store: OpenStore,
  a: RunPath,
  b: RunPath,
  limit: number,
): Promise<NonNullable<Comparison['runs']>> {
  const [runA, runB] = await Promise.all(
    [a, b].map(({ flow, run }) => readRun(invocation, store, { flow, run, finished: true })),
  );
  const said = ({ status, tags, parameters, parents }: RunJson): object => ({
    status,
    tags: new Set(tags),
    parameters,
    parents: new Set(parents),
  });
  const [was, is] = [runA as RunJson, runB as RunJson];
  return { a: was, b: is, changes: diffJson(said(was), said(is), limit) };
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
  const progress = new Progress();
  let count = 0;
  try {
    for (const task of tasks) {
      const explainer = new Explainer(invocation, store, task, limits);
      for (const artifact of changedIn(task)) {
        if (count === most) return total - count;
        progress.update(() => `comparing ${formatCount(count)} of ${countOf(total, 'artifact')}`);
        const how = await explainer.explain(artifact);
        if (how) artifact.how = how;
        count += 1;
      }
    }
    return 0;
  } finally {
    progress.end();
  }
}

function changedIn({ artifacts }: TaskDiff): ArtifactDiff[] {
  return artifacts.filter(({ change }) => change === 'changed');
}
