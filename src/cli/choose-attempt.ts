import { StowageError } from '../errors.ts';
import { usageError } from './cli-error.ts';
import { parseAttempt, type StorePath } from './store-path.ts';
import { listed } from './suggestions.ts';

/** Which attempt of a task was asked for: a number, the latest that is done, or (`undefined`) the latest started. */
export type AttemptRule = number | 'latestDone' | undefined;

/** What a path, or `--attempt`, asks for. */
export function attemptRule({ attempt }: StorePath, option: string | undefined): AttemptRule {
  if (option === undefined) return attempt;
  const rule = option === 'latest-done' || option === 'latestDone' ? 'latestDone' : parseAttempt(option);
  if (attempt === undefined || attempt === rule) return rule;
  throw usageError(`The path names attempt ${attempt}, and --attempt another: give one of them.`);
}

/**
 * The attempt that `rule` chooses among those of a task, oldest first.
 *
 * @throws StowageError `ATTEMPT_NOT_FOUND`, `ATTEMPT_NOT_DONE`
 */
export function chooseAttempt<A extends { attempt: number; status: string }>(
  where: string,
  attempts: readonly A[],
  rule: AttemptRule,
): A {
  const existing = attempts.map(({ attempt }) => attempt);
  if (rule === undefined) return attempts.at(-1) as A;
  const chosen =
    rule === 'latestDone'
      ? attempts.findLast(({ status }) => status === 'done')
      : attempts.find(({ attempt }) => attempt === rule);
  if (chosen) return chosen;
  if (rule === 'latestDone') throw noneDone(where, existing);
  const details = { path: where, missing: 'attempt', existing };
  const message = `Task ${where} has no attempt ${rule}; it has ${listed(existing)}.`;
  throw new StowageError('ATTEMPT_NOT_FOUND', message, { details });
}

function noneDone(where: string, existing: readonly number[]): StowageError {
  return new StowageError(
    'ATTEMPT_NOT_DONE',
    `Task ${where} has no attempt that is done (it has ${listed(existing)}). See why with: stowage show ${where}`,
    { details: { path: where, existing } },
  );
}
