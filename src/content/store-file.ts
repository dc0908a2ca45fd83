import { orAborted } from '../async/next-or-aborted.ts';
import { invalidArgument, isStowageError, StowageError } from '../errors.ts';
import { SESSION_FILES } from '../format/session-files.ts';
import { isSessionId, newSessionId, type SessionId } from '../format/session-id.ts';
import {
  decodeStoreIdentity,
  encodeStoreIdentity,
  MAX_STORE_RECORD_BYTES,
  notAStore,
  STORE_RECORD,
  type StoreIdentity,
} from '../format/store-record.ts';
import { goneError } from '../storage/checks.ts';
import type { CallOptions, CreateOptions, DataStoreStorage, OverwriteOptions } from '../storage/contract.ts';
import { StorageDecorator } from '../storage/decorator.ts';
import { findRemains, identityLost } from './store-remains.ts';

/** The id of a store whose stowage.json was lost: the one that it had, or a `new` one. */
export type LostIdentity = 'new' | SessionId;

/** A store counts as there for so long after it was seen, if nothing asks for a look by itself. */
export const LOOK_INTERVAL_MS = 60_000;

/**
 * Finds out whether there is a store, and makes one at the first write. A store that was found may go away: its folder is removed or
 * unmounted, its prefix emptied. So it is looked at again, by {@link isDue}.
 */
export class StoreFile {
  readonly #storage: DataStoreStorage;
  readonly #lostIdentity: LostIdentity | undefined;
  readonly #onMade: () => void;
  #identity: StoreIdentity | undefined;
  /** The version of stowage.json in which that was read. */
  #version: string | undefined;
  #lookedAtMs = 0;
  #looking: Promise<boolean> | undefined;

  /** @param onMade told once it made the store, so that it can be said */
  constructor(storage: DataStoreStorage, lostIdentity?: LostIdentity, onMade: () => void = () => {}) {
    this.#storage = storage;
    this.#lostIdentity = lostIdentity;
    this.#onMade = onMade;
  }

