import { codeOfStatus, retryAfterMs } from '../bucket/connection-errors.ts';
import {
  BUSY,
  CHANGED,
  type Failure,
  type Meaning,
  meaningOfCode,
  meaningsOf,
  type Refusal,
  SLOW_DOWN,
  UNSUPPORTED,
} from '../bucket/errors.ts';

const NO_CONTAINER: Meaning = {
  code: 'NO_SUCH_BUCKET',
  what: 'there is no such container',
  remedy: "create it, or correct the store's address",
};
const NO_ACCOUNT: Meaning = {
  code: 'NO_SUCH_BUCKET',
  what: 'there is no such account or container at this endpoint, or nobody may see it without credentials',
  remedy: "correct the store's address or the endpoint",
};
const NOT_PERMITTED: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'these credentials may not do that',
  remedy:
    'readers need the role "Storage Blob Data Reader" or a SAS of the container with r and l, writers the role "Storage ' +
    'Blob Data Contributor" or a SAS with r, l, c and w, whoever deletes also d; a new role takes some minutes to work',
};
const SHUT_OUT: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'the account, or the SAS, does not let requests in from here, or in this way',
  remedy: "check the account's network rules, and the addresses and the protocol that the SAS allows",
};
const DISABLED: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'the account or container is disabled',
  remedy: 'enable it',
};
const IMMUTABLE: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'a policy or a legal hold keeps the blob from being changed',
  remedy: 'wait until it ends, or lift it',
};
const LEASED: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'somebody holds a lease on it',
  remedy: 'end the lease (az storage blob lease break, az storage container lease break)',
};
const SNAPSHOTS: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'the blob has snapshots, which would go with it',
  remedy: 'delete them first, if nobody needs them (az storage blob delete --delete-snapshots only)',
};
const ENCRYPTION: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'the key that the blob or the account is encrypted by cannot be used',
  remedy: "check the account's encryption, and that it may use the key vault",
};
const NO_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'no credentials were found, or none that give a token',
  remedy:
    'log in (az login), set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, AZURE_STORAGE_CONNECTION_STRING or ' +
    'AZURE_STORAGE_KEY, or pass connectionString, accountKey, sasToken or credential',
};
const WRONG_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the key, the signature or the token is wrong',
  remedy: 'check the connection string, key, SAS or credential, and that it belongs to this account',
};
const EXPIRED_CREDENTIALS: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the SAS or token is not valid at this time: it has expired, or is not valid yet',
  remedy: 'pass a new one',
};
const KEYS_OFF: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the account takes neither its keys nor what they signed',
  remedy: 'use Microsoft Entra ID: install @azure/identity and log in (az login), or pass credential',
};
const CLOCK: Meaning = {
  code: 'STORAGE_CREDENTIALS',
  what: "this machine's clock is too far from the service's for signatures to be valid",
  remedy: 'set the clock',
};
const HTTPS: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the account, or its tokens, want an encrypted connection',
  remedy: 'write https:// in the endpoint or connection string',
};
const NAME: Meaning = {
  code: 'INVALID_NAME',
  what: 'Azure does not take a name like this, with the prefix before it',
  remedy:
    'shorten the prefix or the name (a blob has at most 1,024 characters and 254 segments between slashes), and check ' +
    'container and endpoint',
};
const BROKEN_OFF: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the connection broke',
  remedy: 'try again',
};
const ARCHIVED: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'the blob is in the archive tier',
  remedy: "move it to another tier, and take the store's prefix out of the account's lifecycle rules",
};
const FOREIGN_BLOB: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'a blob that no store writes has that name',
  remedy: 'remove it; other programs must not write below the prefix of a store',
};
const FOREIGN_BLOCKS: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'blocks of another upload lie under that name, or those of this one were discarded',
  remedy: 'create it under another name; Azure discards unfinished blocks after a week',
};
const TIER: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the account has no such access tier for blobs like this',
  remedy: 'choose another tier, or none',
};
/** The error for an answer that Azure does not give. */
export const NOT_AZURE: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'the answer is not one of Azure Blob Storage',
  remedy: 'correct the endpoint',
};

export const HIERARCHY: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'the account has a hierarchical namespace (Data Lake Storage Gen2), which lists names in another order and keeps folders',
  remedy: 'use an account without one',
};

