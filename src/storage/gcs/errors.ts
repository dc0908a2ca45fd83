import type { StowageError } from '../../errors.ts';
import { codeOfStatus, connectionError, retryAfterMs } from '../bucket/connection-errors.ts';
import { BUSY, CHANGED, type FailedRequest, FULL, failureOf, type Meaning } from '../bucket/errors.ts';
import type { HttpAnswer } from './http.ts';

const NO_BUCKET: Meaning = {
  code: 'NO_SUCH_BUCKET',
  what: 'there is no such bucket',
  remedy: "create it, or correct the store's address",
};
const BAD_BUCKET: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'no bucket can have that name',
  remedy: "correct the store's address",
};
const NOT_GCS: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'what answers there does not speak the JSON API of Cloud Storage',
  remedy: 'correct apiEndpoint (or STORAGE_EMULATOR_HOST)',
};
const NOT_PERMITTED: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'these credentials may not do that',
  remedy:
    'readers need the role Storage Object Viewer on the bucket, writers Storage Object User, and for a key of Cloud KMS ' +
    "the project's service agent of Cloud Storage needs its use",
};
const KEPT: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'a hold or a retention policy keeps the object as it is',
  remedy: 'wait until it ends, or have it lifted',
};
const NO_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'no credentials were found',
  remedy:
    'run gcloud auth application-default login, set GOOGLE_APPLICATION_CREDENTIALS to the path of a key file, or pass ' +
    'keyFilename or credentials',
};
const WRONG_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the credentials are not valid, or not any more',
  remedy:
    'renew them (gcloud auth application-default login, a new key), and check the key file and the clock of this machine',
};
const NO_BILLING: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: "the project's billing account is disabled",
  remedy: 'enable billing for the project that owns the bucket',
};
const REQUESTER_PAYS: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the requester pays for this bucket',
  remedy: 'pass userProject, or write it after the address: ?userProject=my-project',
};
const KEY: Meaning = {
  code: 'INVALID_NAME',
  what: 'the service does not take a name like this, with the prefix before it',
  remedy: 'shorten the prefix, or choose another name',
};
const SLOW_DOWN: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the service is asked for too much at a time, of this object or altogether',
  remedy: 'try again later; where it lasts, lower the limits of what is under way',
};
const CONFLICT: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'another write of the same object was under way, and nobody can tell yet who won',
  remedy: 'try again',
};
const UNSUPPORTED: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'the server does not know how to do that',
  remedy: 'use another server, or a newer one',
};

/** What the `reason` in an answer's body means, whatever its status. Only `STORAGE_UNAVAILABLE` is retried. */
const OF_REASON: Readonly<Record<string, Meaning>> = {
  authError: WRONG_CREDENTIALS,
  accountDisabled: NO_BILLING,
  retentionPolicyNotMet: KEPT,
  objectUnderActiveHold: KEPT,
  rateLimitExceeded: SLOW_DOWN,
  userRateLimitExceeded: SLOW_DOWN,
  quotaExceeded: SLOW_DOWN,
  usageLimitExceeded: SLOW_DOWN,
  backendError: BUSY,
  internalError: BUSY,
  transientError: BUSY,
  uploadBrokenConnection: BUSY,
  conflict: CONFLICT,
  notImplemented: UNSUPPORTED,
};

