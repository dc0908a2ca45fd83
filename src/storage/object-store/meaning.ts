import { StowageError, type StowageErrorCode } from '../../errors.ts';
import type { FailedRequest } from './transport-errors.ts';

/** What an error of a service means to the caller, and what to do about it. */
export interface Meaning {
  code: StowageErrorCode;
  what: string;
  remedy: string;
}

export const BUSY: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the service cannot do it at the moment',
  remedy: 'try again',
};
export const CHANGED: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the bytes that arrived are not those that were sent',
  remedy: 'try again; where it lasts, something changes the bytes while they are saved',
};
export const FULL: Meaning = {
  code: 'STORAGE_FULL',
  what: 'no space or quota is left',
  remedy: 'make room, and try again',
};

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
