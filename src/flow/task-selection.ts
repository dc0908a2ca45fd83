import type { ReadRule } from '../attempts/attempt-reader.ts';
import { invalidArgument } from '../errors.ts';
import { validateAttemptNumber } from '../format/pathspec.ts';
import { ANYTHING, FLAG, NAMES, type OptionTable, oneOf } from '../options/option-table.ts';
import { validateUserName } from '../storage/names.ts';

/** The choice of attempts of each task. */
export interface TaskRule extends ReadRule {
  /**
   * Returns all attempts of each task that are done (with `allowNotDone` all), oldest first, rather than one; up to
   * `attempt`, if that is a number. Default `false`.
   */
  includePrior?: boolean | undefined;
}

/** The choice of tasks of a run, and of attempts of each. */
export interface GetTasksOptions extends TaskRule {
  runId: string;
  /** Only tasks of these steps, each of which must have one. Default: all steps. */
  steps?: readonly string[] | undefined;
  /**
   * `'all'` makes it an error (`ATTEMPT_NOT_DONE`) that a task which was started is left out. How many there should be, only the caller
   * knows. Default: they are left out, and the result tells which (`leftOut`).
   */
  require?: 'all' | undefined;
}

/** The choice of tasks by name, and of attempts of each. */
export interface GetNamedTasksOptions extends TaskRule {
  /** Tasks as `run/step/task`, or single attempts as `run/step/task/attempt`; results come in their order. */
  pathspecs: readonly string[];
}

/** The choice that `getTaskDataStores` takes: tasks of a run, or tasks by name. */
export type TaskSelection = GetTasksOptions | GetNamedTasksOptions;

/** The options of choosing attempts. What no kind is told of here says by itself what it takes. */
const TASK_RULE: OptionTable<TaskRule> = { attempt: ANYTHING, allowNotDone: FLAG, includePrior: FLAG };
/** The options of choosing tasks of a run that is known. */
export const TASKS_OF_RUN: OptionTable<Omit<GetTasksOptions, 'runId'>> = {
  steps: NAMES,
  require: oneOf('all'),
  ...TASK_RULE,
};
/** The options of choosing tasks of a run, or by name. */
export const TASK_SELECTION: OptionTable<GetTasksOptions & GetNamedTasksOptions> = {
  runId: ANYTHING,
  pathspecs: NAMES,
  ...TASKS_OF_RUN,
};

/** Checks the number of an attempt, and tells text that looks like one from it; throws `INVALID_ARGUMENT`. */
export function checkAttempt(attempt: unknown, orElse = ''): void {
  if (typeof attempt !== 'string') {
    validateAttemptNumber(attempt);
    return;
  }
  throw invalidArgument(
    `The attempt ${JSON.stringify(attempt)} is a string; attempts are the integers from 0 on${orElse}.`,
    { attempt },
  );
}

/** The rule among other options, checked; throws `INVALID_ARGUMENT`. */
export function readRuleOf({ attempt, allowNotDone }: ReadRule): ReadRule {
  if (attempt !== undefined && attempt !== 'latestDone') checkAttempt(attempt, ", or 'latestDone'");
  return { attempt, allowNotDone };
}

/** {@link readRuleOf}, with how many attempts of each task are meant. */
export function taskRuleOf({ includePrior = false, ...rule }: TaskRule): TaskRule {
  return { ...readRuleOf(rule), includePrior };
}

/** Tells a choice by name; throws `INVALID_ARGUMENT` where neither or both ways are. */
export function isByName(selection: TaskSelection): selection is GetNamedTasksOptions {
  const isObject = typeof selection === 'object' && selection !== null;
  const byName = isObject && 'pathspecs' in selection && selection.pathspecs !== undefined;
  const byRun = isObject && 'runId' in selection && selection.runId !== undefined;
  if (isObject && byName !== byRun) return byName;
  throw invalidArgument(
    "Tasks are opened by run, { runId: 'r1', steps: ['fit'] }, or by name, { pathspecs: ['r1/fit/0'] }: give one of the two.",
  );
}

/** Checks the names in a choice of tasks of a run; throws `INVALID_NAME`, `INVALID_ARGUMENT`. */
export function checkOfRun({ runId, steps = [] }: GetTasksOptions): void {
  validateUserName(runId, 'run id');
  for (const step of steps) validateUserName(step, 'step name');
}

/** Checks a list of names; throws `INVALID_ARGUMENT` for anything else, a single name included. */
export function checkNameList(names: unknown, what: string): void {
  if (!NAMES.accepts(names)) throw invalidArgument(`${what} must be ${NAMES.expects}.`);
}
