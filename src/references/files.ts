import { basename, resolve } from 'node:path';
import { inTurn } from '../async/open-files.ts';
import { type ProgressOptions, type WorkCounter, withProgress } from '../async/progress.ts';
import { type Compression, checkCompression } from '../codec/payload.ts';
import { checkRawDataPath, type RawDataPathOptions } from '../content/places/raw-data-path.ts';
import { createHasher } from '../digest/blake3.ts';
import { throwIfAborted } from '../errors.ts';
import type { ContentKey } from '../format/content-names.ts';
import { HERE } from '../format/content-ref.ts';
import type { StoredContent } from '../format/stored-content.ts';
import {
  ANYTHING,
  checkOptions,
  FLAG,
  type OptionTable,
  PROGRESS_OPTIONS,
  TEXT,
} from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { ensureBytes, ensureStream } from '../streams/chunk-stream.ts';
import { untilAborted } from '../streams/stream-head.ts';
import { notFound } from './errors.ts';
import type { FileKeeper, Keeping } from './file-keeper.ts';
import { FileRef, sourceAt } from './file-ref.ts';
import { FileWriter } from './file-writer.ts';
import { checkGivenDigest, digestGiven, type GivenDigest } from './given-digest.ts';
import { KnownFile } from './known-file.ts';
import { LocalFile } from './local-file.ts';
import { fileUri, localPath, nameInUri } from './uris.ts';

/** Options of a reference to a file. */
export interface ReferenceOptions extends CallOptions {
  /** The name of the file. Default: that at the end of its path or address. */
  name?: string | undefined;
  /** Default: none is told. */
  mediaType?: string | undefined;
  /** The digest by which it counts in cache keys. Default: that of its content, or of its address where that lies outside of the store. */
  digest?: GivenDigest | undefined;
}

/** Options of saving a file. */
export interface SaveFileOptions extends ReferenceOptions, RawDataPathOptions, ProgressOptions {
  /**
   * `true` keeps it as one object, as it is, which other programs open at its address ({@link FileRef.address}). Default `false`: in
   * chunks, so that what files have in common is stored once.
   */
  plain?: boolean | undefined;
  /** The compression of its content, unless it is plain. Default: the store's setting. */
  compression?: Compression | undefined;
}

/** Content of a file: bytes, text, which is kept as UTF-8, or a stream of bytes. */
export type FileData = Uint8Array | string | AsyncIterable<Uint8Array>;

const REFERENCE_OPTIONS: OptionTable<ReferenceOptions> = {
  name: ANYTHING,
  mediaType: TEXT,
  digest: ANYTHING,
};
const SAVE_OPTIONS: OptionTable<SaveFileOptions> = {
  ...REFERENCE_OPTIONS,
  ...PROGRESS_OPTIONS,
  rawDataPath: ANYTHING,
  plain: FLAG,
  compression: ANYTHING,
};

/** A file that is stored, and the digest that was given for it. */
interface SavedFile {
  stored: StoredContent;
  place: string;
  digest: string | undefined;
}

/** Makes references to files. Outside a task what is saved is kept until its session is released; in a task as long as artifacts refer to it. */
export class Files {
  readonly #keeper: FileKeeper;

  /** @internal */
  constructor(keeper: FileKeeper) {
    this.#keeper = keeper;
  }

