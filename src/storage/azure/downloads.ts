import type { Readable } from 'node:stream';
import type { BlobDownloadResponseParsed, BlobGetPropertiesResponse } from '@azure/storage-blob';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { replacedMeanwhile } from '../bucket/errors.ts';
import type { TransferBudget } from '../bucket/transfers.ts';
import { transferParts } from '../bucket/transfers.ts';
import { readableRange } from '../checks.ts';
import {
  type ByteRange,
  type CallOptions,
  DEFAULT_MAX_GET_BYTES,
  type GetOptions,
  type ObjectInfo,
  type StoredObject,
} from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { readBodyInto } from '../object-store/read-body.ts';
import { azureCodeOf, statusOf } from './errors.ts';
import { refuseHierarchy } from './hierarchy.ts';
import type { AzureRequests } from './requests.ts';

/** The answer to a GET. Its body must be read to the end, or given up by `dismiss`. */
type Answer = BlobDownloadResponseParsed;

type Properties = BlobGetPropertiesResponse;

/** A part of what is read, and the answer that brings it, where there is one already. */
interface Part {
  offset: number;
  into: Uint8Array;
  answer?: Answer | undefined;
}

/** Carries past the repetitions of a step that the blob is another one now: all of it has to be read again. */
class Replaced {}

/** Reads blobs: small ones by one request, large ones by ranges side by side. */
export class AzureDownloads {
  readonly #requests: AzureRequests;
  readonly #budget: TransferBudget;
  readonly #partBytes: number;

  constructor(requests: AzureRequests, budget: TransferBudget, partBytes: number) {
    this.#requests = requests;
    this.#budget = budget;
    this.#partBytes = partBytes;
  }

