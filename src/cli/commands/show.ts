import type { Metadata } from '../../attempts/metadata-parts.ts';
import type { LogName } from '../../format/log-names.ts';
import { listLogs } from '../../logs/log-reader.ts';
import {
  type AttemptView,
  attemptJson,
  durationCell,
  errorLine,
  latestView,
  readTasks,
  readTaskView,
  statusCell,
  type TaskView,
} from '../attempt-view.ts';
import { attemptRule, chooseAttempt } from '../choose-attempt.ts';
import { usageError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { pathOf, tasksAt } from '../listings.ts';
import { reachRun } from '../reach.ts';
import { RUN_STYLES, type RunJson, readRun } from '../run-view.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type Reaching } from '../store-path.ts';
import { ARTIFACT_COLUMNS, artifactRow, storedText } from '../ui/artifact-table.ts';
import { formatBytes, formatCount } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { printable } from '../ui/terminal-text.ts';
import { ageOf, formatDuration } from '../ui/times.ts';
import { type TreeNode, treeRows } from '../ui/tree.ts';

/** Of a task: name, status, how long it took. Of an artifact: name, size, type, what is stored of it. */
const TREE_COLUMNS: readonly Column[] = [
  { header: '', shrinks: true },
  { header: '', align: 'right' },
  { header: '', dropOrder: 1, shrinks: true },
  { header: '', align: 'right', dropOrder: 2 },
];

const ATTEMPT_COLUMNS: readonly Column[] = [
  { header: 'ATTEMPT', align: 'right' },
  { header: 'STATUS' },
  { header: 'STARTED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'ERROR', dropOrder: 3, shrinks: true },
];

const LOG_COLUMNS: readonly Column[] = [
  { header: 'LOG' },
  { header: 'STREAM' },
  { header: 'SIZE', align: 'right' },
];

const MAX_STACK_LINES = 12;

/** `stowage show <flow>/<run>[/<step>[/<task>[/<attempt>]]]` */
export async function show(
  invocation: Invocation,
  text: string,
  options: { attempt?: string },
): Promise<void> {
  const path = parseStorePath(text, 1, 5);
  if (options.attempt !== undefined && path.task === undefined)
    throw usageError('--attempt is for one task: name it in the path.');
  await withStore(invocation, async (store) =>
    path.task === undefined
      ? showRun(invocation, store, await reachRun(store.storage, path, invocation))
      : showTask(invocation, store, path as Reaching<'flow' | 'run' | 'step' | 'task'>, options),
  );
}

async function showRun(
  invocation: Invocation,
  store: OpenStore,
  path: Reaching<'flow' | 'run'>,
): Promise<void> {
  const { flow, run } = path;
  const { output } = invocation;
  const listed = await tasksAt(store.storage, path, invocation);
  const info = await readRun(invocation, store, { flow, run, finished: true });
  const tasks: TaskView[] = [];
  for await (const task of readTasks(invocation, store, listed)) tasks.push(task);
  const steps = byStep(tasks);
  if (invocation.json) {
    return output.json({
      ...info,
      steps: [...steps].map(([step, members]) => ({
        step,
        tasks: members.map(({ path: { task }, attempts }) => ({
          task,
          attempts: attempts.map(attemptJson),
        })),
      })),
    });
  }
  await printRunHead(invocation, info);
  const nodes = [...steps].map(([step, members]) => stepNode(step, members));
  if (nodes.length === 0) return output.line('no tasks yet');
  await output.table(TREE_COLUMNS, treeRows(nodes));
}

async function printRunHead({ output }: Invocation, info: RunJson): Promise<void> {
  const { paint } = output;
  const facts = [
    paint(RUN_STYLES[info.status], info.status),
    ...(info.createdAt === '' ? [] : [`created ${ageOf(info.createdAt)}`]),
    ...(info.durationMs === undefined ? [] : [`took ${formatDuration(info.durationMs)}`]),
  ];
  await output.line(paint('bold', printable(`${info.flow}/${info.run}`)));
  await output.line(facts.join(', '));
  if (info.tags.length > 0) await output.line(printable(`tags: ${info.tags.join(', ')}`));
  for (const [name, value] of Object.entries(info.parameters)) {
    await output.line(printable(`${name} = ${JSON.stringify(value)}`));
  }
  if (info.parents.length > 0) await output.line(printable(`parents: ${info.parents.join(', ')}`));
  if (info.rawDataPath) await output.line(printable(`content at: ${info.rawDataPath}`));
  if (info.error) await output.line(paint('red', printable(errorLine(info.error))));
  await output.line();
}

/** Steps in the order in which they began. */
function byStep(tasks: readonly TaskView[]): Map<string, TaskView[]> {
  const steps = new Map<string, TaskView[]>();
  for (const task of tasks) {
    const members = steps.get(task.path.step);
    if (members) members.push(task);
    else steps.set(task.path.step, [task]);
  }
  return new Map([...steps].sort(([, a], [, b]) => (startOf(a) < startOf(b) ? -1 : 1)));
}

function startOf(tasks: readonly TaskView[]): string {
  const starts = tasks.flatMap(({ attempts }) => attempts.map(({ startedAt }) => startedAt ?? '~'));
  return starts.sort()[0] ?? '~';
}

function stepNode(step: string, tasks: readonly TaskView[]): TreeNode {
  return { cells: [{ text: step, style: 'bold' }], children: tasks.map(taskNode) };
}

function taskNode(task: TaskView): TreeNode {
  const latest = latestView(task);
  const children: TreeNode[] = latest.artifacts.map((artifact) => ({
    cells: [
      { text: artifact.name, style: 'cyan' },
      formatBytes(artifact.bytes),
      artifact.type,
      storedText(artifact),
    ],
  }));
  if (latest.error) children.unshift({ cells: [{ text: errorLine(latest.error), style: 'red' }] });
  if (task.attempts.length > 1) children.unshift({ cells: [{ text: retriedText(task), style: 'dim' }] });
  return { cells: [task.path.task, statusCell(latest), durationCell(latest)], children };
}

/** That a task was tried before, and what became of it: `attempt 3, 2 failed, 1 abandoned before: RangeError: diverged`. */
function retriedText({ attempts }: TaskView): string {
  const earlier = attempts.slice(0, -1);
  const counts = new Map<string, number>();
  for (const { status } of earlier) counts.set(status, (counts.get(status) ?? 0) + 1);
  const texts = [...counts].map(([status, count]) => `${formatCount(count)} ${status}`);
  const error = earlier.findLast((view) => view.error !== undefined)?.error;
  const why = error ? `: ${errorLine(error)}` : '';
  return `attempt ${attempts.at(-1)?.attempt}, ${texts.join(', ')} before${why}`;
}

async function showTask(
  invocation: Invocation,
  store: OpenStore,
  path: Reaching<'flow' | 'run' | 'step' | 'task'>,
  options: { attempt?: string },
): Promise<void> {
  const { output, signal } = invocation;
  const rule = attemptRule(path, options.attempt);
  const [listed] = await tasksAt(store.storage, path, { signal });
  if (!listed) return;
  const task = await readTaskView(invocation, store, listed);
  const where = formatStorePath(pathOf(listed));
  const chosen = chooseAttempt(where, task.attempts, rule);
  const logs = await listLogs(store.storage, listed.path, chosen.attempt, { signal });
  const logJson = logs.map(({ source, stream, bytes }) => ({ source, stream, bytes }));
  if (invocation.json) {
    const attempts = task.attempts.map(attemptJson);
    return output.json({ ...pathOf(listed), attempt: chosen.attempt, attempts, logs: logJson });
  }
  await output.line(output.paint('bold', printable(where)));
  await output.table(ATTEMPT_COLUMNS, task.attempts.map(attemptRow));
  await printAttempt(invocation, chosen, logJson, task.attempts.length > 1);
}

function attemptRow(view: AttemptView): Cell[] {
  const error = view.error ? errorLine(view.error) : (view.failure?.message ?? '');
  return [
    String(view.attempt),
    statusCell(view),
    view.startedAt === undefined ? '' : ageOf(view.startedAt),
    durationCell(view),
    error,
  ];
}

async function printAttempt(
  { output }: Invocation,
  view: AttemptView,
  logs: readonly (LogName & { bytes: number })[],
  named: boolean,
): Promise<void> {
  const { paint } = output;
  const title = async (text: string): Promise<void> => {
    await output.line();
    await output.line(paint('bold', named ? `${text} of attempt ${view.attempt}` : text));
  };
  if (view.error) {
    await title('Error');
    await output.lines(errorLines(view.error).map((line) => paint('red', printable(line))));
  }
  if (view.erased) {
    await title('Erased');
    await output.line(printable(`${view.erased.artifacts.join(', ')}: ${view.erased.reason}`));
  }
  if (view.metadata && Object.keys(view.metadata).length > 0) {
    await title('Metadata');
    await output.lines(metadataLines(view.metadata));
  }
  if (view.readFrom && view.readFrom.length > 0) {
    await title('Read from');
    await output.lines(view.readFrom.map(printable));
  }
  if (view.artifacts.length > 0) {
    await title('Artifacts');
    await output.table(ARTIFACT_COLUMNS, view.artifacts.map(artifactRow));
  }
  if (logs.length > 0) {
    await title('Logs');
    await output.table(
      LOG_COLUMNS,
      logs.map(({ source, stream, bytes }) => [source, stream, formatBytes(bytes)]),
    );
  }
}

/** An error with its stack and causes, cut to what one looks at. */
function errorLines(error: NonNullable<AttemptView['error']>): string[] {
  const stack = error.stack?.startsWith(errorLine(error)) ? error.stack : undefined;
  const lines = (stack ?? errorLine(error)).split('\n');
  const shown = lines.slice(0, MAX_STACK_LINES);
  if (lines.length > shown.length)
    shown.push(`    ... ${lines.length - shown.length} lines more with --json`);
  if (error.recoverable !== undefined) shown.push(`recoverable: ${error.recoverable ? 'yes' : 'no'}`);
  const within = (how: string, inner: NonNullable<AttemptView['error']>): void => {
    const [first, ...rest] = errorLines(inner);
    shown.push(`${how} ${first}`, ...rest);
  };
  for (const member of error.errors ?? []) within('of which', member);
  if (error.cause) within('caused by', error.cause);
  return shown;
}

function metadataLines(metadata: Metadata): string[] {
  return Object.entries(metadata).map(([name, value]) => printable(`${name} = ${JSON.stringify(value)}`));
}