  /**
   * Saves a file of this machine, which is named by its path or a `file:` URL: it is read for its digest, and once more where nothing is stored of that
   * digest. One that is as this process has read it before is not read again, nor is one of 16 MiB that another process of this user has read
   * (`STOWAGE_FILE_INDEX`); on file systems of other machines each is read each time. What is stored is never a mixture of two states of the file.
   *
   * @throws StowageError `REFERENCE_NOT_FOUND`, `REFERENCE_UNREADABLE` for what is no file or may not be read, `REFERENCE_CHANGED` where it
   * is written to meanwhile; `INVALID_NAME`, `INVALID_ARGUMENT`; in a task `ATTEMPT_CLOSED`
   */
  async fromLocal(path: string | URL, options: SaveFileOptions = {}): Promise<FileRef> {
    const local = localPath(path, 'files.fromLocal takes a file');
    checkSaveOptions(options, 'files.fromLocal');
    const name = checkFileName(options.name ?? basename(local));
    const file = new LocalFile(local);
    return this.#save('files.fromLocal', name, options, async (keeping, progress) => {
      const { session, place, signal, guard } = keeping;
      const readAtMs = Date.now();
      const state = await file.state();
      progress?.expect({ bytes: Number(state.size), items: 1 });
      const read = (): AsyncIterable<Uint8Array> =>
        guard(inTurn(() => file.readAs(state, { signal }), signal));
      const digest = await digestGiven(options.digest, () => file.readAs(state, { signal }));
      const known = new KnownFile(resolve(local), state, this.#keeper.store);
      const before = await known.key({ signal });
      const key = before ?? (options.plain ? await keyOf(read()) : undefined);
      const sought = { bytes: Number(state.size), place, ...(options.plain && { plain: true }) };
      const [found] = key === undefined ? [] : await session.rely([{ key, ...sought }], { signal });
      if (found) {
        progress?.add(found.bytes);
        progress?.itemDone();
      }
      const stored =
        found ??
        (options.plain
          ? await session.putPlain(name, read(), { place, signal, progress })
          : await session.putStream(read(), { ...keepingOptions(keeping, options, progress), again: read }));
      if (before === undefined) await known.remember(stored.key, readAtMs, { signal });
      return { stored, place, digest };
    });
  }

  /** Saves bytes, a text or a stream as a file of that name. Throws as {@link fromLocal}, and what the stream throws. */
  async fromData(
    name: string,
    data: FileData,
    options: Omit<SaveFileOptions, 'name'> = {},
  ): Promise<FileRef> {
    checkSaveOptions(options, 'files.fromData');
    checkFileName(name);
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (!(bytes instanceof Uint8Array)) ensureStream(bytes);
    return this.#save('files.fromData', name, options, async (keeping, progress) => {
      const source = keeping.guard(bytes instanceof Uint8Array ? once(bytes) : untilAborted(bytes, keeping));
      if (bytes instanceof Uint8Array) progress?.expect({ bytes: bytes.length, items: 1 });
      const { session, place, signal } = keeping;
      const stored = options.plain
        ? await session.putPlain(name, source, { place, signal, progress })
        : await session.putStream(source, keepingOptions(keeping, options, progress));
      const read = (): AsyncGenerator<Uint8Array> => this.#keeper.store.reader.stream(stored, { signal });
      return { stored, place, digest: await digestGiven(options.digest, read) };
    });
  }

  /**
   * Begins a file that is written piece by piece, and is referenced once it is closed: until then nothing of it can be seen, and a file that
   * is aborted leaves nothing.
   *
   * @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT`
   */
  create(name: string, options: Omit<SaveFileOptions, 'name'> = {}): FileWriter {
    checkSaveOptions(options, 'files.create');
    checkFileName(name);
    return new FileWriter(name, (pieces) => this.fromData(name, pieces, options));
  }

  /**
   * References a file outside of the store as it is there now, by a look at it: `http:`, `https:`, a path of this machine, or a scheme
   * that `openStorage` knows. Nothing of it is copied. Reading another file than was seen is `REFERENCE_CHANGED`, as far as
   * length, ETag or time tell. It counts by its address, unless a digest is given.
   *
   * @throws StowageError `REFERENCE_NOT_FOUND`, `REFERENCE_UNREADABLE`, `INVALID_ARGUMENT`, `INVALID_NAME`, and what its storage throws
   */
  async existing(address: string | URL, options: ReferenceOptions = {}): Promise<FileRef> {
    return this.#referTo(address, options, 'files.existing', true);
  }

  /**
   * References what is, or will be, at an address, as {@link existing} does, without a look at it; of a digest that is a function it is
   * read at once.
   *
   * @throws StowageError as {@link existing}
   */
  async remote(address: string | URL, options: ReferenceOptions = {}): Promise<FileRef> {
    return this.#referTo(address, options, 'files.remote', false);
  }

  async #referTo(
    address: string | URL,
    options: ReferenceOptions,
    call: string,
    isSought: boolean,
  ): Promise<FileRef> {
    checkOptions<ReferenceOptions>(options, call, REFERENCE_OPTIONS);
    checkGivenDigest(options.digest);
    const { signal, mediaType, digest: given } = options;
    throwIfAborted(signal);
    const uri = fileUri(address);
    const name = checkFileName(options.name ?? nameInUri(uri));
    const { store } = this.#keeper;
    // Whose bytes make the digest is the file that is read later, or none.
    const isSeen = isSought || typeof given === 'function';
    const seen = isSeen ? await (await sourceAt(uri, store, true)).look({ signal }) : undefined;
    if (isSeen && !seen) throw notFound(uri);
    const read = async function* (): AsyncGenerator<Uint8Array> {
      yield* (await sourceAt(uri, store, true, seen)).read({ signal });
    };
    const digest = await digestGiven(given, read);
    return new FileRef({ name, mediaType, digest, seen, uri }, { store, isNamed: true });
  }

  async #save(
    call: string,
    name: string,
    options: SaveFileOptions,
    save: (keeping: Keeping, progress: WorkCounter | undefined) => Promise<SavedFile>,
  ): Promise<FileRef> {
    const { signal, onProgress, mediaType, rawDataPath } = options;
    return withProgress(onProgress, call, async (progress) => {
      const { result, session } = await this.#keeper.keep({ signal, rawDataPath }, async (keeping) => {
        const saved = await save(keeping, progress);
        return { result: saved, contents: [saved.stored] };
      });
      const { stored, digest } = result;
      const { key, bytes, place = HERE } = stored;
      const origin = { store: this.#keeper.store, place: place === HERE ? undefined : place, session };
      return new FileRef({ name, mediaType, digest, seen: { size: bytes }, content: key }, origin);
    });
  }
}

async function keyOf(pieces: AsyncIterable<Uint8Array>): Promise<ContentKey> {
  const hasher = createHasher();
  for await (const piece of pieces) hasher.update(piece);
  return hasher.digestHex();
}

function keepingOptions(
  { place, signal }: Keeping,
  { compression }: SaveFileOptions,
  progress: WorkCounter | undefined,
): Parameters<Keeping['session']['putStream']>[1] {
  return { place, signal, progress, ...(compression === undefined ? {} : { compression }) };
}

function checkSaveOptions(options: SaveFileOptions, call: string): void {
  checkOptions<SaveFileOptions>(options, call, SAVE_OPTIONS);
  const { compression, rawDataPath, digest } = options;
  if (compression !== undefined) checkCompression(compression);
  checkRawDataPath(rawDataPath);
  checkGivenDigest(digest);
}

function checkFileName(name: unknown): string {
  return validateUserName(name, 'file name');
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  ensureBytes(bytes);
  yield bytes;
}
