/// <reference types="node" preserve="true" />
import { parseAzureAddress } from './azure/address.ts';
import { AzureDriver } from './azure/driver.ts';
import { type AzureStorageOptions, type CheckedAzureOptions, checkAzureOptions } from './azure/options.ts';
import { BucketStorage } from './bucket/bucket-storage.ts';
import type { DataStoreStorage, UnfinishedWrites } from './contract.ts';

export type {
  AzureAccessTier,
  AzureContainerClient,
  AzureStorageOptions,
  AzureTokenCredential,
} from './azure/options.ts';

const UNFINISHED: UnfinishedWrites = Object.freeze({ kind: 'expiring', afterMs: 7 * 24 * 60 * 60 * 1000 });

/**
 * Keeps objects as block blobs in a container of Azure Blob Storage, for any number of processes on any number of
 * machines. `openStorage('az://container/prefix')` puts retries and a limit of calls around it; alone it tries each
 * request once.
 *
 * A create is one request with `If-None-Match: *`, or from 8 MiB (a stream) or 40 MiB (bytes) on blocks that are committed
 * with it. The service compares an MD5 of what arrives, so that it stores no bytes that were changed on their way. Blocks
 * of a create that failed or lost are never visible; Azure discards them after a week, or when the blob is created.
 *
 * A version is an ETag. A dot at the end of a segment of a name is encoded in the name of the blob, because Azure cuts it
 * off. `list` with `startAfter` costs a request for every 5,000 objects before it.
 *
 * Accounts with a hierarchical namespace (Data Lake Storage Gen2) are refused, when first read or listed.
 */
export class AzureStorage extends BucketStorage implements DataStoreStorage {
  /** Blocks that nobody commits are gone a week after the last one. */
  readonly unfinished: UnfinishedWrites = UNFINISHED;

  private constructor(driver: AzureDriver, options: CheckedAzureOptions) {
    super(driver, options);
  }

  /**
   * Loads Azure's SDK and finds account and credentials; sends nothing. With an address
   * (`az://container/prefix?account=...&endpoint=...`, `az://account.blob.core.windows.net/container/prefix`,
   * `abfss://container@account.dfs.core.windows.net/prefix`), what it says goes before the options.
   *
   * @throws StowageError `INVALID_ARGUMENT`; `STORAGE_CREDENTIALS` where no credentials are given and `@azure/identity` is
   *   not installed; `STORAGE_UNSUPPORTED` where the SDK is not installed
   */
  static async open(options: AzureStorageOptions): Promise<AzureStorage>;
  /** The same, by an address. */
  static async open(
    address: string,
    options?: Omit<AzureStorageOptions, 'container' | 'prefix'>,
  ): Promise<AzureStorage>;
  static async open(
    target: string | AzureStorageOptions,
    more: Omit<AzureStorageOptions, 'container' | 'prefix'> = {},
  ): Promise<AzureStorage> {
    const options = checkAzureOptions(
      typeof target === 'string' ? { ...more, ...parseAzureAddress(target) } : target,
    );
    return new AzureStorage(await AzureDriver.open(options), options);
  }
}
