import { mapBounded } from '../async/bounded-work.ts';
import { listRuns } from '../attempts/run-listing.ts';
import { type ListedTask, listTasks } from '../format/attempt-files.ts';
import {
  type ArtifactView,
  type AttemptDetail,
  type AttemptSummary,
  latestOf,
  readStatuses,
  readTask,
  readTasks,
  type ShownStatus,
} from './attempts.ts';
import { childrenOf, missing } from './not-found.ts';
import { formatStorePath, type Reaching, type RunPath, type StorePath } from './paths.ts';
import { listedRuns, type RunView, readRuns } from './runs.ts';
import type { StoreView } from './store-view.ts';

/** The entries directly below a path: `total` of them, of which the first `limit` were read. */
export type Listing = { path: string; total: number } & (
  | { kind: 'flows'; entries: ListedFlow[] }
  | { kind: 'runs'; entries: RunView[] }
  | { kind: 'steps'; entries: ListedStep[] }
  | { kind: 'tasks'; entries: TaskSummary[] }
  | { kind: 'attempts'; entries: AttemptSummary[] }
  | { kind: 'artifacts'; entries: ArtifactView[] }
);

/** A flow, and how many runs it has. */
export interface ListedFlow {
  flow: string;
  runs: number;
  /** The time at which its newest run was made, if that was asked for. */
  newestRunAt?: string;
}

/** A step, and what became of its tasks by their latest attempts. */
export interface ListedStep {
  step: string;
  tasks: number;
  done: number;
  failed: number;
  other: number;
}

/** A task, by its latest attempt. */
export interface TaskSummary {
  task: string;
  /** The number of attempts that were started. */
  attempts: number;
  /** The latest attempt. */
  attempt: number;
  status: ShownStatus;
  startedAt?: string | undefined;
  closedAt?: string | undefined;
  durationMs?: number | undefined;
  purged?: true | undefined;
  failure?: { code: string; message: string } | undefined;
  /** The number of its artifacts, and their bytes together. */
  artifacts: number;
  bytes: number;
}

/** So many flows are looked at at once. */
const CONCURRENCY = 8;

/** Orders names, and numbers in them by their value. */
export const byName: (a: string, b: string) => number = new Intl.Collator('en', { numeric: true }).compare;

/**
 * Lists what lies directly below a path: the store's flows, a flow's runs, a run's steps, a step's tasks, a task's attempts, or an
 * attempt's artifacts. With `isLong` flows are listed with their newest runs, which takes a listing of each.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`
 */
export async function listBelow(
  view: StoreView,
  path: StorePath,
  { limit, isLong }: { limit: number; isLong: boolean },
): Promise<Listing> {
  const { flow, run, step, task, attempt } = path;
  if (flow === undefined) return listFlows(view, limit, isLong);
  const at = formatStorePath(path);
  if (run === undefined) {
    const runs = await listedRuns(view, flow);
    const entries = await readRuns(view, runs.slice(0, limit));
    return { path: at, kind: 'runs', total: runs.length, entries };
  }
  const tasks = await tasksAt(view, path as RunPath);
  const [first] = tasks;
  if (step === undefined || first === undefined) return listSteps(view, at, tasks, limit);
  if (task === undefined) return listStep(view, at, tasks, limit);
  const { attempts } = await readTask(view, first);
  if (attempt === undefined) {
    const shown = attempts.slice(-limit);
    const entries = shown.map(({ entries: _, metadata: __, readFrom: ___, ...summary }) => summary);
    return { path: at, kind: 'attempts', total: attempts.length, entries };
  }
  const { artifacts } = attempts.find((one) => one.attempt === attempt) as AttemptDetail;
  return { path: at, kind: 'artifacts', total: artifacts.length, entries: artifacts.slice(0, limit) };
}

/**
 * The tasks that a path leads to, by step and name, numbers in them by their value. None only of a run that has none yet.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`
 */
export async function tasksAt(view: StoreView, path: RunPath): Promise<ListedTask[]> {
  const tasks: ListedTask[] = [];
  for await (const task of listTasks(view.storage, path, view)) {
    if (path.task === undefined || task.path.task === path.task) tasks.push(task);
  }
  const { attempt } = path;
  if (tasks.length === 0 || (attempt !== undefined && !tasks[0]?.attempts.has(attempt))) {
    const error = await missing(view, path);
    if (error) throw error;
  }
  return tasks.sort((a, b) => byName(a.path.step, b.path.step) || byName(a.path.task, b.path.task));
}

/** The path of a listed task. */
export function pathOf({ path: { flow, run, step, task } }: ListedTask): Reaching<'task'> {
  return { flow, run, step, task } satisfies StorePath;
}

async function listFlows(view: StoreView, limit: number, isLong: boolean): Promise<Listing> {
  const flows = await childrenOf(view, 'runs/');
  const entries = await mapBounded(flows.slice(0, limit), CONCURRENCY, async (flow): Promise<ListedFlow> => {
    // The names of their folders are enough to count runs.
    if (!isLong) return { flow, runs: (await childrenOf(view, `runs/${flow}/`)).length };
    const runs = await listRuns(view.storage, flow, view);
    const newestRunAt = runs[0] && new Date(runs[0].createdAtMs).toISOString();
    return { flow, runs: runs.length, ...(newestRunAt === undefined ? {} : { newestRunAt }) };
  });
  return { path: '', kind: 'flows', total: flows.length, entries };
}

async function listSteps(
  view: StoreView,
  path: string,
  tasks: readonly ListedTask[],
  limit: number,
): Promise<Listing> {
  const names = [...new Set(tasks.map((task) => task.path.step))];
  const steps = new Map<string, ListedStep>();
  for (const step of names.slice(0, limit)) steps.set(step, { step, tasks: 0, done: 0, failed: 0, other: 0 });
  const counted = tasks.filter((task) => steps.has(task.path.step));
  const statuses = await readStatuses(view, counted);
  for (const [index, { path }] of counted.entries()) {
    const [status, entry] = [statuses[index], steps.get(path.step) as ListedStep];
    entry.tasks += 1;
    entry[status === 'done' || status === 'failed' ? status : 'other'] += 1;
  }
  return { path, kind: 'steps', total: names.length, entries: [...steps.values()] };
}

async function listStep(
  view: StoreView,
  path: string,
  listed: readonly ListedTask[],
  limit: number,
): Promise<Listing> {
  const tasks = await readTasks(view, listed.slice(0, limit), 'latest');
  const entries = tasks.map((task): TaskSummary => {
    const latest = latestOf(task);
    const { attempt, status, startedAt, closedAt, durationMs, purged, failure, artifacts } = latest;
    return {
      task: task.path.task,
      attempts: task.started,
      ...{ attempt, status, startedAt, closedAt, durationMs, purged, failure },
      artifacts: artifacts.length,
      bytes: bytesOf(latest),
    };
  });
  return { path, kind: 'tasks', total: listed.length, entries };
}

/** Adds up the bytes of an attempt's artifacts. */
function bytesOf({ artifacts }: AttemptSummary): number {
  return artifacts.reduce((sum, { bytes }) => sum + bytes, 0);
}
