import type { StowageError } from '../../errors.ts';
import { BUSY, CHANGED, FULL, failureOf, type Meaning } from '../object-store/meaning.ts';
import {
  codeOfStatus,
  connectionError,
  type FailedRequest,
  retryAfterMs,
} from '../object-store/transport-errors.ts';

const NO_BUCKET: Meaning = {
  code: 'NO_SUCH_BUCKET',
  what: 'there is no such bucket',
  remedy: "create it, or correct the store's address",
};
const NOT_PERMITTED: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'these credentials may not do that',
  remedy:
    'readers need s3:GetObject and s3:ListBucket (without which S3 says "denied" of what is missing), writers also ' +
    's3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload, and both the use of the KMS key if there is one',
};
const NO_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'no credentials were found',
  remedy:
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, log in (aws sso login), or pass credentials',
};
const WRONG_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the access key or its secret is wrong',
  remedy:
    'check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, where there is one), or the credentials ' +
    'passed, and that they belong to this endpoint',
};
const NOT_GIVEN: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the service that gives out credentials refuses, before anything was sent to the bucket',
  remedy: 'check the profile and its role (AWS_PROFILE, AWS_ROLE_ARN), and that this user may assume it',
};
const EXPIRED_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the credentials have expired',
  remedy: 'renew them (aws sso login, a new session token)',
};
const CLOCK: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: "this machine's clock is too far from the server's for signatures to be valid",
  remedy: 'set the clock',
};
const REGION: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the bucket is in another region',
  remedy: 'set AWS_REGION, pass region, or write it after the address (?region=...)',
};
const BAD_BUCKET: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'no bucket can have that name',
  remedy: "correct the store's address",
};
const KEY: Meaning = {
  code: 'INVALID_NAME',
  what: 'the server does not take a key like this, with the prefix before it',
  remedy: 'shorten the prefix, or choose another name',
};
const OCCUPIED: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the name of an object cannot also be a folder of other objects',
  remedy: 'choose another name',
};
const SLOW_DOWN: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the service is asked for too much at a time',
  remedy: 'try again later; where it lasts, lower the limits of what is under way',
};
const CONFLICT: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'another write of the same name was under way, and nobody can tell yet who won',
  remedy: 'try again',
};
const FOLDER_RACE: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the server could not make the folder of the object, or has a folder of its name',
  remedy: 'try again: a delete beside it may have removed the folder; where it lasts, choose another name',
};
const ARCHIVED: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'the object was moved to an archive',
  remedy: "restore it, and take the store's prefix out of the bucket's lifecycle rules",
};
const UPLOAD_GONE: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'somebody removed the unfinished upload',
  remedy: 'save again, and let lifecycle rules and clean-ups abort only uploads that are days old',
};
const NOT_S3: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'what answers there does not speak the protocol of S3',
  remedy: 'correct the endpoint, and see that no proxy stands before it that answers by itself',
};
const UNSUPPORTED: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'the server does not know how to do that',
  remedy: 'use another server, or a newer one',
};

/** Which error of S3, or of a server like it, means what. Only `STORAGE_UNAVAILABLE` is retried. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: NO_BUCKET,
  AccessDenied: NOT_PERMITTED,
  AccessDeniedException: NOT_PERMITTED,
  AllAccessDisabled: NOT_PERMITTED,
  AccountProblem: NOT_PERMITTED,
  UnauthorizedAccess: NOT_PERMITTED,
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: NO_CREDENTIALS,
  InvalidAccessKeyId: WRONG_CREDENTIALS,
  XAdminUserNotFound: WRONG_CREDENTIALS, // versitygw
  SignatureDoesNotMatch: WRONG_CREDENTIALS,
  InvalidSecurity: WRONG_CREDENTIALS,
  InvalidToken: WRONG_CREDENTIALS,
  InvalidTokenId: WRONG_CREDENTIALS, // MinIO
  InvalidClientTokenId: WRONG_CREDENTIALS,
  NotSignedUp: WRONG_CREDENTIALS,
  ExpiredToken: EXPIRED_CREDENTIALS,
  ExpiredTokenException: EXPIRED_CREDENTIALS,
  TokenRefreshRequired: EXPIRED_CREDENTIALS,
  RequestExpired: EXPIRED_CREDENTIALS,
  RequestTimeTooSkewed: CLOCK,
  PermanentRedirect: REGION,
  TemporaryRedirect: REGION,
  Redirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  InvalidRegion: REGION,
  InvalidBucketName: BAD_BUCKET,
  KeyTooLongError: KEY,
  KeyTooLong: KEY,
  XMinioInvalidObjectName: KEY,
  ObjectParentIsFile: OCCUPIED, // versitygw
  ExistingObjectIsDirectory: FOLDER_RACE, // versitygw
  XMinioParentIsObject: OCCUPIED,
  SlowDown: SLOW_DOWN,
  SlowDownRead: SLOW_DOWN, // MinIO
  SlowDownWrite: SLOW_DOWN, // MinIO
  Throttling: SLOW_DOWN,
  ThrottlingException: SLOW_DOWN,
  RequestLimitExceeded: SLOW_DOWN,
  TooManyRequests: SLOW_DOWN,
  BandwidthLimitExceeded: SLOW_DOWN,
  ServiceUnavailable: BUSY,
  Busy: BUSY,
  InternalError: BUSY,
  InternalFailure: BUSY,
  RequestTimeout: BUSY,
  OperationAborted: BUSY,
  IncompleteBody: BUSY,
  XMinioServerNotInitialized: BUSY,
  ConditionalRequestConflict: CONFLICT,
  BadDigest: CHANGED,
  XAmzContentSHA256Mismatch: CHANGED,
  XAmzContentChecksumMismatch: CHANGED,
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  XMinioAdminBucketQuotaExceeded: FULL,
  InvalidObjectState: ARCHIVED,
  NoSuchUpload: UPLOAD_GONE,
  NotImplemented: UNSUPPORTED,
  MethodNotAllowed: UNSUPPORTED,
};

/** What the SDK says when the checksum that came with a body is not that of the body. */
const OTHER_CHECKSUM = /^Checksum mismatch/;

