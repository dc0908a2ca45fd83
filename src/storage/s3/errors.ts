import { codeOfStatus, retryAfterMs } from '../bucket/connection-errors.ts';
import {
  BAD_BUCKET,
  BUSY,
  CHANGED,
  CONFLICT,
  type Failure,
  FULL,
  KEY,
  type Meaning,
  meaningOfCode,
  meaningsOf,
  NO_BUCKET,
  type Refusal,
  SLOW_DOWN,
  UNSUPPORTED,
} from '../bucket/errors.ts';

const NOT_PERMITTED: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'these credentials may not do that',
  remedy:
    'readers need s3:GetObject and s3:ListBucket (without which S3 says "denied" of what is missing), writers also ' +
    's3:PutObject and s3:AbortMultipartUpload, whoever deletes s3:DeleteObject, and all the use of the KMS key if there is one',
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
const OCCUPIED: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the name of an object cannot also be a folder of other objects',
  remedy: 'choose another name',
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
/** The error for an answer that no server of S3 gives. */
export const NOT_S3: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'what answers there does not speak the protocol of S3',
  remedy: 'correct the endpoint, and see that no proxy stands before it that answers by itself',
};

/** The meanings of errors of S3, of servers like it, and of the SDK. Only `STORAGE_UNAVAILABLE` is retried. */
const MEANINGS = meaningsOf([
  [NO_BUCKET, 'NoSuchBucket'],
  [NOT_PERMITTED, 'AccessDenied AccessDeniedException AllAccessDisabled AccountProblem UnauthorizedAccess'],
  [NO_CREDENTIALS, 'CredentialsProviderError TokenProviderError'],
  [WRONG_CREDENTIALS, 'InvalidAccessKeyId SignatureDoesNotMatch InvalidSecurity InvalidToken NotSignedUp'],
  [WRONG_CREDENTIALS, 'InvalidClientTokenId'],
  [WRONG_CREDENTIALS, 'XAdminUserNotFound'], // versitygw
  [WRONG_CREDENTIALS, 'InvalidTokenId'], // MinIO
  [EXPIRED_CREDENTIALS, 'ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired'],
  [CLOCK, 'RequestTimeTooSkewed'],
  [REGION, 'PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed'],
  [REGION, 'IllegalLocationConstraintException InvalidRegion'],
  [BAD_BUCKET, 'InvalidBucketName'],
  [KEY, 'KeyTooLongError KeyTooLong XMinioInvalidObjectName'],
  [OCCUPIED, 'XMinioParentIsObject'],
  [OCCUPIED, 'ObjectParentIsFile'], // versitygw
  [FOLDER_RACE, 'ExistingObjectIsDirectory'], // versitygw
  [SLOW_DOWN, 'SlowDown Throttling ThrottlingException RequestLimitExceeded TooManyRequests'],
  [SLOW_DOWN, 'BandwidthLimitExceeded'],
  [SLOW_DOWN, 'SlowDownRead SlowDownWrite'], // MinIO
  [BUSY, 'ServiceUnavailable Busy InternalError InternalFailure RequestTimeout OperationAborted'],
  [BUSY, 'IncompleteBody XMinioServerNotInitialized'],
  [CONFLICT, 'ConditionalRequestConflict'],
  [CHANGED, 'BadDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch'],
  [FULL, 'QuotaExceeded XMinioStorageFull XMinioAdminBucketQuotaExceeded'],
  [ARCHIVED, 'InvalidObjectState'],
  [UPLOAD_GONE, 'NoSuchUpload'],
  [UNSUPPORTED, 'NotImplemented MethodNotAllowed'],
]);

/** The SDK's words if the checksum that came with a body is not that of the body. */
const OTHER_CHECKSUM = /^Checksum mismatch/;

/** An error of the SDK, as far as it is looked at here. */
interface SdkError extends Error {
  /** The code that S3 gave it (`NoSuchKey`); answers to HEAD have none. */
  Code?: string;
  $metadata?: {
    httpStatusCode?: number;
    requestId?: string;
    clockSkewCorrected?: boolean;
    attempts?: number;
  };
  $response?: { headers?: Record<string, string | undefined> };
}

/** Tells what an error of the SDK means. */
export function classify(thrown: Error, { operation }: { operation: string }): Failure {
  const error = thrown as SdkError;
  const { Code: told, $metadata: metadata = {}, $response: response } = error;
  const status = metadata.httpStatusCode;
  const code = told ?? error.name;
  const headers = response?.headers ?? {};
  const isOfS3 = told !== undefined || operation === 'head';
  const meaning = ofOpening(operation, meaningOf(error, code, status, isOfS3));
  const region = meaning === REGION ? headers['x-amz-bucket-region'] : undefined;
  const waitMs = retryAfterMs(headers['retry-after']);
  // What the SDK says on further lines is for those who debug it; the cause has it.
  const said = error.message.split('\n', 1)[0] as string;
  const facts = [code, status && `HTTP ${status}`, region && `region ${region}`].filter(Boolean);
  return {
    meaning,
    about: `${facts.join(', ')}; ${said}`,
    refusal: refusalOf(told, status),
    status,
    mayBeOwn: (metadata.attempts ?? 1) > 1,
    isOfConnection: status === undefined && !(error.name in MEANINGS),
    details: {
      s3Code: code,
      ...(metadata.requestId && { requestId: metadata.requestId }),
      ...(region && { region }),
      ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    },
  };
}

/** Tells what an error means that S3 gives for one key among many. */
export function failureOfKey(code: string, said: string): Failure {
  const meaning = MEANINGS[code] ?? meaningOfCode('STORAGE_FAILED', NOT_PERMITTED);
  return { meaning, about: `${code}; ${said}`, details: { s3Code: code } };
}

function refusalOf(code: string | undefined, status: number | undefined): Refusal | undefined {
  // The answer to a completion may begin, with 200, before it is known; the SDK then makes another status of it.
  if (status === 412 || code === 'PreconditionFailed') return 'refused';
  if (code === 'NoSuchKey') return 'missing';
  // Gone with an upload is what it became, by a request whose answer was lost; or somebody removed it.
  if (code === 'NoSuchUpload') return 'contested';
  if (status === 416) return 'past the end';
  return code === undefined && status !== undefined && status >= 400 && status < 500
    ? 'unexplained'
    : undefined;
}

/** Opening sends nothing to the bucket: who refuses then is whoever was asked for credentials. */
function ofOpening(operation: string, meaning: Meaning): Meaning {
  return operation === 'open' && (meaning === NOT_PERMITTED || meaning === NOT_S3) ? NOT_GIVEN : meaning;
}

/** @param isOfS3 whether the answer says what S3 says of errors, or is one that has no body to say it */
function meaningOf(error: SdkError, code: string, status: number | undefined, isOfS3: boolean): Meaning {
  // The SDK has set its own clock by the answer, so that the next signature will be valid.
  if (code === 'RequestTimeTooSkewed' && error.$metadata?.clockSkewCorrected) return BUSY;
  const known = MEANINGS[code];
  if (known) return known;
  if (OTHER_CHECKSUM.test(error.message)) return CHANGED;
  const kind = codeOfStatus(status);
  if (status !== undefined && !isOfS3 && kind !== 'STORAGE_UNAVAILABLE') return NOT_S3;
  if (status === 301 || status === 307 || status === 308) return REGION;
  if (status === 429) return SLOW_DOWN;
  return meaningOfCode(kind, NOT_PERMITTED);
}
