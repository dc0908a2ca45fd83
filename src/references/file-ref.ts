import { Blob, constants } from 'node:buffer';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { countPieces, type ProgressOptions } from '../async/progress.ts';
import type { ContentStore } from '../content/content-store.ts';
import { ContentPresence } from '../content/reading/presence.ts';
import { digestHex } from '../digest/blake3.ts';
import { invalidArgument, messageOf, StowageError } from '../errors.ts';
import type { ContentKey } from '../format/content-names.ts';
import { type ContentRef, HERE } from '../format/content-ref.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { SessionId } from '../format/session-id.ts';
import {
  checkOptions,
  type OptionTable,
  PROGRESS_OPTIONS,
  RANGE,
  wholeNumber,
} from '../options/option-table.ts';
import type { ByteRange, CallOptions } from '../storage/contract.ts';
import { webStream } from '../streams/web-stream.ts';
import { CACHE_DIGEST } from '../values/cache-digest.ts';
import { REFERENCE, type ReferenceForm } from '../values/reference.ts';
import { type DownloadOptions, downloadFile } from './download.ts';
import { tooLarge } from './errors.ts';
import type { FileReadOptions, FileSource, SeenFile } from './file-source.ts';
import { HttpFile } from './http-file.ts';
import { LocalFile } from './local-file.ts';
import { plainUriOf } from './plain-uri.ts';
import { StorageFile } from './storage-file.ts';

/** What a reference to a file says of it. */
export interface FileFacts {
  name: string;
  mediaType?: string | undefined;
  /** The digest that the user gave for it. Default: that of its content, or of its address. */
  digest?: string | undefined;
  /** Length and version, as far as they are known. */
  seen?: SeenFile | undefined;
  /** The key of its content, where that lies in the store. */
  content?: ContentKey | undefined;
  /** Its address, where it does not. */
  uri?: string | undefined;
}

/** The store of a reference, and where in it its content lies. */
export interface FileOrigin {
  store: ContentStore;
  /** The id of the place with its content. Default: the store itself. */
  place?: string | undefined;
  /** The program named its address in this process. Default `false`: a value did that was loaded. */
  isNamed?: boolean | undefined;
  /** The session that keeps its content, outside a task. */
  session?: SessionId | undefined;
}

/** Options of reading a file piece by piece. */
export interface OpenFileOptions extends FileReadOptions, ProgressOptions {}

/** Options of loading a file into memory. */
export interface LoadFileOptions extends CallOptions, ProgressOptions {
  /** A file of more bytes is `CONTENT_TOO_LARGE`. Default: 1 GiB. */
  maxBytes?: number | undefined;
}

const MAX_BYTES = 1024 ** 3;
const LOAD_OPTIONS: OptionTable<LoadFileOptions> = {
  ...PROGRESS_OPTIONS,
  maxBytes: wholeNumber(0, constants.MAX_LENGTH),
};

/**
 * A file as a value: saved, nested in other values and passed to tasks by its digest, and read only where it is asked for. Its content lies
 * in the store (`fromLocal`, `create`), or at an address outside (`existing`, `remote`).
 */
export class FileRef {
  readonly kind = 'file';
  /** The name of the file, without a folder. */
  readonly name: string;
  /** Its length in bytes; `undefined` where nobody has told it yet. */
  declare readonly size?: number;
  declare readonly mediaType?: string;
  /**
   * The digest by which it counts in cache keys: BLAKE3 of its content; of its address, where that lies outside of the store; or what the
   * user gave.
   */
  readonly digest: string;
  /** Its address, where its content lies outside of the store. */
  declare readonly uri?: string;
  /** The session that keeps its content, of a file that was saved outside a task; `caStore.release(session)` gives it up. No part of the value. */
  declare readonly session?: SessionId;
  readonly #facts: FileFacts;
  readonly #origin: FileOrigin;

  static {
    // By symbols that are not JavaScript's own, which no declaration file can name.
    const methods = {
      [REFERENCE](this: FileRef): ReferenceForm {
        return this.#form();
      },
      [CACHE_DIGEST](this: FileRef): string {
        return this.#counts();
      },
      [inspect.custom](this: FileRef, _depth: number, options: object): string {
        return `FileRef ${inspect(this.toJSON(), options)}`;
      },
    };
    for (const symbol of Object.getOwnPropertySymbols(methods))
      Object.defineProperty(FileRef.prototype, symbol, { value: methods[symbol as keyof typeof methods] });
  }

