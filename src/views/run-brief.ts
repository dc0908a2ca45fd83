import type { ListedTask } from '../format/attempt-files.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { errorLine } from './artifact-texts.ts';
import { type AttemptDetail, readTasksInPieces, type ShownStatus, type TaskView } from './attempts.ts';
import { tasksAt } from './listing.ts';
import type { RunPath } from './paths.ts';
import { byStart, lastSignIn, startOf } from './run-tree.ts';
import { type RunView, readRun } from './runs.ts';
import { latestSign } from './step-sums.ts';
import type { StoreView } from './store-view.ts';

/** A run with some of its tasks, each in a few words, so that very many can be gone through page by page. */
export interface BriefRun extends RunView {
  /** As of a `RunTree`, by these tasks. */
  heardAt?: string;
  /** The tasks that the run or step has. */
  total: number;
  /** The steps of these tasks, in the order in which they began. */
  steps: BriefStep[];
  /** The number of tasks that come before those behind these; absent where none come. */
  next?: number;
}

export interface BriefStep {
  step: string;
  /** The tasks that the step has. */
  total: number;
  /** When the first attempt of the tasks below began. */
  startedAt?: string;
  tasks: BriefTask[];
}

export interface BriefTask {
  task: string;
  /** The attempts that were started. */
  started: number;
  /** The latest of them, 5 at most, oldest first. */
  attempts: BriefAttempt[];
}

/** An attempt, as far as a list of tasks has room for it. */
export interface BriefAttempt {
  attempt: number;
  status: ShownStatus;
  label?: string;
  startedAt?: string;
  closedAt?: string;
  durationMs?: number;
  purged?: true;
  /** The attempt that it was taken over from, in place of being run. */
  takenOver?: string;
  /** The attempt that it is a recorded hit of. */
  hitOf?: string;
  /** Other steps of the run that it read from, 100 at most. */
  readSteps?: string[];
  /** Where asked for: the attempts that it read from, 200 at most. */
  readFrom?: string[];
  /** The number of others that it read from; absent where there are none. */
  moreRead?: number;
  /** The number of its artifacts, and their bytes together. */
  artifacts: number;
  bytes: number;
  /** The reason of its end, or why nothing is known of it: the beginning of a line. */
  error?: string;
}

/** The tasks that are wanted. */
export interface BriefChoice {
  /** So many come before them, in the order of {@link readBriefRun}. */
  offset: number;
  /** So many at most. */
  limit: number;
  /** True to tell which attempts they read from. Default: false. */
  withReads?: boolean;
}

const MAX_ATTEMPTS = 5;
const MAX_READ_STEPS = 100;
const MAX_READS = 200;
const MAX_ERROR = 200;
/** What a step takes beside its name and tasks. */
const STEP_BYTES = 100;

/**
 * Reads some tasks of a run or a step: the first of each step, then the second of each, and so on, so that a page is of all steps.
 *
 * @param options.maxBytes - they end before they take more as JSON, the run included; one is always there
 * @param options.short - makes what is told of the run's own record. Default: all of it
 * @throws StowageError as `readRunTree`
 */
export async function readBriefRun(
  view: StoreView,
  path: RunPath,
  {
    offset,
    limit,
    maxBytes,
    withReads = false,
    short = (run) => run,
  }: BriefChoice & { maxBytes: number; short?: (run: RunView) => RunView },
): Promise<BriefRun> {
  const { flow, run } = path;
  const { listed, totals } = byTurns(await tasksAt(view, path));
  const records = short(await readRun(view, { flow, run, finished: true }));
  const steps = new Map<string, BriefStep>();
  let heardAt = lastSignIn(records, []);
  let bytes = bytesOf(records);
  let next = offset;
  for await (const task of readTasksInPieces(view, listed.slice(offset, offset + limit))) {
    const { step } = task.path;
    const brief = briefTask(task, withReads);
    bytes += bytesOf(brief) + (steps.has(step) ? 0 : bytesOf(step) + STEP_BYTES);
    if (bytes > maxBytes && next > offset) break;
    next += 1;
    heardAt = latestSign(records, heardAt, task);
    const members = steps.get(step) ?? { step, total: totals.get(step) ?? 0, tasks: [] };
    members.tasks.push(brief);
    const startedAt = [members.startedAt, startOf([task])].sort(byStart)[0];
    steps.set(step, startedAt === undefined ? members : { ...members, startedAt });
  }
  return {
    ...records,
    ...(heardAt === undefined ? {} : { heardAt }),
    total: listed.length,
    steps: [...steps.values()].sort((a, b) => byStart(a.startedAt, b.startedAt)),
    ...(next < listed.length ? { next } : {}),
  };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value)) + 1;
}

/** The first task of each step, then the second of each, and so on; and how many each step has. */
function byTurns(tasks: readonly ListedTask[]): { listed: ListedTask[]; totals: Map<string, number> } {
  const totals = new Map<string, number>();
  const placed = tasks.map((task) => {
    const turn = totals.get(task.path.step) ?? 0;
    totals.set(task.path.step, turn + 1);
    return { task, turn };
  });
  return { listed: placed.sort((a, b) => a.turn - b.turn).map(({ task }) => task), totals };
}

function briefTask({ path, started, attempts }: TaskView, withReads: boolean): BriefTask {
  return {
    task: path.task,
    started,
    attempts: attempts.slice(-MAX_ATTEMPTS).map((attempt) => ({
      ...briefAttempt(path, attempt),
      ...(withReads ? readsOf(attempt) : {}),
    })),
  };
}

function briefAttempt(path: TaskPath, detail: AttemptDetail): BriefAttempt {
  const { attempt, status, label, startedAt, closedAt, durationMs, purged, takenOver, artifacts } = detail;
  const { hitOf, readFrom = [], error, failure } = detail;
  const readSteps = stepsOf(path, readFrom);
  const why = error ? errorLine(error) : failure?.message;
  return {
    attempt,
    status,
    ...(label === undefined ? {} : { label }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(closedAt === undefined ? {} : { closedAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(purged ? { purged } : {}),
    ...(takenOver === undefined ? {} : { takenOver }),
    ...(hitOf === undefined ? {} : { hitOf }),
    ...(readSteps.length === 0 ? {} : { readSteps }),
    artifacts: artifacts.length,
    bytes: artifacts.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(why === undefined ? {} : { error: why.split('\n', 1).join().slice(0, MAX_ERROR) }),
  };
}

function readsOf({ readFrom = [] }: AttemptDetail): Pick<BriefAttempt, 'readFrom' | 'moreRead'> {
  const more = readFrom.length - MAX_READS;
  return {
    ...(readFrom.length === 0 ? {} : { readFrom: readFrom.slice(0, MAX_READS) }),
    ...(more > 0 ? { moreRead: more } : {}),
  };
}

function stepsOf({ flow, run, step }: TaskPath, readFrom: readonly string[]): string[] {
  const steps = new Set<string>();
  for (const path of readFrom) {
    const [ofFlow, ofRun, from] = path.split('/');
    if (ofFlow === flow && ofRun === run && from !== undefined && from !== step) steps.add(from);
  }
  return [...steps].slice(0, MAX_READ_STEPS);
}
