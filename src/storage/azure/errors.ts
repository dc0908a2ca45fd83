import type { StowageError } from '../../errors.ts';
import { codeOfStatus, connectionError, retryAfterMs } from '../bucket/connection-errors.ts';
import { BUSY, CHANGED, type FailedRequest, FULL, failureOf, type Meaning } from '../bucket/errors.ts';

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
    'Blob Data Contributor" or a SAS with r, l, c, w and d; a new role takes some minutes to work',
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
const SLOW_DOWN: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the service is asked for too much at a time',
  remedy: 'try again later, or with fewer calls at a time',
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
const UNSUPPORTED: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'the service does not know how to do that',
  remedy: 'use another account, or a newer server',
};
const NOT_AZURE: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'the answer is not one of Azure Blob Storage',
  remedy: 'correct the endpoint',
};

/** Which error of Azure (`x-ms-error-code`), or of its SDK, means what. Only `STORAGE_UNAVAILABLE` is retried. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ContainerNotFound: NO_CONTAINER,
  ContainerBeingDeleted: NO_CONTAINER,
  ResourceNotFound: NO_ACCOUNT,
  AuthorizationPermissionMismatch: NOT_PERMITTED,
  AuthorizationResourceTypeMismatch: NOT_PERMITTED,
  AuthorizationServiceMismatch: NOT_PERMITTED,
  InsufficientAccountPermissions: NOT_PERMITTED,
  UnauthorizedBlobOverwrite: NOT_PERMITTED,
  AuthorizationFailure: SHUT_OUT,
  AuthorizationSourceIPMismatch: SHUT_OUT,
  AuthorizationProtocolMismatch: SHUT_OUT,
  PublicAccessNotPermitted: SHUT_OUT,
  AccountIsDisabled: DISABLED,
  ContainerDisabled: DISABLED,
  BlobImmutableDueToPolicy: IMMUTABLE,
  LeaseIdMissing: LEASED,
  LeaseIdMismatchWithBlobOperation: LEASED,
  LeaseIdMismatchWithContainerOperation: LEASED,
  LeaseLost: LEASED,
  SnapshotsPresent: SNAPSHOTS,
  BlobUsesCustomerSpecifiedEncryption: ENCRYPTION,
  KeyVaultEncryptionKeyNotFound: ENCRYPTION,
  KeyVaultAccessTokenCannotBeAcquired: ENCRYPTION,
  KeyVaultVaultNotFound: ENCRYPTION,
  NoAuthenticationInformation: NO_CREDENTIALS,
  CredentialUnavailableError: NO_CREDENTIALS, // @azure/identity
  AggregateAuthenticationError: NO_CREDENTIALS, // @azure/identity
  AuthenticationRequiredError: NO_CREDENTIALS, // @azure/identity
  AuthenticationError: WRONG_CREDENTIALS, // @azure/identity
  AuthenticationFailed: WRONG_CREDENTIALS,
  InvalidAuthenticationInfo: WRONG_CREDENTIALS,
  KeyBasedAuthenticationNotPermitted: KEYS_OFF,
  AccountRequiresHttps: HTTPS,
  InvalidResourceName: NAME,
  InvalidUri: NAME,
  RequestUrlFailedToParse: NAME,
  OutOfRangeInput: NAME,
  ServerBusy: SLOW_DOWN,
  SnapshotOperationRateExceeded: SLOW_DOWN,
  InternalError: BUSY,
  OperationTimedOut: BUSY,
  SystemInUse: BUSY,
  AccountBeingCreated: BUSY,
  REQUEST_SEND_ERROR: BROKEN_OFF, // the SDK
  AbortError: BROKEN_OFF, // the SDK, where nobody aborted
  RangeError: NOT_AZURE, // the SDK: an answer without an ETag
  Md5Mismatch: CHANGED,
  Crc64Mismatch: CHANGED,
  BlobArchived: ARCHIVED,
  BlobBeingRehydrated: ARCHIVED,
  InvalidBlobType: FOREIGN_BLOB,
  PendingCopyOperation: FOREIGN_BLOB,
  InvalidBlobOrBlock: FOREIGN_BLOCKS,
  InvalidBlockList: FOREIGN_BLOCKS,
  BlockCountExceedsLimit: FOREIGN_BLOCKS,
  InvalidBlobTier: TIER,
  BlobAccessTierNotSupportedForAccountType: TIER,
  BlobTierInadequateForContentLength: TIER,
  InvalidHeaderValue: UNSUPPORTED,
  UnsupportedHeader: UNSUPPORTED,
  UnsupportedQueryParameter: UNSUPPORTED,
  UnsupportedHttpVerb: UNSUPPORTED,
  FeatureVersionMismatch: UNSUPPORTED,
  NotImplemented: UNSUPPORTED,
};

/** What the SDK says of an answer that ended too early. */
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

/** What is known of the storage beside the error. */
export interface AzureSurroundings {
  /** Whether the service ever answered. */
  wasReached: boolean;
  /** When the SAS expires, where there is one. */
  sasExpiresAtMs?: number | undefined;
}

/** The code that Azure gave an error (`BlobNotFound`), if any; answers to HEAD have it as well. */
export function azureCodeOf(error: unknown): string | undefined {
  return headerOf(error as SdkError, 'x-ms-error-code');
}

/** The HTTP status of the answer that an error is about. */
export function statusOf(error: unknown): number | undefined {
  return (error as SdkError).statusCode;
}

/** What a failed request comes to. */
export function azureError(
  cause: Error,
  request: FailedRequest,
  surroundings: AzureSurroundings,
): StowageError {
  const error = cause as SdkError;
  const status = statusOf(error);
  const azureCode = azureCodeOf(error) ?? (status === undefined && error.code ? error.code : error.name);
  if (status === undefined && !(error.name in MEANINGS)) {
    const lost = connectionError(error, request, surroundings.wasReached);
    if (lost) return lost;
  }
  const meaning = meaningOf(error, azureCode, surroundings);
  const waitMs = retryAfterMs(headerOf(error, 'retry-after'));
  const requestId = headerOf(error, 'x-ms-request-id');
  const said = [firstLineOf(error.message), error.details?.authenticationErrorDetail]
    .filter(Boolean)
    .join(' ');
  const about = [request.place, azureCode, status && `HTTP ${status}`, said].filter(Boolean).join('; ');
  const more = {
    azureCode,
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(waitMs !== undefined && { retryAfterMs: waitMs }),
  };
  return failureOf(meaning, about, request, more, cause);
}

function meaningOf(error: SdkError, azureCode: string, surroundings: AzureSurroundings): Meaning {
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
  const status = statusOf(error);
  const isRefused = status !== undefined && status >= 400;
  if (!isRefused && CUT_SHORT.test(error.message)) return BROKEN_OFF;
  if (status === 429) return SLOW_DOWN;
  const code = codeOfStatus(status);
  for (const meaning of [BUSY, NOT_PERMITTED, FULL, UNSUPPORTED]) if (meaning.code === code) return meaning;
  if (status !== undefined && azureCodeOf(error) === undefined) return NOT_AZURE;
  return { code, what: 'the request failed', remedy: 'see the cause' };
}

/** Azure has one code for all of them; only sometimes it says more. */
function whyUnauthenticated(error: SdkError, { sasExpiresAtMs }: AzureSurroundings): Meaning {
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
