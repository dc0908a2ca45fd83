import type { BriefAttempt, BriefRun, BriefTask } from '../../../views/run-brief.ts';
import type { StepSums } from '../../../views/step-sums.ts';

/** A task of a run, as it is listed: by its latest attempt. */
export interface TaskRow {
  step: string;
  task: string;
  /** `Train/r1/fit/0` */
  path: string;
  label?: string | undefined;
  status: string;
  /** The attempts that were started. */
  started: number;
  /** The latest of them, oldest first. */
  attempts: readonly BriefAttempt[];
  /** Of the latest attempt. */
  durationMs?: number | undefined;
  artifacts: number;
  bytes: number;
  origin?: Origin | undefined;
  /** The reason of the latest attempt's end, in a line. */
  error?: string | undefined;
}

/** The attempt that a task's result comes from, where the task was not run in this run. */
export interface Origin {
  how: 'taken over' | 'cached';
  path: string;
}

/** A step with those of its tasks that were read, and what became of all of them. */
export interface StepRow extends StepSums {
  tasks: readonly TaskRow[];
}

/** The steps of a run, in the order in which they began, with their tasks. A step that `sums` does not have yet counts its tasks alone, and has the time of those that were read. */
export function stepRows(
  { flow, run, steps }: Pick<BriefRun, 'flow' | 'run' | 'steps'>,
  sums: readonly StepSums[] = [],
): StepRow[] {
  const known = new Map(sums.map((one) => [one.step, one]));
  return steps.map(({ step, total, tasks }) => ({
    ...(known.get(step) ?? {
      step,
      total,
      counts: {},
      retries: 0,
      takenOver: 0,
      cached: 0,
      ...timeSpan(tasks),
    }),
    tasks: tasks.map((task) => taskRow([flow, run, step, task.task], task)),
  }));
}

/** From the first start to the last end of the attempts of tasks; without an end where one is open. */
function timeSpan(tasks: readonly BriefTask[]): Pick<StepSums, 'startedAt' | 'endedAt'> {
  let [startedAt, endedAt]: [string?, string?] = [];
  let isOpen = false;
  for (const { status, startedAt: start, closedAt: end } of tasks.flatMap(({ attempts }) => attempts)) {
    if (start !== undefined && (startedAt === undefined || start < startedAt)) startedAt = start;
    if (end !== undefined && (endedAt === undefined || end > endedAt)) endedAt = end;
    isOpen ||= status === 'open';
  }
  return { ...(startedAt && { startedAt }), ...(endedAt && !isOpen && { endedAt }) };
}

function taskRow(
  names: readonly [string, string, string, string],
  { started, attempts }: BriefTask,
): TaskRow {
  const [, , step, task] = names;
  const latest = attempts.at(-1);
  return {
    step,
    task,
    path: names.join('/'),
    label: latest?.label,
    status: latest?.status ?? 'open',
    started,
    attempts,
    durationMs: latest?.durationMs,
    artifacts: latest?.artifacts ?? 0,
    bytes: latest?.bytes ?? 0,
    origin: latest && originOf(latest),
    error: latest?.error,
  };
}

function originOf({ takenOver, hitOf }: BriefAttempt): Origin | undefined {
  if (takenOver !== undefined) return { how: 'taken over', path: takenOver };
  return hitOf === undefined ? undefined : { how: 'cached', path: hitOf };
}

/** True of a task that passes what is given; `''` lets all pass. `text` is looked for in names, labels and errors. */
export function isWanted(row: TaskRow, step: string, status: string, text: string): boolean {
  if (step !== '' && row.step !== step) return false;
  if (status !== '' && row.status !== status && row.origin?.how !== status) return false;
  const words = [row.step, row.task, row.label ?? '', row.error ?? ''].join('\n').toLowerCase();
  return words.includes(text.toLowerCase());
}

/** An ISO 8601 time in milliseconds since 1970. */
export function timeOf(iso: string | undefined): number | undefined {
  const ms = Date.parse(iso ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}
