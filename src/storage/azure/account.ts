import type { StorageSharedKeyCredential } from '@azure/storage-blob';
import { StowageError } from '../../errors.ts';
import { accountOfEndpoint } from './address.ts';
import { defaultCredential } from './identity.ts';
import type { AzureTokenCredential, CheckedAzureOptions } from './options.ts';

/** The module of Azure's SDK. */
export type AzureSdk = typeof import('@azure/storage-blob');

/** The address of an account's blobs, and the credentials. */
export interface AzureAccount {
  /** The blob service, without a `/` at its end. */
  endpoint: string;
  /** Absent where the SAS is all there is. */
  credential?: StorageSharedKeyCredential | AzureTokenCredential | undefined;
  /** Without `?`. */
  sas?: string | undefined;
}

/** The environment's settings, under the names that Azure's own command line uses. */
interface Environment {
  AZURE_STORAGE_ACCOUNT?: string | undefined;
  AZURE_STORAGE_CONNECTION_STRING?: string | undefined;
  AZURE_STORAGE_KEY?: string | undefined;
  AZURE_STORAGE_SAS_TOKEN?: string | undefined;
}

/**
 * Finds account and credentials: in the options, else in the environment, else by `@azure/identity`. What the environment
 * says of another account than the one that is named does not count.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `STORAGE_CREDENTIALS`
 */
export async function findAccount(
  sdk: AzureSdk,
  options: CheckedAzureOptions,
  env: Environment = process.env,
): Promise<AzureAccount> {
  const { connectionString, accountKey, sasToken, credential } = options;
  const named = options.account ?? (options.endpoint && accountOfEndpoint(options.endpoint));
  if (connectionString !== undefined) return ofConnectionString(sdk, connectionString, options, named);
  const isGiven = accountKey !== undefined || sasToken !== undefined || credential !== undefined;
  const general = env.AZURE_STORAGE_CONNECTION_STRING || undefined;
  if (!isGiven && general !== undefined && isOf(sdk, general, named)) {
    return ofConnectionString(sdk, general, options, named);
  }
  const account = named ?? (env.AZURE_STORAGE_ACCOUNT || undefined);
  const endpoint = endpointOf(options, account);
  const isOurs = !isGiven && (!env.AZURE_STORAGE_ACCOUNT || env.AZURE_STORAGE_ACCOUNT === account);
  const key = accountKey ?? ((isOurs && env.AZURE_STORAGE_KEY) || undefined);
  if (key !== undefined) return { endpoint, credential: sharedKey(sdk, account, key) };
  const sas = sasToken ?? ((isOurs && env.AZURE_STORAGE_SAS_TOKEN) || undefined);
  if (sas !== undefined) return { endpoint, sas: sas.replace(/^\?/, '') };
  return { endpoint, credential: credential ?? (await defaultCredential()) };
}

function ofConnectionString(
  sdk: AzureSdk,
  connectionString: string,
  options: CheckedAzureOptions,
  named: string | undefined,
): AzureAccount {
  const { account, ...found } = parse(sdk, connectionString);
  if (named !== undefined && account !== named) {
    throw invalid(`the connection string is of the account "${account}", not of "${named}"`);
  }
  return { ...found, ...(options.endpoint !== undefined && { endpoint: endpointOf(options, account) }) };
}

/** True if a connection string is of the account that is named, or none is. */
function isOf(sdk: AzureSdk, connectionString: string, named: string | undefined): boolean {
  return named === undefined || parse(sdk, connectionString).account === named;
}

function parse(sdk: AzureSdk, connectionString: string): AzureAccount & { account: string } {
  try {
    const { url, credential, accountName } = sdk.BlobServiceClient.fromConnectionString(connectionString);
    const { origin, pathname, search } = new URL(url);
    const endpoint = withoutSlash(origin + pathname);
    if (!(credential instanceof sdk.StorageSharedKeyCredential)) {
      return { account: accountName, endpoint, sas: search.slice(1) };
    }
    return { account: credential.accountName, endpoint, credential };
  } catch (cause) {
    // The SDK's message names what is wrong, not the string, which holds a secret.
    throw invalid(
      `the connection string cannot be used (${(cause as Error).message}); copy it from the portal`,
    );
  }
}

function endpointOf({ endpoint }: CheckedAzureOptions, account: string | undefined): string {
  if (endpoint !== undefined) {
    if (endpoint.includes('?')) throw invalid('the endpoint has a "?"; pass what follows it as sasToken');
    if (!/^https?:\/\//i.test(endpoint) || !URL.canParse(endpoint)) {
      throw invalid(
        `the endpoint ${JSON.stringify(endpoint)} is no URL; write https://<account>.blob.core.windows.net`,
      );
    }
    return withoutSlash(endpoint);
  }
  if (account === undefined) {
    throw invalid(
      'nothing says which account; set AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING, pass account, or ' +
        'write it into the address: az://<account>.blob.core.windows.net/container',
    );
  }
  if (!/^[a-z0-9]{3,24}$/.test(account)) {
    throw invalid(
      `${JSON.stringify(account)} is no name of an account: 3 to 24 lower-case letters and digits`,
    );
  }
  return `https://${account}.blob.core.windows.net`;
}

function sharedKey(sdk: AzureSdk, account: string | undefined, key: string): StorageSharedKeyCredential {
  if (account === undefined) throw invalid('a key needs the name of its account; pass account');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) {
    throw invalid('the key of the account is not Base64; copy it from the portal');
  }
  return new sdk.StorageSharedKeyCredential(account, key);
}

function withoutSlash(endpoint: string): string {
  return endpoint.replace(/\/+$/, '');
}

function invalid(why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `An Azure storage cannot be opened: ${why}.`);
}
