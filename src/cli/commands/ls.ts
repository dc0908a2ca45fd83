import { ARTIFACT_COLUMNS, artifactRow } from '../artifact-table.ts';
import type { AttemptView, TaskView } from '../attempt-view.ts';
import { attemptJson, durationCell, latestView, readTasks, statusCell } from '../attempt-view.ts';
import type { Invocation } from '../invocation.ts';
import { runsAt, tasksAt } from '../listings.ts';
import { readRuns, runStatusCell } from '../run-view.ts';
import { formatBytes, formatCount } from '../sizes.ts';
import { type OpenStore, withStore } from '../store.ts';
import { parseStorePath, type Reaching } from '../store-path.ts';
import type { Cell, Column } from '../table.ts';
import { ageOf, formatDuration } from '../times.ts';

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

/** `stowage ls [flow[/run[/step[/task[/attempt]]]]]` */
export async function ls(invocation: Invocation, text: string | undefined): Promise<void> {
  const path = parseStorePath(text, 0, 5);
  await withStore(invocation, async (store) => {
    if (path.flow === undefined) return listFlows(invocation, store);
    if (path.run === undefined) return listRunsOf(invocation, store, path.flow);
    return listTasksOf(invocation, store, path as Reaching<'flow' | 'run'>);
  });
}

async function listFlows(invocation: Invocation, store: OpenStore): Promise<void> {
  const flows = new Map<string, { flow: string; runs: number; newestRunAt: string }>();
  for (const { flow, createdAtMs } of await runsAt(store.storage, undefined, invocation)) {
    const known = flows.get(flow); // the newest run comes first
    if (known) known.runs += 1;
    else flows.set(flow, { flow, runs: 1, newestRunAt: new Date(createdAtMs).toISOString() });
  }
  const entries = [...flows.values()].sort((a, b) => (a.flow < b.flow ? -1 : 1));
  await print(invocation, { path: '', kind: 'flows', entries }, FLOW_COLUMNS, () =>
    entries.map(({ flow, runs, newestRunAt }) => [name(flow), formatCount(runs), ageOf(newestRunAt)]),
  );
}

async function listRunsOf(invocation: Invocation, store: OpenStore, flow: string): Promise<void> {
  const entries = await readRuns(invocation, store, await runsAt(store.storage, flow, invocation));
  await print(invocation, { path: flow, kind: 'runs', entries }, RUN_COLUMNS, () =>
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
): Promise<void> {
  const listed = await tasksAt(store.storage, path, invocation);
  const tasks: TaskView[] = [];
  for await (const task of readTasks(invocation, store, listed)) tasks.push(task);
  const { flow, run, step, task, attempt } = path;
  const [only] = tasks;
  if (step === undefined) return listSteps(invocation, `${flow}/${run}`, tasks);
  if (task === undefined || only === undefined) return listStep(invocation, `${flow}/${run}/${step}`, tasks);
  if (attempt === undefined) return listAttemptsOf(invocation, `${flow}/${run}/${step}/${task}`, only);
  const view = only.attempts.find((candidate) => candidate.attempt === attempt) as AttemptView;
  return listArtifacts(invocation, `${flow}/${run}/${step}/${task}/${attempt}`, view);
}

async function listSteps(invocation: Invocation, path: string, tasks: readonly TaskView[]): Promise<void> {
  const steps = new Map<
    string,
    { step: string; tasks: number; done: number; failed: number; other: number }
  >();
  for (const task of tasks) {
    const entry = steps.get(task.step) ?? { step: task.step, tasks: 0, done: 0, failed: 0, other: 0 };
    steps.set(task.step, entry);
    const { status } = latestView(task);
    entry.tasks += 1;
    entry[status === 'done' || status === 'failed' ? status : 'other'] += 1;
  }
  const entries = [...steps.values()];
  await print(invocation, { path, kind: 'steps', entries }, STEP_COLUMNS, () =>
    entries.map((entry) => [
      name(entry.step),
      formatCount(entry.tasks),
      formatCount(entry.done),
      entry.failed === 0 ? '0' : { text: formatCount(entry.failed), style: 'red' },
      formatCount(entry.other),
    ]),
  );
}

async function listStep(invocation: Invocation, path: string, tasks: readonly TaskView[]): Promise<void> {
  const entries = tasks.map((task) => {
    const latest = latestView(task);
    const { attempt, status, startedAt, closedAt, durationMs, purged, failure } = attemptJson(latest);
    const summary = { attempt, status, startedAt, closedAt, durationMs, purged, failure };
    return { task: task.task, attempts: task.attempts.length, ...summary, ...sizeOf(latest) };
  });
  await print(invocation, { path, kind: 'tasks', entries }, TASK_COLUMNS, () =>
    tasks.map((task) => [name(task.task), ...attemptCells(latestView(task), task.attempts.length)]),
  );
}

async function listAttemptsOf(invocation: Invocation, path: string, task: TaskView): Promise<void> {
  const entries = task.attempts.map((view) => ({
    ...attemptJson(view),
    metadata: undefined,
    readFrom: undefined,
  }));
  await print(invocation, { path, kind: 'attempts', entries }, ATTEMPT_COLUMNS, () =>
    task.attempts.map((view) => [String(view.attempt), ...attemptCells(view, undefined)]),
  );
  const latest = latestView(task);
  if (invocation.json || latest.artifacts.length === 0) return;
  await invocation.output.line();
  await invocation.output.table(ARTIFACT_COLUMNS, latest.artifacts.map(artifactRow));
}

async function listArtifacts(invocation: Invocation, path: string, view: AttemptView): Promise<void> {
  const entries = view.artifacts;
  await print(invocation, { path, kind: 'artifacts', entries }, ARTIFACT_COLUMNS, () =>
    entries.map(artifactRow),
  );
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
  { json, output }: Invocation,
  document: { path: string; kind: string; entries: readonly object[] },
  columns: readonly Column[],
  rows: () => Cell[][],
): Promise<void> {
  if (json) return output.json(document);
  if (document.entries.length > 0) await output.table(columns, rows());
}
