import {
  type AttemptSummary,
  durationBetween,
  readTasksInPieces,
  type ShownStatus,
  type TaskView,
} from './attempts.ts';
import { tasksAt } from './listing.ts';
import type { RunPath } from './paths.ts';
import { byStart, lastSignIn } from './run-tree.ts';
import { type RunView, readRun } from './runs.ts';
import type { StoreView } from './store-view.ts';

/** What became of the tasks of a step. A task counts by its latest attempt. */
export interface StepSums {
  step: string;
  /** The tasks that the step has. */
  total: number;
  /** The tasks of each status; a status that none has is absent. */
  counts: Partial<Record<ShownStatus, number>>;
  /** The attempts behind the first of each task. */
  retries: number;
  /** The tasks that were taken over from the run that is resumed. */
  takenOver: number;
  /** The tasks that are recorded hits of the cache. */
  cached: number;
  /** When the first attempt of any of its tasks began, ISO 8601. */
  startedAt?: string;
  /** When the last of them ended; this and the time between are absent while one is open. */
  endedAt?: string;
  durationMs?: number;
}

/** A run with its steps, each in a few numbers, in the order in which they began. */
export interface RunSteps extends RunView {
  /** As of a `RunTree`. */
  heardAt?: string;
  /** The tasks of these steps. */
  total: number;
  steps: StepSums[];
}

/** A task, as far as it counts. */
interface CountedTask {
  /** Oldest first. */
  attempts: readonly Pick<AttemptSummary, 'status' | 'startedAt' | 'closedAt' | 'takenOver' | 'hitOf'>[];
}

/**
 * Reads what became of the tasks of each step of a run, or of one step. All of them are read, some hundreds at a time.
 *
 * @throws StowageError as `readRunTree`
 */
export async function readRunSteps(view: StoreView, path: RunPath): Promise<RunSteps> {
  const { flow, run } = path;
  const listed = await tasksAt(view, path);
  const records = await readRun(view, { flow, run, finished: true });
  const tallies = new Map<string, StepTally>();
  let heardAt = lastSignIn(records, []);
  for await (const task of readTasksInPieces(view, listed)) {
    heardAt = latestSign(records, heardAt, task);
    const { step } = task.path;
    const tally = tallies.get(step) ?? new StepTally();
    tallies.set(step, tally);
    tally.add(task);
  }
  const steps = [...tallies].map(([step, tally]) => tally.sums(step));
  return {
    ...records,
    ...(heardAt === undefined ? {} : { heardAt }),
    total: listed.length,
    steps: steps.sort((a, b) => byStart(a.startedAt, b.startedAt)),
  };
}

/** What became of these tasks of a step. */
export function sumsOf(step: string, tasks: readonly CountedTask[]): StepSums {
  const tally = new StepTally();
  for (const task of tasks) tally.add(task);
  return tally.sums(step);
}

/** The latest sign of life in an open run, of a task as well. */
export function latestSign(
  { status, createdAt }: Pick<RunView, 'status' | 'createdAt'>,
  heardAt: string | undefined,
  task: TaskView,
): string | undefined {
  return lastSignIn({ status, createdAt: heardAt ?? createdAt }, [task]);
}

/** Counts the tasks of a step one by one. */
class StepTally {
  readonly #counts: StepSums['counts'] = {};
  #tasks = 0;
  #retries = 0;
  #takenOver = 0;
  #cached = 0;
  #startedAt: string | undefined;
  #endedAt: string | undefined;

  add({ attempts }: CountedTask): void {
    const latest = attempts.at(-1);
    if (!latest) return;
    const { status, closedAt, takenOver, hitOf } = latest;
    this.#counts[status] = (this.#counts[status] ?? 0) + 1;
    this.#tasks += 1;
    this.#retries += attempts.length - 1;
    if (takenOver !== undefined) this.#takenOver += 1;
    if (hitOf !== undefined) this.#cached += 1;
    for (const { startedAt } of attempts)
      if (startedAt !== undefined && byStart(startedAt, this.#startedAt) < 0) this.#startedAt = startedAt;
    if (closedAt !== undefined && closedAt > (this.#endedAt ?? '')) this.#endedAt = closedAt;
  }

  sums(step: string): StepSums {
    const startedAt = this.#startedAt;
    const endedAt = this.#counts.open ? undefined : this.#endedAt;
    const durationMs = durationBetween(startedAt, endedAt);
    return {
      step,
      total: this.#tasks,
      counts: this.#counts,
      retries: this.#retries,
      takenOver: this.#takenOver,
      cached: this.#cached,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(endedAt === undefined ? {} : { endedAt }),
      ...(durationMs === undefined ? {} : { durationMs }),
    };
  }
}
