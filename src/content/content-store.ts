import { BoundedMap } from '../async/bounded-map.ts';
import { endAll } from '../async/end-all.ts';
import { type Compression, checkCompression } from '../codec/payload.ts';
import { invalidArgument } from '../errors.ts';
import { HERE } from '../format/content-ref.ts';
import { type HintSubject, hintName } from '../format/hint.ts';
import type { SessionId } from '../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { ContentPlace, PlaceReader } from './content-place.ts';
import { type OpenPlace, type PlaceSettings, Places } from './places/places.ts';
import { checkRawDataPath, type RawDataPathOptions } from './places/raw-data-path.ts';
import { ContentReader } from './reading/content-reader.ts';
import { warnOfStoreAbove } from './store-above.ts';
import { checkLostIdentity, StandingStorage, StoreFile } from './store-file.ts';
import { CollectionLog } from './writing/collection-log.ts';
import { StepHint } from './writing/step-hint.ts';

/** The hints of so many steps are remembered. */
const KNOWN_HINTS = 64;

/** Options of how a store keeps content. */
export interface ContentStoreOptions extends RawDataPathOptions {
  /** The compression of content unless a call says otherwise. Default `auto`: zstd where a sample shrinks by 18 %, raw elsewhere. */
  compression?: Compression | undefined;
  /** True if a deduplication hit is read and verified in full, rather than looked at. Default `false`. */
  verifyHits?: boolean | undefined;
  /**
   * Opens the storages of other places that hold content of this store (`rawDataPath`), for writing and reading: by the address
   * that was given, and later by the one that the store keeps of it. What it returns is closed with the store.
   * Default: `openStorage`, which finds credentials in the environment; but an address that only the store names is then opened at the
   * services themselves, at an endpoint of the environment or of the store, or in a folder for a store in a folder, and nowhere else
   * (`PLACE_NOT_TRUSTED`).
   */
  openPlace?: OpenPlace | undefined;
  /** The id by which a `stowage.json` that was lost over existing runs is made anew: that of the store, or a `new` one. Default: none (`NOT_A_STORE`). */
  lostIdentity?: 'new' | SessionId | undefined;
}

/** A store as its readers and writers see it: whether it is there, and the places where its content lies. {@link ContentAddressedStore} is one. */
export class ContentStore {
  /** The objects of the store itself. */
  readonly storage: DataStoreStorage;
  /**
   * Reads contents, wherever they lie.
   *
   * @internal
   */
  readonly reader: ContentReader;
  /**
   * The place for content unless something narrower says otherwise.
   *
   * @internal
   */
  readonly rawDataPath: string | undefined;
  /**
   * The other places where its content lies, or may go.
   *
   * @internal
   */
  readonly otherPlaces: Places;
  readonly #storeFile: StoreFile;
  readonly #here: ContentPlace;
  readonly #elsewhere = new Map<string, ContentPlace>();
  readonly #hints = new BoundedMap<string, StepHint>(KNOWN_HINTS);

  constructor(opened: DataStoreStorage, options: ContentStoreOptions = {}, around: PlaceSettings = {}) {
    const { compression = 'auto', verifyHits = false, openPlace: open, lostIdentity } = options;
    checkCompression(compression);
    if (typeof verifyHits !== 'boolean') {
      throw invalidArgument('The option verifyHits must be true or false.');
    }
    if (open !== undefined && typeof open !== 'function') {
      throw invalidArgument('The option openPlace must be a function that opens a storage by its address.');
    }
    this.rawDataPath = checkRawDataPath(options.rawDataPath);
    this.#storeFile = new StoreFile(opened, checkLostIdentity(lostIdentity), () =>
      warnOfStoreAbove(opened, around.home),
    );
    const storage = new StandingStorage(opened, this.#storeFile);
    this.storage = storage;
    this.otherPlaces = new Places(storage, this.#storeFile, {
      ...around,
      open,
      rawDataPath: this.rawDataPath,
    });
    this.reader = new ContentReader(storage, HERE, async (place, callOptions) => {
      return (await this.at(place, callOptions)).reader;
    });
    const settings = { compression, verifyHits };
    this.#here = new ContentPlace({ id: HERE, storage }, this.reader, new CollectionLog(storage), settings);
  }

  /**
   * Readies the store for reading: it exists, and its format is known.
   *
   * @internal
   */
  async prepareToRead(options: CallOptions = {}): Promise<void> {
    await this.#storeFile.require(options);
  }

  /**
   * Readies the store for reading as {@link prepareToRead} does; `false` where there is none yet.
   *
   * @internal
   */
  async isThereToRead(options: CallOptions = {}): Promise<boolean> {
    return this.#storeFile.exists(options);
  }

  /**
   * Readies the store for writing, and makes it where there is none.
   *
   * @internal
   */
  async prepareToWrite(options: CallOptions = {}): Promise<void> {
    await this.#storeFile.ensure(options);
  }

  /** The store's id; makes no store. */
  async storeId(options: CallOptions = {}): Promise<string> {
    return (await this.#storeFile.require(options)).storeId;
  }

  /**
   * A place with content of the store, by the id that records name; the store itself is `HERE`.
   *
   * @internal
   * @throws StowageError `PLACE_NOT_FOUND`, `PLACE_UNREACHABLE`
   */
  async at(place: string, options: CallOptions): Promise<ContentPlace> {
    if (place === HERE) return this.#here;
    const known = this.#elsewhere.get(place);
    if (known) return known;
    const found = await this.otherPlaces.find(place, options);
    const first = this.#elsewhere.get(place);
    if (first) return first;
    const { log, settings } = this.#here;
    const opened = new ContentPlace(found, new PlaceReader(found, this.otherPlaces), log, settings);
    this.#elsewhere.set(place, opened);
    return opened;
  }

  /**
   * The hint of a step, shared by all that this process saves in it.
   *
   * @internal
   */
  hintOf(subject: HintSubject): StepHint {
    const name = hintName(subject);
    const known = this.#hints.get(name);
    if (known) return known;
    const hint = new StepHint(this.storage, subject);
    this.#hints.set(name, hint);
    return hint;
  }

  /**
   * The id of the place at an address, registered and marked where it was not; `HERE` without one, or where it is empty.
   *
   * @internal
   */
  async locate(rawDataPath: string = HERE, options: CallOptions = {}): Promise<string> {
    return rawDataPath === HERE ? HERE : this.otherPlaces.register(rawDataPath, options);
  }

  /**
   * Runs a save that {@link endSaves} ends.
   *
   * @internal
   */
  async saving<T>(options: CallOptions, save: (own: CallOptions) => Promise<T>): Promise<T> {
    return this.#here.saves.run(options, (_, own) => save(own));
  }

  /**
   * Ends saves of large contents, and of many, with `STORAGE_CLOSED`, and resolves when they have removed what nothing names: for whoever is
   * about to close the store's storage.
   *
   * @internal
   */
  async endSaves(): Promise<void> {
    await this.#here.saves.close();
  }

  /**
   * Closes the storages of other places that were opened, once saves that are under way there have ended and left nothing behind. The
   * store's own storage belongs to whoever opened it.
   */
  async close(): Promise<void> {
    const places = [...this.#elsewhere.values()];
    this.#elsewhere.clear();
    await endAll([
      () => Promise.all([...this.#hints.values()].map((hint) => hint.flush())),
      () => Promise.all(places.map(({ saves }) => saves.close())),
      () => this.otherPlaces.close(),
    ]);
  }
}
