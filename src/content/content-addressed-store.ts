import { type Compression, checkCompression } from '../codec/payload.ts';
import { invalidArgument } from '../errors.ts';
import { type ContentKey, isContentKey } from '../format/content-names.ts';
import { HERE } from '../format/content-ref.ts';
import { isSessionId, type SessionId } from '../format/session-id.ts';
import type { ContentAddress, StoredContent } from '../format/stored-content.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { ensureBytes } from '../streams/chunk-stream.ts';
import { takeOnce } from '../streams/read-once.ts';
import { untilAborted } from '../streams/stream-head.ts';
import type { ByteCache } from './byte-cache.ts';
import { CollectionLog } from './collection-log.ts';
import { ContentPlaces, type PlacedContent } from './content-places.ts';
import { ContentReader, type ReadOptions } from './content-reader.ts';
import type { ContentInput, ContentWriter, StoredPlain } from './content-writer.ts';
import { GuardedCache } from './guarded-cache.ts';
import type { StoreOptions } from './large-content.ts';
import { openLooseSession, releaseLooseSession } from './loose-session.ts';
import { type ListedPlace, type OpenPlace, type PlaceInfo, type PlaceSettings, Places } from './places.ts';
import { checkRawDataPath, type RawDataPathOptions } from './raw-data-path.ts';
import { WriterSession } from './session.ts';
import type { SessionWriters } from './session-writers.ts';
import { StandingStorage } from './standing-storage.ts';
import { checkLostIdentity, StoreFile } from './store-file.ts';
import { sharedWriterState } from './writer-context.ts';

/** How a store keeps content. */
export interface ContentStoreOptions extends RawDataPathOptions {
  /** How content is compressed unless a call says otherwise. Default `auto`: zstd where a sample shrinks by 5 %, raw elsewhere. */
  compression?: Compression | undefined;
  /** Whether a deduplication hit is read and verified in full, rather than looked at. Default `false`. */
  verifyHits?: boolean | undefined;
  /**
   * Opens the storages of other places that hold content of this store (`rawDataPath`), for writing and reading: by the address
   * that was given, and later by the one that the store keeps of it. What it returns is closed with the store.
   * Default: `openStorage`, which finds credentials in the environment; but an address that only the store names is then opened at the
   * services themselves, at an endpoint of the environment or of the store, or in a folder for a store in a folder, and nowhere else
   * (`PLACE_NOT_TRUSTED`).
   */
  openPlace?: OpenPlace | undefined;
  /** By which id a `stowage.json` that was lost over existing runs is made anew: that of the store, or a `new` one. Default: none (`NOT_A_STORE`). */
  lostIdentity?: 'new' | SessionId | undefined;
}

/** Options of {@link ContentAddressedStore.saveBlobs}. */
export interface SaveBlobsOptions
  extends Pick<StoreOptions, 'signal' | 'compression' | 'elementBytes'>,
    RawDataPathOptions {}

/** Options of {@link ContentAddressedStore.saveData}. */
export interface SaveDataOptions extends CallOptions, RawDataPathOptions {}

/** A content saved outside a task. */
export interface SavedBlob extends StoredContent {
  /** The session that keeps it, until `release(session)`. */
  session: SessionId;
}

/** A content saved as a plain object outside a task. */
export interface SavedData extends SavedBlob, StoredPlain {
  /** Where any tool opens it. */
  uri: string;
}

/** What can be saved: bytes in memory, or a stream of any length. */
export type Blob = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Keeps contents under the BLAKE3 digest of their bytes, each once. What is saved here directly belongs to a session of its own
 * and is kept until `release(session)`; task code saves artifacts instead, which belong to their attempt.
 */
export class ContentAddressedStore implements AsyncDisposable {
  readonly #storage: DataStoreStorage;
  readonly #storeFile: StoreFile;
  readonly #places: Places;
  readonly #content: ContentPlaces;
  /** @internal */
  readonly reader: ContentReader;
  /**
   * Where content goes unless something narrower says otherwise.
   *
   * @internal
   */
  readonly rawDataPath: string | undefined;