/** What only the words of an answer tell, among those of its status. */
const OF_WORDS: readonly { status: number; words: RegExp; meaning: Meaning }[] = [
  { status: 400, words: /doesn't match calculated|hash mismatch|checksum mismatch/i, meaning: CHANGED },
  { status: 401, words: /anonymous caller|login required/i, meaning: NO_CREDENTIALS },
  { status: 400, words: /requester pays/i, meaning: REQUESTER_PAYS },
  { status: 400, words: /invalid bucket name/i, meaning: BAD_BUCKET },
  { status: 400, words: /object (name|length)|name (is )?too long/i, meaning: KEY },
  { status: 403, words: /retention policy|active (temporary|event-based) hold/i, meaning: KEPT },
];

/** What a status means where nothing else is told. 404 is the bucket's: that of an object is no error. */
const OF_STATUS: Readonly<Record<number, Meaning>> = {
  401: WRONG_CREDENTIALS,
  403: NOT_PERMITTED,
  404: NO_BUCKET,
  409: CONFLICT,
  429: SLOW_DOWN,
};

/** The most characters of an answer that a message repeats. */
const MAX_QUOTED = 200;

/** The errors of `google-auth-library`, which finds the credentials. */
const NOTHING_FOUND = /could not load the default credentials|ENOENT/i;

/** The body of an answer that tells an error. */
interface ErrorBody {
  error?: { message?: string; errors?: { reason?: string; message?: string }[] };
}

/**
 * What an answer that is no success comes to.
 *
 * @param text its body
 * @param isGoogle whether Google gave it, which does not always say it in JSON
 */
export function answerError(
  { status, headers }: Pick<HttpAnswer, 'status' | 'headers'>,
  text: string,
  request: FailedRequest,
  isGoogle: boolean,
): StowageError {
  const body = parsed(text);
  const reason = body?.error?.errors?.[0]?.reason;
  const said = body?.error?.message ?? text.slice(0, MAX_QUOTED).trim();
  const about = [`HTTP ${status}`, reason].filter(Boolean).join(', ');
  const requestId = headers['x-guploader-uploadid'];
  const waitMs = retryAfterMs(headers['retry-after']);
  return failure(meaningOf(status, reason, said, isGoogle || body !== undefined), about, said, request, {
    status,
    ...(reason !== undefined && { reason }),
    ...(requestId !== undefined && { requestId }),
    ...(waitMs !== undefined && { retryAfterMs: waitMs }),
  });
}

/** An answer that succeeded, but is not one of Cloud Storage. */
export function notGcsError(said: string, request: FailedRequest): StowageError {
  return failure(NOT_GCS, 'an unexpected answer', said.slice(0, MAX_QUOTED), request);
}

/** What is stored, or was read, is not what was sent. */
export function changedError(said: string, request: FailedRequest): StowageError {
  return failure(CHANGED, 'CRC32C', said, request);
}

/** What an error on the way to an answer, or in its body, comes to. @param wasReached whether the host ever answered */
export function transportError(cause: unknown, request: FailedRequest, wasReached: boolean): StowageError {
  const lost = connectionError(cause, request, wasReached);
  if (lost) return lost;
  const { code = 'an unknown error', message } = cause as Error & { code?: string };
  const unknown: Meaning = {
    code: 'STORAGE_FAILED',
    what: 'the request failed',
    remedy: 'check the endpoint, and see the cause',
  };
  return failure(unknown, code, message, request, undefined, cause);
}

/** What it comes to that no credentials could be had. */
export function credentialsError(cause: unknown, request: FailedRequest): StowageError {
  const error = cause as Error & { response?: { status?: number } };
  const status = error.response?.status;
  const place = 'the service that gives out credentials';
  if (codeOfStatus(status) === 'STORAGE_UNAVAILABLE') {
    return failure(BUSY, `HTTP ${status}`, error.message, { ...request, place }, undefined, cause);
  }
  // What its host is called is not the caller's doing: one that cannot be resolved is out of reach.
  const lost = status === undefined ? connectionError(cause, { ...request, place }, true) : undefined;
  if (lost) return lost;
  const meaning = NOTHING_FOUND.test(error.message) ? NO_CREDENTIALS : WRONG_CREDENTIALS;
  return failure(meaning, 'before the request', error.message, request, undefined, cause);
}

function meaningOf(status: number, reason: string | undefined, said: string, isOfGcs: boolean): Meaning {
  const byWords = OF_WORDS.find((one) => one.status === status && one.words.test(said))?.meaning;
  const byReason = reason === undefined ? undefined : OF_REASON[reason];
  const byStatus = status === 404 && !isOfGcs ? NOT_GCS : OF_STATUS[status];
  const known = byWords ?? byReason ?? byStatus;
  if (known) return known;
  const code = codeOfStatus(status);
  for (const meaning of [BUSY, UNSUPPORTED, FULL]) if (meaning.code === code) return meaning;
  return isOfGcs ? { code, what: 'the request failed', remedy: 'see what the service says' } : NOT_GCS;
}

function failure(
  meaning: Meaning,
  about: string,
  said: string,
  request: FailedRequest,
  more?: Readonly<Record<string, unknown>>,
  cause?: unknown,
): StowageError {
  return failureOf(meaning, `${request.place}; ${about}; ${said}`, request, more, cause);
}

function parsed(text: string): ErrorBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof (body as ErrorBody | null)?.error === 'object' ? (body as ErrorBody) : undefined;
  } catch {
    return undefined;
  }
}
