import type { BriefAttempt } from '../../../views/run-brief.ts';
import { isSmallRun, TASKS_DRAWN } from '../../view-questions.ts';
import type { GraphEdge, GraphNode } from './graph-layout.ts';
import type { StepRow, TaskRow } from './run-tasks.ts';

/** A part of a run that is drawn. The id of a step is its name, that of a task `step/task`, that of tasks which are folded `step/`. */
export type RunNode = {
  id: string;
  /** What it read from, as people are told: steps, and attempts as `step/task/attempt`. */
  reads: readonly string[];
} & (
  | { kind: 'step'; row: StepRow }
  /** `isOnly`: its step has no other. */
  | { kind: 'task'; row: TaskRow; isOnly: boolean }
  /** Tasks of a step beyond those that are drawn. */
  | { kind: 'rest'; step: string; count: number }
);

/** What is drawn of a run. */
export interface RunParts {
  nodes: readonly RunNode[];
  placing: readonly GraphNode[];
  edges: readonly GraphEdge[];
  /** True if a task that read many tasks of a step has one line from the step in place of one from each. */
  isBundled: boolean;
}

/** The attempts of tasks with what they read from, by `step/task`. */
export type ReadsByTask = ReadonlyMap<string, readonly BriefAttempt[]>;

const STEP_HEIGHT = 60;
const TASK_HEIGHT = 28;
/** Where there would be more lines, those from many tasks of a step are one. */
const MOST_LINES = 1000;
const MANY_READ = 10;
/** So many of the attempts that a task read are told one by one. */
const READS_TOLD = 20;

/**
 * The steps whose tasks are drawn: those that the address names, joined by slashes; where it names none, all of a small run. `/` alone
 * is for none.
 */
export function openSteps(
  named: string | undefined,
  { total, steps }: { total: number; steps: readonly { step: string }[] },
): string[] {
  const all = steps.map(({ step }) => step);
  if (named === undefined) return isSmallRun({ total }) ? all : [];
  const wanted = new Set(named.split('/'));
  return all.filter((step) => wanted.has(step));
}

/** What an address names so that these steps are open. */
export function openText(steps: readonly string[]): string {
  return steps.join('/') || '/';
}

/** How many tasks of each open step are drawn: of all of them, or, where these are too many, alike many of each. */
export function drawnCounts(open: readonly Pick<StepRow, 'step' | 'tasks'>[]): Map<string, number> {
  const counts = new Map<string, number>();
  let left = TASKS_DRAWN;
  for (const [index, { step, tasks }] of open.toSorted((a, b) => a.tasks.length - b.tasks.length).entries()) {
    const count = Math.min(tasks.length, Math.max(1, Math.floor(left / (open.length - index))));
    counts.set(step, count);
    left -= count;
  }
  return counts;
}

/**
 * What is drawn of a run where some steps are open: these as their tasks, in a frame; others as one node. A line leads to a task from
 * each one that it read; from a step, or the head of its frame, where it is not known from which of its tasks.
 */
export function partsOf(
  run: { flow: string; run: string },
  rows: readonly StepRow[],
  { open, reads }: { open: readonly string[]; reads: ReadsByTask },
): RunParts {
  const drawing = new RunDrawing(run, rows, open, reads);
  for (const row of rows) drawing.add(row);
  return drawing.parts();
}

class RunDrawing {
  readonly #run: { flow: string; run: string };
  readonly #rows: ReadonlyMap<string, StepRow>;
  readonly #reads: ReadsByTask;
  /** How many tasks of each open step are drawn. */
  readonly #counts: ReadonlyMap<string, number>;
  readonly #drawn: ReadonlySet<string>;
  readonly #nodes: RunNode[] = [];
  readonly #placing: GraphNode[] = [];
  /** Lines by the node that they lead to and the step that they come from, each from one or more nodes. */
  readonly #lines = new Map<string, { to: string; step: string; from: Set<string> }>();

