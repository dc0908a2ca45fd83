import { StowageError, type StowageErrorCode } from '../../errors.ts';
import type { FailedRequest } from './transport-errors.ts';

/** What an error of a service means to the caller, and what to do about it. */
export interface Meaning {
  code: StowageErrorCode;
  what: string;
  remedy: string;
}

/**
 * The error of a request that failed.
 *
 * @param about what the service says of it, beside the meaning
 * @param more further `details`
 */
export function failureOf(
  { code, what, remedy }: Meaning,
  about: string,
  { operation, name, place }: FailedRequest,
  more: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): StowageError {
  return new StowageError(
    code,
    `The ${operation} of "${name}" failed: ${what} (${about}). To do: ${remedy}.`,
    { details: { operation, name, place, ...more }, cause },
  );
}
