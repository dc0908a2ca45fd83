import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { onUse } from '../async/open-files.ts';
import type { ContentStore } from '../content/content-store.ts';
import { ContentPresence } from '../content/reading/presence.ts';
import { digestHex } from '../digest/blake3.ts';
import type { ContentKey } from '../format/content-names.ts';
import { type ContentRef, HERE } from '../format/content-ref.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { SessionId } from '../format/session-id.ts';
import { checkOptions } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { CACHE_DIGEST } from '../values/cache-digest.ts';
import { REFERENCE, type ReferenceForm } from '../values/reference.ts';
import type { FileReadOptions, FileSource, SeenFile } from './file-source.ts';
import { LocalFile } from './local-file.ts';
import { plainUriOf } from './plain-uri.ts';
import { ReadableFile } from './readable-file.ts';
import { StorageFile } from './storage-file.ts';

const httpFiles = onUse(() => import('./http-file.ts'));

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

/**
 * A file as a value: saved, nested in other values and passed to tasks by its digest, and read only where it is asked for. Its content lies
 * in the store (`fromLocal`, `create`), or at an address outside (`existing`, `remote`).
 */
export class FileRef extends ReadableFile {
  readonly kind = 'file';
  override readonly name: string;
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
    super();
    const { name, mediaType, uri, content = '', digest, seen } = facts;
    this.name = name;
    this.digest = digest ?? (uri === undefined ? content : uriDigest(uri));
    Object.assign(this, withoutUndefined({ size: seen?.size, mediaType, uri, session: origin.session }));
    this.#facts = facts;
    this.#origin = origin;
    Object.freeze(this);
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
    if (content === undefined) return (await this.#source()).look(options);
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

  /** @internal */
  protected override async *read(options: FileReadOptions): AsyncGenerator<Uint8Array> {
    const { content, seen } = this.#facts;
    const { store, place } = this.#origin;
    if (content === undefined) {
      yield* (await this.#source()).read(options);
      return;
    }
    const { signal } = options;
    await store.prepareToRead({ signal });
    const address = { key: content, bytes: seen?.size, ...(place && { place }) };
    yield* store.reader.stream(address as Parameters<typeof store.reader.stream>[0], options);
  }

  #source(): Promise<FileSource> {
    const { uri = '', seen } = this.#facts;
    const { store, isNamed = false } = this.#origin;
    return sourceAt(uri, store, isNamed, seen);
  }
}

/** Who reads a file at an address outside of the store. */
export async function sourceAt(
  uri: string,
  store: ContentStore,
  isNamed: boolean,
  seen?: SeenFile,
): Promise<FileSource> {
  const { protocol } = new URL(uri);
  if (protocol === 'http:' || protocol === 'https:') {
    const { HttpFile } = await httpFiles();
    return new HttpFile(uri, seen);
  }
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
