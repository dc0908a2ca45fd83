import { endAll } from '../../async/end-all.ts';
import { orAborted } from '../../async/next-or-aborted.ts';
import { onUse } from '../../async/open-files.ts';
import { invalidArgument, isStowageError, StowageError } from '../../errors.ts';
import { HERE } from '../../format/content-ref.ts';
import {
  decodePlace,
  decodePlaceOwner,
  encodePlace,
  encodePlaceOwner,
  isPlaceId,
  MAX_PLACE_RECORD_BYTES,
  OWNER_NAME,
  type PlaceRecord,
  placeIdOf,
  placePrefix,
  placeRecordName,
} from '../../format/place-records.ts';
import { hasScheme, isBuiltIn } from '../../storage/address-text.ts';
import { canonicalAddress, folderUri, rootOf } from '../../storage/canonical-address.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import type { NameEncoding } from '../../storage/names.ts';
import { openStorage } from '../../storage/open.ts';
import type { RetryOptions } from '../../storage/retry-policy.ts';
import type { StoreFile } from '../store-file.ts';
import {
  strayPlace,
  unknownPlace,
  unmarkedPlace,
  unreachablePlace,
  untrustedPlace,
  withinStore,
} from './place-errors.ts';
import { PlaceStorage } from './place-storage.ts';

const namedPlaces = onUse(() => import('./named-places.ts'));

/** Opens the storage at an address that a record holds. */
export type OpenPlace = (uri: string) => DataStoreStorage | Promise<DataStoreStorage>;

/** Another place that holds content of a store. */
export interface PlaceInfo {
  /** The id by which records name it. */
  readonly id: string;
  /** The address that was given for it, in the form that opens it from anywhere. */
  readonly uri: string;
}

/** A place as a listing shows it. */
export interface ListedPlace extends Omit<PlaceInfo, 'uri'> {
  /** The address; `undefined` where its record cannot be read. */
  readonly uri: string | undefined;
  /** The reason why its record cannot be read. */
  readonly problem?: StowageError;
}

/** Another place, opened. */
export interface Place extends PlaceInfo {
  /** The objects of this store there. */
  readonly storage: DataStoreStorage;
}

/** The user's word on a store's place, at its opening. */
export interface PlaceSettings {
  /** The address by which the store itself was opened, where there is one. */
  home?: string | undefined;
  /** Decorates each storage that is opened, to count what is read. Default: none is. */
  decorate?: ((opened: DataStoreStorage) => DataStoreStorage) | undefined;
  /** When a storage that is opened by its address tries again. Default: as `openStorage`. */
  retry?: RetryOptions | undefined;
}

/** Options of a store's places. */
export interface PlacesOptions extends PlaceSettings {
  /** Opens addresses. Default: `openStorage`. */
  open?: OpenPlace | undefined;
  /** An address at which content is saved unless something narrower says otherwise: the program named it. */
  rawDataPath?: string | undefined;
}

/**
 * The places beside a store that hold content of it. Each is marked at the place as the store's and registered in the
 * store before anything refers to it, and known by an id that follows from where it is, so that all spellings of an address, and all
 * processes, mean one place. What was opened stays open until {@link close}.
 */
export class Places {
  readonly #home: DataStoreStorage;
  readonly #storeFile: StoreFile;
  readonly #options: PlacesOptions;
  /** Addresses that the program named, whose servers it trusts. */
  readonly #named = new Set<string>();
  /** Ids by the addresses that were asked for. */
  readonly #registered = new Map<string, Promise<string>>();
  readonly #opened = new Map<string, Promise<Place>>();
  /** Storages with files that values refer to, by their addresses. */
  readonly #containers = new Map<string, Promise<DataStoreStorage>>();

  constructor(home: DataStoreStorage, storeFile: StoreFile, options: PlacesOptions = {}) {
    this.#home = home;
    this.#storeFile = storeFile;
    this.#options = options;
    for (const address of [options.home ?? rootOf(home), options.rawDataPath]) {
      if (address) this.#named.add(hasScheme(address) ? address : folderUri(address));
    }
  }

