import { encodeRecord } from '../codec/record.ts';
import { readRecord, readString } from '../codec/record-fields.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { isSessionId, newSessionId } from './session-id.ts';

/** What stowage.json says of a store. */
export interface StoreIdentity {
  /** 26 characters, made with the store. */
  storeId: string;
  /** How the local backend names files; `exact` on object storage. */
  names: 'exact' | 'fold';
}

const NAME = 'stowage.json';
const MAX_BYTES = 64 * 1024;

/** Finds out whether there is a store, and makes one at the first write. Asks the storage once per process. */
export class StoreFile {
  readonly #storage: DataStoreStorage;
  #identity: StoreIdentity | undefined;

  constructor(storage: DataStoreStorage) {
    this.#storage = storage;
  }

  /**
   * The store's identity, for readers.
   *
   * @throws StowageError `NO_SUCH_STORE`, `NOT_A_STORE`, or `UNSUPPORTED_FORMAT` where a newer release made it.
   */
  async require(options: CallOptions = {}): Promise<StoreIdentity> {
    this.#identity ??= await this.#read(options);
    if (this.#identity) return this.#identity;
    const uri = this.#storage.uri(NAME).slice(0, -NAME.length);
    throw new StowageError(
      'NO_SUCH_STORE',
      `There is no store at ${uri}. Check the address; a store is made by the first save.`,
      { details: { uri } },
    );
  }

  /** The store's identity, for writers: the first one makes the store. */
  async ensure(options: CallOptions = {}): Promise<StoreIdentity> {
    this.#identity ??= (await this.#read(options)) ?? (await this.#create(options));
    return this.#identity;
  }

  async #create(options: CallOptions): Promise<StoreIdentity> {
    const identity: StoreIdentity = {
      storeId: newSessionId(),
      names: this.#storage.capabilities.nameEncoding,
    };
    const record = encodeRecord({
      format: 1,
      kind: 'store',
      ...identity,
      createdAt: new Date().toISOString(),
    });
    if (await this.#storage.create(NAME, record, options)) return identity;
    return this.require(options); // somebody else was first
  }

  async #read({ signal }: CallOptions): Promise<StoreIdentity | undefined> {
    const what = this.#storage.uri(NAME);
    try {
      const object = await this.#storage.get(NAME, { signal, maxBytes: MAX_BYTES });
      if (!object) return undefined;
      const record = readRecord(object.body, what, 'store');
      const storeId = readString(record, 'storeId', what);
      const names = readString(record, 'names', what);
      if (isSessionId(storeId) && (names === 'exact' || names === 'fold')) return { storeId, names };
    } catch (error) {
      if (!isStowageError(error, 'RECORD_DAMAGED', 'OBJECT_TOO_LARGE')) throw error;
      throw notAStore(what, error);
    }
    throw notAStore(what);
  }
}

function notAStore(what: string, cause?: unknown): StowageError {
  return new StowageError(
    'NOT_A_STORE',
    `${what} is not the description of a store, or is damaged. Check the address; if the store is yours, restore this file from a copy.`,
    { details: { what }, cause },
  );
}
