import {
  countPieces,
  meterOf,
  type ProgressOptions,
  type WorkCount,
  withProgress,
} from './async/progress.ts';
import { checkCompression } from './codec/payload.ts';
import type { ByteCache } from './content/caches/byte-cache.ts';
import { GuardedCache } from './content/caches/guarded-cache.ts';
import { ContentStore } from './content/content-store.ts';
import { tellingErased } from './content/erased-content.ts';
import type { ListedPlace } from './content/places/places.ts';
import { checkRawDataPath, type RawDataPathOptions } from './content/places/raw-data-path.ts';
import { bytesIn, READ_OPTIONS, type ReadOptions } from './content/reading/content-reader.ts';
import { loadMany } from './content/reading/load-many.ts';
import type { StoreOptions } from './content/writing/large-content.ts';
import type { StoredPlain } from './content/writing/plain-writer.ts';
import { invalidArgument } from './errors.ts';
import { type ContentKey, isContentKey } from './format/content-names.ts';
import { HERE } from './format/content-ref.ts';
import { isSessionId, type SessionId } from './format/session-id.ts';
import type { ContentAddress, StoredContent } from './format/stored-content.ts';
import { checkOptionNames } from './options/option-names.ts';
import { ANYTHING, checkOptions, PROGRESS_OPTIONS } from './options/option-table.ts';
import { saveMany } from './sessions/save-many.ts';
import type { Session } from './sessions/session.ts';
import { releaseSession, StandaloneSession } from './sessions/standalone-session.ts';
import type { CallOptions } from './storage/contract.ts';
import { ensureStream } from './streams/chunk-stream.ts';
import { takeOnce } from './streams/read-once.ts';
import { untilAborted } from './streams/stream-head.ts';
import { webStream } from './streams/web-stream.ts';

/** Options of {@link ContentAddressedStore.saveBlobs}. */
export interface SaveBlobsOptions
  extends Pick<StoreOptions, 'signal' | 'compression' | 'elementBytes'>,
    RawDataPathOptions,
    ProgressOptions {}

/** Options of {@link ContentAddressedStore.saveData}. */
export interface SaveDataOptions extends CallOptions, RawDataPathOptions, ProgressOptions {}

const PLACE = { rawDataPath: ANYTHING, ...PROGRESS_OPTIONS };

/** A content saved outside a task. */
export interface SavedBlob extends StoredContent {
  /** The session that keeps it, until `release(session)`. */
  session: SessionId;
}

/** A content saved as a plain object outside a task. */
export interface SavedData extends SavedBlob, StoredPlain {
  /** The address at which any tool opens it. */
  uri: string;
}

/** Content that can be saved: bytes in memory, or a stream of any length. */
export type Blob = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Keeps contents under the BLAKE3 digest of their bytes, each once. What is saved here directly belongs to a session of its own
 * and is kept until `release(session)`; task code saves artifacts instead, which belong to their attempt.
 */
export class ContentAddressedStore extends ContentStore implements AsyncDisposable {
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
   * Saves contents; resolves to where each lies, in order. All belong to one session, which keeps them until
   * {@link release}. Bytes and streams may be mixed. They are taken ahead, up to 16 MiB or 1,000 of them, and saved side by side.
   *
   * The first failure ends the rest; nothing of the call is kept then. An error of Stowage tells the content, by its place in the list
   * from 0, as `details.index`.
   *
   * @throws StowageError `INVALID_ARGUMENT` for anything but bytes
   */
  async saveBlobs(
    blobs: Iterable<Blob> | AsyncIterable<Blob>,
    options: SaveBlobsOptions = {},
  ): Promise<SavedBlob[]> {
    checkOptions<SaveBlobsOptions>(options, 'saveBlobs', {
      ...PLACE,
      compression: ANYTHING,
      elementBytes: ANYTHING,
    });
    const { rawDataPath, signal, onProgress, ...storeOptions } = options;
    if (storeOptions.compression !== undefined) checkCompression(storeOptions.compression);
    const address = checkRawDataPath(rawDataPath) ?? this.rawDataPath;
    return withProgress(onProgress, 'saveBlobs', (progress) => {
      progress?.expect(workOf(blobs, lengthOf));
      return this.saving({ signal }, async (own) => {
        const items = itemsOf(blobs, own);
        await this.prepareToWrite(own);
        const place = await this.locate(address, own);
        const { session, saved } = await saveMany(this, items, { ...storeOptions, ...own, progress, place });
        return saved.map((content) => ({ ...content, session: session as SessionId }));
      });
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
    checkOptions<SaveDataOptions>(options, 'saveData', PLACE);
    const { signal, onProgress } = options;
    const items = itemsOf(files, { signal });
    const saved = await withProgress(onProgress, 'saveData', (progress) => {
      progress?.expect(workOf(files, (file) => lengthOf(file?.data)));
      return this.#underOwnSession(options, async (session, place) => {
        const stored: StoredPlain[] = [];
        for await (const item of items) {
          const { name, data } = checkFile(item);
          if (!(data instanceof Uint8Array)) ensureStream(data);
          stored.push(await session.putPlain(name, data, { place, signal, progress }));
        }
        return stored;
      });
    });
    const withUri = async (content: StoredPlain & { session: SessionId }): Promise<SavedData> => {
      const { storage } = await this.at(content.place ?? HERE, { signal });
      return { ...content, uri: storage.uri(content.plain) };
    };
    return Promise.all(saved.map(withUri));
  }