  /** @internal */
  constructor(facts: FileFacts, origin: FileOrigin) {
    const { name, mediaType, uri, content = '', digest, seen } = facts;
    this.name = name;
    this.digest = digest ?? (uri === undefined ? content : uriDigest(uri));
    Object.assign(this, withoutUndefined({ size: seen?.size, mediaType, uri, session: origin.session }));
    this.#facts = facts;
    this.#origin = origin;
    Object.freeze(this);
  }

  /**
   * Reads the file, or a part of it, as a web stream, which is an async iterable too: piece by piece, verified where it lies in the store.
   * What ends the stream early is thrown to its reader: `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`; of a file outside of the store
   * `REFERENCE_NOT_FOUND`, `REFERENCE_CHANGED` and `REFERENCE_UNREADABLE`.
   */
  open(options: OpenFileOptions = {}): ReadableStream<Uint8Array> {
    checkOptions<OpenFileOptions>(options, 'open', { ...PROGRESS_OPTIONS, range: RANGE });
    return webStream(({ signal }) => this.#pieces({ ...options, signal }, 'open'), options);
  }

  /** Reads a part of it: `length` bytes from `offset` on, fewer where it ends before. */
  async range(offset: number, length: number, options: LoadFileOptions = {}): Promise<Uint8Array> {
    const range = { offset, length };
    if (RANGE.accepts(range)) return this.#load('range', options, range);
    throw invalidArgument(
      `A range is ${RANGE.expects}, not { offset: ${String(offset)}, length: ${String(length)} }.`,
    );
  }

  /**
   * Loads it into memory.
   *
   * @throws StowageError `CONTENT_TOO_LARGE` beyond `maxBytes`, and as {@link open}
   */
  async bytes(options: LoadFileOptions = {}): Promise<Uint8Array> {
    return this.#load('bytes', options);
  }

  /** Loads it as text in UTF-8; a byte order mark at its beginning is none of it. Throws as {@link bytes}. */
  async text(options: LoadFileOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.#load('text', options));
  }

  /** Loads it as JSON. Throws as {@link bytes}, and `UNDECODABLE_ARTIFACT` for what is no JSON. */
  async json<T = unknown>(options: LoadFileOptions = {}): Promise<T> {
    const text = new TextDecoder().decode(await this.#load('json', options));
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new StowageError(
        'UNDECODABLE_ARTIFACT',
        `The file ${this.name} is no JSON: ${messageOf(cause)}.`,
        {
          details: { name: this.name },
          cause,
        },
      );
    }
  }

  /** Loads it as a `Blob` of its media type. Throws as {@link bytes}. */
  async toBlob(options: LoadFileOptions = {}): Promise<Blob> {
    return new Blob([await this.#load('toBlob', options)], { type: this.mediaType ?? '' });
  }

  /**
   * Writes it to a file of this machine, whose folder is made where it is missing; to a folder, under its own name. What was there before
   * is replaced once all has been written, and stays as it is after a failure. Resolves to the path.
   *
   * @throws StowageError `DOWNLOAD_FAILED`, `INVALID_ARGUMENT` where a file is there and `overwrite` is `false`, and as {@link open}
   */
  async download(path: string, options: DownloadOptions = {}): Promise<string> {
    return downloadFile(this.name, path, options, (reading) => this.#pieces(reading, 'download'));
  }

  /** Tells whether there is a file to read: its content in the store, or something at its address. */
  async exists(options: CallOptions = {}): Promise<boolean> {
    return (await this.stat(options)) !== undefined;
  }

  /** The file as it is now, by a look at it; `undefined` where there is none. */
  async stat(options: CallOptions = {}): Promise<SeenFile | undefined> {
    checkOptions(options, 'stat', {});
    const { content, seen } = this.#facts;
    const { store, place } = this.#origin;
    if (content === undefined) return this.#source.look(options);
    await store.prepareToRead(options);
    const presence = new ContentPresence((id, calling) => store.at(id, calling));
    const found = await presence.ofContent({ key: content, ...(place && { place }) }, options);
    return found === 'whole' ? { size: seen?.size } : undefined;
  }

  /**
   * The address by which other programs open it: that of a file outside of the store, or of the plain object that holds its content.
   * `undefined` for content that is kept in chunks.
   */
  async address(options: CallOptions = {}): Promise<string | undefined> {
    checkOptions(options, 'address', {});
    const { content } = this.#facts;
    const { store, place = HERE } = this.#origin;
    return content === undefined ? this.uri : plainUriOf(store, { key: content, place }, options);
  }

  #form(): ReferenceForm {
    const { content } = this.#facts;
    const contents: ContentRef[] =
      content === undefined ? [] : [{ place: this.#origin.place ?? HERE, kind: 'key', name: content }];
    return { kind: this.kind, type: 'FileRef', members: membersOf(this.#facts), contents };
  }

  #counts(): string {
    const { digest, content } = this.#facts;
    if (digest !== undefined) return `file:given:${digest}`;
    return content === undefined ? `file:uri:${this.digest}` : `file:${content}`;
  }

  /** What it says of the file, for people and other programs. */
  toJSON(): Record<string, JsonValue> {
    const { kind, name, size, mediaType, digest, uri } = this;
    return withoutUndefined({ kind, name, size, mediaType, digest, uri });
  }

  async #load(call: string, options: LoadFileOptions, range?: ByteRange): Promise<Uint8Array> {
    checkOptions<LoadFileOptions>(options, call, LOAD_OPTIONS);
    const { maxBytes = MAX_BYTES, ...reading } = options;
    const known = range ? Math.min(range.length, this.size ?? range.length) : this.size;
    if (known !== undefined && known > maxBytes) throw tooLarge(this.name, known, maxBytes);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of this.#pieces({ ...reading, range }, call)) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > maxBytes) throw tooLarge(this.name, undefined, maxBytes);
    }
    const [only] = pieces;
    return pieces.length === 1 && only ? only : new Uint8Array(Buffer.concat(pieces, bytes));
  }

  #pieces({ range, signal, onProgress }: OpenFileOptions, call: string): AsyncGenerator<Uint8Array> {
    const pieces = this.#read({ range, signal });
    const { size } = this;
    const bytes =
      range && size !== undefined ? Math.max(0, Math.min(range.length, size - range.offset)) : size;
    return onProgress ? countPieces(pieces, onProgress, call, bytes) : pieces;
  }

  async *#read(options: FileReadOptions): AsyncGenerator<Uint8Array> {
    const { content, seen } = this.#facts;
    const { store, place } = this.#origin;
    if (content === undefined) {
      yield* this.#source.read(options);
      return;
    }
    const { signal } = options;
    await store.prepareToRead({ signal });
    const address = { key: content, bytes: seen?.size, ...(place && { place }) };
    yield* store.reader.stream(address as Parameters<typeof store.reader.stream>[0], options);
  }

  get #source(): FileSource {
    const { uri = '', seen } = this.#facts;
    const { store, isNamed = false } = this.#origin;
    return sourceAt(uri, store, isNamed, seen);
  }
}

/** Who reads a file at an address outside of the store. */
export function sourceAt(uri: string, store: ContentStore, isNamed: boolean, seen?: SeenFile): FileSource {
  const { protocol } = new URL(uri);
  if (protocol === 'http:' || protocol === 'https:') return new HttpFile(uri, seen);
  if (protocol !== 'file:') return new StorageFile(uri, store, isNamed, seen);
  const file = new LocalFile(fileURLToPath(uri), seen);
  return isNamed ? file : new NamedLocalFile(file, uri, store);
}

/** A file of this machine that a loaded value names: it is read where a place of the store at that address would be. */
class NamedLocalFile implements FileSource {
  readonly #file: LocalFile;
  readonly #uri: string;
  readonly #store: ContentStore;

  constructor(file: LocalFile, uri: string, store: ContentStore) {
    this.#file = file;
    this.#uri = uri;
    this.#store = store;
  }

  async look(options: CallOptions): Promise<SeenFile | undefined> {
    await this.#store.otherPlaces.recordedAddress(this.#uri);
    return this.#file.look(options);
  }

  async *read(options: FileReadOptions): AsyncGenerator<Uint8Array> {
    await this.#store.otherPlaces.recordedAddress(this.#uri);
    yield* this.#file.read(options);
  }
}

/** The digest of an address: it tells nothing of what lies there. */
function uriDigest(uri: string): string {
  return digestHex(Buffer.from(`stowage uri 1\n${uri}`));
}

/** As they stand in a value, in this order. */
function membersOf({ name, mediaType, digest, seen, content, uri }: FileFacts): Record<string, JsonValue> {
  const { size, version, modifiedAtMs } = seen ?? {};
  return withoutUndefined({ name, size, mediaType, digest, content, uri, version, modifiedAtMs });
}

function withoutUndefined(members: Record<string, JsonValue | undefined>): Record<string, JsonValue> {
  const known = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as Record<string, JsonValue>;
}
