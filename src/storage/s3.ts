/// <reference types="node" preserve="true" />
import { BucketStorage } from './bucket/bucket-storage.ts';
import type {
  CallOptions,
  DataStoreStorage,
  FindUnfinishedOptions,
  UnfinishedWrite,
  UnfinishedWrites,
} from './contract.ts';
import { parseS3Address } from './s3/address.ts';
import { S3Driver } from './s3/driver.ts';
import {
  type CheckedS3Options,
  checkS3Options,
  type S3StorageOptions,
  type UnfinishedUpload,
} from './s3/options.ts';
import { UnfinishedUploads } from './s3/unfinished-uploads.ts';

export type {
  S3ClientOfSdk,
  S3Credentials,
  S3StorageOptions,
  StorageClass,
  UnfinishedUpload,
} from './s3/options.ts';

/**
 * Keeps objects in a bucket of S3, or of a server that speaks its protocol, for any number of processes on any number of
 * machines. `openStorage('s3://bucket/prefix')` puts retries and a limit of calls around it; alone it tries each request
 * once.
 *
 * A create is one request with `If-None-Match: *`, or from 8 MiB (a stream) or 40 MiB (bytes) on an upload in parts that
 * is completed with it. The signature of a request covers the SHA-256 of its body, so that no server stores bytes that
 * were changed on their way.
 *
 * `capabilities` say what this storage promises. Servers are not taken at their word: before its first write it tries
 * whether the server honours conditions, and refuses to write (`STORAGE_UNSUPPORTED`) where it does not. A reader writes
 * nothing, and needs no permission to.
 *
 * A version is an ETag and a mark that `overwrite` leaves, so that it changes with every write; `ifMatch` compares the
 * ETag, which is the same again once the same bytes are written again.
 */
export class S3Storage extends BucketStorage implements DataStoreStorage {
  /** Uploads in parts, which stay unless the bucket has a rule against it (`AbortIncompleteMultipartUpload`). */
  readonly unfinished: UnfinishedWrites = {
    kind: 'listed',
    find: (options) => this.#findUnfinished(options),
    remove: ({ name, id }, options) => this.abortUpload({ name, uploadId: id }, options),
  };
  readonly #uploads: UnfinishedUploads;

  private constructor(driver: S3Driver, options: CheckedS3Options) {
    super(driver, options);
    this.#uploads = new UnfinishedUploads(driver, this.calls);
  }

  /**
   * Loads the AWS SDK and finds the credentials; sends nothing to the bucket. With an address
   * (`s3://bucket/prefix?endpoint=...&region=...&forcePathStyle=true`), what it says goes before the options.
   *
   * @throws StowageError `INVALID_ARGUMENT`, `STORAGE_CREDENTIALS`; `STORAGE_UNSUPPORTED` for a directory bucket, or where
   *   the SDK is not installed
   */
  static async open(options: S3StorageOptions): Promise<S3Storage>;
  /** The same, by an address. */
  static async open(
    address: string,
    options?: Omit<S3StorageOptions, 'bucket' | 'prefix'>,
  ): Promise<S3Storage>;
  static async open(
    target: string | S3StorageOptions,
    more: Omit<S3StorageOptions, 'bucket' | 'prefix'> = {},
  ): Promise<S3Storage> {
    const options = checkS3Options(
      typeof target === 'string' ? { ...more, ...parseS3Address(target) } : target,
    );
    return new S3Storage(await S3Driver.open(options), options);
  }

  /**
   * Finds uploads in parts that were begun at least so long ago and never ended, because a process died: their parts cost
   * storage, and nothing else shows them. Choose an age that no upload under way reaches: a day or more.
   *
   * @param olderThanMs in milliseconds, by this machine's clock, which S3 does not let differ much from its own
   */
  async *findUnfinishedUploads(
    olderThanMs: number,
    options: CallOptions = {},
  ): AsyncGenerator<UnfinishedUpload, void> {
    this.begin(options);
    yield* this.#uploads.find(Date.now() - olderThanMs, options);
  }

  /** Aborts an unfinished upload and frees its parts; one that is gone counts as aborted. */
  async abortUpload(
    upload: Pick<UnfinishedUpload, 'name' | 'uploadId'>,
    options: CallOptions = {},
  ): Promise<void> {
    this.begin(options);
    await this.#uploads.abort(upload, options);
  }

  async *#findUnfinished(options: FindUnfinishedOptions): AsyncGenerator<UnfinishedWrite, void> {
    for await (const upload of this.findUnfinishedUploads(options.olderThanMs, options)) {
      const { name, uploadId: id, startedAtMs } = upload;
      if (!options.details) yield { name, id, startedAtMs };
      else {
        yield { name, id, startedAtMs, bytes: await this.#uploads.bytesOf(upload, options) };
      }
    }
  }
}
