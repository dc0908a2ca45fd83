import { isStowageError, type StowageError } from '../../errors.ts';
import type { OverwriteOptions } from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { type AzureDownloads, isMissing } from './downloads.ts';
import type { CheckedAzureOptions } from './options.ts';
import type { AzureRequests } from './requests.ts';
import {
  checksumOf,
  isOwn,
  isRefused,
  newWriteId,
  preconditionFailed,
  sendIfAbsent,
  type Writing,
  writtenBlob,
} from './writing.ts';

const ETAG = /^"[^"]+"$/;
const HUNG_UP = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'];

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
    try {
      return await sendIfAbsent(writing, this.#requests, this.#downloads, (container, call) =>
        container
          .getBlockBlobClient(writing.key)
          .upload(body, body.length, { ...call, ...blob, conditions: { ifNoneMatch: '*' } }),
      );
    } catch (error) {
      if (hasHungUp(error)) return this.#lookWhoWrote(writing, error);
      throw error;
    }
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

  /**
   * A service that refuses a write may hang up on whoever is still sending its body, and the answer is lost with the
   * connection; or the write took effect. The blob tells, or the error of looking for it.
   */
  async #lookWhoWrote(writing: Writing, lost: StowageError): Promise<boolean> {
    const isMine = await isOwn(writing, this.#downloads);
    if (isMine === undefined) throw lost;
    return isMine;
  }
}

function hasHungUp(error: unknown): error is StowageError {
  return isStowageError(error, 'STORAGE_UNAVAILABLE') && HUNG_UP.includes(String(error.details.cause));
}