  constructor(
    run: { flow: string; run: string },
    rows: readonly StepRow[],
    open: readonly string[],
    reads: ReadsByTask,
  ) {
    this.#run = run;
    this.#rows = new Map(rows.map((row) => [row.step, row]));
    this.#reads = reads;
    this.#counts = drawnCounts(rows.filter(({ step }) => open.includes(step)));
    const drawn = rows.flatMap(({ step, tasks }) => tasks.slice(0, this.#counts.get(step) ?? 0));
    this.#drawn = new Set(drawn.map(idOf));
  }

  add(row: StepRow): void {
    const { step, tasks } = row;
    const count = this.#counts.get(step);
    if (count === undefined) {
      const reads = this.#linesFromSteps(step, tasks);
      this.#place({ kind: 'step', id: step, row, reads }, STEP_HEIGHT);
      return;
    }
    for (const task of tasks.slice(0, count)) this.#task(task, tasks.length === 1);
    if (count === tasks.length) return;
    const id = `${step}/`;
    const reads = this.#linesFromSteps(id, tasks.slice(count));
    this.#place({ kind: 'rest', id, step, count: tasks.length - count, reads }, TASK_HEIGHT, step);
  }

  parts(): RunParts {
    const lines = [...this.#lines.values()];
    const isTooMany = lines.reduce((sum, { from }) => sum + from.size, 0) > MOST_LINES;
    const isBundle = ({ from }: { from: ReadonlySet<string> }): boolean => isTooMany && from.size > MANY_READ;
    const edges = lines.flatMap((line) => {
      const from = isBundle(line) ? [this.#wholeOf(line.step)] : [...line.from];
      return from.map((one) => ({ from: one, to: line.to }));
    });
    return { nodes: this.#nodes, placing: this.#placing, edges, isBundled: lines.some(isBundle) };
  }

  #task(task: TaskRow, isOnly: boolean): void {
    const id = idOf(task);
    const attempts = this.#reads.get(id) ?? [];
    const read: string[] = [];
    const steps = new Set<string>();
    for (const path of new Set(attempts.flatMap(({ readFrom = [] }) => readFrom))) {
      const [flow, run, step = '', of, attempt] = path.split('/');
      if (flow !== this.#run.flow || run !== this.#run.run || !this.#rows.has(step)) continue;
      steps.add(step);
      read.push(`${step}/${of}/${attempt}`);
      this.#line(this.#sourceOf(step, `${step}/${of}`), id, step);
    }
    const cut = attempts.reduce((sum, { moreRead = 0 }) => sum + moreRead, 0);
    const more = Math.max(0, read.length - READS_TOLD) + cut;
    // What is beyond the bound, or not read yet, is known by its step.
    const others = this.#linesFromSteps(id, [task], steps);
    const reads = [...read.slice(0, READS_TOLD), ...(more > 0 ? [`${more} more`] : []), ...others];
    const node: RunNode = { kind: 'task', id, row: task, isOnly, reads };
    if (isOnly) this.#place(node, STEP_HEIGHT);
    else this.#place(node, TASK_HEIGHT, task.step);
  }

  #place(node: RunNode, height: number, group?: string): void {
    this.#nodes.push(node);
    this.#placing.push({ id: node.id, height, group, isFirst: node.kind === 'rest' });
  }

  /** Draws lines from the steps that tasks read from, but for some; returns their names. */
  #linesFromSteps(to: string, tasks: readonly TaskRow[], but: ReadonlySet<string> = new Set()): string[] {
    const steps = new Set(
      tasks.flatMap(({ attempts }) => attempts.flatMap(({ readSteps = [] }) => readSteps)),
    );
    const known = [...steps].filter((step) => this.#rows.has(step) && !but.has(step));
    for (const step of known) this.#line(this.#wholeOf(step), to, step);
    return known;
  }

  #line(from: string, to: string, step: string): void {
    if (from === to) return;
    const key = JSON.stringify([to, step]);
    const line = this.#lines.get(key) ?? { to, step, from: new Set() };
    line.from.add(from);
    this.#lines.set(key, line);
  }

  /** The node of a task that was read: its own, that of the folded tasks, or its step. */
  #sourceOf(step: string, id: string): string {
    if (!this.#counts.has(step)) return step;
    return this.#drawn.has(id) ? id : `${step}/`;
  }

  /** The node that stands for a step: itself, the head of its frame, or its only task. */
  #wholeOf(step: string): string {
    const [only, ...others] = this.#rows.get(step)?.tasks ?? [];
    return this.#counts.has(step) && only && others.length === 0 ? idOf(only) : step;
  }
}

function idOf({ step, task }: TaskRow): string {
  return `${step}/${task}`;
}
