import { isStowageError, StowageError, type StowageErrorCode } from '../../errors.ts';
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
  PersistOptions,
  StoredObject,
} from '../../storage/contract.ts';
import { PrefixStorage } from '../../storage/prefix.ts';

/** Faults of a storage, rather than of a call. */
const FAULTS: readonly StowageErrorCode[] = [
  'NO_SUCH_BUCKET',
  'STORAGE_CREDENTIALS',
  'STORAGE_NOT_PERMITTED',
  'STORAGE_FULL',
  'STORAGE_UNAVAILABLE',
  'STORAGE_UNSUPPORTED',
  'STORAGE_FAILED',
];

/** The objects of a store at another place. Faults of that storage say which place it is, since nobody may think of it. */
export class PlaceStorage extends PrefixStorage {
  readonly #place: string;
  readonly #placeUri: string;

  constructor(inner: DataStoreStorage, prefix: string, place: string, placeUri: string) {
    super(inner, prefix);
    this.#place = place;
    this.#placeUri = placeUri;
  }

  override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.#named(super.get(name, options));
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    return this.#named(super.create(name, body, options));
  }

  override overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    return this.#named(super.overwrite(name, body, options));
  }

  override head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#named(super.head(name, options));
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    try {
      yield* super.list(options);
    } catch (error) {
      throw this.#withPlace(error);
    }
  }

  override delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    return this.#named(super.delete(names, options));
  }

  override persist(names: readonly string[], options?: PersistOptions): Promise<void> {
    return this.#named(super.persist(names, options));
  }

  async #named<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      throw this.#withPlace(error);
    }
  }

  #withPlace(error: unknown): unknown {
    if (!isStowageError(error, ...FAULTS)) return error;
    return new StowageError(
      error.code,
      `${error.message} This is about ${this.#placeUri}, another place where content of the store lies (rawDataPath).`,
      {
        details: { ...error.details, place: this.#place, placeUri: this.#placeUri },
        cause: error.cause ?? error,
      },
    );
  }
}
