import { readTasks, statusCell, type TaskView } from '../attempt-view.ts';
import { usageError } from '../cli-error.ts';
import { partsJson, taskDiffJson } from '../diff/diff-json.ts';
import { artifactLines, CHANGE_STYLES, type DiffLine, onlyText, partLines } from '../diff/diff-lines.ts';
import { Explainer } from '../diff/explain.ts';
import { matchTasks } from '../diff/match-tasks.ts';
import {
  type ArtifactDiff,
  diffJson,
  diffTasks,
  isDifferent,
  sideOf,
  type TaskDiff,
} from '../diff/task-diff.ts';
import { type ChangedParts, valueDiffText } from '../diff/value-diff.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { tasksAt } from '../listings.ts';
import { Progress } from '../progress.ts';
import { type RunJson, readRun, runStatusCell } from '../run-view.ts';
import { countOf, formatBytes, formatCount, parseBytes, parseLimit } from '../sizes.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type Reaching, type StorePath } from '../store-path.ts';
import type { Cell, Column } from '../table.ts';
import { printable, shorten } from '../terminal-text.ts';
import { ageOf } from '../times.ts';

/** Options of `stowage diff`. */
export interface DiffOptions {
  limit: string;
  maxBytes: string;
  details?: boolean;
  exitCode?: boolean;
}

type RunPath = Reaching<'flow' | 'run'>;

/** What was compared, and how it differs. */
interface Comparison {
  a: RunPath;
  b: RunPath;
  kind: 'runs' | 'steps' | 'tasks';
  /** Of runs: what is recorded of each, and how that differs. */
  runs?: { a: RunJson; b: RunJson; changes: ChangedParts };
  /** Only those that differ, in artifacts, status or metadata. */
  tasks: TaskDiff[];
  /** How many tasks are the same, or how many artifacts of two tasks. */
  same: number;
  isDifferent: boolean;
}

/** Of how many artifacts values are loaded for the table of two runs. */
const MAX_EXPLAINED = 100;

const KINDS = { 2: 'runs', 3: 'steps', 4: 'tasks', 5: 'tasks' } as const;

const HEAD_COLUMNS: readonly Column[] = [
  { header: '' },
  { header: '', shrinks: true },
  { header: '', dropOrder: 1 },
];

const ARTIFACT_COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'CHANGE' },
  { header: 'SIZE', dropOrder: 2 },
  { header: 'TYPE', dropOrder: 1, shrinks: true },
];

const RUN_COLUMNS: readonly Column[] = [
  { header: 'STEP', shrinks: true },
  { header: 'TASK', shrinks: true },
  { header: 'ARTIFACT', shrinks: true },
  { header: 'CHANGE' },
  { header: 'HOW', dropOrder: 1, shrinks: true },
];

/** `stowage diff <a> <b>` */
export async function diff(
  invocation: Invocation,
  textOfA: string,
  textOfB: string,
  options: DiffOptions,
): Promise<void> {
  const a = parseStorePath(textOfA, 2, 5) as RunPath;
  const b = parseStorePath(textOfB, 2, 5) as RunPath;
  const kind = kindOf(a);
  if (kindOf(b) !== kind) {
    throw usageError(`${textOfA} and ${textOfB} cannot be compared: name two runs, two steps, or two tasks.`);
  }
  const limits = { limit: parseLimit(options.limit), maxBytes: parseBytes(options.maxBytes, '--max-bytes') };
  const explained = kind === 'tasks' || options.details ? Number.POSITIVE_INFINITY : MAX_EXPLAINED;
  await withStore(invocation, async (store) => {
    const comparison = await compare(invocation, store, { a, b, kind }, limits.limit);
    const unexplained = await explainAll(
      comparison.tasks,
      explained,
      (task) => new Explainer(invocation, store, task, limits),
    );
    if (invocation.json) await invocation.output.json(toJson(comparison));
    else await print(invocation, comparison, options.details ?? false, unexplained);
    if (options.exitCode && comparison.isDifferent) invocation.exitCode = EXIT.failed;
  });
}

