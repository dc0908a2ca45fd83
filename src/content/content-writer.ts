import { mapBounded } from '../async/bounded-work.ts';
import { sealEnvelope } from '../codec/envelope.ts';
import { prepareCodec } from '../codec/zstd.ts';
import { createHasher, digestHex } from '../digest/blake3.ts';
import { throwIfAborted } from '../errors.ts';
import { type ContentKey, type CopyFolder, copyName, plainName } from '../format/content-names.ts';
import type { ContentRef } from '../format/content-ref.ts';
import { createOwn } from '../format/create-own.ts';
import { encodeLocator, type Locator } from '../format/locator.ts';
import { PartDigests } from '../format/plain-parts.ts';
import { placeMember, type StoredContent } from '../format/stored-content.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { type ContentSource, ensureBytes } from '../streams/chunk-stream.ts';
import { abortable, readHead } from '../streams/stream-head.ts';
import type { CollectionState } from './collection-log.ts';
import type { ContentPlace } from './content-place.ts';
import { CopyFinder, type WholeCopy } from './copy-finder.ts';
import { changedMeanwhile, type PackedContent, packContent, type StoreOptions } from './large-content.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';
import { WriterContext } from './writer-context.ts';

/** Content from this size on is cut into chunks; a constant of the format. */
export const CHUNKED_FROM_BYTES: number = 256 * 1024;

/** How many small contents of one call are looked up and written at once. */
const CONCURRENCY = 16;

/** A content in memory that is to be stored. */
export interface ContentInput extends Omit<StoreOptions, 'signal'> {
  bytes: Uint8Array;
  /** It was looked for just now, and was not there. Default `false`. */
  isAbsent?: boolean;
}

/** How a stream is to be stored. */
export interface StreamOptions extends StoreOptions {
  /**
   * Reads it once more, as a file can be: it is read for its key first then, and sent only where that is not stored. Default: it
   * passes once, and what was sent goes again where it is stored already.
   */
  again?: (() => AsyncIterable<Uint8Array>) | undefined;
}

/** A plain object: content as it is, under a URI that any tool opens. */
export interface StoredPlain extends StoredContent {
  /** The plain object's name in the store. */
  plain: string;
}

/**
 * A content that may be stored already; its length, `undefined` where only the key is known; the copy that a record names, if any,
 * and whether only a plain object will do.
 */
export type SoughtContent = Pick<StoredContent, 'key' | 'place'> & {
  bytes: number | undefined;
  copy?: string | undefined;
  plain?: boolean;
};

/** What lay there unnamed until a copy is written. */
interface NamedByCopy extends Partial<Pick<PackedContent, 'chunks'>> {
  unnamed?: UnnamedObjects;
}

/**
 * Stores contents under one session: what may be relied on is found by the writer's protocol ({@link CopyFinder});
 * everything else is written under names that carry the session, which protects them.
 */
export class ContentWriter {
  readonly #context: WriterContext;
  readonly #finder: CopyFinder;

  constructor(place: ContentPlace, session: SessionPins) {
    this.#context = new WriterContext(place, session);
    this.#finder = new CopyFinder(this.#context);
  }

