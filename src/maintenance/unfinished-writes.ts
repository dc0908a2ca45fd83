import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { isStowageError, type StowageError } from '../errors.ts';
import { isStoreName } from '../format/store-names.ts';
import type { CallOptions, ListedWrites, UnfinishedWrite, UnfinishedWrites } from '../storage/contract.ts';

/** Writes of this age belong to nobody any more: no write under way reaches it, as the storage contract has it. */
export const SURELY_DEAD_MS: number = 24 * 60 * 60 * 1000;

/** Options of {@link UnfinishedSearch}. */
export interface UnfinishedSearchOptions extends CallOptions {
  /** Only those that were begun at least so long ago, in milliseconds. */
  olderThanMs: number;
  /** Told of each place elsewhere that cannot be looked at. */
  onProblem: (error: StowageError) => void;
}

/** A write that never ended, and where. */
export interface FoundWrite {
  readonly write: UnfinishedWrite;
  /** The address of the place elsewhere, if it is not in the store itself. */
  readonly place: string | undefined;
  /** Removes it. One that is gone counts as removed. */
  remove(options?: CallOptions): Promise<void>;
}

/** Looks for writes that never ended, in a store and at its places elsewhere: files of folders, uploads of S3. */
export class UnfinishedSearch {
  /** True if any of the storages lists them; others keep none, or remove them by themselves. */
  isListed = false;
  /** Those of names that no store gives: in a bucket that others use, theirs may have any name. They are left alone. */
  others = 0;
  readonly #content: ContentAddressedStore;
  readonly #options: UnfinishedSearchOptions;

  constructor(content: ContentAddressedStore, options: UnfinishedSearchOptions) {
    this.#content = content;
    this.#options = options;
  }

  async *find(): AsyncGenerator<FoundWrite, void> {
    const { olderThanMs, signal, onProblem } = this.#options;
    for await (const { unfinished, place } of this.#places()) {
      if (unfinished?.kind !== 'listed') continue;
      this.isListed = true;
      try {
        for await (const write of unfinished.find({ olderThanMs, details: true, signal })) {
          if (isStoreName(write.name)) yield foundWrite(unfinished, write, place);
          else this.others += 1;
        }
      } catch (error) {
        if (place === undefined || !isStowageError(error) || error.code === 'ABORTED') throw error;
        onProblem(error);
      }
    }
  }

  async *#places(): AsyncGenerator<{ unfinished: UnfinishedWrites | undefined; place?: string }> {
    const { signal, onProblem } = this.#options;
    yield { unfinished: this.#content.storage.unfinished };
    for (const { id, uri, problem } of await this.#content.places({ signal })) {
      if (uri === undefined) {
        if (problem) onProblem(problem);
        continue;
      }
      try {
        yield { unfinished: (await this.#content.at(id, { signal })).storage.unfinished, place: uri };
      } catch (error) {
        if (!isStowageError(error, 'PLACE_UNREACHABLE', 'PLACE_NOT_TRUSTED')) throw error;
        onProblem(error);
      }
    }
  }
}

function foundWrite(unfinished: ListedWrites, write: UnfinishedWrite, place: string | undefined): FoundWrite {
  return { write, place, remove: (options) => unfinished.remove(write, options) };
}