  constructor(opened: DataStoreStorage, options: ContentStoreOptions = {}, around: PlaceSettings = {}) {
    const compression = options.compression ?? 'auto';
    checkCompression(compression);
    if (options.verifyHits !== undefined && typeof options.verifyHits !== 'boolean') {
      throw invalidArgument('The option verifyHits must be true or false.');
    }
    if (options.openPlace !== undefined && typeof options.openPlace !== 'function') {
      throw invalidArgument('The option openPlace must be a function that opens a storage by its address.');
    }
    this.rawDataPath = checkRawDataPath(options.rawDataPath);
    this.#storeFile = new StoreFile(opened, checkLostIdentity(options.lostIdentity));
    const storage = new StandingStorage(opened, this.#storeFile);
    this.#storage = storage;
    const { openPlace: open } = options;
    this.#places = new Places(storage, this.#storeFile, { ...around, open, rawDataPath: this.rawDataPath });
    this.reader = new ContentReader(storage, HERE, async (place, callOptions) => {
      return (await this.#content.at(place, callOptions)).reader;
    });
    const settings = { compression, verifyHits: options.verifyHits ?? false };
    const log = new CollectionLog(storage);
    const shared = sharedWriterState({ place: HERE, storage }, log, this.reader, settings);
    this.#content = new ContentPlaces({ storage, reader: this.reader, shared }, this.#places);
  }

  get storage(): DataStoreStorage {
    return this.#storage;
  }

  /**
   * Has contents that are loaded whole looked for in a cache first, and offered to it after they were read from the store; streams
   * and ranges pass it by. The caller closes the cache. `undefined` takes it away.
   *
   * @throws StowageError `INVALID_ARGUMENT` for anything else.
   */
  setBlobCache(cache: ByteCache | undefined): void {
    this.reader.useCache(cache === undefined ? undefined : new GuardedCache(cache));
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
   * The writer of the store itself, for a session that is open.
   *
   * @internal
   */
  writer(session: WriterSession): ContentWriter {
    return this.#content.writerHere(session);
  }

  /**
   * The writers of a session that is open, for every place.
   *
   * @internal
   */
  writers(session: WriterSession): SessionWriters {
    return this.#content.writers(session);
  }

  /**
   * The id of the place at an address, registered in the store and marked at the place; `''` for the store itself.
   *
   * @internal
   */
  registerPlace(rawDataPath: string, options: CallOptions): Promise<string> {
    return this.#places.register(rawDataPath, options);
  }

  /**
   * Makes sure that content may go to an address that a record names.
   *
   * @internal
   * @throws StowageError `PLACE_NOT_TRUSTED`
   */
  checkNamedPlace(uri: string): Promise<void> {
    return this.#places.checkNamed(uri);
  }

  /**
   * A place that a record names.
   *
   * @internal
   */
  place(id: string, options: CallOptions): Promise<PlaceInfo> {
    return this.#places.find(id, options);
  }

  /**
   * Reads what lies at a place; at the store itself without one.
   *
   * @internal
   */
  async readerAt(place: string = HERE, options: CallOptions = {}): Promise<ContentReader> {
    return (await this.#content.at(place, options)).reader;
  }

  /**
   * A place as those see it who look whether contents are there.
   *
   * @internal
   */
  contentAt(place: string, options: CallOptions): Promise<PlacedContent> {
    return this.#content.at(place, options);
  }

  /**
   * Saves contents; resolves to where each lies, in order. All belong to one session, which keeps them until
   * {@link release}. Bytes and streams may be mixed.
   *
   * @throws StowageError `INVALID_ARGUMENT` for anything but bytes; nothing of the call is kept then.
   */
  async saveBlobs(
    blobs: Iterable<Blob> | AsyncIterable<Blob>,
    options: SaveBlobsOptions = {},
  ): Promise<SavedBlob[]> {
    checkOptionNames(options, 'saveBlobs', ['compression', 'elementBytes', 'rawDataPath']);
    const { signal, rawDataPath: _, ...storeOptions } = options;
    if (storeOptions.compression !== undefined) checkCompression(storeOptions.compression);
    const items = itemsOf(blobs, { signal });
    return this.#loose(options, async (writer) => {
      const saved: StoredContent[] = [];
      for await (const blob of items) {
        if (blob instanceof Uint8Array) {
          const input: ContentInput = { ...storeOptions, bytes: blob };
          saved.push(...(await writer.saveAll([input], { signal })));
        } else {
          saved.push(await writer.saveStream(checkStream(blob), { ...storeOptions, signal }));
        }
      }
      return saved;
    });
  }

  /**
   * Saves contents as plain objects, which any tool opens at their URI. Belong to one session, which keeps them until {@link release}.
   *
   * @throws StowageError `INVALID_NAME` for a file name that cannot be used; `INVALID_ARGUMENT` for anything but bytes.
   */
  async saveData(
    files: Iterable<{ name: string; data: Blob }>,
    options: SaveDataOptions = {},
  ): Promise<SavedData[]> {
    checkOptionNames(options, 'saveData', ['rawDataPath']);
    const { signal } = options;
    const items = itemsOf(files, { signal });
    const saved = await this.#loose(options, async (writer) => {
      const stored: StoredPlain[] = [];
      for await (const item of items) {
        const { name, data } = checkFile(item);
        const source = data instanceof Uint8Array ? data : checkStream(data);
        stored.push(await writer.savePlain(name, source, { signal }));
      }
      return stored;
    });
    const withUri = async (content: StoredPlain & { session: SessionId }): Promise<SavedData> => {
      const { storage } = await this.#content.at(content.place ?? HERE, { signal });
      return { ...content, uri: storage.uri(content.plain) };
    };
    return Promise.all(saved.map(withUri));
  }