/** The meanings of Azure's errors (`x-ms-error-code`), and of its SDK's. Only `STORAGE_UNAVAILABLE` is retried. */
const MEANINGS = meaningsOf([
  [NO_CONTAINER, 'ContainerNotFound ContainerBeingDeleted'],
  [NO_ACCOUNT, 'ResourceNotFound'],
  [NOT_PERMITTED, 'AuthorizationPermissionMismatch AuthorizationResourceTypeMismatch'],
  [NOT_PERMITTED, 'AuthorizationServiceMismatch InsufficientAccountPermissions'],
  [NOT_PERMITTED, 'UnauthorizedBlobOverwrite'],
  [SHUT_OUT, 'AuthorizationFailure AuthorizationSourceIPMismatch AuthorizationProtocolMismatch'],
  [SHUT_OUT, 'PublicAccessNotPermitted'],
  [DISABLED, 'AccountIsDisabled ContainerDisabled'],
  [IMMUTABLE, 'BlobImmutableDueToPolicy'],
  [LEASED, 'LeaseIdMissing LeaseIdMismatchWithBlobOperation'],
  [LEASED, 'LeaseIdMismatchWithContainerOperation LeaseLost'],
  [SNAPSHOTS, 'SnapshotsPresent'],
  [ENCRYPTION, 'BlobUsesCustomerSpecifiedEncryption KeyVaultEncryptionKeyNotFound'],
  [ENCRYPTION, 'KeyVaultAccessTokenCannotBeAcquired KeyVaultVaultNotFound'],
  [NO_CREDENTIALS, 'NoAuthenticationInformation'],
  [NO_CREDENTIALS, 'CredentialUnavailableError'], // @azure/identity
  [NO_CREDENTIALS, 'AggregateAuthenticationError'], // @azure/identity
  [NO_CREDENTIALS, 'AuthenticationRequiredError'], // @azure/identity
  [WRONG_CREDENTIALS, 'AuthenticationError'], // @azure/identity
  [WRONG_CREDENTIALS, 'AuthenticationFailed InvalidAuthenticationInfo'],
  [KEYS_OFF, 'KeyBasedAuthenticationNotPermitted'],
  [HTTPS, 'AccountRequiresHttps'],
  [NAME, 'InvalidResourceName InvalidUri RequestUrlFailedToParse OutOfRangeInput'],
  [SLOW_DOWN, 'ServerBusy SnapshotOperationRateExceeded'],
  [BUSY, 'InternalError OperationTimedOut SystemInUse AccountBeingCreated'],
  [BROKEN_OFF, 'REQUEST_SEND_ERROR'], // the SDK
  [BROKEN_OFF, 'AbortError'], // the SDK, where nobody aborted
  [NOT_AZURE, 'RangeError TypeError'], // the SDK: of an answer that it does not understand
  [CHANGED, 'Md5Mismatch Crc64Mismatch'],
  [ARCHIVED, 'BlobArchived BlobBeingRehydrated'],
  [FOREIGN_BLOB, 'InvalidBlobType PendingCopyOperation'],
  [FOREIGN_BLOCKS, 'InvalidBlobOrBlock InvalidBlockList BlockCountExceedsLimit'],
  [TIER, 'InvalidBlobTier BlobAccessTierNotSupportedForAccountType'],
  [TIER, 'BlobTierInadequateForContentLength'],
  [UNSUPPORTED, 'InvalidHeaderValue UnsupportedHeader UnsupportedQueryParameter UnsupportedHttpVerb'],
  [UNSUPPORTED, 'FeatureVersionMismatch NotImplemented'],
]);

/** The SDK's words for an answer that ended too early. */
const CUT_SHORT = /^Error reading response|^Data corruption failure|Unclosed root tag/;
/** The service compares a request's time with its own; it takes a quarter of an hour. */
const MAX_CLOCK_DIFFERENCE_MS = 15 * 60_000;

/** An error of the SDK, as far as it is looked at here. */
interface SdkError extends Error {
  code?: string;
  statusCode?: number;
  response?: { headers?: { get(name: string): string | undefined } };
  details?: { authenticationErrorDetail?: string };
}

/** The facts of the connection beside the error. */
interface Surroundings {
  /** The time at which the SAS expires, where there is one. */
  sasExpiresAtMs?: number | undefined;
  /** True if the client may have sent the request before. */
  mayRepeat: boolean;
}

