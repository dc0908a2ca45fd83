import { inspect } from 'node:util';
import { onUse } from '../../async/open-files.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { StowageError } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { JsonValue } from '../../format/json-value.ts';
import type { SessionId } from '../../format/session-id.ts';
import { placeMember } from '../../format/stored-content.ts';
import { checkOptions, TEXT } from '../../options/option-table.ts';
import { didYouMean, listed, suggest } from '../../options/suggestions.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { CACHE_DIGEST } from '../../values/cache-digest.ts';
import { REFERENCE, type ReferenceForm } from '../../values/reference.ts';
import { type DirectoryContents, DirectoryFile } from './directory-file.ts';
import type { DownloadDirectoryOptions } from './download-directory.ts';
import { decodeListing, type Listing, MAX_LISTING_BYTES } from './entries.ts';

const parts = onUse(() => import('./parts.ts'));

/** What a reference to a directory says of it. */
export interface DirectoryFacts {
  name: string;
  files: number;
  size: number;
  /** The digest that the user gave. Default: that of its entries. */
  digest?: string | undefined;
  /** The digest of its entries. */
  entries: string;
  listing: ContentKey;
  /** The keys of the other contents, packs and large files, ascending, 32 bytes each. */
  parts: Uint8Array;
}

/** The store of a directory, and where in it its contents lie. */
export interface DirectoryOrigin {
  store: ContentStore;
  placeOf: (key: ContentKey) => string;
  /** The session that keeps its contents, outside a task. */
  session?: SessionId | undefined;
}

/** Options of listing the files of a directory. */
export interface WalkOptions extends CallOptions {
  /** Only files in the folder of this path below the directory. Default: all. */
  under?: string | undefined;
}

/**
 * A directory as a value: saved, nested in other values and passed to tasks by the digest of its entries, and read only where it is asked for.
 */
export class DirectoryRef {
  readonly kind = 'directory';
  readonly name: string;
  /** The number of its files. */
  readonly fileCount: number;
  /** The bytes of all files together. */
  readonly size: number;
  /** The digest by which it counts in cache keys: of its entries (path, digest, executable or not), or what the user gave. */
  readonly digest: string;
  /** The session that keeps its contents, of a directory that was saved outside a task; `caStore.release(session)` gives it up. No part of the value. */
  declare readonly session?: SessionId;
  readonly #facts: DirectoryFacts;
  readonly #origin: DirectoryOrigin;
  readonly #flights = new SingleFlight<Listing>();
  #listing: Listing | undefined;

  static {
    // By symbols that are not JavaScript's own, which no declaration file can name.
    const methods = {
      [REFERENCE](this: DirectoryRef): ReferenceForm {
        return this.#form();
      },
      [CACHE_DIGEST](this: DirectoryRef): string {
        const { digest, entries } = this.#facts;
        return digest === undefined ? `directory:${entries}` : `directory:given:${digest}`;
      },
      [inspect.custom](this: DirectoryRef, _depth: number, options: object): string {
        return `DirectoryRef ${inspect(this.toJSON(), options)}`;
      },
    };
    for (const symbol of Object.getOwnPropertySymbols(methods))
      Object.defineProperty(DirectoryRef.prototype, symbol, {
        value: methods[symbol as keyof typeof methods],
      });
  }

  /** @internal */
  constructor(facts: DirectoryFacts, origin: DirectoryOrigin) {
    const { name, files, size, digest, entries } = facts;
    this.name = name;
    this.fileCount = files;
    this.size = size;
    this.digest = digest ?? entries;
    if (origin.session !== undefined) Object.assign(this, { session: origin.session });
    this.#facts = facts;
    this.#origin = origin;
    Object.freeze(this);
  }

  /**
   * Gives its files one after the other, ascending by the bytes of their paths. The first call reads the listing, whose files are not read.
   *
   * @throws StowageError `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`
   */
  async *walk(options: WalkOptions = {}): AsyncGenerator<DirectoryFile> {
    checkOptions<WalkOptions>(options, 'walk', { under: TEXT });
    const { under = '', signal } = options;
    const listing = await this.#load({ signal });
    const contents = this.#contents(listing);
    const base = under === '' ? '' : `${under.replace(/\/+$/, '')}/`;
    for (const entry of listing.entries)
      if (entry.path.startsWith(base)) yield new DirectoryFile(entry, contents);
  }

  /** All files, as {@link walk} gives them. */
  async files(options: WalkOptions = {}): Promise<DirectoryFile[]> {
    const files: DirectoryFile[] = [];
    for await (const file of this.walk(options)) files.push(file);
    return files;
  }

