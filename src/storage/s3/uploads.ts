import { LinkedAbort } from '../../async/linked-abort.ts';
import { isStream } from '../../streams/body-stream.ts';
import type { CreateOptions } from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { createOwn } from '../object-store/own-writes.ts';
import { partBytesAt } from '../object-store/part-sizes.ts';
import { sendBytes, sendStream, type WaysToSend } from '../object-store/send-by-size.ts';
import { UploadsUnderWay } from '../object-store/uploads-under-way.ts';
import type { ConditionalWrites } from './conditional-writes.ts';
import type { S3Downloads } from './downloads.ts';
import type { S3MultipartUploads } from './multipart.ts';
import type { S3Puts } from './puts.ts';
import { newWriteId } from './version.ts';
import { isOwn, type Writing } from './writing.ts';

/** Creates objects, each by one request or in parts, as its length demands. */
export class S3Uploads {
  readonly #puts: S3Puts;
  readonly #multipart: S3MultipartUploads;
  readonly #downloads: S3Downloads;
  readonly #conditions: ConditionalWrites;
  readonly #partBytes: number;
  readonly #underWay = new UploadsUnderWay('s3');

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

  create(
    target: Target,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions,
  ): Promise<boolean> {
    const { contentType = 'application/octet-stream', repeatStep: repeat = (step) => step() } = options;
    return this.#underWay.run(options.signal, (call) => {
      const reading = new LinkedAbort(call.signal);
      const writing: Writing = { ...target, contentType, writeId: newWriteId(), repeat, call, reading };
      return isStream(body) ? this.#fromStream(writing, body) : sendBytes(body, this.#waysOf(writing));
    });
  }

  /** Ends what is under way, and resolves when its unfinished uploads are gone. */
  close(): Promise<void> {
    return this.#underWay.close();
  }

  /** Nothing is read of the stream before it is known that it can be written; afterwards it could not be read again. */
  async #fromStream(writing: Writing, body: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { repeat, call, reading } = writing;
    await this.#conditions.ensureCreate(call.signal);
    const ways = this.#waysOf(writing);
    const byOneRequest = (first: Uint8Array): Promise<boolean> =>
      createOwn(
        repeat,
        () => ways.byOneRequest(first),
        () => isOwn(writing, this.#downloads),
      );
    return sendStream(body, reading.signal, { ...ways, byOneRequest });
  }

  #waysOf(writing: Writing): WaysToSend {
    return {
      bytesAt: (index) => partBytesAt(index, this.#partBytes),
      byOneRequest: (body) => this.#puts.create(writing, body),
      inParts: (parts) => this.#multipart.create(writing, parts),
    };
  }
}