  /**
   * The address by which to open what a record names, be it to register it: who pays for it is what the program said.
   *
   * @throws StowageError `PLACE_NOT_TRUSTED`
   */
  async recordedAddress(uri: string, place?: string): Promise<string> {
    if (this.#options.open || uri === HERE) return uri;
    const { isTrusted, withOwnProjects } = await namedPlaces();
    const addresses = [...this.#named];
    if (!isTrusted(uri, { home: this.#home, addresses })) throw untrustedPlace(place, uri);
    return withOwnProjects(uri, addresses);
  }

  /**
   * The id of the place at an address that the program named, for writers: registered and marked, if it was not. The store itself is `HERE`.
   * Four requests the first time, two for each process that finds it registered, none after that; but a place that is read without
   * requests, a folder, is looked at again each time.
   *
   * @throws StowageError `INVALID_ARGUMENT` for an address inside the store; `PLACE_NOT_FOUND` where a place was moved or emptied, or is
   * not mounted; `PLACE_NOT_OURS`, `PLACE_UNREACHABLE`, and what opening a storage throws
   */
  async register(rawDataPath: string, { signal }: CallOptions): Promise<string> {
    const known = this.#registered.has(rawDataPath);
    // Many callers wait for one registration, which none of them may end for the others.
    const id = await orAborted(
      () => shared(this.#registered, rawDataPath, () => this.#register(rawDataPath)),
      signal,
    );
    if (known && id !== HERE) await this.lookAgain(id, { signal });
    return id;
  }

  /**
   * A place that a record names.
   *
   * @throws StowageError `PLACE_NOT_FOUND` where no such place is registered, `PLACE_UNREACHABLE` where it cannot be opened
   */
  async find(id: string, { signal }: CallOptions): Promise<Place> {
    return orAborted(() => shared(this.#opened, id, () => this.#find(id)), signal);
  }

  /**
   * A storage with files that values refer to, which are no content of this store.
   *
   * @param isNamed - the program named its address, rather than a value that was loaded
   * @throws StowageError `PLACE_NOT_TRUSTED`, and what opening a storage throws
   */
  async container(uri: string, isNamed: boolean, { signal }: CallOptions): Promise<DataStoreStorage> {
    const address = isNamed ? uri : await this.recordedAddress(uri);
    const open = (): Promise<DataStoreStorage> => this.#openStorage(address);
    return orAborted(() => shared(this.#containers, address, open), signal);
  }

  /**
   * Says why content is missing at a place, if it is the place that is wrong.
   *
   * @throws StowageError `PLACE_NOT_FOUND` where nothing marks it as this store's, `PLACE_NOT_OURS`
   */
  async checkOwner({ id, uri, storage }: Place, { signal }: CallOptions): Promise<void> {
    const object = await storage.get(OWNER_NAME, { signal, maxBytes: MAX_PLACE_RECORD_BYTES });
    if (!object) throw unmarkedPlace(id, uri);
    const owner = decodePlaceOwner(object.body, storage.uri(OWNER_NAME));
    const { storeId } = await this.#storeFile.require({ signal });
    if (owner.storeId !== storeId || owner.place !== id) throw strayPlace(id, uri, owner.storeUri);
  }

  /** All places that are registered, opened or not. */
  async list({ signal }: CallOptions): Promise<ListedPlace[]> {
    const places: ListedPlace[] = [];
    for await (const page of this.#home.list({ prefix: 'elsewhere/', signal })) {
      for (const { name } of page.objects) {
        const id = name.slice('elsewhere/'.length, -'.json'.length);
        if (!isPlaceId(id)) continue;
        try {
          const record = await this.#read(id, { signal });
          if (record) places.push({ id, uri: record.uri });
        } catch (error) {
          if (!isStowageError(error, 'RECORD_DAMAGED', 'UNSUPPORTED_FORMAT', 'OBJECT_TOO_LARGE')) throw error;
          places.push({ id, uri: undefined, problem: error });
        }
      }
    }
    return places;
  }

  /** Closes what was opened for places. */
  async close(): Promise<void> {
    // What is being registered opens something yet.
    await Promise.allSettled(this.#registered.values());
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    this.#registered.clear();
    const storages = opened.map(async (place) => (await place).storage);
    const containers = [...this.#containers.values()];
    this.#containers.clear();
    const settled = await Promise.allSettled([...storages, ...containers]);
    const found = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    await endAll(found.map((storage) => () => storage.close()));
  }

  async #register(rawDataPath: string): Promise<string> {
    const root = rootOf(this.#home);
    if (withoutSlashes(rawDataPath) === withoutSlashes(root)) return HERE;
    const opened = await this.#openForWriting(rawDataPath);
    let isKept = false;
    try {
      const { identity, uri } = canonicalAddress(rawDataPath, opened);
      this.#named.add(uri);
      if (hasScheme(rawDataPath)) this.#named.add(rawDataPath);
      const home = this.#homeIdentity();
      if (identity === home) return HERE;
      if (home !== undefined && isWithin(identity, home)) throw withinStore(rawDataPath, root);
      const id = placeIdOf(identity);
      const { nameEncoding } = opened.capabilities;
      const known = await this.#read(id);
      const record = known ?? { place: id, uri, names: nameEncoding };
      const place = await shared(this.#opened, id, async () => {
        isKept = record.names === nameEncoding;
        return isKept ? this.#placeOn(opened, record) : this.#open(record);
      });
      // Marked before it is registered: a place that is registered and bears no mark is not the one that was, but an empty folder
      // where it was mounted, say. What is written there would be hidden as soon as the place comes back.
      if (!(await this.#isMarked(place))) {
        if (known) throw unmarkedPlace(id, record.uri);
        await this.#mark(place);
      }
      await this.#registerAtHome(record, known !== undefined);
      return id;
    } finally {
      if (!isKept) await opened.close();
    }
  }

  async #openForWriting(rawDataPath: string): Promise<DataStoreStorage> {
    try {
      return await this.#openStorage(rawDataPath);
    } catch (error) {
      if (isStowageError(error)) throw error;
      throw unreachablePlace(undefined, rawDataPath, error);
    }
  }

  async #find(id: string): Promise<Place> {
    const record = isPlaceId(id) ? await this.#read(id) : undefined;
    if (!record) throw unknownPlace(id, rootOf(this.#home));
    return this.#open(record);
  }

  async #open(record: PlaceRecord): Promise<Place> {
    const address = await this.recordedAddress(record.uri, record.place);
    try {
      return await this.#placeOn(await this.#openStorage(address, record.names), record);
    } catch (error) {
      throw unreachablePlace(record.place, record.uri, error);
    }
  }

  async #placeOn(opened: DataStoreStorage, { place: id, uri }: PlaceRecord): Promise<Place> {
    const { storeId } = await this.#storeFile.require();
    return { id, uri, storage: new PlaceStorage(opened, placePrefix(storeId, id), id, uri) };
  }

  async #openStorage(uri: string, names?: NameEncoding): Promise<DataStoreStorage> {
    const { open, decorate = (opened) => opened, retry } = this.#options;
    return decorate(
      open ? checkPlaceStorage(await open(uri), uri) : await openStorage(uri, { local: { names }, retry }),
    );
  }

  /** Before anything lies there, so that all that is there is found by who checks or collects the store. */
  async #registerAtHome(record: PlaceRecord, isKnown: boolean): Promise<void> {
    const name = placeRecordName(record.place);
    if (!isKnown && (await this.#home.create(name, encodePlace(record)))) return;
    // Whoever registered it may not have got so far as to make it durable.
    await this.#home.persist([name]);
  }

  async #read(id: string, { signal }: CallOptions = {}): Promise<PlaceRecord | undefined> {
    const name = placeRecordName(id);
    const object = await this.#home.get(name, { signal, maxBytes: MAX_PLACE_RECORD_BYTES });
    if (!object) return undefined;
    const what = this.#home.uri(name);
    const record = decodePlace(object.body, what);
    if (record.place === id && (await isIdOf(record))) return record;
    throw new StowageError(
      'RECORD_DAMAGED',
      `${what} describes another place than its name says; restore it from a copy of the store.`,
      { details: { what } },
    );
  }

  async #isMarked(place: Place): Promise<boolean> {
    try {
      await this.checkOwner(place, {});
    } catch (error) {
      if (isStowageError(error, 'PLACE_NOT_FOUND')) return false;
      throw error;
    }
    await place.storage.persist([OWNER_NAME]);
    return true;
  }

  /**
   * A folder may be moved or unmounted under a process, and is then made anew by whoever writes there.
   *
   * @throws StowageError `PLACE_NOT_FOUND`
   */
  async lookAgain(id: string, options: CallOptions): Promise<void> {
    const { uri, storage } = await this.find(id, options);
    if (!storage.capabilities.localReads || (await storage.head(OWNER_NAME, options))) return;
    throw unmarkedPlace(id, uri);
  }

  async #mark(place: Place): Promise<void> {
    const { storeId } = await this.#storeFile.require();
    const record = encodePlaceOwner({ place: place.id, storeId, storeUri: rootOf(this.#home) });
    if (await place.storage.create(OWNER_NAME, record)) return;
    await this.checkOwner(place, {}); // somebody else was first
    await place.storage.persist([OWNER_NAME]);
  }

  #homeIdentity(): string | undefined {
    try {
      return canonicalAddress(this.#options.home ?? rootOf(this.#home), this.#home).identity;
    } catch (error) {
      if (isStowageError(error, 'INVALID_ARGUMENT')) return undefined; // in memory, without a name
      throw error;
    }
  }
}

/** Runs `work` once for a key, until it fails: then the next caller tries again. */
function shared<T>(running: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const known = running.get(key);
  if (known) return known;
  const begun = work();
  running.set(key, begun);
  begun.catch(() => {
    if (running.get(key) === begun) running.delete(key);
  });
  return begun;
}

/** True if a prefix lies below another one of the same server. */
export function isWithin(identity: string, home: string): boolean {
  const [path = '', server] = identity.split('?');
  const [homePath = '', homeServer] = home.split('?');
  return server === homeServer && path.startsWith(`${homePath}/`);
}

/**
 * Takes what `openPlace` gave for an address.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what is no storage
 */
function checkPlaceStorage(opened: unknown, uri: string): DataStoreStorage {
  const isStorage = typeof opened === 'object' && opened !== null && 'create' in opened && 'list' in opened;
  if (isStorage) return opened as DataStoreStorage;
  throw invalidArgument(`openPlace gave no storage for ${uri}; return one that is open.`);
}

/** True if the id of a place follows from its address, as far as that tells what it follows from. */
async function isIdOf({ place, uri }: PlaceRecord): Promise<boolean> {
  if (!isBuiltIn(uri)) return true;
  const { namedIdentity } = await namedPlaces();
  const identity = namedIdentity(uri);
  return identity !== undefined && placeIdOf(identity) === place;
}

function withoutSlashes(address: string): string {
  return address.replace(/\/+$/, '');
}
