import { type ErrorDetails, messageOf, StowageError } from '../../errors.ts';

/** The error for a statement of a user that a database does not answer, with its words. */
export function refusedStatement(words: unknown, details: ErrorDetails): StowageError {
  return new StowageError(
    'INVALID_ARGUMENT',
    `The database refuses the statement: ${messageOf(words).replace(/\.$/, '')}. Give one statement that reads, such as: select flow, run, status from runs.`,
    { details, cause: words },
  );
}

/** A number where it is exact. */
export function exactNumber(whole: bigint): number | bigint {
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole;
}