/** An error of the SDK, as far as it is looked at here. */
interface SdkError extends Error {
  Code?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string; clockSkewCorrected?: boolean };
  $response?: { headers?: Record<string, string | undefined> };
}

/** The code that S3 gave an error (`NoSuchKey`), if any: answers to HEAD have none. */
export function s3CodeOf(error: unknown): string | undefined {
  return (error as SdkError).Code;
}

/** The HTTP status of the answer that an error is about. */
export function statusOf(error: unknown): number | undefined {
  return (error as SdkError).$metadata?.httpStatusCode;
}

/** An answer that succeeded, but is not one of S3. */
export function notS3Error(said: string, request: FailedRequest): StowageError {
  return failureOf(NOT_S3, `${request.place}; ${said}`, request);
}

/** What a failed request comes to. @param wasReached whether the server ever answered */
export function s3Error(cause: unknown, request: FailedRequest, wasReached: boolean): StowageError {
  const error = cause as SdkError;
  const status = statusOf(error);
  if (status === undefined && !(error.name in MEANINGS)) {
    const lost = connectionError(error, request, wasReached);
    if (lost) return lost;
  }
  // What the SDK says on further lines is for those who debug it; the cause has it.
  const said = error.message.split('\n', 1)[0] as string;
  return errorOfCode(s3CodeOf(error) ?? error.name, said, request, error);
}

/** What an error that S3 tells of one key among many comes to. */
export function errorOfCode(
  s3Code: string,
  said: string,
  request: FailedRequest,
  cause?: unknown,
): StowageError {
  const error = cause as SdkError | undefined;
  const status = error && statusOf(error);
  const headers = error?.$response?.headers ?? {};
  const isOfS3 = error === undefined || s3CodeOf(error) !== undefined || request.operation === 'head';
  const meaning = askedForCredentials(request, meaningOf(s3Code, status, error, isOfS3));
  const region = meaning === REGION ? headers['x-amz-bucket-region'] : undefined;
  const waitMs = retryAfterMs(headers['retry-after']);
  const about = [s3Code, status && `HTTP ${status}`, region && `region ${region}`].filter(Boolean).join(', ');
  const more = {
    s3Code,
    ...(status !== undefined && { status }),
    ...(error?.$metadata?.requestId && { requestId: error.$metadata.requestId }),
    ...(region && { region }),
    ...(waitMs !== undefined && { retryAfterMs: waitMs }),
  };
  return failureOf(meaning, `${request.place}; ${about}; ${said}`, request, more, cause);
}

/** Opening sends nothing to the bucket: who refuses then is whoever was asked for credentials. */
function askedForCredentials({ operation }: FailedRequest, meaning: Meaning): Meaning {
  return operation === 'open' && (meaning === NOT_PERMITTED || meaning === NOT_S3) ? NOT_GIVEN : meaning;
}

/** @param isOfS3 whether the answer says what S3 says of errors, or is one that has no body to say it */
function meaningOf(
  s3Code: string,
  status: number | undefined,
  error: SdkError | undefined,
  isOfS3: boolean,
): Meaning {
  // The SDK has set its own clock by the answer, so that the next signature will be valid.
  if (s3Code === 'RequestTimeTooSkewed' && error?.$metadata?.clockSkewCorrected) return BUSY;
  const known = MEANINGS[s3Code];
  if (known) return known;
  if (error && OTHER_CHECKSUM.test(error.message)) return CHANGED;
  const code = codeOfStatus(status);
  if (status !== undefined && !isOfS3 && code !== 'STORAGE_UNAVAILABLE') return NOT_S3;
  if (status === 301 || status === 307 || status === 308) return REGION;
  if (status === 429) return SLOW_DOWN;
  for (const meaning of [BUSY, NOT_PERMITTED, FULL, UNSUPPORTED]) if (meaning.code === code) return meaning;
  return { code, what: 'the request failed', remedy: 'see the cause' };
}