  /**
   * Loads contents, one after the other, verified: by what saving them returned, or by their keys alone, which finds what lies in
   * the store itself, not what a `rawDataPath` sent elsewhere.
   */
  async *loadBlobs(
    keys: Iterable<ContentKey | ContentAddress> | AsyncIterable<ContentKey | ContentAddress>,
    options: CallOptions = {},
  ): AsyncGenerator<{ key: ContentKey; blob: Uint8Array }> {
    checkOptionNames(options, 'loadBlobs');
    await this.prepareToRead(options);
    for await (const item of itemsOf(keys, options)) {
      const address = addressOf(item);
      yield { key: address.key, blob: await this.reader.load(address, options) };
    }
  }

  /** Reads one content, or a part of it, piece by piece, verified; memory stays bounded however long it is. */
  async *streamBlob(key: ContentKey | ContentAddress, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    checkOptionNames(options, 'streamBlob', ['range']);
    await this.prepareToRead(options);
    yield* this.reader.stream(addressOf(key), options);
  }

  /**
   * Gives up what a session of {@link saveBlobs} or {@link saveData} keeps. Content that nothing else refers to
   * goes with the next collection; until then it can still be read. Idempotent.
   *
   * @throws StowageError `SESSION_NOT_FOUND`
   */
  async release(session: SessionId, options: CallOptions = {}): Promise<void> {
    checkOptionNames(options, 'release');
    if (!isSessionId(session)) {
      throw invalidArgument(
        `${JSON.stringify(session)} is no session; pass the session that the save returned.`,
      );
    }
    await this.prepareToRead(options);
    await releaseLooseSession(this.#storage, session, options);
  }

  /**
   * The other places that hold content of this store (`rawDataPath`): one LIST, and one GET each. One whose record cannot be read is
   * listed with its `problem`.
   */
  async places(options: CallOptions = {}): Promise<ListedPlace[]> {
    checkOptionNames(options, 'places');
    await this.prepareToRead(options);
    return this.#places.list(options);
  }

  /**
   * Ends saves of large contents with `STORAGE_CLOSED`, and resolves when they have removed what nothing names: for whoever is
   * about to close the store's storage.
   *
   * @internal
   */
  async endSaves(): Promise<void> {
    await this.#content.endSaves();
  }

  /** Closes the storages of other places that were opened; the store's own belongs to whoever opened it. */
  async close(): Promise<void> {
    await this.#content.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs `save` under a session of its own: nothing is visible of it unless all of it was saved. */
  async #loose<T extends StoredContent>(
    { signal, ...where }: CallOptions & RawDataPathOptions,
    save: (writer: ContentWriter) => Promise<T[]>,
  ): Promise<(T & { session: SessionId })[]> {
    const options = { signal };
    const rawDataPath = checkRawDataPath(where.rawDataPath) ?? this.rawDataPath;
    await this.prepareToWrite(options);
    const loose = await openLooseSession(this.#storage, new WriterSession(this.#storage), options);
    const writers = this.writers(loose.session);
    try {
      const saved = await save(await writers.to(rawDataPath, options));
      await writers.persistElsewhere(options);
      await loose.done(saved, options);
      return saved.map((content) => ({ ...content, session: loose.session.id }));
    } catch (error) {
      await loose.fail(error);
      throw error;
    }
  }
}

function checkFile(item: unknown): { name: string; data: Blob } {
  if (typeof item === 'object' && item !== null && 'name' in item && 'data' in item) {
    return item as { name: string; data: Blob };
  }
  throw invalidArgument("Files are saved as a list of { name: 'report.html', data: bytes }.");
}

function addressOf(content: unknown): ContentAddress {
  if (isContentKey(content)) return { key: content };
  const isAddress = typeof content === 'object' && content !== null && 'key' in content;
  if (isAddress && isContentKey(content.key)) return content as ContentAddress;
  throw invalidArgument(
    `${JSON.stringify(isAddress ? content.key : content)} is no key; a key is 64 hexadecimal digits.`,
  );
}

/** Asynchronous ones end when they are aborted, even while they wait for the next item. */
function itemsOf<T>(
  items: Iterable<T> | AsyncIterable<T>,
  options: CallOptions,
): Iterable<T> | AsyncIterable<T> {
  const isObject = typeof items === 'object' && items !== null;
  if (isObject && Symbol.asyncIterator in items) return untilAborted(items, options);
  if (isObject && Symbol.iterator in items) return takeOnce(items);
  throw invalidArgument(
    'Contents are saved as a list: pass an array, or an iterable, of what is to be saved.',
  );
}

function checkStream(value: unknown): AsyncIterable<Uint8Array> {
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) {
    return value as AsyncIterable<Uint8Array>;
  }
  ensureBytes(value);
  throw new TypeError('unreachable: bytes are not a stream');
}
