import { endAll } from '../async/end-all.ts';
import { inTime, TOO_LATE } from '../async/in-time.ts';
import type { Progress } from '../async/progress.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { formatCount } from '../options/figures.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { RetryOptions } from '../storage/retry-policy.ts';
import type { StoreIndex } from '../store-index/store-index.ts';
import { KeptOpen } from './kept-open.ts';
import { type OpenedStore, openStore } from './opened-store.ts';
import { ValueRoom } from './value-room.ts';

/** An index is caught up not more often. */
const CATCH_UP_EVERY_MS = 3_000;
/** A question of the index waits so long for a catch-up. */
const CATCH_UP_PATIENCE_MS = 2_000;

/** A catch-up of the index, which goes on though nobody waits for it. */
interface CatchingUp {
  done: Promise<unknown>;
  progress: Progress | undefined;
  /** By `performance.now()`. */
  endedAtMs: number | undefined;
}

/**
 * A store that is opened once for commands that run within another, many of them at once; with its index. An aborted command leaves it
 * as it is. A store that went away is opened anew by the next command.
 */
export class SharedStore {
  /** The address by which the store is opened. */
  readonly address: string;
  /** Gives each storage that is opened for the store as it is to be used. */
  readonly decorate: (opened: DataStoreStorage) => DataStoreStorage;
  /** For the values that are in memory whole. */
  readonly values: ValueRoom = new ValueRoom();
  readonly #store: KeptOpen<OpenedStore>;
  readonly #index: KeptOpen<StoreIndex>;
  readonly #ending = new AbortController();
  #catchingUp: CatchingUp | undefined;
  #hasAnswered = false;

  /** @param retry - when its storages try again; default: as `openStorage` */
  constructor(
    address: string,
    decorate: (opened: DataStoreStorage) => DataStoreStorage,
    retry?: RetryOptions,
  ) {
    this.address = address;
    this.decorate = decorate;
    this.#store = new KeptOpen(() => openStore(address, decorate, retry), isGone);
    this.#index = new KeptOpen(async () => {
      const { StoreIndex } = await import('../store-index/store-index.ts');
      return StoreIndex.openDecorated({ store: address }, decorate, retry);
    }, isGone);
  }

  /** Opens the store for `work`, unless it is open. */
  async use<T>(work: (opened: OpenedStore) => Promise<T>): Promise<T> {
    try {
      const result = await this.#store.use(work);
      this.#hasAnswered = true;
      return result;
    } catch (error) {
      if (isGone(error)) this.#index.retire();
      throw this.#ofConnection(error);
    }
  }

  /**
   * Opens the index of the store for `work`, unless it is open.
   *
   * @throws StowageError as `StoreIndex.open` does
   */
  async useIndex<T>(work: (index: StoreIndex) => Promise<T>): Promise<T> {
    try {
      return await this.#index.use(work);
    } catch (error) {
      throw this.#ofConnection(error);
    }
  }

  /**
   * Catches the index up, at most once in 3 s. Waits for it for 2 s: then an index that tells all of the store answers as it is, and one that
   * does not yet is made in the background.
   *
   * @throws StowageError `INDEX_NOT_READY` with how far that is as `details.itemsDone` and `details.itemsTotal`, and what a catch-up throws
   */
  async catchUp(index: StoreIndex, { signal }: CallOptions): Promise<void> {
    const isWhole = (await index.status({ signal }))?.isWhole === true;
    const catchingUp = this.#beginCatchUp();
    const ended = await inTime(catchingUp.done, CATCH_UP_PATIENCE_MS, signal);
    if (ended === TOO_LATE && !isWhole) throw notReady(this.address, catchingUp.progress);
  }

  /** Ends what runs in the background, and closes the store once no command uses it any more. */
  async close(): Promise<void> {
    this.#ending.abort();
    await endAll([() => this.#index.close(), () => this.#store.close()]);
  }

  /** The index has a connection of its own: that nothing ever answered there is not so where the store did. */
  #ofConnection(error: unknown): unknown {
    if (!this.#hasAnswered || !isStowageError(error) || error.details.neverAnswered !== true) return error;
    const { neverAnswered: _, ...details } = error.details;
    const message = error.message
      .replace(
        'Nothing has ever answered there: check the endpoint, and that its server runs.',
        'It answered before; try again when it does.',
      )
      .replace('nothing has ever answered there', 'the server, which answered before, does not answer');
    return new StowageError(error.code, message, { details, cause: error });
  }

  #beginCatchUp(): CatchingUp {
    const { signal } = this.#ending;
    const last = this.#catchingUp;
    if (last && (last.endedAtMs ?? performance.now()) > performance.now() - CATCH_UP_EVERY_MS) return last;
    const begun: CatchingUp = { done: Promise.resolve(), progress: undefined, endedAtMs: undefined };
    const onProgress = (at: Progress): void => {
      begun.progress = at;
    };
    begun.done = this.#index
      .use((index) => index.catchUp({ signal, onProgress }))
      .finally(() => {
        begun.endedAtMs = performance.now();
      });
    begun.done.catch(() => {}); // told to those who ask meanwhile, and until the next
    this.#catchingUp = begun;
    return begun;
  }
}

/** The store that was opened is not there any more, or cannot be asked any more. */
function isGone(error: unknown): boolean {
  return isStowageError(error, 'STORE_GONE', 'NO_SUCH_STORE', 'NOT_A_STORE', 'STORAGE_CLOSED');
}

function notReady(store: string, progress: Progress | undefined): StowageError {
  const { itemsDone = 0, itemsTotal } = progress ?? {};
  const of = itemsTotal === undefined ? '' : ` of ${formatCount(itemsTotal)}`;
  return new StowageError(
    'INDEX_NOT_READY',
    `The index of the store is being made: ${formatCount(itemsDone)}${of} records so far.`,
    { details: { store, itemsDone, ...(itemsTotal === undefined ? {} : { itemsTotal }) } },
  );
}
