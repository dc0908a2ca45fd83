import type { BriefAttempt, BriefRun, BriefTask } from '../../../views/run-brief.ts';

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
  /** When the first of these began, in milliseconds since 1970. */
  startMs?: number | undefined;
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

/** A step with what became of its tasks. */
export interface StepRow {
  step: string;
  tasks: readonly TaskRow[];
  counts: Readonly<Record<string, number>>;
  retries: number;
  takenOver: number;
  cached: number;
  startMs?: number | undefined;
  /** Absent while one of its tasks is open. */
  endMs?: number | undefined;
}

/** The steps of a run, in the order in which they began, with their tasks. */
export function stepRows({ flow, run, steps }: Pick<BriefRun, 'flow' | 'run' | 'steps'>): StepRow[] {
  return steps.map(({ step, tasks }) => {
    const rows = tasks.map((task) => taskRow([flow, run, step, task.task], task));
    const counts: Record<string, number> = {};
    for (const { status } of rows) counts[status] = (counts[status] ?? 0) + 1;
    const starts = rows.flatMap(({ startMs }) => startMs ?? []);
    const ends = rows.flatMap(({ attempts }) => timeOf(attempts.at(-1)?.closedAt) ?? []);
    return {
      step,
      tasks: rows,
      counts,
      retries: rows.reduce((sum, { started }) => sum + started - 1, 0),
      takenOver: rows.filter(({ origin }) => origin?.how === 'taken over').length,
      cached: rows.filter(({ origin }) => origin?.how === 'cached').length,
      startMs: least(starts),
      endMs: counts.open ? undefined : most(ends),
    };
  });
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
    startMs: least(attempts.flatMap(({ startedAt }) => timeOf(startedAt) ?? [])),
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

// Not by Math.min(...values), which has a limit of values.
function least(values: readonly number[]): number | undefined {
  return values.reduce<number | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
}

function most(values: readonly number[]): number | undefined {
  return values.reduce<number | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined);
}
