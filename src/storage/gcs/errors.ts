import type { IncomingHttpHeaders } from 'node:http';
import { codeOfStatus, retryAfterMs } from '../bucket/connection-errors.ts';
import {
  BAD_BUCKET,
  BUSY,
  CHANGED,
  CONFLICT,
  type Failure,
  KEY,
  type Meaning,
  meaningOfCode,
  meaningsOf,
  NO_BUCKET,
  type Refusal,
  SLOW_DOWN,
  UNSUPPORTED,
} from '../bucket/errors.ts';

/** The error for an answer that Cloud Storage does not give. */
export const NOT_GCS: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'what answers there does not speak the JSON API of Cloud Storage',
  remedy:
    'correct apiEndpoint (or STORAGE_EMULATOR_HOST), and see that no proxy stands before it that answers by itself',
};
/** The error for an upload in parts that ended before its last one. */
export const SESSION_GONE: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the upload ended before it was whole: its session broke, or it took more than a week',
  remedy: 'upload it again',
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

/** The meanings of the `reason` in an answer's body, whatever its status. Only `STORAGE_UNAVAILABLE` is retried. */
const OF_REASON = meaningsOf([
  [WRONG_CREDENTIALS, 'authError'],
  [NO_BILLING, 'accountDisabled'],
  [KEPT, 'retentionPolicyNotMet objectUnderActiveHold'],
  [SLOW_DOWN, 'rateLimitExceeded userRateLimitExceeded quotaExceeded usageLimitExceeded'],
  [BUSY, 'backendError internalError transientError uploadBrokenConnection'],
  [CONFLICT, 'conflict'],
  [UNSUPPORTED, 'notImplemented'],
]);
/** The meanings that only the words of an answer tell, among those of its status. */
const OF_WORDS: readonly (readonly [status: number, words: RegExp, meaning: Meaning])[] = [
  [400, /doesn't match calculated|hash mismatch|checksum mismatch/i, CHANGED],
  [401, /anonymous caller|login required/i, NO_CREDENTIALS],
  [400, /requester pays/i, REQUESTER_PAYS],
  [400, /invalid bucket name/i, BAD_BUCKET],
  [400, /object (name|length)|name (is )?too long/i, KEY],
  [403, /retention policy|active (temporary|event-based) hold/i, KEPT],
];
/** The meanings of a status if nothing else is told. 404 is the bucket's: that of an object is no error. */
const OF_STATUS: Readonly<Record<number, Meaning>> = {
  401: WRONG_CREDENTIALS,
  403: NOT_PERMITTED,
  404: NO_BUCKET,
  409: CONFLICT,
  429: SLOW_DOWN,
};
const REFUSALS: Readonly<Record<number, Refusal>> = { 412: 'refused', 416: 'past the end' };

/** The most characters of an answer that a message repeats. */
const MAX_QUOTED = 200;
/** The errors of `google-auth-library`, which finds the credentials. */
const NOTHING_FOUND = /could not load the default credentials|ENOENT/i;

/** An answer that is no success. */
export class AnswerError extends Error {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Its body. */
  readonly text: string;
  /** The request was about an object, and the bucket is there. */
  readonly isOfObject: boolean;

  constructor(status: number, headers: IncomingHttpHeaders, text: string, isOfObject: boolean) {
    super(`HTTP ${status}`);
    this.status = status;
    this.headers = headers;
    this.text = text;
    this.isOfObject = isOfObject;
  }
}

/** No credentials could be had; `cause` tells why. */
export class CredentialsError extends Error {}

/** The body of an answer that tells an error. */
interface ErrorBody {
  error?: { message?: string; errors?: { reason?: string; message?: string }[] };
}

/**
 * Tells what an error means.
 *
 * @param isGoogle whether Google gave the answer, which does not always say it in JSON
 */
export function classify(error: Error, isGoogle: boolean): Failure {
  if (error instanceof AnswerError) return ofAnswer(error, isGoogle);
  if (error instanceof CredentialsError) return ofCredentials(error.cause as Error);
  const { code = 'an unknown error', message } = error as Error & { code?: string };
  const meaning = {
    ...meaningOfCode('STORAGE_FAILED', NOT_PERMITTED),
    remedy: 'check the endpoint, and see the cause',
  };
  return { meaning, about: `${code}; ${message}`, isOfConnection: true };
}

function ofAnswer({ status, headers, text, isOfObject }: AnswerError, isGoogle: boolean): Failure {
  const body = parsed(text);
  const reason = body?.error?.errors?.[0]?.reason;
  const said = body?.error?.message ?? text.slice(0, MAX_QUOTED).trim();
  const requestId = headers['x-guploader-uploadid'];
  const waitMs = retryAfterMs(headers['retry-after']);
  return {
    meaning: meaningOf(status, reason, said, isGoogle || body !== undefined),
    about: `${[`HTTP ${status}`, reason].filter(Boolean).join(', ')}; ${said}`,
    refusal: status === 404 && isOfObject ? 'missing' : REFUSALS[status],
    status,
    details: {
      ...(reason !== undefined && { reason }),
      ...(requestId !== undefined && { requestId }),
      ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    },
  };
}

function ofCredentials(cause: Error & { response?: { status?: number } }): Failure {
  const status = cause.response?.status;
  const place = 'the service that gives out credentials';
  if (codeOfStatus(status) === 'STORAGE_UNAVAILABLE') {
    return { meaning: BUSY, about: `HTTP ${status}; ${cause.message}`, place };
  }
  const meaning = NOTHING_FOUND.test(cause.message) ? NO_CREDENTIALS : WRONG_CREDENTIALS;
  return {
    meaning,
    about: `before the request; ${cause.message}`,
    place,
    isOfConnection: status === undefined,
  };
}

function meaningOf(status: number, reason: string | undefined, said: string, isOfGcs: boolean): Meaning {
  const byWords = OF_WORDS.find(([of, words]) => of === status && words.test(said))?.[2];
  const byReason = reason === undefined ? undefined : OF_REASON[reason];
  const byStatus = status === 404 && !isOfGcs ? NOT_GCS : OF_STATUS[status];
  const known = byWords ?? byReason ?? byStatus;
  if (known) return known;
  const code = codeOfStatus(status);
  if (code !== 'STORAGE_FAILED') return meaningOfCode(code, NOT_PERMITTED);
  return isOfGcs ? { code, what: 'the request failed', remedy: 'see what the service says' } : NOT_GCS;
}

function parsed(text: string): ErrorBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof (body as ErrorBody | null)?.error === 'object' ? (body as ErrorBody) : undefined;
  } catch {
    return undefined;
  }
}
