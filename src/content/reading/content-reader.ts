import { BoundedMap } from '../../async/bounded-map.ts';
import type { ProgressOptions, WorkCounter } from '../../async/progress.ts';
import { createHasher, type Hasher } from '../../digest/blake3.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { type ContentKey, parseCopyName } from '../../format/content-names.ts';
import { HERE } from '../../format/content-ref.ts';
import type { ChunkColumns, Manifest } from '../../format/manifest.ts';
import type { ContentAddress, StoredContent } from '../../format/stored-content.ts';
import { type OptionTable, PROGRESS_OPTIONS, RANGE } from '../../options/option-table.ts';
import type { ByteRange, CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { type GuardedCache, isContent } from '../caches/guarded-cache.ts';
import { damagedObject, markDamaged, reasonOf } from '../damage.ts';
import { unknownPlace } from '../places/place-errors.ts';
import { Assembly } from './assembly.ts';
import { CopyCandidates } from './copy-candidates.ts';
import {
  type DescribedCopy,
  describeCopy,
  MAX_DOUBTS,
  OTHER_CONTENT,
  openToRead,
  readGroup,
  readManifest,
  verifyCopy,
} from './copy-reader.ts';
import { type OwnAddress, readOwnValues } from './own-reader.ts';

/** After these another copy may serve. */
const FAULTS_OF_A_COPY = [
  'CONTENT_DAMAGED',
  'CONTENT_NOT_FOUND',
  'UNSUPPORTED_FORMAT',
  'RECORD_DAMAGED',
] as const;

/** So many damaged objects a process remembers, beside their marks. */
const FOUND_DAMAGED = 10_000;

/** Options of reading a content piece by piece. */
export interface ReadOptions extends CallOptions {
  /** The part to read, in bytes of the content. Default: all. */
  range?: ByteRange | undefined;
}

/** The options of calls that read a content piece by piece and tell how far they are. */
export const READ_OPTIONS: OptionTable<ReadOptions & ProgressOptions> = { range: RANGE, ...PROGRESS_OPTIONS };

/** Options of loading a content whole. */
export interface LoadOptions extends CallOptions {
  /** Counts the bytes that were read. Default: nobody. */
  progress?: WorkCounter | undefined;
  /** The cache was asked just now. Default `false`. */
  isAsked?: boolean | undefined;
}

/** Finds who reads what lies at another place. */
export type ReaderAt = (place: string, options: CallOptions) => Promise<ContentReader>;

/**
 * Reads contents and verifies every byte against the content's key or the chunk's digest. A copy that is gone or found damaged
 * is passed over for another one, from where the reading stood; damaged ones are marked.
 */
export class ContentReader {
  readonly #storage: DataStoreStorage;
  readonly #place: string;
  readonly #readerAt: ReaderAt;
  readonly #foundDamaged = new BoundedMap<string, true>(FOUND_DAMAGED);
  #cache: GuardedCache | undefined;

  /** Of the place whose objects are in `storage`; what lies elsewhere is left to `readerAt`. */
  constructor(storage: DataStoreStorage, place: string = HERE, readerAt: ReaderAt = nowhereElse) {
    this.#storage = storage;
    this.#place = place;
    this.#readerAt = readerAt;
  }

  /** True where {@link load} asks a cache before the store. */
  get hasCache(): boolean {
    return this.#cache !== undefined;
  }

  /** Has {@link load} ask this cache before the store from now on. */
  useCache(cache: GuardedCache | undefined): void {
    this.#cache = cache;
  }

  /**
   * Reads a content whole into memory: from the cache, if there is one and it has it, else from the store. The caller owns
   * the bytes.
   *
   * @throws StowageError `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED` where no copy is whole, `CONTENT_TOO_LARGE` beyond what one buffer
   * holds; `PLACE_NOT_FOUND`, `PLACE_UNREACHABLE` and `PLACE_NOT_OURS` for what lies elsewhere.
   */
  async load(address: ContentAddress, { progress, isAsked, signal }: LoadOptions = {}): Promise<Uint8Array> {
    const options = { signal };
    const cached = isAsked ? undefined : await this.#fromCache(address, { progress, signal });
    if (cached) return cached;
    const assembly = new Assembly(address);
    // To its end, whatever came: only there the digest of the whole is compared.
    for await (const piece of this.read(address, options, assembly)) {
      assembly.take(piece);
      progress?.add(piece.length);
    }
    const loaded = assembly.finish();
    await this.#cache?.set(address.key, loaded, options);
    return loaded;
  }

  /**
   * Loads a content of which the length is not known, if it is small, or in the cache. Resolves to its address, with a copy where there is
   * one, of all others: one LIST in any case, two of what is not small.
   */
  async loadSmall(address: ContentAddress, options: LoadOptions): Promise<Uint8Array | ContentAddress> {
    const cached = await this.#fromCache(address, options);
    if (cached) return cached;
    const found = await this.#locate(address, options);
    return found.copy?.startsWith('data/') ? this.load(found, { ...options, isAsked: true }) : found;
  }

  async #locate(address: ContentAddress, { signal }: CallOptions): Promise<ContentAddress> {
    const { place = HERE } = address;
    if (place !== this.#place) return (await this.#readerAt(place, { signal })).#locate(address, { signal });
    const copy = await new CopyCandidates(this.#storage, address, { signal }).next();
    return copy === undefined ? address : { ...address, copy };
  }

  /**
   * Reads values of one attempt, of one place, from the objects whose names begin with `base`: one request for neighbours. Of a value
   * that is gone or damaged there a copy under its key serves, as repair writes it. The caller owns the bytes. What cannot be had
   * is an error, by key.
   *
   * @throws StowageError `PLACE_NOT_FOUND`, `PLACE_UNREACHABLE` and `PLACE_NOT_OURS` for what lies elsewhere
   */
  async loadOwn(
    base: string,
    values: readonly OwnAddress[],
    options: CallOptions = {},
  ): Promise<Map<ContentKey, Uint8Array | StowageError>> {
    const [first] = values;
    const place = first?.own.place ?? HERE;
    if (first && place !== this.#place) {
      return (await this.#readerAt(place, options)).loadOwn(base, values, options);
    }
    const loaded = new Map<ContentKey, Uint8Array | StowageError>();
    const wanted: OwnAddress[] = [];
    for (const value of values) {
      const cached = await this.#fromCache(value, options);
      if (cached) loaded.set(value.key, cached);
      else wanted.push(value);
    }
    const { read, failed } = await readOwnValues(this.#storage, base, wanted, options);
    for (const [key, bytes] of read) {
      loaded.set(key, bytes);
      await this.#cache?.set(key, bytes, options);
    }
    for (const { key, bytes } of wanted) {
      const failure = failed.get(key);
      if (failure)
        loaded.set(key, await this.#loadRepaired({ key, bytes, place: this.#place }, failure, options));
    }
    return loaded;
  }

  /** The content by a copy under its key; the error of both where there is none. */
  async #loadRepaired(
    address: ContentAddress,
    failure: StowageError,
    options: CallOptions,
  ): Promise<Uint8Array | StowageError> {
    try {
      return await this.load(address, options);
    } catch (error) {
      if (!isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_DAMAGED')) throw error;
      if (failure.code === 'UNSUPPORTED_FORMAT') return failure;
      return valueLost(address, failure.code === 'CONTENT_NOT_FOUND' ? error.code : failure.code, failure);
    }
  }

  async #fromCache(
    address: ContentAddress,
    { progress, ...options }: LoadOptions,
  ): Promise<Uint8Array | undefined> {
    if (!this.#cache) return undefined;
    const { key, bytes } = address;
    const verify = async (found: Uint8Array): Promise<Uint8Array | undefined> =>
      (await isContent(found, address, options)) ? found : undefined;
    const cached = await this.#cache.get({ key, bytes, verify }, options);
    progress?.add(cached?.length ?? 0);
    return cached;
  }

  /**
   * Reads a content, or a part of it, piece by piece. Each piece is verified before it is given.
   *
   * @throws StowageError as {@link load}.
   */
  stream(address: ContentAddress, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    return this.read(address, options);
  }

  /** The pieces of a content; in `assembly`, if there is one, which only the whole content may be given. */
  protected async *read(
    address: ContentAddress,
    options: ReadOptions,
    assembly?: Assembly,
  ): AsyncGenerator<Uint8Array> {
    const { place = HERE } = address;
    const { range, signal } = options;
    if (place !== this.#place) {
      yield* (await this.#readerAt(place, { signal })).read(address, options, assembly);
      return;
    }
    const start = range?.offset ?? 0;
    const end = range ? start + range.length : undefined;
    const isWhole = start === 0 && (end === undefined || end === address.bytes);
    /** Takes the whole content, once some of it came from a copy that proves nothing by itself. */
    let whole: Hasher | undefined;
    const candidates = new CopyCandidates(this.#storage, address, { signal });
    let offset = start;
    let failure: StowageError | undefined;
    let isGiven = false;
    /** Damage found where the reading stands, which may have come about on the way. */
    const doubts = new Set<string>();
    for (let name = await candidates.next(); name !== undefined; ) {
      try {
        const copy = await openToRead(this.#storage, name, address, { signal });
        if (assembly?.expect(copy.bytes) === false) throw damagedObject(name, OTHER_CONTENT);
        if (isWhole && !copy.isProven && !whole) {
          whole = createHasher();
          const before = copy.read({ start, end: offset }, { signal });
          for await (const piece of before) whole.update(piece);
        }
        const rest = { start: offset, end: end ?? copy.bytes };
        for await (const piece of copy.read(rest, { signal }, assembly)) {
          whole?.update(piece);
          offset += piece.length;
          candidates.progressed();
          doubts.clear();
          yield piece;
        }
        isGiven = true;
        if (whole && whole.digestHex() !== address.key) throw damagedObject(name, OTHER_CONTENT);
        return;
      } catch (error) {
        if (!isStowageError(error, ...FAULTS_OF_A_COPY)) throw error;
        const isMarked = candidates.isMarked(name);
        // Bytes may have been changed on their way: a mark stays, so that only what is damaged twice, in the same place, gets one.
        const isNew = !doubts.has(error.message) && doubts.size < MAX_DOUBTS;
        if (isNew && error.code === 'CONTENT_DAMAGED' && !isGiven && !isMarked) {
          doubts.add(error.message);
          continue;
        }
        doubts.clear();
        await this.#report(error, isMarked);
        // All was given, and is not what the key says: the copy itself lies, and no other can undo that.
        if (isGiven) throw unreadable(address, error);
        // A copy that is gone is none; one whose pack or plain object is gone is not whole.
        failure = error.code === 'CONTENT_DAMAGED' || error.details.name !== name ? error : failure;
        name = await candidates.next();
      }
    }
    throw unreadable(address, failure);
  }

  /**
   * Reads one copy whole and verifies it. Resolves to the length of its content, and the root of its manifest, if it has one.
   *
   * @throws StowageError `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND`
   */
  verifyCopy(name: string, options: CallOptions = {}): Promise<Pick<StoredContent, 'bytes' | 'root'>> {
    return verifyCopy(this.#storage, name, options);
  }

  /** Reads what a manifest or a locator names, for a writer that wants to rely on it; `undefined` where it is gone. */
  describeCopy(name: string, options: CallOptions = {}): Promise<DescribedCopy | undefined> {
    return describeCopy(this.#storage, this.#place, name, options);
  }

  /**
   * The name of the plain object that holds a content of this place, by the first copy that tells: the recorded one may be damaged or gone.
   * `undefined` where none tells.
   */
  async plainOf(address: ContentAddress, options: CallOptions = {}): Promise<string | undefined> {
    const copies = new CopyCandidates(this.#storage, address, options);
    for (let name = await copies.next(); name !== undefined; name = await copies.next()) {
      if (!name.startsWith('manifests/')) continue;
      try {
        const plain = (await this.describeCopy(name, options))?.plain;
        if (plain !== undefined) return plain;
      } catch (error) {
        if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
      }
    }
    return undefined;
  }

  /** Reads a manifest, for a writer that wants to reuse its chunks; `undefined` where it is gone, or is a locator. */
  manifestOf(name: string, options: CallOptions = {}): Promise<Manifest | undefined> {
    return readManifest(this.#storage, name, options);
  }

  /** Reads the columns of a group of a manifest, by its index. */
  columnsOf(
    name: string,
    manifest: Manifest,
    group: number,
    options: CallOptions = {},
  ): Promise<ChunkColumns> {
    return readGroup(this.#storage, name, manifest, group, options);
  }

  /** True if this process found an object (a copy, a pack, a plain object) damaged: then nothing it knows of it counts. */
  hasFoundDamaged(name: string): boolean {
    return this.#foundDamaged.get(name) === true;
  }

  /** Says why something is missing, if it is the place that is wrong: nothing of the store itself. */
  async checkPlace(_options: CallOptions): Promise<void> {}

  /** Marks what an error found damaged: the object that it names, else `copy`. */
  async reportDamage(error: StowageError, copy: string): Promise<void> {
    const object = error.details.object;
    await this.#mark(typeof object === 'string' ? object : copy, reasonOf(error));
  }

  /** Marks what an error found damaged. */
  async #report(error: StowageError, alreadyMarked: boolean): Promise<void> {
    const object = error.details.object;
    if (error.code !== 'CONTENT_DAMAGED' || typeof object !== 'string') return;
    if (alreadyMarked && parseCopyName(object)) return;
    await this.#mark(object, reasonOf(error));
  }

  async #mark(object: string, reason: string): Promise<void> {
    this.#foundDamaged.set(object, true);
    await markDamaged(this.#storage, object, reason);
  }
}

const nowhereElse: ReaderAt = async (place) => {
  throw unknownPlace(place, 'that is read');
};

/** The bytes of a content, or of a range of it, that its reader gets; `undefined` where its length is not known. */
export function bytesIn(
  { bytes }: { bytes?: number | undefined },
  range: ByteRange | undefined,
): number | undefined {
  if (bytes === undefined || range === undefined) return bytes;
  return Math.max(0, Math.min(range.length, bytes - range.offset));
}

/** A small value is gone or damaged where its attempt keeps it, and no copy was written to mend that. */
function valueLost(
  { key, bytes }: ContentAddress,
  code: StowageError['code'],
  cause: StowageError,
): StowageError {
  const reason = code === 'CONTENT_NOT_FOUND' ? 'is gone' : 'is damaged';
  return new StowageError(
    code,
    `The value ${reason} (${cause.message}), and the store has no copy of content ${key}. Run the task again, or restore the object from a copy of the store.`,
    { details: { ...cause.details, key, bytes }, cause },
  );
}

function unreadable(address: ContentAddress, failure: StowageError | undefined): StowageError {
  const { key, copy } = address;
  if (!failure) {
    return new StowageError(
      'CONTENT_NOT_FOUND',
      `No copy of content ${key} is in the store. It was deleted, or the store is incomplete: save it again, or restore it from a copy of the store. A small artifact of a task in a bucket is found by its task alone, not by its key.`,
      { details: { key, copy } },
    );
  }
  if (failure.code === 'UNSUPPORTED_FORMAT' || failure.code === 'RECORD_DAMAGED') return failure;
  return new StowageError(
    'CONTENT_DAMAGED',
    `Every copy of content ${key} in the store is damaged or incomplete (${failure.message}). Save the same content again to mend it, or restore it from a copy of the store.`,
    { details: { key, copy, ...failure.details }, cause: failure },
  );
}