  /**
   * One file, by its path below the directory.
   *
   * @throws StowageError `REFERENCE_NOT_FOUND` where it has no such file, and as {@link walk}
   */
  async get(path: string, options: CallOptions = {}): Promise<DirectoryFile> {
    checkOptions(options, 'get', {});
    const listing = await this.#load(options);
    const entry = listing.entries.find((one) => one.path === path);
    if (entry) return new DirectoryFile(entry, this.#contents(listing));
    throw noSuchFile(this.name, path, listing);
  }

  /** Tells whether it has a file of this path. Throws as {@link walk}. */
  async has(path: string, options: CallOptions = {}): Promise<boolean> {
    checkOptions(options, 'has', {});
    return (await this.#load(options)).entries.some((one) => one.path === path);
  }

  /**
   * Writes its files below a folder, side by side, each under its name once it is whole. Files of other names stay; of the same names they are
   * replaced. Resolves to the absolute path of the folder.
   *
   * @throws StowageError `DOWNLOAD_FAILED` where a file cannot be written, or would be written elsewhere: by a link in the folder, or a name
   * that its system takes for another; `INVALID_ARGUMENT` where one is there and `overwrite` is `false`; and as {@link walk}
   */
  async download(folder: string, options: DownloadDirectoryOptions = {}): Promise<string> {
    const { downloadDirectory } = await parts();
    const { signal } = options;
    const load = async (): Promise<{ listing: Listing; contents: DirectoryContents }> => {
      const listing = await this.#load({ signal });
      return { listing, contents: this.#contents(listing) };
    };
    return downloadDirectory(folder, load, options);
  }

  /** What it says of the directory, for people and other programs. */
  toJSON(): Record<string, JsonValue> {
    const { kind, name, fileCount, size, digest } = this;
    return { kind, name, fileCount, size, digest };
  }

  #form(): ReferenceForm {
    const { name, files, size, digest, entries, listing, parts } = this.#facts;
    const given = digest === undefined ? {} : { digest };
    const contents = [listing, ...keysIn(parts)].map((key): ContentRef => {
      return { place: this.#origin.placeOf(key), kind: 'key', name: key };
    });
    const members = { name, files, size, ...given, entries, listing, parts };
    return { kind: this.kind, type: 'DirectoryRef', members, contents };
  }

  #contents({ packs }: Listing): DirectoryContents {
    const { store, placeOf } = this.#origin;
    return { store, packs, placeOf };
  }

  async #load({ signal }: CallOptions): Promise<Listing> {
    if (this.#listing) return this.#listing;
    const { store, placeOf } = this.#origin;
    const { listing: key, files, size } = this.#facts;
    return this.#flights.run(
      key,
      async ({ signal: flight }) => {
        await store.prepareToRead({ signal: flight });
        const what = `The listing ${key} of the directory ${this.name}`;
        const address = { key, ...placeMember(placeOf(key)) };
        const pieces: Uint8Array[] = [];
        let bytes = 0;
        for await (const piece of store.reader.stream(address, { signal: flight })) {
          bytes += piece.length;
          if (bytes > MAX_LISTING_BYTES) throw damaged(`${what} is longer than any is`);
          pieces.push(piece);
        }
        const listing = decodeListing(Buffer.concat(pieces, bytes), what);
        const held = new Set([key, ...keysIn(this.#facts.parts)]);
        const isHeld = listing.packs.every((pack) => held.has(pack));
        const total = listing.entries.reduce((sum, entry) => sum + entry.size, 0);
        if (!isHeld || listing.entries.length !== files || total !== size)
          throw damaged(`${what} is not the one that its reference tells of`);
        this.#listing = listing;
        return listing;
      },
      { signal },
    );
  }
}

/** The keys in the `parts` of a directory. */
export function keysIn(parts: Uint8Array): ContentKey[] {
  const hex = Buffer.from(parts.buffer, parts.byteOffset, parts.length).toString('hex');
  return Array.from({ length: parts.length / 32 }, (_, index) => hex.slice(index * 64, index * 64 + 64));
}

function noSuchFile(name: string, path: string, { entries }: Listing): StowageError {
  const files = entries.map((entry) => entry.path);
  const likely = didYouMean(suggest(String(path), files));
  return new StowageError(
    'REFERENCE_NOT_FOUND',
    `The directory ${name} has no file ${JSON.stringify(path)}.${likely || ` It has ${files.length === 0 ? 'none' : listed(files)}; walk() gives them.`}`,
    { details: { name, path } },
  );
}

function damaged(message: string): StowageError {
  return new StowageError('CONTENT_DAMAGED', `${message}; save the directory again.`);
}
