import type { TransferBudget } from '../bucket/transfers.ts';
import { transferParts } from '../bucket/transfers.ts';
import { createOwn } from '../object-store/own-writes.ts';
import type { AzureDownloads } from './downloads.ts';
import type { CheckedAzureOptions } from './options.ts';
import type { AzureRequests } from './requests.ts';
import { checksumOf, isOwn, requestOf, sendIfAbsent, type Writing, writtenBlob } from './writing.ts';

/** The ids of all blocks of a blob must be of one length, those of other writers and releases too: this can never change. */
const NUMBER_DIGITS = 6;

/** Writes blobs that go in blocks, side by side, and become visible when their list is committed. */
export class AzureBlocks {
  readonly #requests: AzureRequests;
  readonly #downloads: AzureDownloads;
  readonly #budget: TransferBudget;
  readonly #options: CheckedAzureOptions;

  constructor(
    requests: AzureRequests,
    downloads: AzureDownloads,
    options: CheckedAzureOptions,
    budget: TransferBudget,
  ) {
    this.#requests = requests;
    this.#downloads = downloads;
    this.#budget = budget;
    this.#options = options;
  }

  /**
   * Looks first, before megabytes go up in vain; but who wins is decided when the list is committed. Blocks that went up
   * in vain stay behind, invisible: Azure has no way to remove them, and discards them when the blob is created, or a week
   * after the last one came.
   */
  async create(writing: Writing, blocks: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { repeat, reading, call } = writing;
    if (await repeat(() => this.#downloads.head(writing, { signal: call.signal }))) return false;
    const ids = await transferParts({
      parts: blocks,
      bytesOf: (block) => block.length,
      move: (block, index) => repeat(() => this.#stage(writing, block, index)),
      budget: this.#budget,
      stop: reading,
    });
    return createOwn(
      repeat,
      () => this.#commit(writing, ids),
      () => isOwn(writing, this.#downloads),
    );
  }

  /** Blocks of several writers of one name lie together; the write's own id keeps them apart. */
  async #stage(writing: Writing, block: Uint8Array, index: number): Promise<string> {
    // Another block has been given up, and this one need not be tried again.
    if (writing.reading.signal.aborted) throw writing.reading.signal.reason;
    const id = Buffer.from(`${writing.writeId}-${String(index).padStart(NUMBER_DIGITS, '0')}`).toString(
      'base64',
    );
    await this.#requests.send(requestOf(writing), (container, call) =>
      container
        .getBlockBlobClient(writing.key)
        .stageBlock(id, block, block.length, { ...call, ...checksumOf(block) }),
    );
    return id;
  }

  #commit(writing: Writing, ids: string[]): Promise<boolean> {
    const blob = writtenBlob(writing, this.#options);
    return sendIfAbsent(writing, this.#requests, this.#downloads, (container, call) =>
      container
        .getBlockBlobClient(writing.key)
        .commitBlockList(ids, { ...call, ...blob, conditions: { ifNoneMatch: '*' } }),
    );
  }
}
