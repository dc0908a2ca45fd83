import { mapBounded } from '../async/bounded-work.ts';
import { countRuns, listRuns } from '../attempts/run-listing.ts';
import { type ListedTask, latestAttempt, listAttempts, listTasks } from '../format/attempt-files.ts';
import type { RecordedError } from '../format/session-files.ts';
import {
  type ArtifactView,
  type AttemptDetail,
  type AttemptSummary,
  latestOf,
  readStatuses,
  readTask,
  readTasks,
  type ShownStatus,
  summaryOf,
  type TaskView,
} from './attempts.ts';
import { artifactsInFull } from './codecs.ts';
import { childrenOf, missing } from './not-found.ts';
import { formatStorePath, type Reaching, type RunPath, type StorePath } from './paths.ts';
import { listedRuns, type RunView, selectRuns } from './runs.ts';
import type { StoreView } from './store-view.ts';

/**
 * The entries directly below a path: `total` there are, of which the first `limit` were read, and `more` not, which are wanted, or
 * of which nobody has looked whether they are.
 */
export type Listing = { path: string; total: number; more: number } & (
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
  step: string;
  task: string;
  /** The number of attempts that were started. */
  attempts: number;
  /** The latest attempt. */
  attempt: number;
  status: ShownStatus;
  /** The name that its owner gave it. */
  label?: string | undefined;
  startedAt?: string | undefined;
  closedAt?: string | undefined;
  durationMs?: number | undefined;
  purged?: true | undefined;
  /** The attempt that it was taken over from, in place of being run. */
  takenOver?: string | undefined;
  error?: RecordedError | undefined;
  failure?: { code: string; message: string } | undefined;
  /** The number of its artifacts, and their bytes together. */
  artifacts: number;
  bytes: number;
}

/** The wanted entries of a path. */
export interface ListingChoice {
  /** The most entries. */
  limit: number;
  /** Flows are listed with their newest runs, which takes a listing of each. Default `false`. */
  isLong?: boolean;
  /** Only runs, tasks or attempts of this status, tasks by their latest attempt. Default: of any. */
  status?: WantedStatus | undefined;
  /** Only tasks whose latest attempt has a label that holds this text, in capitals or not. Default: all. */
  label?: string | undefined;
}

export type WantedStatus = 'open' | 'done' | 'failed' | 'abandoned';

/** So many flows are looked at at once. */
const CONCURRENCY = 8;

/** Orders names, and numbers in them by their value. */
export const byName: (a: string, b: string) => number = new Intl.Collator('en', { numeric: true }).compare;

/**
 * Lists what lies directly below a path: the store's flows, a flow's runs, a run's steps, a step's tasks, a task's attempts, or an
 * attempt's artifacts. With a `status` or `label`, below a run the tasks of all its steps.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`
 */
export async function listBelow(
  view: StoreView,
  path: StorePath,
  { limit, isLong = false, status, label }: ListingChoice,
): Promise<Listing> {
  const { flow, run, step, task, attempt } = path;
  if (flow === undefined) return listFlows(view, limit, isLong);
  if (run === undefined) return listFlow(view, flow, limit, status);
  const at = formatStorePath(path);
  const tasks = await tasksAt(view, path as RunPath);
  const [first] = tasks;
  const isSearched = status !== undefined || label !== undefined;
  if (task === undefined && isSearched) return listTasksOf(view, at, tasks, { limit, status, label });
  if (step === undefined || first === undefined) return listSteps(view, at, tasks, limit);
  if (task === undefined) return listTasksOf(view, at, tasks, { limit });
  const { attempts } = await readTask(view, first);
  if (attempt === undefined) {
    const wanted = attempts.filter((one) => status === undefined || one.status === status);
    const shown = wanted.slice(-limit);
    const entries = shown.map(summaryOf).map(({ metadata: _, readFrom: __, ...summary }) => summary);
    const [total, more] = [attempts.length, wanted.length - shown.length];
    return { path: at, kind: 'attempts', total, more, entries };
  }
  const detail = attempts.find((one) => one.attempt === attempt) as AttemptDetail;
  const { artifacts } = detail;
  const entries = await artifactsInFull(view, first.path, {
    ...detail,
    entries: detail.entries?.slice(0, limit) ?? [],
  });
  return {
    path: at,
    kind: 'artifacts',
    total: artifacts.length,
    more: artifacts.length - entries.length,
    entries,
  };
}

/**
 * The tasks that a path leads to, by step and name, numbers in them by their value. None only of a run that has none yet.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`
 */
export async function tasksAt(view: StoreView, path: RunPath): Promise<ListedTask[]> {
  const tasks = await listedAt(view, path);
  const { attempt } = path;
  if (tasks.length === 0 || (attempt !== undefined && !tasks[0]?.attempts.has(attempt))) {
    const error = await missing(view, path);
    if (error) throw error;
  }
  return tasks.sort((a, b) => byName(a.path.step, b.path.step) || byName(a.path.task, b.path.task));
}

