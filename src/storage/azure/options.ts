import { StowageError } from '../../errors.ts';
import { ANYTHING, type OptionTable, TEXT } from '../../options/option-table.ts';
import { checkBucketOptions, transferOptions } from '../bucket/options.ts';

/** Options of an `AzureStorage`: how its objects are reached and kept. */
export interface AzureStorageOptions {
  /** The container, which must exist. May be left out where `containerClient` is given. */
  container?: string | undefined;
  /** The beginning of the names of all blobs, `/`-separated. Default: nothing. */
  prefix?: string | undefined;
  /** The storage account. Default: that of `endpoint`, of the connection string, or `AZURE_STORAGE_ACCOUNT`. */
  account?: string | undefined;
  /**
   * The account's blob service, where it is not `https://<account>.blob.core.windows.net`: that of another cloud, of a
   * private link or of Azurite (`http://127.0.0.1:10000/devstoreaccount1`).
   */
  endpoint?: string | undefined;
  /** Account and credentials in one. Default: `AZURE_STORAGE_CONNECTION_STRING`, if it is of the same account. */
  connectionString?: string | undefined;
  /** A key of the account, in Base64. Default: `AZURE_STORAGE_KEY`, if it is of the same account. */
  accountKey?: string | undefined;
  /** A shared access signature of the account or the container. Default: `AZURE_STORAGE_SAS_TOKEN`, if it is of the same account. */
  sasToken?: string | undefined;
  /** The giver of tokens of Microsoft Entra ID. Default, without any of the above: `DefaultAzureCredential` of `@azure/identity`. */
  credential?: AzureTokenCredential | undefined;
  /**
   * A `ContainerClient` of `@azure/storage-blob` 12 to use, for proxies, policies or credentials of one's own; nothing else of the account may be given then. It
   * should have `retryOptions: { maxTries: 1 }`, because retries are the business of `RetryStorage`.
   */
  containerClient?: AzureContainerClient | undefined;
  /** The access tier of what is written; none that has to be restored before it can be read. Default: the account's own. */
  tier?: AzureAccessTier | undefined;
  /** The longest time in which nothing is sent or received before a request fails. Default 60,000 (1 minute). */
  requestTimeoutMs?: number | undefined;
  /**
   * The size of the blocks in which large objects are moved: 1 MiB to 1 GiB. Those of a stream double in size after
   * every 700, so that their number never reaches the 50,000 that a blob may have. Default 8,388,608 (8 MiB).
   */
  partBytes?: number | undefined;
  /** The most parts of `partBytes` under way at a time, of all calls together, in each direction. Default 8. */
  concurrency?: number | undefined;
}

/** Parts of a `ContainerClient` of `@azure/storage-blob` 12 by which it is known, so that nobody needs the SDK to read these types. */
export interface AzureContainerClient {
  readonly url: string;
  readonly containerName: string;
  readonly accountName: string;
  /** Makes a client of one blob. */
  getBlockBlobClient(blobName: string): object;
}

/** The access tiers whose blobs can be read at once. */
export type AzureAccessTier = 'Hot' | 'Cool' | 'Cold';

/** A giver of access tokens: any credential of `@azure/identity`. */
export interface AzureTokenCredential {
  /** Gives a token for `scopes`, or `null`; called again when it is about to expire. */
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

/** {@link AzureStorageOptions} with every default that does not depend on the surroundings. */
export interface CheckedAzureOptions extends AzureStorageOptions {
  container: string;
  prefix: string;
  requestTimeoutMs: number;
  partBytes: number;
  concurrency: number;
}

/** Ways to be let in, of which one can be chosen. */
const CREDENTIALS = ['connectionString', 'accountKey', 'sasToken', 'credential', 'containerClient'] as const;
const OPTIONS: OptionTable<AzureStorageOptions> = {
  ...transferOptions(1024 * 1024),
  container: ANYTHING,
  account: TEXT,
  endpoint: TEXT,
  connectionString: TEXT,
  accountKey: TEXT,
  sasToken: TEXT,
  credential: ANYTHING,
  containerClient: ANYTHING,
  tier: ANYTHING,
};
const TIERS: readonly unknown[] = ['Hot', 'Cool', 'Cold'] satisfies AzureAccessTier[];
/** 3 to 63 lower-case letters, digits and single hyphens between them. */
const CONTAINER = /^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkAzureOptions(options: AzureStorageOptions): CheckedAzureOptions {
  const checked = checkBucketOptions(options, 'AzureStorage.open', OPTIONS);
  const given = CREDENTIALS.filter((option) => options[option] !== undefined);
  if (given.length > 1) throw invalid(`${given.join(' and ')} are given; choose one of them`);
  const { containerClient, account, endpoint, tier } = options;
  if (containerClient && (account !== undefined || endpoint !== undefined)) {
    throw invalid('containerClient knows its account; leave account and endpoint out');
  }
  const container = containerOf(options);
  if (tier !== undefined && !TIERS.includes(tier)) {
    throw invalid(
      `the tier ${JSON.stringify(tier)} is none of ${TIERS.join(', ')}; blobs of others cannot be read at once`,
    );
  }
  return { ...checked, container };
}

function containerOf({ container, containerClient }: AzureStorageOptions): string {
  const named = containerClient?.containerName;
  if (named !== undefined && container !== undefined && container !== named) {
    throw invalid(`containerClient is of the container "${named}", not of "${container}"`);
  }
  const name: unknown = container ?? named;
  if (typeof name === 'string' && CONTAINER.test(name)) return name;
  throw invalid(
    `${JSON.stringify(name)} is no name of a container: 3 to 63 lower-case letters, digits and single hyphens`,
  );
}

function invalid(why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `An Azure storage cannot be opened: ${why}.`);
}
