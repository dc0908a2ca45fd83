import { listRuns } from '../../attempts/run-listing.ts';
import type { ListedTask } from '../../format/attempt-files.ts';
import type { DataStoreStorage } from '../../storage/contract.ts';
import { readStatuses } from '../attempt-status.ts';
import {
  type AttemptView,
  attemptJson,
  durationCell,
  latestView,
  readTasks,
  readTaskView,
  statusCell,
  type TaskView,
} from '../attempt-view.ts';
import type { Invocation } from '../invocation.ts';
import { runsAt, tasksAt } from '../listings.ts';
import { childrenOf } from '../not-found.ts';
import { readRuns, runStatusCell } from '../run-view.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type Reaching, type StorePath } from '../store-path.ts';
import { ARTIFACT_COLUMNS, artifactRow } from '../ui/artifact-table.ts';
import { formatBytes, formatCount, parseLimit } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { ageOf, formatDuration } from '../ui/times.ts';

const FLOW_COLUMNS: readonly Column[] = [
  { header: 'FLOW', shrinks: true },
  { header: 'RUNS', align: 'right' },
  { header: 'NEWEST', dropOrder: 1 },
];

const RUN_COLUMNS: readonly Column[] = [
  { header: 'RUN', shrinks: true },
  { header: 'STATUS' },
  { header: 'CREATED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
];

const STEP_COLUMNS: readonly Column[] = [
  { header: 'STEP', shrinks: true },
  { header: 'TASKS', align: 'right' },
  { header: 'DONE', align: 'right' },
  { header: 'FAILED', align: 'right', dropOrder: 1 },
  { header: 'OTHER', align: 'right', dropOrder: 2 },
];

const TASK_COLUMNS: readonly Column[] = [
  { header: 'TASK', shrinks: true },
  { header: 'STATUS' },
  { header: 'ATTEMPTS', align: 'right', dropOrder: 3 },
  { header: 'STARTED', dropOrder: 2 },
  { header: 'TOOK', align: 'right', dropOrder: 1 },
  { header: 'ARTIFACTS', align: 'right', dropOrder: 4 },
  { header: 'SIZE', align: 'right', dropOrder: 1 },
];

const ATTEMPT_COLUMNS: readonly Column[] = [{ header: 'ATTEMPT', align: 'right' }, ...TASK_COLUMNS.slice(1)];

/** Options of `stowage ls`. */
export interface LsOptions {
  limit?: string;
  long?: boolean;
}

/** A flow, and how much was found out about it. */
interface FlowJson {
  flow: string;
  runs: number;
  newestRunAt?: string;
}

/** Runs are many, and each takes a request or two. */
const DEFAULT_RUNS = '50';
/** How many listings run at once. */
const CONCURRENT_LISTINGS = 8;

/** `stowage ls [flow[/run[/step[/task[/attempt]]]]]` */
export async function ls(
  invocation: Invocation,
  text: string | undefined,
  options: LsOptions,
): Promise<void> {
  const path = parseStorePath(text, 0, 5);
  const isFlow = path.flow !== undefined && path.run === undefined;
  const limit = parseLimit(options.limit ?? (isFlow ? DEFAULT_RUNS : 'all'));
  await withStore(invocation, async (store) => {
    if (path.flow === undefined) return listFlows(invocation, store, limit, options.long ?? false);
    if (path.run === undefined) return listRunsOf(invocation, store, path.flow, limit);
    return listTasksOf(invocation, store, path as Reaching<'flow' | 'run'>, limit);
  });
}

async function listFlows(
  invocation: Invocation,
  { storage }: OpenStore,
  limit: number,
  isLong: boolean,
): Promise<void> {
  const flows = await childrenOf(storage, 'runs/', invocation);
  const entries: FlowJson[] = [];
  const shown = flows.slice(0, limit);
  for (let start = 0; start < shown.length; start += CONCURRENT_LISTINGS) {
    const slice = shown.slice(start, start + CONCURRENT_LISTINGS);
    entries.push(
      ...(await Promise.all(slice.map((flow) => describeFlow(invocation, storage, flow, isLong)))),
    );
  }
  if (entries.length === 0) invocation.note('the store has no runs yet.');
  await print(invocation, { path: '', kind: 'flows', total: flows.length, entries }, FLOW_COLUMNS, () =>
    entries.map(({ flow, runs, newestRunAt }) => [
      name(flow),
      formatCount(runs),
      newestRunAt === undefined ? '' : ageOf(newestRunAt),
    ]),
  );
}

/** When runs were created stands in their folders, whose names are enough to count them. */
async function describeFlow(
  invocation: Invocation,
  storage: DataStoreStorage,
  flow: string,
  isLong: boolean,
): Promise<FlowJson> {
  if (!isLong) return { flow, runs: (await childrenOf(storage, `runs/${flow}/`, invocation)).length };
  const runs = await listRuns(storage, flow, invocation);
  const [newest] = runs;
  const newestRunAt = newest && new Date(newest.createdAtMs).toISOString();
  return { flow, runs: runs.length, ...(newestRunAt === undefined ? {} : { newestRunAt }) };
}

async function listRunsOf(
  invocation: Invocation,
  store: OpenStore,
  flow: string,
  limit: number,
): Promise<void> {
  const runs = await runsAt(store.storage, flow, invocation);
  const entries = await readRuns(invocation, store, runs.slice(0, limit));
  await print(invocation, { path: flow, kind: 'runs', total: runs.length, entries }, RUN_COLUMNS, () =>
    entries.map((run) => [
      name(run.run),
      runStatusCell(run),
      run.createdAt === '' ? '' : ageOf(run.createdAt),
      run.durationMs === undefined ? '' : formatDuration(run.durationMs),
    ]),
  );
}

async function listTasksOf(
  invocation: Invocation,
  store: OpenStore,
  path: Reaching<'flow' | 'run'>,
  limit: number,
): Promise<void> {
  const listed = await tasksAt(store.storage, path, invocation);
  const [only] = listed;
  if (path.step === undefined || only === undefined) return listSteps(invocation, store, path, listed, limit);
  if (path.task === undefined) return listStep(invocation, store, path, listed, limit);
  const task = await readTaskView(invocation, store, only);
  const { attempt } = path;
  if (attempt === undefined) return listAttemptsOf(invocation, formatStorePath(path), task, limit);
  const view = task.attempts.find((candidate) => candidate.attempt === attempt) as AttemptView;
  return listArtifacts(invocation, formatStorePath(path), view, limit);
}

async function listSteps(
  invocation: Invocation,
  store: OpenStore,
  path: StorePath,
  tasks: readonly ListedTask[],
  limit: number,
): Promise<void> {
  const shown = new Set([...new Set(tasks.map((task) => task.path.step))].slice(0, limit));
  const counted = tasks.filter((task) => shown.has(task.path.step));
  const statuses = await readStatuses(invocation, store, counted);
  const steps = new Map([...shown].map((step) => [step, { step, tasks: 0, done: 0, failed: 0, other: 0 }]));
  for (const [index, status] of statuses.entries()) {
    const entry = steps.get((counted[index] as ListedTask).path.step) as NonNullable<
      ReturnType<typeof steps.get>
    >;
    entry.tasks += 1;
    entry[status === 'done' || status === 'failed' ? status : 'other'] += 1;
  }
  const entries = [...steps.values()];
  const total = new Set(tasks.map((task) => task.path.step)).size;
  const document = { path: formatStorePath(path), kind: 'steps', total, entries };
  await print(invocation, document, STEP_COLUMNS, () =>
    entries.map((entry) => [
      name(entry.step),
      formatCount(entry.tasks),
      formatCount(entry.done),
      entry.failed === 0 ? '0' : { text: formatCount(entry.failed), style: 'red' },
      formatCount(entry.other),
    ]),
  );
}

async function listStep(
  invocation: Invocation,
  store: OpenStore,
  path: StorePath,
  listed: readonly ListedTask[],
  limit: number,
): Promise<void> {
  const tasks: TaskView[] = [];
  for await (const task of readTasks(invocation, store, listed.slice(0, limit), 'latest')) tasks.push(task);
  const entries = tasks.map((task) => {
    const latest = latestView(task);
    const { attempt, status, startedAt, closedAt, durationMs, purged, failure } = attemptJson(latest);
    const summary = { attempt, status, startedAt, closedAt, durationMs, purged, failure };
    return { task: task.path.task, attempts: task.started, ...summary, ...sizeOf(latest) };
  });
  const document = { path: formatStorePath(path), kind: 'tasks', total: listed.length, entries };
  await print(invocation, document, TASK_COLUMNS, () =>
    tasks.map((task) => [name(task.path.task), ...attemptCells(latestView(task), task.started)]),
  );
}

async function listAttemptsOf(
  invocation: Invocation,
  path: string,
  task: TaskView,
  limit: number,
): Promise<void> {
  const attempts = task.attempts.slice(-limit);
  const entries = attempts.map((view) => ({
    ...attemptJson(view),
    metadata: undefined,
    readFrom: undefined,
  }));
  const document = { path, kind: 'attempts', total: task.attempts.length, entries };
  await print(invocation, document, ATTEMPT_COLUMNS, () =>
    attempts.map((view) => [String(view.attempt), ...attemptCells(view, undefined)]),
  );
  const latest = latestView(task);
  if (invocation.json || latest.artifacts.length === 0) return;
  await invocation.output.line();
  await invocation.output.table(ARTIFACT_COLUMNS, latest.artifacts.map(artifactRow));
}

async function listArtifacts(
  invocation: Invocation,
  path: string,
  view: AttemptView,
  limit: number,
): Promise<void> {
  const entries = view.artifacts.slice(0, limit);
  const document = { path, kind: 'artifacts', total: view.artifacts.length, entries };
  await print(invocation, document, ARTIFACT_COLUMNS, () => entries.map(artifactRow));
}

function attemptCells(view: AttemptView, attempts: number | undefined): Cell[] {
  const { artifacts, bytes } = sizeOf(view);
  return [
    statusCell(view),
    attempts === undefined ? '' : String(attempts),
    view.startedAt === undefined ? '' : ageOf(view.startedAt),
    durationCell(view),
    formatCount(artifacts),
    artifacts === 0 ? '' : formatBytes(bytes),
  ];
}

function sizeOf({ artifacts }: AttemptView): { artifacts: number; bytes: number } {
  return { artifacts: artifacts.length, bytes: artifacts.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function name(text: string): Cell {
  return { text, style: 'cyan' };
}

async function print(
  invocation: Invocation,
  document: { path: string; kind: string; total: number; entries: readonly object[] },
  columns: readonly Column[],
  rows: () => Cell[][],
): Promise<void> {
  const { json, output } = invocation;
  if (json) return output.json(document);
  const { kind, total, entries } = document;
  if (entries.length > 0) await output.table(columns, rows());
  const more = total - entries.length;
  if (more === 0) return;
  const what = kind === 'runs' || kind === 'attempts' ? 'older not shown' : 'more not shown';
  invocation.note(`${formatCount(more)} ${what}; all of them: --limit all`);
}
