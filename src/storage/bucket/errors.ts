import { StowageError, type StowageErrorCode } from '../../errors.ts';

/** A request that failed. */
export interface FailedRequest {
  operation: string;
  /** The object, or what the operation is about. */
  name: string;
  /** The address of the request, for messages: `bucket "data" at s3.eu-west-1.amazonaws.com`. */
  place: string;
}

/** The meaning of a service's error for the caller, and the remedy. */
export interface Meaning {
  code: StowageErrorCode;
  what: string;
  remedy: string;
}

/** An error of a service that is an answer to the request, which the engine may have expected. */
export type Refusal =
  /** There is no such object. */
  | 'missing'
  /** The condition of a write does not hold: the name is taken, or the version is another one. */
  | 'refused'
  /** A write may have failed because of an object that is there, or because it took effect before. */
  | 'contested'
  /** The range begins at the end of the object or behind it. */
  | 'past the end'
  /** The answer has no body that would tell why; one to a read has. */
  | 'unexplained';

/** The judgement of a driver on an error. */
export interface Failure {
  meaning: Meaning;
  /** The service's words, for the message: its code, the status, its words. */
  about: string;
  refusal?: Refusal | undefined;
  /** The HTTP status, where there was an answer. */
  status?: number | undefined;
  /** The client sent the request more than once, so that what refused the last one may be the first. */
  mayBeOwn?: boolean | undefined;
  /** No answer came: where Node.js knows why, that counts rather than `meaning`. */
  isOfConnection?: boolean | undefined;
  /** The one that failed, if not the service itself: a giver of credentials, say. */
  place?: string | undefined;
  /** Further `details` of the error. */
  details?: Readonly<Record<string, unknown>> | undefined;
}

/** An error that a driver found by itself: an answer of the wrong shape, bytes that changed. */
export class DriverError extends Error {
  readonly failure: Failure;

  constructor(meaning: Meaning, about: string, more: Omit<Failure, 'meaning' | 'about'> = {}) {
    super(`${meaning.what}: ${about}`);
    this.failure = { meaning, about, ...more };
  }
}

export const BUSY: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the service cannot do it at the moment',
  remedy: 'try again',
};
export const SLOW_DOWN: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the service is asked for too much at a time',
  remedy: 'try again later; where it lasts, lower the limits of what is under way',
};
export const CONFLICT: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'another write of the same name was under way, and nobody can tell yet who won',
  remedy: 'try again',
};
export const CHANGED: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the bytes that arrived are not those that were sent',
  remedy: 'try again; where it lasts, something changes the bytes while they are saved',
};
export const UNCONFIRMED: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the answer does not say whether it was deleted',
  remedy: 'try again',
};
export const FULL: Meaning = {
  code: 'STORAGE_FULL',
  what: 'no space or quota is left',
  remedy: 'make room, and try again',
};
export const NO_BUCKET: Meaning = {
  code: 'NO_SUCH_BUCKET',
  what: 'there is no such bucket',
  remedy: "create it, or correct the store's address",
};
export const BAD_BUCKET: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'no bucket can have that name',
  remedy: "correct the store's address",
};
export const KEY: Meaning = {
  code: 'INVALID_NAME',
  what: 'the service does not take a key like this, with the prefix before it',
  remedy: 'shorten the prefix, or choose another name',
};
export const UNSUPPORTED: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'the server does not know how to do that',
  remedy: 'use another server, or a newer one',
};

/** A table of codes, separated by spaces, and what they mean. */
export function meaningsOf(
  table: readonly (readonly [Meaning, string])[],
): Readonly<Record<string, Meaning>> {
  return Object.fromEntries(
    table.flatMap(([meaning, codes]) => codes.split(' ').map((code) => [code, meaning])),
  );
}

/** The meaning that the code of an error has by itself, where the service does not say it better. */
export function meaningOfCode(code: StowageErrorCode, notPermitted: Meaning): Meaning {
  const known = [BUSY, notPermitted, FULL, UNSUPPORTED].find((meaning) => meaning.code === code);
  return known ?? { code, what: 'the request failed', remedy: 'see the cause' };
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

/** An object that was to be overwritten at one version has another one, or is gone. */
export function preconditionFailed(name: string, ifMatch: string): StowageError {
  return new StowageError(
    'PRECONDITION_FAILED',
    `"${name}" is not at version ${ifMatch} any more; read it again before you replace it.`,
    { details: { name, ifMatch } },
  );
}

/** An object that was read in parts became another one in between: as a whole it can be read again. */
export function replacedMeanwhile(name: string): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `"${name}" was replaced or deleted while it was read; read it again.`,
    { details: { operation: 'get', name } },
  );
}
