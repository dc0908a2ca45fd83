import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
  DeleteFailure,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  StoredObject,
} from '../storage/contract.ts';
import { StorageDecorator } from '../storage/decorator.ts';
import type { WaitingNotice } from './waiting-notice.ts';

/** Longer bodies go in several requests, each of which has an answer of its own. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Tells the notice of each call that is under way. A storage on this machine needs none. */
export function watched(storage: DataStoreStorage, notice: WaitingNotice): DataStoreStorage {
  return storage.capabilities.localReads ? storage : new WatchedStorage(storage, notice);
}

class WatchedStorage extends StorageDecorator {
  readonly #notice: WaitingNotice;
  readonly #place: string;

  constructor(inner: DataStoreStorage, notice: WaitingNotice) {
    super(inner);
    this.#notice = notice;
    const { endpoint } = inner;
    this.#place = endpoint === undefined ? addressOf(inner) : new URL(endpoint).host;
  }

  override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    const bytes = options?.range?.length ?? options?.maxBytes ?? MAX_BODY_BYTES;
    return this.#watch(() => this.inner.get(name, options), bytes);
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    if (body instanceof Uint8Array)
      return this.#watch(() => this.inner.create(name, body, options), body.length);
    return this.inner.create(name, this.#watchBetween(body), options);
  }

  override overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    return this.#watch(() => this.inner.overwrite(name, body, options), body.length);
  }

  override head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#watch(() => this.inner.head(name, options));
  }

  override async *list(options: ListOptions): AsyncIterable<ListPage> {
    let end = this.#notice.begin(this.#place, 0);
    try {
      for await (const page of this.inner.list(options)) {
        end();
        yield page;
        end = this.#notice.begin(this.#place, 0);
      }
    } finally {
      end();
    }
  }

  override delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    return this.#watch(() => this.inner.delete(names, options));
  }

  async #watch<T>(call: () => Promise<T>, bytes = 0): Promise<T> {
    const end = this.#notice.begin(this.#place, Math.min(bytes, MAX_BODY_BYTES));
    try {
      return await call();
    } finally {
      end();
    }
  }

  /** While the storage asks for no more of a stream, it waits for an answer. */
  async *#watchBetween(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      const end = this.#notice.begin(this.#place, MAX_BODY_BYTES);
      try {
        yield piece;
      } finally {
        end();
      }
    }
  }
}

/** The address of a storage, as people know it. */
export function addressOf(storage: DataStoreStorage): string {
  return storage.uri('stowage.json').replace(/\/stowage\.json$/, '');
}
