import { type Compression, checkCompression } from '../codec/payload.ts';
import { StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { checkOptionNames } from '../storage/option-names.ts';
import type { ByteCache } from './byte-cache.ts';
import { ensureBytes } from './chunk-stream.ts';
import { CollectionLog } from './collection-log.ts';
import { ContentReader, type ReadOptions } from './content-reader.ts';
import { type ContentInput, ContentWriter, type StoredPlain } from './content-writer.ts';
import { GuardedCache } from './guarded-cache.ts';
import type { StoreOptions } from './large-content.ts';
import { openLooseSession, releaseLooseSession } from './loose-session.ts';
import { type ContentKey, isContentKey } from './object-names.ts';
import { WriterSession } from './session.ts';
import { isSessionId, type SessionId } from './session-id.ts';
import { StoreFile } from './store-file.ts';
import type { ContentAddress, StoredContent } from './stored-content.ts';
import { untilAborted } from './stream-head.ts';
import { type SharedWriterState, sharedWriterState, WriterContext } from './writer-context.ts';

/** How a store keeps content. */
export interface ContentStoreOptions {
  /** How content is compressed unless a call says otherwise. Default `auto`: zstd where a sample shrinks by 5 %, raw elsewhere. */
  compression?: Compression | undefined;
  /** Whether a deduplication hit is read and verified in full, rather than looked at. Default `false`. */
  verifyHits?: boolean | undefined;
}

/** Options of {@link ContentAddressedStore.saveBlobs}. */
export type SaveBlobsOptions = Pick<StoreOptions, 'signal' | 'compression' | 'elementBytes'>;

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
export class ContentAddressedStore {
  readonly #storage: DataStoreStorage;
  readonly #shared: SharedWriterState;
  readonly #storeFile: StoreFile;
  /** @internal */
  readonly reader: ContentReader;

  constructor(storage: DataStoreStorage, options: ContentStoreOptions = {}) {
    const compression = options.compression ?? 'auto';
    checkCompression(compression);
    if (options.verifyHits !== undefined && typeof options.verifyHits !== 'boolean') {
      throw new StowageError('INVALID_ARGUMENT', 'The option verifyHits must be true or false.');
    }
    this.#storage = storage;
    this.#storeFile = new StoreFile(storage);
    this.reader = new ContentReader(storage);
    this.#shared = sharedWriterState(storage, new CollectionLog(storage), this.reader, {
      compression,
      verifyHits: options.verifyHits ?? false,
    });
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
   * A writer for a session that is open.
   *
   * @internal
   */
  writer(session: WriterSession): ContentWriter {
    return new ContentWriter(new WriterContext(this.#shared, session));
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
    checkOptionNames(options, 'saveBlobs', ['compression', 'elementBytes']);
    const { signal, ...storeOptions } = options;
    if (storeOptions.compression !== undefined) checkCompression(storeOptions.compression);
    const items = itemsOf(blobs, { signal });
    return this.#loose(options, async (writer) => {
      const saved: StoredContent[] = [];
      for await (const blob of items) {
        if (blob instanceof Uint8Array) {
          const input: ContentInput = { ...storeOptions, bytes: blob };
          saved.push(...(await writer.saveAll([input], { signal })));
        } else {
          saved.push(await writer.saveStream(checkStream(blob), options));
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
    options: CallOptions = {},
  ): Promise<SavedData[]> {
    checkOptionNames(options, 'saveData');
    const items = itemsOf(files, { signal: options.signal });
    const saved = await this.#loose(options, async (writer) => {
      const stored: StoredPlain[] = [];
      for await (const item of items) {
        const { name, data } = checkFile(item);
        const source = data instanceof Uint8Array ? data : checkStream(data);
        stored.push(await writer.savePlain(name, source, options));
      }
      return stored;
    });
    return saved.map((content) => ({ ...content, uri: this.#storage.uri(content.plain) }));
  }

  /** Loads contents by their keys, one after the other, verified. */
  async *loadBlobs(
    keys: Iterable<ContentKey> | AsyncIterable<ContentKey>,
    options: CallOptions = {},
  ): AsyncGenerator<{ key: ContentKey; blob: Uint8Array }> {
    checkOptionNames(options, 'loadBlobs');
    await this.prepareToRead(options);
    for await (const key of itemsOf(keys, options))
      yield { key, blob: await this.reader.load(addressOf(key), options) };
  }

  /** Reads one content, or a part of it, piece by piece, verified; memory stays bounded however long it is. */
  async *streamBlob(key: ContentKey | ContentAddress, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    checkOptionNames(options, 'streamBlob', ['range']);
    await this.prepareToRead(options);
    yield* this.reader.stream(typeof key === 'string' ? addressOf(key) : key, options);
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
      throw new StowageError(
        'INVALID_ARGUMENT',
        `${JSON.stringify(session)} is no session; pass the session that the save returned.`,
      );
    }
    await this.prepareToRead(options);
    await releaseLooseSession(this.#storage, session, options);
  }

  /** Runs `save` under a session of its own: nothing is visible of it unless all of it was saved. */
  async #loose<T extends StoredContent>(
    options: CallOptions,
    save: (writer: ContentWriter) => Promise<T[]>,
  ): Promise<(T & { session: SessionId })[]> {
    await this.prepareToWrite(options);
    const loose = await openLooseSession(this.#storage, new WriterSession(this.#storage), options);
    try {
      const saved = await save(this.writer(loose.session));
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
  throw new StowageError(
    'INVALID_ARGUMENT',
    "Files are saved as a list of { name: 'report.html', data: bytes }.",
  );
}

function addressOf(key: unknown): ContentAddress {
  if (isContentKey(key)) return { key };
  throw new StowageError(
    'INVALID_ARGUMENT',
    `${JSON.stringify(key)} is no key; a key is 64 hexadecimal digits.`,
  );
}

/** Asynchronous ones end when they are aborted, even while they wait for the next item. */
function itemsOf<T>(
  items: Iterable<T> | AsyncIterable<T>,
  options: CallOptions,
): Iterable<T> | AsyncIterable<T> {
  const isObject = typeof items === 'object' && items !== null;
  if (isObject && Symbol.asyncIterator in items) return untilAborted(items, options);
  if (isObject && Symbol.iterator in items) return items;
  throw new StowageError(
    'INVALID_ARGUMENT',
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
