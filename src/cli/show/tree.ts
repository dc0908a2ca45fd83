import { countOf, countsOf, countsText, formatBytes, formatCount } from '../../options/figures.ts';
import { errorLine, storedText } from '../../views/artifact-texts.ts';
import type { AttemptSummary } from '../../views/attempts.ts';
import type { RunTree } from '../../views/run-tree.ts';
import { sumsOf } from '../../views/step-sums.ts';
import { durationCell, nameCell, statusCell, withLabel } from '../ui/cells.ts';
import type { TreeNode } from '../ui/table.ts';
import { displayWidth } from '../ui/terminal-text.ts';

/** A step with more tasks is folded. */
const MAX_WHOLE = 12;
/** So many tasks of a folded step are shown, beside those that went wrong. */
const FIRST_SHOWN = 5;
/** Of those that went wrong, so many are shown. */
const MAX_WRONG = 20;
/** A task's label stands beside its name where both take no more of a line, else below it. */
const LABEL_PART = 0.6;
const FINE: readonly string[] = ['done', 'open'];

type Step = RunTree['steps'][number];
type Task = Step['tasks'][number];

/** A run's steps as a tree, for lines of `width` columns; those with many tasks are folded unless `isWhole`. */
export function treeOf(tree: RunTree, { isWhole, width }: { isWhole: boolean; width: number }): TreeNode[] {
  const toNode = (task: Task): TreeNode => taskNode(task, width * LABEL_PART);
  return tree.steps.map((step) =>
    isWhole || !isFolded(step) ? stepNode(step, toNode) : foldedNode(step, toNode),
  );
}

/** True of a step with so many tasks that it is folded. */
export function isFolded({ tasks }: Step): boolean {
  return tasks.length > MAX_WHOLE;
}

function stepNode({ step, tasks }: Step, toNode: (task: Task) => TreeNode): TreeNode {
  return { cells: [{ text: step, style: 'bold' }], children: tasks.map(toNode) };
}

/** The counts of a step's tasks, the first few, and those that went wrong. */
function foldedNode({ step, tasks }: Step, toNode: (task: Task) => TreeNode): TreeNode {
  const wrong = tasks.filter((task) => !FINE.includes(latestOf(task).status)).slice(0, MAX_WRONG);
  const shown = tasks.filter((task, index) => index < FIRST_SHOWN || wrong.includes(task));
  const others = tasks.filter((task) => !shown.includes(task));
  const rest = `${formatCount(others.length)} more, ${statusText(step, others)}`;
  return {
    cells: [{ text: `${step}: ${countOf(tasks.length, 'task')}, ${statusText(step, tasks)}`, style: 'bold' }],
    children: [...shown.map(toNode), { cells: [{ text: rest, style: 'dim' }] }],
  };
}

function statusText(step: string, tasks: readonly Task[]): string {
  return countsText(sumsOf(step, tasks).counts, 'all ');
}

function latestOf({ attempts }: Task): AttemptSummary {
  return attempts.at(-1) as AttemptSummary;
}

function taskNode(task: Task, labelWidth: number): TreeNode {
  const latest = latestOf(task);
  const children = latest.artifacts.map((artifact): TreeNode => {
    const { name, bytes, type } = artifact;
    return { cells: [nameCell(name), formatBytes(bytes), type, storedText(artifact)] };
  });
  if (latest.error) children.unshift({ cells: [{ text: errorLine(latest.error), style: 'red' }] });
  if (latest.failure) children.unshift({ cells: [{ text: latest.failure.message, style: 'red' }] });
  if (task.attempts.length > 1)
    children.unshift({ cells: [{ text: retriedText(task.attempts), style: 'dim' }] });
  const name = withLabel(task.task, latest);
  const isBeside = latest.label === undefined || displayWidth(name) <= labelWidth;
  if (latest.label !== undefined && !isBeside) children.unshift({ cells: [latest.label] });
  return {
    cells: [isBeside ? name : task.task, statusCell(latest), durationCell(latest.durationMs)],
    children,
  };
}

/** Says that a task was tried before, and how that ended: `attempt 3, 2 failed, 1 abandoned before: RangeError: diverged`. */
function retriedText(attempts: readonly AttemptSummary[]): string {
  const earlier = attempts.slice(0, -1);
  const counts = countsOf(earlier.map(({ status }) => status));
  const error = earlier.findLast((attempt) => attempt.error !== undefined)?.error;
  const why = error ? `: ${errorLine(error)}` : '';
  return `attempt ${attempts.at(-1)?.attempt}, ${counts} before${why}`;
}
