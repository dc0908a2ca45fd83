import { LinkedAbort } from '../../async/linked-abort.ts';
import { isStream } from '../../streams/body-stream.ts';
import { partBytesAt } from '../bucket/parts.ts';
import type { CreateOptions } from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { createOwn } from '../object-store/own-writes.ts';
import { sendBytes, sendStream, type WaysToSend } from '../object-store/send-by-size.ts';
import { UploadsUnderWay } from '../object-store/uploads-under-way.ts';
import type { AzureBlocks } from './blocks.ts';
import type { AzureDownloads } from './downloads.ts';
import type { AzurePuts } from './puts.ts';
import { isOwn, newWriteId, type Writing } from './writing.ts';

/** Creates blobs, each by one request or in blocks, as its length demands. */
export class AzureUploads {
  readonly #puts: AzurePuts;
  readonly #blocks: AzureBlocks;
  readonly #downloads: AzureDownloads;
  readonly #partBytes: number;
  readonly #underWay = new UploadsUnderWay('azure');

  constructor(puts: AzurePuts, blocks: AzureBlocks, downloads: AzureDownloads, partBytes: number) {
    this.#puts = puts;
    this.#blocks = blocks;
    this.#downloads = downloads;
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

  /** Ends what is under way. */
  close(): Promise<void> {
    return this.#underWay.close();
  }

  #fromStream(writing: Writing, body: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { repeat, reading } = writing;
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
      inParts: (blocks) => this.#blocks.create(writing, blocks),
    };
  }
}
