import { isStowageError } from '../../errors.ts';
import { isStream, readChunks } from '../body-stream.ts';
import { closedError } from '../checks.ts';
import type { CreateOptions } from '../contract.ts';
import { LinkedAbort } from '../object-store/linked-abort.ts';
import type { Target } from '../object-store/object-storage.ts';
import { partBytesAt } from '../object-store/part-sizes.ts';
import { partsOfBytes, partsOfStream } from '../object-store/stream-parts.ts';
import type { ConditionalWrites } from './conditional-writes.ts';
import type { S3Downloads } from './downloads.ts';
import type { S3MultipartUploads } from './multipart.ts';
import type { S3Puts } from './puts.ts';
import { newWriteId } from './version.ts';
import { createOwn, type Writing } from './writing.ts';

/** Bytes that are in memory anyway go by one request up to this many parts: one is cheaper than six. */
const PARTS_IN_ONE_PUT = 4;

/** Creates objects, each by one request or in parts, as its length demands. */
export class S3Uploads {
  readonly #puts: S3Puts;
  readonly #multipart: S3MultipartUploads;
  readonly #downloads: S3Downloads;
  readonly #conditions: ConditionalWrites;
  readonly #partBytes: number;
  readonly #underWay = new Map<LinkedAbort, Promise<unknown>>();

  constructor(
    puts: S3Puts,
    multipart: S3MultipartUploads,
    downloads: S3Downloads,
    conditions: ConditionalWrites,
    partBytes: number,
  ) {
    this.#puts = puts;
    this.#multipart = multipart;
    this.#downloads = downloads;
    this.#conditions = conditions;
    this.#partBytes = partBytes;
  }

  async create(
    target: Target,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions,
  ): Promise<boolean> {
    const { contentType = 'application/octet-stream', repeatStep: repeat = (step) => step() } = options;
    const call = new LinkedAbort(options.signal);
    const reading = new LinkedAbort(call.signal);
    const writing: Writing = { ...target, contentType, writeId: newWriteId(), repeat, call, reading };
    const created = isStream(body) ? this.#fromStream(writing, body) : this.#fromBytes(writing, body);
    this.#underWay.set(call, created);
    try {
      return await created;
    } catch (error) {
      throw isStowageError(call.signal.reason, 'STORAGE_CLOSED') ? call.signal.reason : error;
    } finally {
      this.#underWay.delete(call);
      call.release();
    }
  }

  /** Ends what is under way, and resolves when its unfinished uploads are gone. */
  async close(): Promise<void> {
    const ending = [...this.#underWay.values()];
    for (const call of this.#underWay.keys()) call.abort(closedError('s3'));
    await Promise.allSettled(ending);
  }

  async #fromBytes(writing: Writing, body: Uint8Array): Promise<boolean> {
    if (body.length <= this.#partBytes * PARTS_IN_ONE_PUT) return this.#puts.create(writing, body);
    return this.#multipart.create(writing, partsOfBytes(body, this.#bytesAt));
  }

  /** Nothing is read of the stream before it is known that it can be written; afterwards it could not be read again. */
  async #fromStream(writing: Writing, body: AsyncIterable<Uint8Array>): Promise<boolean> {
    await this.#conditions.ensureCreate();
    const parts = partsOfStream(readChunks(body, writing.reading.signal), this.#bytesAt);
    try {
      const first = (await parts.next()).value as Uint8Array;
      if (first.length === this.#partBytes) {
        return await this.#multipart.create(writing, startingWith(first, parts));
      }
      return await createOwn(writing, this.#downloads, () => this.#puts.create(writing, first));
    } finally {
      await parts.return();
    }
  }

  readonly #bytesAt = (index: number): number => partBytesAt(index, this.#partBytes);
}

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}