  /**
   * The store's identity, for readers.
   *
   * @throws StowageError `NO_SUCH_STORE`, `NOT_A_STORE`, or `UNSUPPORTED_FORMAT` where a newer release made it; `STORE_GONE` where another
   * store lies there by now
   */
  async require(options: CallOptions = {}): Promise<StoreIdentity> {
    const known = this.#identity;
    if (known && (!this.isDue('each-time') || (await this.#stands(options)))) return known;
    const found = known ? undefined : await this.#read(options);
    if (found) return this.#keep(found);
    const uri = this.#uri;
    throw new StowageError(
      'NO_SUCH_STORE',
      `There is no store at ${uri}. Check the address; a store is made by the first save.`,
      { details: { uri } },
    );
  }

  /**
   * Tells whether there is a store, for readers to whom one that is not there yet has nothing.
   *
   * @throws StowageError as {@link require} where a store was there before; `NOT_A_STORE` where one lost its stowage.json
   */
  async exists(options: CallOptions = {}): Promise<boolean> {
    if (!this.#identity) {
      const found = await this.#read(options);
      if (found) this.#keep(found);
      else {
        const remains = await findRemains(this.#storage, options);
        if (remains === undefined) return false;
        const first = await this.#read(options); // somebody made the store, and wrote these meanwhile
        if (!first) throw identityLost(this.#storage.uri(STORE_RECORD), remains);
        this.#keep(first);
      }
    }
    await this.require(options);
    return true;
  }

  /**
   * The store's identity, for writers: the first one makes the store.
   *
   * @throws StowageError as {@link require}, but `STORE_GONE` where the store was and is not any more; `NOT_A_STORE` also where one lost its
   * stowage.json before this process found it, unless it was told what that store is called
   */
  async ensure(options: CallOptions = {}): Promise<StoreIdentity> {
    if (this.#identity) {
      if (this.isDue('now-and-then')) await this.ensureStanding(options);
      return this.#identity;
    }
    return this.#keep((await this.#read(options)) ?? (await this.#create(options)));
  }

  /**
   * Tells that it is time to look for the store again: a minute after the last look that found it, and at once after one that did not;
   * `each-time` where a look costs no request. Never where only this process can reach the store.
   */
  isDue(often: 'each-time' | 'now-and-then'): boolean {
    const { localReads, sharedByProcesses } = this.#storage.capabilities;
    if (!this.#identity || !sharedByProcesses) return false;
    if (localReads && often === 'each-time') return true;
    return performance.now() - this.#lookedAtMs >= LOOK_INTERVAL_MS;
  }

  /** @throws StowageError `STORE_GONE` where the store that was found is not there any more */
  async ensureStanding(options: CallOptions): Promise<void> {
    if (!(await this.#stands(options))) throw goneError(this.#uri);
  }

  /** Callers at once share a look, which none of them may end for the others. */
  #stands({ signal }: CallOptions): Promise<boolean> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    const looking = this.#looking;
    return orAborted(() => looking, signal);
  }

  async #look(): Promise<boolean> {
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    const info = await this.#storage.head(STORE_RECORD);
    if (!info) return false;
    if (info.version !== this.#version) {
      const found = await this.#read({});
      if (!found) return false;
      if (found.identity.storeId !== this.#identity?.storeId) throw goneError(this.#uri, 'replaced');
      this.#version = found.version;
    }
    this.#lookedAtMs = performance.now();
    return true;
  }

  #keep({ identity, version }: Found): StoreIdentity {
    this.#identity = identity;
    this.#version = version;
    this.#lookedAtMs = performance.now();
    return identity;
  }

  async #create(options: CallOptions): Promise<Found> {
    const remains = await findRemains(this.#storage, options);
    if (remains !== undefined) {
      const first = await this.#read(options);
      if (first) return first; // somebody else made the store, and wrote these meanwhile
      if (this.#lostIdentity === undefined) throw identityLost(this.#storage.uri(STORE_RECORD), remains);
    }
    const isKnown = remains !== undefined && isSessionId(this.#lostIdentity);
    const identity: StoreIdentity = {
      storeId: isKnown ? (this.#lostIdentity as SessionId) : newSessionId(),
      names: this.#storage.capabilities.nameEncoding,
    };
    const record = encodeStoreIdentity(identity, new Date().toISOString());
    if (await this.#storage.create(STORE_RECORD, record, options)) {
      this.#onMade();
      return { identity, version: undefined };
    }
    const first = await this.#read(options);
    if (first) return first;
    throw goneError(this.#uri);
  }

  async #read({ signal }: CallOptions): Promise<Found | undefined> {
    const what = this.#storage.uri(STORE_RECORD);
    try {
      const object = await this.#storage.get(STORE_RECORD, { signal, maxBytes: MAX_STORE_RECORD_BYTES });
      if (!object) return undefined;
      const identity = decodeStoreIdentity(object.body, what);
      checkNames(identity.names, this.#storage, what);
      return { identity, version: object.version };
    } catch (error) {
      throw isStowageError(error, 'OBJECT_TOO_LARGE') ? notAStore(what, error) : error;
    }
  }

  get #uri(): string {
    return this.#storage.uri(STORE_RECORD).slice(0, -STORE_RECORD.length);
  }
}

interface Found {
  identity: StoreIdentity;
  version: string | undefined;
}

/**
 * Checks an option.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkLostIdentity(value: unknown): LostIdentity | undefined {
  if (value === undefined || value === 'new' || isSessionId(value)) return value;
  throw invalidArgument(
    "The option lostIdentity must be 'new', or the id of a store, which has 26 characters.",
  );
}

/** The names of all objects but stowage.json would be others. */
function checkNames(names: StoreIdentity['names'], storage: DataStoreStorage, what: string): void {
  const { nameEncoding } = storage.capabilities;
  if (names === nameEncoding) return;
  throw new StowageError(
    'NOT_A_STORE',
    `${what} says that names are encoded as \`${names}\`, and its storage was opened as \`${nameEncoding}\`, by which nothing of the store is found. If the store was made since, open it again; if its files were uploaded to a bucket, copy the store there by copyStore instead.`,
    { details: { what, names, nameEncoding } },
  );
}

/**
 * The storage of a store, which takes nothing new once the store is gone (`STORE_GONE`): a store in a bucket is looked at once a minute
 * before something is written, one in a folder before each DONE. (A folder's storage makes no folder where the store was, so that other
 * writes fail by themselves.)
 */
export class StandingStorage extends StorageDecorator {
  readonly getInto?: NonNullable<DataStoreStorage['getInto']>;
  readonly #storeFile: StoreFile;

  constructor(inner: DataStoreStorage, storeFile: StoreFile) {
    super(inner);
    this.#storeFile = storeFile;
    if (inner.getInto) this.getInto = inner.getInto.bind(inner);
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    if (!this.#isDue(name.endsWith(SESSION_FILES.done))) return this.inner.create(name, body, options);
    return this.#storeFile.ensureStanding(options).then(() => this.inner.create(name, body, options));
  }

  override overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    if (!this.#isDue(false)) return this.inner.overwrite(name, body, options);
    return this.#storeFile.ensureStanding(options).then(() => this.inner.overwrite(name, body, options));
  }

  #isDue(isClosing: boolean): boolean {
    return (isClosing || !this.capabilities.localReads) && this.#storeFile.isDue('each-time');
  }
}