  /** Stores contents that are in memory; results come in the order of `inputs`. Equal ones are stored once. */
  async put(inputs: readonly ContentInput[], options: CallOptions = {}): Promise<StoredContent[]> {
    await prepareCodec();
    const keys = inputs.map((input) => digestHex(input.bytes));
    const byKey = new Map(keys.map((key, index) => [key, inputs[index] as ContentInput]));
    const state = await this.#finder.pinAndReadLog(byKey.keys(), options);
    const stored = new Map<ContentKey, StoredContent>();
    const isSmall = ([, { bytes }]: [ContentKey, ContentInput]): boolean =>
      folderFor(bytes.length) === 'data';
    await mapBounded([...byKey].filter(isSmall), CONCURRENCY, async ([key, input]) => {
      stored.set(key, await this.#putOne(key, input, state, options));
    });
    // Large ones one after the other: each may hold two packs in memory.
    for (const [key, input] of byKey) {
      if (!stored.has(key)) stored.set(key, await this.#putOne(key, input, state, options));
    }
    return keys.map((key) => stored.get(key) as StoredContent);
  }

  /**
   * Stores a content that comes piece by piece, of any length, in bounded memory. It passes once: its key is known only after
   * its packs are written, which go again where it is stored already.
   */
  async putStream(source: AsyncIterable<Uint8Array>, options: StreamOptions = {}): Promise<StoredContent> {
    const { again, ...storeOptions } = options;
    return this.#context.place.saves.run(options, async (unnamed, { signal }) => {
      const own = { ...storeOptions, signal };
      const { head, rest } = await readHead(abortable(source, own), CHUNKED_FROM_BYTES);
      await prepareCodec();
      if (!rest) return (await this.put([{ ...own, bytes: head }], own))[0] as StoredContent;
      if (again) return (await this.#findByReading(rest, own)) ?? this.putStream(again(), own);
      const packed = await packContent(this.#context, rest, unnamed, this.#withDefaults(own));
      const state = await this.#finder.pinAndReadLog([packed.key], own);
      return this.#context.place.locks.run(packed.key, async () => {
        const hit = await this.#finder.find({ ...packed, folder: 'manifests' }, state, own);
        if (hit) return hit.stored;
        return this.#writeCopy(
          'manifests',
          packed.sealed,
          { ...packed, plain: undefined, unnamed },
          state,
          own,
        );
      });
    });
  }

  /** Stores a content as a plain object named `file`, or finds one that holds it already, whatever its file is named. */
  async putPlain(file: string, source: ContentSource, options: CallOptions = {}): Promise<StoredPlain> {
    validateUserName(file, 'file name');
    await prepareCodec();
    return this.#context.place.saves.run(options, async (unnamed, own) => {
      if (source instanceof Uint8Array) {
        const wanted = { key: digestHex(source), bytes: source.length };
        return this.#unlessPlain(wanted, own, async (state) => {
          const plain = await this.#createPlain(file, source, unnamed, own);
          if (plain.key !== wanted.key) throw changedMeanwhile();
          return this.#namePlain(plain, unnamed, state, own);
        });
      }
      // The key of a stream is known only once its bytes are stored, which go again where it is stored already.
      const plain = await this.#createPlain(file, abortable(source, own), unnamed, own);
      return this.#unlessPlain(plain, own, (state) => this.#namePlain(plain, unnamed, state, own));
    });
  }

  /** Finds whole copies of contents that were stored before, as a writer that wants to rely on them; `undefined` for what is gone. */
  async rely(
    contents: readonly SoughtContent[],
    options: CallOptions = {},
  ): Promise<(StoredContent | undefined)[]> {
    if (contents.length === 0) return [];
    await prepareCodec();
    const state = await this.#finder.pinAndReadLog(new Set(contents.map(({ key }) => key)), options);
    return mapBounded(contents, CONCURRENCY, async (content) => {
      const whole =
        content.bytes === undefined
          ? await this.#finder.findByKey(content.key, state, options)
          : await this.#finder.find({ ...content, folder: folderOf(content) }, state, options);
      return whole?.stored;
    });
  }

  /**
   * Finds what references point at, as a writer that wants to rely on it: pinned, the log read, looked at. Resolves to those that point
   * at nothing whole.
   */
  async relyOnRefs(refs: readonly ContentRef[], options: CallOptions = {}): Promise<ContentRef[]> {
    if (refs.length === 0) return [];
    await prepareCodec();
    const state = await this.#finder.pinAndReadLog(keysOf(refs), options, refs.filter(isNoKey));
    const missing: ContentRef[] = [];
    await mapBounded(refs, CONCURRENCY, async (ref) => {
      if (!(await this.#finder.findRef(ref, state, options))) missing.push(ref);
    });
    return missing;
  }

  /**
   * Relies on contents that a closed attempt names, without a look at each (section 7, clone and passdown): an idle version is
   * read, then `stands` tells whether the attempt's description stands without a mark, the keys are pinned, and that version
   * must still be the newest, and condemn none of the copies. `false` where each has to be looked at ({@link rely}, {@link relyOnRefs}).
   */
  async relyOnDescribed(
    contents: readonly StoredContent[],
    refs: readonly ContentRef[],
    stands: () => Promise<boolean>,
    options: CallOptions = {},
  ): Promise<boolean> {
    const { reader, log, settings } = this.#context.place;
    if (settings.verifyHits || this.#context.storage.capabilities.localReads) return false; // looking is cheap, or asked for
    const before = await log.newest(options);
    if (!before.idle || !(await stands())) return false;
    const keys = new Set([...contents.map(({ key }) => key), ...keysOf(refs)]);
    const state = await this.#finder.pinAndReadLog(keys, options, refs.filter(isNoKey));
    if (!state.idle || state.version !== before.version) return false;
    const { id } = this.#context.place;
    const names = [...contents.map(({ copy }) => copy), ...refs.map(({ name }) => name)];
    return !names.some((name) => state.isCondemned(name, id) || reader.hasFoundDamaged(name));
  }

  async #putOne(
    key: ContentKey,
    input: ContentInput,
    state: CollectionState,
    options: CallOptions,
  ): Promise<StoredContent> {
    const { bytes, isAbsent } = input;
    const { locks, saves } = this.#context.place;
    const folder = folderFor(bytes.length);
    const release = await locks.acquire(key);
    try {
      throwIfAborted(options.signal);
      const hit = await this.#finder.find({ key, bytes: bytes.length, folder, isAbsent }, state, options);
      if (hit) return hit.stored;
      if (folder === 'data') {
        if (digestHex(bytes) !== key) throw changedMeanwhile();
        const sealed = sealEnvelope('blob', bytes, this.#withDefaults(input));
        const whole = { key, bytes: bytes.length, storedBytes: sealed.length, packs: [], plain: undefined };
        return await this.#writeCopy('data', sealed, whole, state, options);
      }
      return await saves.run(options, async (unnamed, own) => {
        const store = this.#withDefaults({ ...input, ...own });
        const packed = await packContent(this.#context, bytes, unnamed, store);
        if (packed.key !== key) throw changedMeanwhile();
        const whole = { ...packed, plain: undefined, unnamed };
        return this.#writeCopy('manifests', packed.sealed, whole, state, own);
      });
    } finally {
      release();
    }
  }

  /** A whole copy of what a stream holds, which is read to its end and no more. */
  async #findByReading(
    source: AsyncIterable<Uint8Array>,
    options: CallOptions,
  ): Promise<StoredContent | undefined> {
    const hasher = createHasher();
    let bytes = 0;
    for await (const piece of source) {
      hasher.update(piece);
      bytes += piece.length;
    }
    return (await this.rely([{ key: hasher.digestHex(), bytes }], options))[0];
  }

  /** The plain object that holds a content already, or what `save` makes. */
  async #unlessPlain(
    { key, bytes }: Pick<StoredContent, 'key' | 'bytes'>,
    options: CallOptions,
    save: (state: CollectionState) => Promise<StoredPlain>,
  ): Promise<StoredPlain> {
    const state = await this.#finder.pinAndReadLog([key], options);
    return this.#context.place.locks.run(key, async () => {
      const hit = await this.#finder.find({ key, bytes, folder: 'manifests', plain: true }, state, options);
      return hit?.plain ? { ...hit.stored, plain: hit.plain } : save(state);
    });
  }

  async #createPlain(
    file: string,
    source: ContentSource,
    unnamed: UnnamedObjects,
    options: CallOptions,
  ): Promise<Locator> {
    const { session } = this.#context;
    const plain = plainName(session.id, session.nextSequence(), file);
    const hasher = createHasher();
    const parts = new PartDigests();
    let bytes = 0;
    const observe = (piece: unknown): Uint8Array => {
      ensureBytes(piece);
      hasher.update(piece);
      parts.update(piece);
      bytes += piece.length;
      return piece;
    };
    await unnamed.create(
      plain,
      source instanceof Uint8Array ? observe(source) : mapPieces(source, observe),
      options,
    );
    const key = hasher.digestHex();
    // Large bodies are written in the background, from the caller's own bytes.
    if (source instanceof Uint8Array && digestHex(source) !== key) throw changedMeanwhile();
    return { key, plain, bytes, parts: parts.finish() };
  }

  async #namePlain(
    locator: Locator,
    unnamed: UnnamedObjects,
    state: CollectionState,
    options: CallOptions,
  ): Promise<StoredPlain> {
    const { key, bytes, plain } = locator;
    const sealed = sealEnvelope('locator', encodeLocator(locator), { compression: 'none' });
    const whole = { key, bytes, storedBytes: sealed.length + bytes, packs: [], plain, unnamed };
    return { ...(await this.#writeCopy('manifests', sealed, whole, state, options)), plain };
  }

  /** Writes the object that makes a content findable under its key, once all it names is visible. */
  async #writeCopy(
    folder: CopyFolder,
    sealed: Uint8Array,
    whole: Omit<StoredContent, 'copy'> & Omit<WholeCopy, 'stored'> & NamedByCopy,
    state: CollectionState,
    options: CallOptions,
  ): Promise<StoredContent> {
    const { session, storage } = this.#context;
    const { key, bytes, storedBytes, root, packs, plain } = whole;
    const copy = copyName(folder, key, session.id, session.nextSequence(), sealed.length);
    throwIfAborted(options.signal);
    whole.unnamed?.keep();
    await createOwn(storage, copy, sealed, { signal: options.signal, durability: 'deferred' });
    if (whole.chunks) this.#context.rememberChunks(whole.chunks);
    const stored = {
      key,
      copy,
      bytes,
      storedBytes,
      ...(root === undefined ? {} : { root }),
      ...placeMember(this.#context.place.id),
    };
    return this.#finder.learn({ stored, packs, plain }, state).stored;
  }

  #withDefaults<T extends StoreOptions>(options: T): T {
    return { ...options, compression: options.compression ?? this.#context.place.settings.compression };
  }
}

/** By the copy that is known, if any: a small plain object's locator is no envelope of content. */
function folderOf({ copy, bytes = 0, plain }: SoughtContent): CopyFolder {
  if (plain) return 'manifests';
  if (copy === undefined) return folderFor(bytes);
  return copy.startsWith('data/') ? 'data' : 'manifests';
}

function keysOf(refs: readonly ContentRef[]): ContentKey[] {
  return refs.filter((ref) => !isNoKey(ref)).map(({ name }) => name);
}

function isNoKey({ kind }: ContentRef): boolean {
  return kind !== 'key';
}

function folderFor(bytes: number): CopyFolder {
  return bytes < CHUNKED_FROM_BYTES ? 'data' : 'manifests';
}

async function* mapPieces(
  source: AsyncIterable<Uint8Array>,
  map: (piece: unknown) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) yield map(piece);
}
