import type { MultipartUpload, Part } from '@aws-sdk/client-s3';
import { type BucketCalls, Refused } from '../bucket/calls.ts';
import type { CallOptions } from '../contract.ts';
import { nextOf, type S3Driver } from './driver.ts';
import type { UnfinishedUpload } from './options.ts';

interface Page<Item> {
  items: Item[];
  next: string | undefined;
}

type Begun = Pick<UnfinishedUpload, 'uploadId' | 'startedAtMs'> & { key: string };

/** Finds and removes uploads that nobody will complete. */
export class UnfinishedUploads {
  readonly #driver: S3Driver;
  readonly #calls: BucketCalls;

  constructor(driver: S3Driver, calls: BucketCalls) {
    this.#driver = driver;
    this.#calls = calls;
  }

  /**
   * Finds all below the prefix that were begun before that time. MinIO answers for a prefix only if that is a whole key, and else says
   * that there are none; without a prefix it tells what was begun since it was started.
   */
  async *find(startedBeforeMs: number, options: CallOptions): AsyncGenerator<UnfinishedUpload, void> {
    const { keys, isAws } = this.#driver;
    for (const prefix of isAws || keys.prefix === '' ? [keys.prefix] : [keys.prefix, '']) {
      let isAny = false;
      for await (const { key, uploadId, startedAtMs } of this.#list(prefix, options)) {
        isAny = true;
        const name = key.startsWith(keys.prefix) ? keys.nameOf(key) : undefined;
        if (name !== undefined && startedAtMs < startedBeforeMs) yield { name, uploadId, startedAtMs };
      }
      if (isAny) return;
    }
  }

  /** Adds up the parts of an upload, in bytes; 0 for one that is gone. */
  async bytesOf(upload: Pick<UnfinishedUpload, 'name' | 'uploadId'>, options: CallOptions): Promise<number> {
    const { sdk, client } = this.#driver;
    const request = { operation: 'list the parts', name: upload.name, signal: options.signal };
    let bytes = 0;
    let PartNumberMarker: string | undefined;
    do {
      const command = new sdk.ListPartsCommand({ ...this.#idOf(upload), PartNumberMarker });
      const page: Page<Part> | Refused = await this.#calls.send(
        request,
        async ({ signal }) => {
          const { Parts, IsTruncated, NextPartNumberMarker } = await client.send(command, {
            abortSignal: signal,
          });
          return { items: Parts ?? [], next: nextOf(IsTruncated, NextPartNumberMarker) };
        },
        'contested',
      );
      if (page instanceof Refused) return 0;
      for (const { Size = 0 } of page.items) bytes += Size;
      PartNumberMarker = page.next;
    } while (PartNumberMarker !== undefined);
    return bytes;
  }

  /** Aborts an upload and frees its parts. One that is gone already counts as aborted. */
  async abort(upload: Pick<UnfinishedUpload, 'name' | 'uploadId'>, options: CallOptions): Promise<void> {
    const { sdk, client } = this.#driver;
    const request = { operation: 'abort the upload', name: upload.name, signal: options.signal };
    const command = new sdk.AbortMultipartUploadCommand(this.#idOf(upload));
    await this.#calls.send(
      request,
      ({ signal }) => client.send(command, { abortSignal: signal }),
      'contested',
    );
  }

  async *#list(Prefix: string, options: CallOptions): AsyncGenerator<Begun, void> {
    const { sdk, client, bucket: Bucket } = this.#driver;
    const request = { operation: 'list the uploads', name: Prefix, signal: options.signal };
    let KeyMarker: string | undefined;
    let UploadIdMarker: string | undefined;
    do {
      const query = { Bucket, Prefix, KeyMarker, UploadIdMarker };
      const page: Page<MultipartUpload> = await this.#calls.send(request, async ({ signal }) => {
        const command = new sdk.ListMultipartUploadsCommand(query);
        const answer = await client.send(command, { abortSignal: signal });
        UploadIdMarker = answer.NextUploadIdMarker;
        return { items: answer.Uploads ?? [], next: nextOf(answer.IsTruncated, answer.NextKeyMarker) };
      });
      for (const { Key: key = '', UploadId: uploadId = '', Initiated } of page.items) {
        yield { key, uploadId, startedAtMs: Initiated?.getTime() ?? Number.NaN };
      }
      KeyMarker = page.next;
    } while (KeyMarker !== undefined);
  }

  #idOf({ name, uploadId }: Pick<UnfinishedUpload, 'name' | 'uploadId'>): {
    Bucket: string;
    Key: string;
    UploadId: string;
  } {
    return { Bucket: this.#driver.bucket, Key: this.#driver.keys.keyOf(name), UploadId: uploadId };
  }
}
