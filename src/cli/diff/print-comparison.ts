import { countOf, countsOf, formatBytes } from '../../options/figures.ts';
import { formatStorePath } from '../../views/paths.ts';
import type { Invocation } from '../invocation.ts';
import { ageCell, nameCell, statusCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';
import type { ComparedRuns, Comparison } from './comparison.ts';
import { artifactLines, CHANGE_STYLES, type DiffLine, onlyText, partLines } from './diff-lines.ts';
import { type ArtifactDiff, isDifferent, type Side, type TaskDiff } from './task-diff.ts';
import { valueDiffText } from './value-diff.ts';

const HEAD_COLUMNS: readonly Column[] = [
  { header: '' },
  { header: '', shrinks: true },
  { header: '', folds: Number.POSITIVE_INFINITY },
];

const ARTIFACT_COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'CHANGE' },
  { header: 'SIZE', dropOrder: 2 },
  { header: 'TYPE', dropOrder: 1, shrinks: true },
];

/** More tasks of a step that only one side has are told together. */
const MAX_ALONE = 12;

const RUN_COLUMNS: readonly Column[] = [
  { header: 'STEP', shrinks: true },
  { header: 'TASK', shrinks: true },
  { header: 'ARTIFACT', shrinks: true },
  { header: 'CHANGE' },
  { header: 'HOW', shrinks: true, folds: 24 },
];

/** Shows a comparison to people; `unexplained` is how many artifacts changed whose values were not looked at. */
export async function printComparison(
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
  const different = tasks.filter(isDifferent);
  const rows = withDetails ? different.flatMap(taskRows) : foldedRows(different);
  if (rows.length > 0) {
    await invocation.output.line();
    await invocation.output.table(RUN_COLUMNS, rows);
  }
  if (withDetails) for (const task of tasks) await printDetails(invocation, task);
  noteRest(invocation, comparison, withDetails, unexplained);
}

/** Shows to people how the records of two runs differ. */
export async function printBriefComparison(
  invocation: Invocation,
  { a, b }: Pick<Comparison, 'a' | 'b'>,
  runs: ComparedRuns,
): Promise<void> {
  await invocation.output.table(HEAD_COLUMNS, headRows({ a, b, kind: 'runs', runs, tasks: [] }));
  await printSection(invocation, 'Run', partLines('', runs.changes));
  const equal = runs.changes.total === 0 ? 'the records of both runs are equal; ' : '';
  invocation.note(`${equal}their tasks are compared without --brief.`);
}

/** Tells what is the same, and what else could be shown. */
function noteRest(
  invocation: Invocation,
  { tasks, more, same }: Comparison,
  withDetails: boolean,
  unexplained: number,
): void {
  if (same > 0) invocation.note(`${sameText(same, 'task')}.`);
  if (more > 0) invocation.note(`${countOf(more, 'task')} more differ: --tasks all.`);
  if (withDetails) return;
  const remarked = tasks.filter(({ metadata }) => metadata.total > 0).length;
  const metadata = remarked === 0 ? '' : ` Metadata differs in ${countOf(remarked, 'task')}.`;
  const rest =
    unexplained === 0 ? '' : ` ${countOf(unexplained, 'artifact')} more changed, and were not loaded.`;
  if (tasks.length > 0) invocation.note(`all changes: --details.${metadata}${rest}`);
}

function headRows({
  a,
  b,
  kind,
  runs,
  tasks,
}: Pick<Comparison, 'a' | 'b' | 'kind' | 'runs' | 'tasks'>): Cell[][] {
  return (['a', 'b'] as const).map((side) => {
    const sign: Cell = side === 'a' ? { text: '---', style: 'red' } : { text: '+++', style: 'green' };
    const attempt = tasks[0]?.[side];
    if (kind === 'tasks' && attempt) {
      return [sign, { text: formatStorePath(attempt.path), style: 'bold' }, statusCell(attempt.view)];
    }
    const path: Cell = { text: formatStorePath(side === 'a' ? a : b), style: 'bold' };
    const run = runs?.[side];
    if (!run) return [sign, path, ''];
    return [
      sign,
      path,
      run.createdAt === '' ? statusCell({ status: run.status }) : `${run.status}, ${ageCell(run.createdAt)}`,
    ];
  });
}

async function printTask(invocation: Invocation, task: TaskDiff, same: number): Promise<void> {
  const { output } = invocation;
  if (task.artifacts.length > 0) {
    await output.line();
    await output.table(ARTIFACT_COLUMNS, task.artifacts.map(artifactRow));
  }
  await printSection(invocation, 'Changes', task.artifacts.flatMap(artifactLines));
  await printSection(invocation, 'Error', partLines('', task.error));
  await printSection(invocation, 'Metadata', partLines('', task.metadata));
  if (same > 0) invocation.note(`${sameText(same, 'artifact')}.`);
}

async function printDetails(invocation: Invocation, task: TaskDiff): Promise<void> {
  const [step, name] = namesOf(task);
  await printSection(invocation, `${step}/${name}`, task.artifacts.flatMap(artifactLines));
  await printSection(invocation, `Error of ${step}/${name}`, partLines('', task.error));
  await printSection(invocation, `Metadata of ${step}/${name}`, partLines('', task.metadata));
}

async function printSection(
  { output }: Invocation,
  title: string,
  lines: readonly DiffLine[],
): Promise<void> {
  if (lines.length === 0) return;
  await output.line();
  await output.sentence(title, 'bold');
  for (const { text, style } of lines) await output.text(text, style);
}

function artifactRow(artifact: ArtifactDiff): Cell[] {
  const { name, change, a, b } = artifact;
  return [
    nameCell(name),
    { text: change, style: CHANGE_STYLES[change] },
    sizesText(artifact),
    arrow(a?.type, b?.type),
  ];
}

function sizesText({ a, b }: ArtifactDiff): string {
  return arrow(a && formatBytes(a.bytes), b && formatBytes(b.bytes));
}

/** Of a step with many tasks that only one side has, a row with their number stands for them. */
function foldedRows(tasks: readonly TaskDiff[]): Cell[][] {
  const groups = new Map<string | TaskDiff, TaskDiff[]>();
  for (const task of tasks) {
    const group =
      task.a && task.b
        ? task
        : JSON.stringify([task.a === undefined, task.a?.path.step ?? task.b?.path.step]);
    const members = groups.get(group);
    if (members) members.push(task);
    else groups.set(group, [task]);
  }
  return [...groups.values()].flatMap((group) =>
    group.length > MAX_ALONE ? [manyRow(group)] : group.flatMap(taskRows),
  );
}

function manyRow(tasks: readonly TaskDiff[]): Cell[] {
  const sides = tasks.map(({ a, b }) => (a ?? b) as Side);
  const change = tasks[0]?.a ? 'removed' : 'added';
  const statuses = countsOf(
    sides.map(({ view }) => view.status),
    'all ',
  );
  const count = countOf(tasks.length, 'task');
  return [
    nameCell(sides[0]?.path.step ?? ''),
    count,
    '',
    { text: change, style: CHANGE_STYLES[change] },
    statuses,
  ];
}

function taskRows(task: TaskDiff): Cell[][] {
  const { a, b, artifacts } = task;
  const names = namesOf(task).map(nameCell);
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