function kindOf(path: StorePath): Comparison['kind'] {
  return KINDS[Object.keys(path).length as keyof typeof KINDS];
}

async function compare(
  invocation: Invocation,
  store: OpenStore,
  { a, b, kind }: Pick<Comparison, 'a' | 'b' | 'kind'>,
  limit: number,
): Promise<Comparison> {
  const [tasksOfA, tasksOfB] = [await tasksOf(invocation, store, a), await tasksOf(invocation, store, b)];
  const all =
    kind === 'tasks'
      ? [
          diffTasks(
            sideOf(tasksOfA[0] as TaskView, a.attempt),
            sideOf(tasksOfB[0] as TaskView, b.attempt),
            limit,
          ),
        ]
      : matchTasks(tasksOfA, tasksOfB, kind === 'runs' ? 'run' : 'step').map((pair) =>
          diffTasks(pair.a && sideOf(pair.a), pair.b && sideOf(pair.b), limit),
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
async function explainAll(
  tasks: readonly TaskDiff[],
  most: number,
  explainerFor: (task: TaskDiff) => Explainer,
): Promise<number> {
  const total = tasks.flatMap(changedIn).length;
  const progress = new Progress();
  let count = 0;
  try {
    for (const task of tasks) {
      const explainer = explainerFor(task);
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

function toJson({ a, b, kind, runs, tasks, same, isDifferent: different }: Comparison): object {
  return {
    a: formatStorePath(a),
    b: formatStorePath(b),
    kind,
    different,
    ...(runs ? { run: partsJson(runs.changes) } : {}),
    ...(kind === 'tasks' ? {} : { same }),
    tasks: tasks.map(taskDiffJson),
  };
}

async function print(
  invocation: Invocation,
  comparison: Comparison,
  withDetails: boolean,
  unexplained: number,
): Promise<void> {
  const { kind, runs, tasks, same } = comparison;
  if (tasks.length === 0 && (runs?.changes.total ?? 0) === 0) {
    return invocation.note(`no differences: ${sameText(same, kind === 'tasks' ? 'artifact' : 'task')}.`);
  }
  await invocation.output.table(HEAD_COLUMNS, headRows(comparison));
  if (kind === 'tasks') return printTask(invocation, tasks[0] as TaskDiff, same);
  await printSection(invocation, 'Run', partLines('', runs?.changes ?? { total: 0, changes: [] }));
  const rows = tasks.filter(isDifferent).flatMap(taskRows);
  if (rows.length > 0) {
    await invocation.output.line();
    await invocation.output.table(RUN_COLUMNS, rows);
  }
  if (withDetails) for (const task of tasks) await printDetails(invocation, task);
  noteRest(invocation, comparison, withDetails, unexplained);
}

/** What is the same, and what else could be shown. */
function noteRest(
  invocation: Invocation,
  { tasks, same }: Comparison,
  withDetails: boolean,
  unexplained: number,
): void {
  if (same > 0) invocation.note(`${sameText(same, 'task')}.`);
  if (withDetails) return;
  const remarked = tasks.filter(({ metadata }) => metadata.total > 0).length;
  const metadata = remarked === 0 ? '' : ` Metadata differs in ${countOf(remarked, 'task')}.`;
  const rest =
    unexplained === 0 ? '' : ` ${countOf(unexplained, 'artifact')} more changed, and were not loaded.`;
  if (tasks.length > 0) invocation.note(`all changes: --details.${metadata}${rest}`);
}

function headRows({ a, b, kind, runs, tasks }: Comparison): Cell[][] {
  return (['a', 'b'] as const).map((side) => {
    const sign: Cell = side === 'a' ? { text: '---', style: 'red' } : { text: '+++', style: 'green' };
    const attempt = tasks[0]?.[side];
    if (kind === 'tasks' && attempt) {
      return [sign, { text: formatStorePath(attempt.path), style: 'bold' }, statusCell(attempt.view)];
    }
    const path: Cell = { text: formatStorePath(side === 'a' ? a : b), style: 'bold' };
    const run = runs?.[side];
    if (!run) return [sign, path, ''];
    return [sign, path, run.createdAt === '' ? runStatusCell(run) : `${run.status}, ${ageOf(run.createdAt)}`];
  });
}

async function printTask(invocation: Invocation, task: TaskDiff, same: number): Promise<void> {
  const { output } = invocation;
  if (task.artifacts.length > 0) {
    await output.line();
    await output.table(ARTIFACT_COLUMNS, task.artifacts.map(artifactRow));
  }
  await printSection(invocation, 'Changes', task.artifacts.flatMap(artifactLines));
  await printSection(invocation, 'Metadata', partLines('', task.metadata));
  if (same > 0) invocation.note(`${sameText(same, 'artifact')}.`);
}

async function printDetails(invocation: Invocation, task: TaskDiff): Promise<void> {
  const [step, name] = namesOf(task);
  await printSection(invocation, `${step}/${name}`, task.artifacts.flatMap(artifactLines));
  await printSection(invocation, `Metadata of ${step}/${name}`, partLines('', task.metadata));
}

async function printSection(
  { output }: Invocation,
  title: string,
  lines: readonly DiffLine[],
): Promise<void> {
  if (lines.length === 0) return;
  await output.line();
  await output.line(output.paint('bold', shorten(printable(title), output.width)));
  await output.lines(
    lines.map(({ text, style }) => {
      const shown = shorten(printable(text), output.width);
      return style === undefined ? shown : output.paint(style, shown);
    }),
  );
}

function artifactRow(artifact: ArtifactDiff): Cell[] {
  const { name, change, a, b } = artifact;
  return [
    { text: name, style: 'cyan' },
    { text: change, style: CHANGE_STYLES[change] },
    sizesText(artifact),
    arrow(a?.type, b?.type),
  ];
}

function sizesText({ a, b }: ArtifactDiff): string {
  return arrow(a && formatBytes(a.bytes), b && formatBytes(b.bytes));
}

function taskRows(task: TaskDiff): Cell[][] {
  const { a, b, artifacts } = task;
  const names = namesOf(task).map((text): Cell => ({ text, style: 'cyan' }));
  if (!a || !b) {
    const change = a ? 'removed' : 'added';
    const what = `${(a ?? b)?.view.status}, ${countOf(artifacts.length, 'artifact')}`;
    return [[...names, '', { text: change, style: CHANGE_STYLES[change] }, what]];
  }
  const rows = artifacts.map((artifact): Cell[] => {
    const { name, change, how } = artifact;
    const text = how ? valueDiffText(how) : (onlyText(artifact) ?? sizesText(artifact));
    return [...names, name, { text: change, style: CHANGE_STYLES[change] }, text];
  });
  if (a.view.status === b.view.status) return rows;
  const status: Cell = { text: 'changed', style: CHANGE_STYLES.changed };
  return [[...names, '', status, `${a.view.status} -> ${b.view.status}`], ...rows];
}

/** `1 task is the same` */
function sameText(count: number, noun: string): string {
  return `${countOf(count, noun)} ${count === 1 ? 'is' : 'are'} the same`;
}

/** The step and the task, and what they are called on the other side, if they are called otherwise. */
function namesOf({ a, b }: TaskDiff): [string, string] {
  return [arrow(a?.path.step, b?.path.step), arrow(a?.path.task, b?.path.task)];
}

/** `a -> b`, or what both are. */
function arrow(a: string | undefined, b: string | undefined): string {
  if (a === undefined || b === undefined || a === b) return a ?? b ?? '';
  return `${a} -> ${b}`;
}
