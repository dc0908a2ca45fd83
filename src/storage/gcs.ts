/// <reference types="node" preserve="true" />
import { BucketStorage } from './bucket/bucket-storage.ts';
import type { DataStoreStorage, UnfinishedWrites } from './contract.ts';
import { parseGcsAddress } from './gcs/address.ts';
import { GcsDriver } from './gcs/driver.ts';
import { checkGcsOptions, type GcsStorageOptions } from './gcs/options.ts';

export type { GcsClient, GcsStorageClass, GcsStorageOptions } from './gcs/options.ts';

const UNFINISHED: UnfinishedWrites = Object.freeze({ kind: 'expiring', afterMs: 7 * 24 * 60 * 60 * 1000 });

/**
 * Keeps objects in a bucket of Google Cloud Storage, for any number of processes on any number of machines.
 * `openStorage('gs://bucket/prefix')` puts retries and a limit of calls around it; alone it tries each request once.
 *
 * It speaks the JSON API. `google-auth-library`, which is to be installed beside this package (10 on Node.js 20), finds the
 * credentials and renews them.
 *
 * A create is one request with `ifGenerationMatch=0`, or from 8 MiB (a stream) or 40 MiB (bytes) on a resumable upload that
 * was begun with it, whose parts go one after the other. Should a process die in the midst of one, what it sent is
 * invisible and expires after a week. Cloud Storage checks the CRC32C of what it is sent before anybody sees it; what is
 * read whole is checked here.
 *
 * A version is a generation: it changes with every write, whatever its bytes. Emulators are not taken at their word: before
 * the first write it tries whether the server honours conditions, and refuses to write (`STORAGE_UNSUPPORTED`) where not.
 */
export class GcsStorage extends BucketStorage implements DataStoreStorage {
  /** Sessions of uploads end by themselves after a week. */
  readonly unfinished: UnfinishedWrites = UNFINISHED;

  /**
   * Loads the SDK; sends nothing, and looks for credentials only with the first request. With an address
   * (`gs://bucket/prefix?apiEndpoint=...&projectId=...&userProject=...`), what it says goes before the options.
   *
   * @throws StowageError `INVALID_ARGUMENT`; `STORAGE_UNSUPPORTED` where the SDK is not installed
   */
  static async open(options: GcsStorageOptions): Promise<GcsStorage>;
  /** The same, by an address. */
  static async open(
    address: string,
    options?: Omit<GcsStorageOptions, 'bucket' | 'prefix'>,
  ): Promise<GcsStorage>;
  static async open(
    target: string | GcsStorageOptions,
    more: Omit<GcsStorageOptions, 'bucket' | 'prefix'> = {},
  ): Promise<GcsStorage> {
    const options = checkGcsOptions(
      typeof target === 'string' ? { ...more, ...parseGcsAddress(target) } : target,
    );
    return new GcsStorage(await GcsDriver.open(options), options);
  }
}
