import { invalidArgument, StowageError } from '../errors.ts';
import { isUserName, validateUserName } from '../storage/names.ts';

/** The names that lead to a task. */
export interface TaskPath {
  flow: string;
  run: string;
  step: string;
  task: string;
}

/** The task or attempt that a pathspec inside a flow names. */
export interface Pathspec {
  run: string;
  step: string;
  task: string;
  /** Absent: whichever attempt the reading rules choose. */
  attempt?: number;
}

const FORM = '<run>/<step>/<task> or <run>/<step>/<task>/<attempt>';

/**
 * Reads a pathspec: `run/step/task`, or with an attempt behind it.
 *
 * @throws StowageError `INVALID_PATHSPEC`, or `INVALID_NAME` for a part that cannot be a name.
 */
export function parsePathspec(text: unknown): Pathspec {
  if (typeof text !== 'string') throw invalid(text, `a pathspec is text of the form ${FORM}`);
  const [run, step, task, attempt, ...more] = text.split('/');
  if (run === undefined || step === undefined || task === undefined || more.length > 0) {
    throw invalid(text, `it must have the form ${FORM}`);
  }
  const path = { ...validateTaskNames({ run, step, task }) };
  if (attempt === undefined) return path;
  if (!/^(0|[1-9]\d*)$/.test(attempt)) {
    throw invalid(
      text,
      `its last part must be the number of an attempt, as in ${FORM} (without the flow's name)`,
    );
  }
  return { ...path, attempt: validateAttemptNumber(Number(attempt)) };
}

/** The pathspec of a task inside its flow, with the attempt behind it if one is given. */
export function formatPathspec({ run, step, task }: Omit<Pathspec, 'attempt'>, attempt?: number): string {
  return attempt === undefined ? `${run}/${step}/${task}` : `${run}/${step}/${task}/${attempt}`;
}

/** Reads how records name an attempt, `<flow>/<run>/<step>/<task>/<n>`; `undefined` for anything else, which no attempt is. */
export function parseAttemptName(text: string): (TaskPath & { attempt: number }) | undefined {
  const [flow = '', run = '', step = '', task = '', digits = '', ...more] = text.split('/');
  if (more.length > 0 || ![flow, run, step, task].every(isUserName)) return undefined;
  const attempt = /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : Number.NaN;
  return Number.isSafeInteger(attempt) ? { flow, run, step, task, attempt } : undefined;
}

/** Splits how runs are named, `<flow>/<run>`, into names that are still to be checked; `undefined` for anything else. */
export function splitRunName(text: unknown): { flow: string; run: string } | undefined {
  const [flow, run, ...more] = typeof text === 'string' ? text.split('/') : [];
  return flow === undefined || run === undefined || more.length > 0 ? undefined : { flow, run };
}

/** Checks the names of a task; throws `INVALID_NAME`. */
export function validateTaskNames<T extends Omit<TaskPath, 'flow'>>({
  run,
  step,
  task,
}: T): Omit<TaskPath, 'flow'> {
  return {
    run: validateUserName(run, 'run id'),
    step: validateUserName(step, 'step name'),
    task: validateUserName(task, 'task id'),
  };
}

/** Checks the number of an attempt: an integer from 0 on that a JavaScript number holds exactly. */
export function validateAttemptNumber(attempt: unknown): number {
  if (Number.isSafeInteger(attempt) && (attempt as number) >= 0) return attempt as number;
  throw invalidArgument(
    `${String(attempt)} is no attempt; attempts are the integers from 0 to ${Number.MAX_SAFE_INTEGER}.`,
    { attempt: String(attempt) },
  );
}

function invalid(text: unknown, why: string): StowageError {
  const shown = typeof text === 'string' ? text.slice(0, 300) : String(text);
  const named = typeof text === 'object' && text !== null ? 'An object' : JSON.stringify(shown);
  return new StowageError('INVALID_PATHSPEC', `${named} is no pathspec: ${why}.`, {
    details: { pathspec: shown },
  });
}