/** One LIST, paged: of a task that of its attempts alone, however many tasks are beside it. */
async function listedAt(view: StoreView, { flow, run, step, task }: RunPath): Promise<ListedTask[]> {
  if (step !== undefined && task !== undefined) {
    const path = { flow, run, step, task };
    const attempts = await listAttempts(view.storage, path, view);
    return attempts.size === 0 ? [] : [{ path, attempts }];
  }
  const tasks: ListedTask[] = [];
  for await (const listed of listTasks(view.storage, { flow, run, step }, view)) tasks.push(listed);
  return tasks;
}

/** The path of a listed task. */
export function pathOf({ path: { flow, run, step, task } }: ListedTask): Reaching<'task'> {
  return { flow, run, step, task } satisfies StorePath;
}

async function listFlows(view: StoreView, limit: number, isLong: boolean): Promise<Listing> {
  const folders = await childrenOf(view, 'runs/');
  const counted = await mapBounded(folders, CONCURRENCY, async (flow): Promise<ListedFlow> => {
    if (!isLong) return { flow, runs: await countRuns(view.storage, flow, view) };
    const runs = await listRuns(view.storage, flow, view);
    const newestRunAt = runs[0] && new Date(runs[0].createdAtMs).toISOString();
    return { flow, runs: runs.length, ...(newestRunAt === undefined ? {} : { newestRunAt }) };
  });
  // A flow is what has runs: other programs leave folders of their own.
  const flows = counted.filter(({ runs }) => runs > 0);
  const entries = flows.slice(0, limit);
  return { path: '', kind: 'flows', total: flows.length, more: flows.length - entries.length, entries };
}

/** The newest runs of a flow. */
async function listFlow(
  view: StoreView,
  flow: string,
  limit: number,
  status: WantedStatus | undefined,
): Promise<Listing> {
  const runs = await listedRuns(view, flow);
  const { runs: entries, unread } = await selectRuns(view, runs, { status }, limit);
  return { path: flow, kind: 'runs', total: runs.length, more: unread, entries };
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
  const more = names.length - steps.size;
  return { path, kind: 'steps', total: names.length, more, entries: [...steps.values()] };
}

async function listTasksOf(
  view: StoreView,
  path: string,
  listed: readonly ListedTask[],
  { limit, status, label }: Pick<ListingChoice, 'limit' | 'status' | 'label'>,
): Promise<Listing> {
  const ofStatus = status === undefined ? listed : await tasksOfStatus(view, listed, status);
  // Descriptions tell labels, so that all have to be read for one.
  const found = label === undefined ? undefined : await tasksOfLabel(view, ofStatus, label);
  const wanted = found ?? ofStatus;
  const tasks = found?.slice(0, limit) ?? (await readTasks(view, ofStatus.slice(0, limit), 'latest'));
  const entries = tasks.map((task): TaskSummary => {
    const latest = latestOf(task);
    const { attempt, status, label, startedAt, closedAt, durationMs } = latest;
    const { purged, takenOver, error, failure, artifacts } = latest;
    return {
      step: task.path.step,
      task: task.path.task,
      attempts: task.started,
      ...{ attempt, status, label, startedAt, closedAt, durationMs, purged, takenOver, error, failure },
      artifacts: artifacts.length,
      bytes: bytesOf(latest),
    };
  });
  return { path, kind: 'tasks', total: listed.length, more: wanted.length - entries.length, entries };
}

/** Chooses tasks by the status of their latest attempts; an open one is known by the listing alone, others by their DONE. */
async function tasksOfStatus(
  view: StoreView,
  tasks: readonly ListedTask[],
  wanted: WantedStatus,
): Promise<ListedTask[]> {
  const isClosed = ({ attempts }: ListedTask): boolean =>
    attempts.get(latestAttempt(attempts))?.has('done') === true;
  const candidates = tasks.filter((task) => isClosed(task) === (wanted !== 'open'));
  const statuses = await readStatuses(view, candidates);
  return candidates.filter((_, index) => statuses[index] === wanted);
}

async function tasksOfLabel(
  view: StoreView,
  tasks: readonly ListedTask[],
  text: string,
): Promise<TaskView[]> {
  const sought = text.toLowerCase();
  const read = await readTasks(view, tasks, 'latest');
  return read.filter((task) => latestOf(task).label?.toLowerCase().includes(sought));
}

/** Adds up the bytes of an attempt's artifacts. */
function bytesOf({ artifacts }: AttemptSummary): number {
  return artifacts.reduce((sum, { bytes }) => sum + bytes, 0);
}