  /**
   * The first request asks for one part at most, and tells length and version. If there is more, others bring it, with
   * `If-Match`, so that all is of one blob.
   */
  async get(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const wanted = this.#firstOf(target.name, options);
    if (wanted.length === 0) return this.#getNothing(target, options);
    const call = new LinkedAbort(options.signal);
    let answer: Answer | 'past the end' | undefined;
    try {
      answer = await this.#ask(target, wanted, call.signal);
      if (answer === 'past the end') return await this.#getNothing(target, options);
      if (answer === undefined) return undefined;
      const bytes = totalBytesOf(answer);
      const range = readableRange(target.name, bytes, options);
      const whole = { offset: range.offset, into: new Uint8Array(range.length), answer };
      if (range.length <= wanted.length) await this.#fill(target, whole, call.signal);
      else await this.#readByRanges(target, whole, wanted.length, options);
      return { ...this.#infoOf(target.name, answer, bytes), body: whole.into };
    } catch (error) {
      throw error instanceof Replaced ? replacedMeanwhile(target.name) : error;
    } finally {
      if (typeof answer === 'object') dismiss(answer);
      call.release();
    }
  }

  async head(target: Target, options: CallOptions): Promise<ObjectInfo | undefined> {
    const answer = await this.#properties(target, options);
    return answer && this.#infoOf(target.name, answer, totalBytesOf(answer));
  }

  /** The metadata of a blob, or `undefined` where there is none. */
  async metadata(target: Target, options: CallOptions): Promise<Record<string, string> | undefined> {
    const answer = await this.#properties(target, options);
    return answer && (answer.metadata ?? {});
  }

  async #properties(target: Target, { signal }: CallOptions): Promise<Properties | undefined> {
    const request = { operation: 'head', name: target.name, signal };
    try {
      return await this.#requests.send(
        request,
        (container, call) => container.getBlobClient(target.key).getProperties(call),
        (error) => isMissing(error) || isUnexplained(error),
      );
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (!isUnexplained(error)) throw error;
      // An answer to HEAD has no body to say what is wrong with the credentials; one to GET has.
      await this.#provoke(target, signal);
      throw this.#requests.errorOf(error, request);
    }
  }

  /** Asks for a byte, to be refused. */
  async #provoke(target: Target, signal: AbortSignal | undefined): Promise<void> {
    const call = new LinkedAbort(signal);
    try {
      const answer = await this.#ask(target, { offset: 0, length: 1 }, call.signal);
      if (typeof answer === 'object') dismiss(answer);
    } finally {
      call.release();
    }
  }

  /** A range without bytes, which HTTP has no way to ask for; all of an empty blob is one. */
  async #getNothing(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const info = await this.head(target, options);
    if (!info) return undefined;
    if (readableRange(target.name, info.bytes, options).length > 0) throw replacedMeanwhile(target.name);
    return { ...info, body: new Uint8Array(0) };
  }

  /** What the first request asks for: no more than may be returned, and one part of what is longer than two. */
  #firstOf(name: string, { range, maxBytes = DEFAULT_MAX_GET_BYTES }: GetOptions): ByteRange {
    const wanted = readableRange(name, Number.MAX_SAFE_INTEGER, { range, maxBytes: Number.MAX_SAFE_INTEGER });
    const first = wanted.length <= 2 * this.#partBytes ? wanted.length : this.#partBytes;
    return { offset: wanted.offset, length: Math.min(first, maxBytes) };
  }

  async #readByRanges(target: Target, whole: Part, firstBytes: number, options: GetOptions): Promise<void> {
    const stop = new LinkedAbort(options.signal);
    const repeat = options.repeatStep ?? ((step) => step());
    const etag = whole.answer?.etag;
    try {
      await transferParts({
        parts: this.#partsOf(whole, firstBytes),
        bytesOf: (part) => part.into.length,
        move: (part) => repeat(() => this.#fill(target, part, stop.signal, etag)),
        budget: this.#budget,
        stop,
      });
    } finally {
      stop.release();
    }
  }

  *#partsOf({ offset, into, answer }: Part, firstBytes: number): Generator<Part> {
    yield { offset, into: into.subarray(0, firstBytes), answer };
    for (let at = firstBytes; at < into.length; at += this.#partBytes) {
      yield { offset: offset + at, into: into.subarray(at, at + this.#partBytes) };
    }
  }

  /** A repeated step asks anew for what the first answer did not bring. */
  async #fill(target: Target, part: Part, signal: AbortSignal, etag?: string): Promise<void> {
    const { name } = target;
    const { into, offset } = part;
    let { answer } = part;
    part.answer = undefined;
    try {
      if (!answer) {
        const next = await this.#ask(target, { offset, length: into.length }, signal, etag);
        if (typeof next !== 'object') throw new Replaced();
        answer = next;
      }
      await readBodyInto(into, streamOf(answer), name);
    } catch (error) {
      if (answer) dismiss(answer);
      throw this.#requests.errorOf(error, { operation: 'get', name, signal });
    }
  }

  async #ask(
    { name, key }: Target,
    { offset, length }: ByteRange,
    signal: AbortSignal,
    ifMatch?: string,
  ): Promise<Answer | 'past the end' | undefined> {
    const request = { operation: 'get', name, signal, hasBody: true };
    try {
      const answer = await this.#requests.send(
        request,
        (container, call) =>
          container.getBlobClient(key).download(offset, length, {
            ...call,
            maxRetryRequests: 0,
            ...(ifMatch !== undefined && { conditions: { ifMatch } }),
          }),
        (error) => isMissing(error) || statusOf(error) === 416 || statusOf(error) === 412,
      );
      // It may break before anybody reads it, or while nobody does.
      streamOf(answer).on('error', () => {});
      return answer;
    } catch (error) {
      const isGone = isMissing(error) || statusOf(error) === 416 || statusOf(error) === 412;
      if (isGone && ifMatch !== undefined) throw new Replaced();
      if (statusOf(error) === 416) return 'past the end';
      if (isMissing(error)) return undefined;
      throw this.#requests.errorOf(error, request);
    }
  }

  #infoOf(name: string, answer: Answer | Properties, bytes: number): ObjectInfo {
    refuseHierarchy(answer._response.headers.get('x-ms-resource-type') !== undefined, this.#requests.place);
    const { lastModified, etag } = answer;
    if (etag && lastModified) return { name, bytes, modifiedAtMs: lastModified.getTime(), version: etag };
    throw this.#requests.errorOf(new RangeError('it has no ETag or no time'), { operation: 'get', name });
  }
}

/** Whether Azure says that there is no such blob. */
export function isMissing(error: unknown): boolean {
  return azureCodeOf(error) === 'BlobNotFound';
}

/** Credentials that were refused by an answer without a body. */
function isUnexplained(error: unknown): boolean {
  return statusOf(error) === 401 || statusOf(error) === 403;
}

function totalBytesOf({
  contentRange,
  contentLength,
}: Pick<Answer, 'contentRange' | 'contentLength'>): number {
  return Number(/\/(\d+)$/.exec(contentRange ?? '')?.[1] ?? contentLength ?? 0);
}

function streamOf(answer: Answer): Readable {
  return answer.readableStreamBody as Readable;
}

/** Gives up what was not read of a body, and its connection; does nothing after the end. */
function dismiss(answer: Answer): void {
  streamOf(answer).destroy();
}
