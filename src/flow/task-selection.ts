import type { ReadRule } from '../attempts/attempt-reader.ts';
import { validateAttemptNumber } from '../attempts/pathspec.ts';
import { StowageError } from '../errors.ts';

/** Which tasks of a run to open, and which attempt of each. */
export interface GetTasksOptions extends ReadRule {
  runId: string;
  /** Only tasks of these steps; a step without tasks adds none. Default: all steps. */
  steps?: readonly string[] | undefined;
  /** Whether all done attempts of each task are returned, oldest first, rather than one. Default `false`. */
  includePrior?: boolean | undefined;
}

/** The rule among other options, checked; throws `INVALID_ARGUMENT`. */
export function readRuleOf({ attempt, allowNotDone }: ReadRule): ReadRule {
  if (attempt !== undefined && attempt !== 'latestDone') validateAttemptNumber(attempt);
  return { attempt, allowNotDone };
}

/** Checks a list of names; throws `INVALID_ARGUMENT` for anything else, a single name included. */
export function checkNameList(names: unknown, what: string): void {
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return;
  throw new StowageError('INVALID_ARGUMENT', `${what} must be a list of names, such as ['first', 'second'].`);
}