/** Tells what an error of the SDK means. */
export function classify(thrown: Error, operation: string, surroundings: Surroundings): Failure {
  const error = thrown as SdkError;
  const status = error.statusCode;
  const told = headerOf(error, 'x-ms-error-code');
  const azureCode = told ?? (status === undefined && error.code ? error.code : error.name);
  const waitMs = retryAfterMs(headerOf(error, 'retry-after'));
  const requestId = headerOf(error, 'x-ms-request-id');
  const said = [firstLineOf(error.message), error.details?.authenticationErrorDetail]
    .filter(Boolean)
    .join(' ');
  return {
    meaning: meaningOf(error, azureCode, told !== undefined, surroundings),
    about: [azureCode, status && `HTTP ${status}`, said].filter(Boolean).join('; '),
    refusal: refusalOf(told, status, operation),
    status,
    mayBeOwn: surroundings.mayRepeat,
    isOfConnection: status === undefined && !(error.name in MEANINGS),
    details: {
      azureCode,
      ...(requestId !== undefined && { requestId }),
      ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    },
  };
}

/**
 * Azure says that a blob exists by 409 as it is documented, by 412 by the general rule of conditions, and by 403 to a SAS that may
 * create blobs but not replace them. Blocks are gone once another write of the name has succeeded; a lease, a policy or a blob of
 * another kind may be in the way of a write as well.
 */
function refusalOf(
  code: string | undefined,
  status: number | undefined,
  operation: string,
): Refusal | undefined {
  if (code === 'BlobNotFound') return 'missing';
  if (code === 'ConditionNotMet' || code === 'BlobAlreadyExists') return 'refused';
  if (code === 'UnauthorizedBlobOverwrite' && operation === 'create') return 'refused';
  if (status === 409 || status === 412 || code === 'InvalidBlockList') return 'contested';
  if (status === 416) return 'past the end';
  return status === 401 || status === 403 ? 'unexplained' : undefined;
}

/** @param isTold - whether the answer says what Azure says of errors */
function meaningOf(error: SdkError, azureCode: string, isTold: boolean, surroundings: Surroundings): Meaning {
  const known = MEANINGS[azureCode];
  // Azurite calls everything "authorization".
  if (
    known === WRONG_CREDENTIALS ||
    (known === SHUT_OUT && /^Server failed to authenticate/.test(error.message))
  ) {
    return whyUnauthenticated(error, surroundings);
  }
  if (known) return known;
  if (azureCode === 'InvalidOperation' && /md5/i.test(error.message)) return CHANGED; // Azurite
  if (/not permitted for non-TLS protected/.test(error.message)) return HTTPS; // the SDK
  const status = error.statusCode;
  const isRefused = status !== undefined && status >= 400;
  if (!isRefused && CUT_SHORT.test(error.message)) return BROKEN_OFF;
  if (status === 429) return SLOW_DOWN;
  const code = codeOfStatus(status);
  const meaning = meaningOfCode(code, NOT_PERMITTED);
  return meaning.code === 'STORAGE_FAILED' && status !== undefined && !isTold ? NOT_AZURE : meaning;
}

/** Azure has one code for all of them; only sometimes it says more. */
function whyUnauthenticated(error: SdkError, { sasExpiresAtMs }: Surroundings): Meaning {
  const said = `${error.message} ${error.details?.authenticationErrorDetail ?? ''}`;
  const serviceMs = Date.parse(headerOf(error, 'date') ?? '');
  const isClockOff = Math.abs(serviceMs - Date.now()) > MAX_CLOCK_DIFFERENCE_MS;
  if (isClockOff || /date header too old/i.test(said)) return CLOCK;
  const isExpired = sasExpiresAtMs !== undefined && sasExpiresAtMs < Date.now();
  if (isExpired || /specified time frame|expired/i.test(said)) return EXPIRED_CREDENTIALS;
  return WRONG_CREDENTIALS;
}

function headerOf(error: SdkError, name: string): string | undefined {
  return error.response?.headers?.get(name);
}

/** Azure appends the request's id and time to each message, on lines of their own. */
function firstLineOf(message: string): string {
  return message.split('\n')[0]?.trim() ?? '';
}
