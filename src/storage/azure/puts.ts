import { preconditionFailed } from '../bucket/errors.ts';
import type { OverwriteOptions } from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { createOrLook } from '../object-store/own-writes.ts';
import { type AzureDownloads, isMissing } from './downloads.ts';
import type { CheckedAzureOptions } from './options.ts';
import type { AzureRequests } from './requests.ts';
import {
  checksumOf,
  isOwn,
  isRefused,
  newWriteId,
  sendIfAbsent,
  type Writing,
  writtenBlob,
} from './writing.ts';

const ETAG = /^"[^"]+"$/;

/** Writes blobs that go by one request. */
export class AzurePuts {
  readonly #requests: AzureRequests;
  readonly #downloads: AzureDownloads;
  readonly #options: CheckedAzureOptions;

  constructor(requests: AzureRequests, downloads: AzureDownloads, options: CheckedAzureOptions) {
    this.#requests = requests;
    this.#downloads = downloads;
    this.#options = options;
  }

  async create(writing: Writing, body: Uint8Array): Promise<boolean> {
    const blob = { ...writtenBlob(writing, this.#options), ...checksumOf(body) };
    const send: Parameters<AzureRequests['send']>[1] = (container, call) =>
      container
        .getBlockBlobClient(writing.key)
        .upload(body, body.length, { ...call, ...blob, conditions: { ifNoneMatch: '*' } });
    return createOrLook(
      () => sendIfAbsent(writing, this.#requests, this.#downloads, send),
      () => isOwn(writing, this.#downloads),
    );
  }

  async overwrite(target: Target, body: Uint8Array, options: OverwriteOptions): Promise<string> {
    const { ifMatch, signal } = options;
    // What is no ETag is no version; "*" would be any.
    if (ifMatch !== undefined && !ETAG.test(ifMatch)) throw preconditionFailed(target.name, ifMatch);
    const written = { contentType: 'application/octet-stream', writeId: newWriteId() };
    const blob = {
      ...writtenBlob(written, this.#options),
      ...checksumOf(body),
      ...(ifMatch !== undefined && { conditions: { ifMatch } }),
    };
    const isNotMatched = (error: unknown): boolean =>
      ifMatch !== undefined && (isRefused(error) || isMissing(error));
    try {
      const answer = await this.#requests.send(
        { operation: 'overwrite', name: target.name, signal },
        (container, call) =>
          container.getBlockBlobClient(target.key).upload(body, body.length, { ...call, ...blob }),
        isNotMatched,
      );
      return answer.etag ?? '';
    } catch (error) {
      throw isNotMatched(error) ? preconditionFailed(target.name, ifMatch ?? '') : error;
    }
  }
}