  /**
   * Loads contents, verified, and yields them in order: by what saving them returned, or by their keys alone, which finds what lies in
   * the store itself, not what a `rawDataPath` sent elsewhere. Keys are taken ahead, and loaded side by side: up to 32, and 32 MiB of
   * content. A failure is thrown in its turn.
   */
  async *loadBlobs(
    keys: Iterable<ContentKey | ContentAddress> | AsyncIterable<ContentKey | ContentAddress>,
    options: CallOptions & ProgressOptions = {},
  ): AsyncGenerator<{ key: ContentKey; blob: Uint8Array }> {
    checkOptions<ProgressOptions>(options, 'loadBlobs', PROGRESS_OPTIONS);
    const { signal, onProgress } = options;
    const progress = meterOf(onProgress, 'loadBlobs');
    progress?.expect(workOf(keys, (key) => (typeof key === 'object' ? key?.bytes : undefined)));
    try {
      await this.prepareToRead({ signal });
      const loaded = loadMany(this.reader, (own) => addressesOf(keys, own), { signal, progress });
      yield* tellingErased(this.storage, loaded, { signal });
      progress?.succeed();
    } finally {
      progress?.stop();
    }
  }

  /** Reads one content, or a part of it, piece by piece, verified; memory stays bounded however long it is. */
  async *streamBlob(
    key: ContentKey | ContentAddress,
    options: ReadOptions & ProgressOptions = {},
  ): AsyncGenerator<Uint8Array> {
    checkOptions<ReadOptions & ProgressOptions>(options, 'streamBlob', READ_OPTIONS);
    yield* this.#pieces('streamBlob', addressOf(key), options);
  }

  /**
   * Opens one content as a web stream of bytes, whole or a range of it: for `Response`, `pipeTo`, BYOB readers, `Readable.fromWeb`. It
   * reads as it is asked, and nothing before; each piece is verified before it is given. Cancelling it, or aborting `signal`, ends the
   * reading.
   *
   * The stream fails with what {@link streamBlob} throws.
   *
   * @throws StowageError `INVALID_ARGUMENT`
   */
  open(
    key: ContentKey | ContentAddress,
    options: ReadOptions & ProgressOptions = {},
  ): ReadableStream<Uint8Array> {
    checkOptions<ReadOptions & ProgressOptions>(options, 'open', READ_OPTIONS);
    const address = addressOf(key);
    return webStream(({ signal }) => this.#pieces('open', address, { ...options, signal }), options);
  }

  async *#pieces(
    call: string,
    address: ContentAddress,
    { range, signal, onProgress }: ReadOptions & ProgressOptions,
  ): AsyncGenerator<Uint8Array> {
    await this.prepareToRead({ signal });
    const pieces = tellingErased(this.storage, this.reader.stream(address, { range, signal }), { signal });
    yield* onProgress ? countPieces(pieces, onProgress, call, bytesIn(address, range)) : pieces;
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
    await releaseSession(this.storage, session, options);
  }

  /**
   * The other places that hold content of this store (`rawDataPath`): one LIST, and one GET each. One whose record cannot be read is
   * listed with its `problem`.
   */
  async places(options: CallOptions = {}): Promise<ListedPlace[]> {
    checkOptionNames(options, 'places');
    await this.prepareToRead(options);
    return this.otherPlaces.list(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs `save` under a session of its own: nothing is visible of it unless all of it was saved. */
  async #underOwnSession<T extends StoredContent>(
    { signal, ...where }: CallOptions & RawDataPathOptions,
    save: (session: Session, place: string) => Promise<T[]>,
  ): Promise<(T & { session: SessionId })[]> {
    const options = { signal };
    const rawDataPath = checkRawDataPath(where.rawDataPath) ?? this.rawDataPath;
    await this.prepareToWrite(options);
    const standalone = await StandaloneSession.open(this, options);
    const { session } = standalone;
    try {
      const saved = await save(session, await session.locate(rawDataPath, options));
      await standalone.done(saved, options);
      return saved.map((content) => ({ ...content, session: session.id }));
    } catch (error) {
      await standalone.fail(error);
      throw error;
    }
  }
}

/** The work of a list whose length is known; a sequence may have no end. */
function workOf<T>(
  items: Iterable<T> | AsyncIterable<T>,
  bytesOf: (item: T) => number | undefined,
): WorkCount {
  if (!Array.isArray(items)) return {};
  const bytes = items.map(bytesOf).reduce((sum, length) => (sum ?? Number.NaN) + (length ?? Number.NaN), 0);
  return { items: items.length, bytes: Number.isNaN(bytes) ? undefined : bytes };
}

function lengthOf(blob: Blob | undefined): number | undefined {
  return blob instanceof Uint8Array ? blob.length : undefined;
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

async function* addressesOf(
  items: Iterable<ContentKey | ContentAddress> | AsyncIterable<ContentKey | ContentAddress>,
  options: CallOptions,
): AsyncGenerator<ContentAddress> {
  for await (const item of itemsOf(items, options)) yield addressOf(item);
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
