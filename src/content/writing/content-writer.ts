import { mapBounded } from '../../async/bounded-work.ts';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { countTaken, type WorkCounter } from '../../async/progress.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { sealEnvelope } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { createHasher, digestHex } from '../../digest/blake3.ts';
import { throwIfAborted } from '../../errors.ts';
import {
  CHUNKED_FROM_BYTES,
  type ContentKey,
  type CopyFolder,
  copyName,
  folderFor,
  parseCopyName,
} from '../../format/content-names.ts';
import { createOwn } from '../../format/create-own.ts';
import type { HintedManifest } from '../../format/hint.ts';
import { encodeLocator, type Locator } from '../../format/locator.ts';
import { placeMember, type StoredContent } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { validateUserName } from '../../storage/names.ts';
import type { ContentSource } from '../../streams/chunk-stream.ts';
import { isGone, settled } from '../../streams/lent-memory.ts';
import { abortable, readHead } from '../../streams/stream-head.ts';
import type { ContentPlace } from '../content-place.ts';
import type { CollectionState } from './collection-log.ts';
import { CopyFinder, type Wanted, type WholeCopy } from './copy-finder.ts';
import { ofItem } from './item-errors.ts';
import { type PackedContent, packContent, type StoreOptions } from './large-content.ts';
import { changedMeanwhile, digestLent, ensureThere } from './lent-content.ts';
import { type OwnInput, type WrittenValue, writeOwnValues } from './own-writer.ts';
import { PackFinder } from './pack-finder.ts';
import { PACK_TARGET_BYTES, type PackOptions, REMOTE_PACK_TARGET_BYTES } from './pack-writer.ts';
import { createPlain } from './plain-writer.ts';
import { isGroupedAlike, repackContent } from './repacked-content.ts';
import type { SessionPins } from './session-pins.ts';
import type { StepHint } from './step-hint.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/** So many contents of one call are looked for, and small ones written, at once, as far as the storage's own bound lets them. */
const CONCURRENCY = 32;

/** A content in memory that is to be stored. */
export interface ContentInput extends Omit<StoreOptions, 'signal'> {
  bytes: Uint8Array;
  /** It was looked for just now, and was not there. Default `false`. */
  isAbsent?: boolean;
  /** Its key, where it was computed just now; what is written is compared with it. Default: computed. */
  key?: ContentKey;
  /** Its place in the list that the caller gave, from 0: an error of this content tells it. */
  index?: number;
}

/** Options of storing a stream. */
export interface StreamOptions extends StoreOptions {
  /** Its length, where that is known, which keeps the memory for a short one small. Default: not known. */
  expectedBytes?: number | undefined;
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

/** Objects that nothing names until a copy is written, and the chunks in them. */
interface NamedByCopy extends Partial<Pick<PackedContent, 'chunks' | 'samples'>> {
  unnamed?: UnnamedObjects;
}

/**
 * Stores contents under one session: what may be relied on is found by the writer's protocol ({@link CopyFinder});
 * everything else is written under names that carry the session, which protects them.
 */
export class ContentWriter {
  readonly #place: ContentPlace;
  readonly #session: SessionPins;
  readonly #packs: PackFinder;
  readonly #newManifests: HintedManifest[] = [];
  /** Finds what may be relied on, of contents that were stored before. */
  readonly finder: CopyFinder;

  /** @param hint - that of the step whose contents are saved. Default: none */
  constructor(place: ContentPlace, session: SessionPins, hint?: StepHint) {
    this.#place = place;
    this.#session = session;
    this.#packs = new PackFinder(place, session, hint);
    this.finder = new CopyFinder(place, session, this.#packs);
  }

  /** The manifests that were written since this was called last, newest first. */
  takeManifests(): HintedManifest[] {
    return this.#newManifests.splice(0).reverse();
  }

  /**
   * Stores contents that are in memory; results come in the order of `inputs`. Equal ones are stored once. The first failure ends the
   * rest, and is thrown.
   */
  async put(inputs: readonly ContentInput[], options: CallOptions = {}): Promise<StoredContent[]> {
    await prepareCodec();
    for (const { bytes } of inputs) ensureThere(bytes);
    const keys: ContentKey[] = [];
    for (const { key, bytes } of inputs) {
      keys.push(key ?? (await digestLent(bytes, options)));
      if (isTurnOver()) await nextTurn();
    }
    const byKey = new Map<ContentKey, ContentInput>();
    for (const [index, key] of keys.entries()) {
      const input = inputs[index] as ContentInput;
      if (byKey.has(key)) countStored(input.progress, input.bytes.length);
      else byKey.set(key, input);
    }
    const state = await this.finder.pinAndReadLog(byKey.keys(), options);
    const stored = new Map<ContentKey, StoredContent>();
    const [small, large] = [new Map<ContentKey, ContentInput>(), new Map<ContentKey, ContentInput>()];
    for (const [key, input] of byKey)
      (folderFor(input.bytes.length) === 'data' ? small : large).set(key, input);
    await eachOf(small, options, async (key, input, own) => {
      stored.set(key, await this.#putOne(key, input, state, own));
    });
    if (large.size > 1) {
      await eachOf(large, options, async (key, input, own) => {
        const hit = await this.#place.locks.run(key, () =>
          this.finder.find(wantedOf(key, input), state, own),
        );
        if (!hit) large.set(key, { ...input, isAbsent: true });
        else {
          stored.set(key, hit.stored);
          countStored(input.progress, hit.stored.bytes);
        }
      });
    }
    // One after the other: each may hold two packs in memory, and finds the chunks of those before it.
    for (const [key, input] of large) {
      if (stored.has(key)) continue;
      stored.set(key, await this.#putOne(key, input, state, options));
    }
    return keys.map((key) => stored.get(key) as StoredContent);
  }

  /** Stores small values of the session's own attempt, in objects whose names begin with `base`; see {@link writeOwnValues}. */
  putOwn(base: string, values: readonly OwnInput[], options: CallOptions = {}): Promise<WrittenValue[]> {
    return writeOwnValues(this.#place, base, this.#session, values, options);
  }

  /**
   * Stores a content that comes piece by piece, of any length, in bounded memory. It passes once: its key is known only after
   * its packs are written, which go again where it is stored already.
   */
  async putStream(source: AsyncIterable<Uint8Array>, options: StreamOptions = {}): Promise<StoredContent> {
    const { again, ...storeOptions } = options;
    return this.#place.saves.run(options, async (unnamed, { signal }) => {
      const own = { ...storeOptions, signal };
      const { head, rest } = await readHead(abortable(source, own), CHUNKED_FROM_BYTES);
      await prepareCodec();
      if (!rest) return (await this.put([{ ...own, bytes: head }], own))[0] as StoredContent;
      const { progress } = own;
      if (again) {
        const found = await this.#findByReading(rest, own);
        if (!found) return this.putStream(again(), own);
        countStored(progress, found.bytes);
        return found;
      }
      const packed = await packContent(this.#session, this.#packs, rest, unnamed, this.#packing(own));
      const state = await this.finder.pinAndReadLog([packed.key], own);
      return this.#place.locks.run(packed.key, async () => {
        const hit = await this.finder.find({ ...packed, folder: 'manifests' }, state, own);
        const whole = { ...packed, plain: undefined, unnamed };
        const stored = hit?.stored ?? (await this.#writeCopy('manifests', packed.sealed, whole, state, own));
        progress?.itemDone();
        return stored;
      });
    });
  }

  /** Stores a content as a plain object named `file`, or finds one that holds it already, whatever its file is named. */
  async putPlain(
    file: string,
    source: ContentSource,
    { progress, ...options }: Pick<StoreOptions, 'signal' | 'progress'> = {},
  ): Promise<StoredPlain> {
    validateUserName(file, 'file name');
    await prepareCodec();
    return this.#place.saves.run(options, async (unnamed, own) => {
      if (source instanceof Uint8Array) {
        ensureThere(source);
        const wanted = { key: await digestLent(source, own), bytes: source.length };
        const stored = await this.#unlessPlain(wanted, own, async (state) => {
          ensureThere(source);
          const plain = await createPlain(this.#session, file, source, unnamed, own);
          if (plain.key !== wanted.key) throw changedMeanwhile();
          return this.#namePlain(plain, unnamed, state, own);
        });
        countStored(progress, wanted.bytes);
        return stored;
      }
      // The key of a stream is known only once its bytes are stored, which go again where it is stored already.
      const pieces = countTaken(abortable(source, own), progress);
      const plain = await createPlain(this.#session, file, pieces, unnamed, own);
      const stored = await this.#unlessPlain(plain, own, (state) =>
        this.#namePlain(plain, unnamed, state, own),
      );
      progress?.itemDone();
      return stored;
    });
  }

  /**
   * Writes a content that lives anew, as another copy that names none of the packs in `leaving`, by steps 2 to 5: its key, and the packs that stay, are pinned
   * before the log is read. `undefined` where that cannot be: the copy is gone or condemned, a pack that stays is not to be relied on, or its
   * chunks are grouped in another way than here, so that the copy would have another root.
   *
   * @throws StowageError `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND` of what cannot be read
   */
  async repack(
    name: string,
    leaving: ReadonlySet<string>,
    options: CallOptions = {},
  ): Promise<StoredContent | undefined> {
    await prepareCodec();
    return this.#place.saves.run(options, async (unnamed, own) => {
      const key = parseCopyName(name)?.key as ContentKey;
      const state = await this.finder.pinAndReadLog([key], own);
      const manifest = await this.#place.reader.manifestOf(name, own);
      if (!manifest || !isGroupedAlike(manifest) || state.isCondemned(name, this.#place.id)) return undefined;
      const staying = manifest.packs.filter((pack) => !leaving.has(pack.name));
      if (!(await this.#packs.mayUsePacks(staying, own))) return undefined;
      const copy = { name, manifest, leaving };
      const packed = await repackContent(this.#place, this.#session, copy, unnamed, this.#packing(own));
      const whole = { ...packed, plain: undefined, unnamed };
      return this.#place.locks.run(key, () => this.#writeCopy('manifests', packed.sealed, whole, state, own));
    });
  }

  async #putOne(
    key: ContentKey,
    input: ContentInput,
    state: CollectionState,
    options: CallOptions,
  ): Promise<StoredContent> {
    const { bytes } = input;
    const { locks, saves } = this.#place;
    const release = await locks.acquire(key);
    try {
      throwIfAborted(options.signal);
      ensureThere(bytes);
      const wanted = wantedOf(key, input);
      const hit = await this.finder.find(wanted, state, options);
      if (hit) {
        countStored(input.progress, hit.stored.bytes);
        return hit.stored;
      }
      if (wanted.folder === 'data') {
        if (isTurnOver()) await nextTurn();
        const still = settled(bytes);
        if (digestHex(still) !== key) throw changedMeanwhile();
        const sealed = sealEnvelope('blob', still, this.#withDefaults(input));
        const whole = { key, bytes: bytes.length, storedBytes: sealed.length, packs: [], plain: undefined };
        const stored = await this.#writeCopy('data', sealed, whole, state, options);
        countStored(input.progress, whole.bytes);
        return stored;
      }
      return await saves.run(options, async (unnamed, own) => {
        const packed = await packContent(
          this.#session,
          this.#packs,
          bytes,
          unnamed,
          this.#packing({ ...input, ...own }),
        );
        if (packed.key !== key) throw changedMeanwhile();
        const whole = { ...packed, plain: undefined, unnamed };
        const stored = await this.#writeCopy('manifests', packed.sealed, whole, state, own);
        input.progress?.itemDone();
        return stored;
      });
    } catch (error) {
      // What failed because the caller gave its memory away is told as that.
      throw ofItem(isGone(bytes) ? changedMeanwhile() : error, input.index);
    } finally {
      release();
    }
  }

  /** A whole copy of what a stream holds, which is read to its end and no more. */
  async #findByReading(
    source: AsyncIterable<Uint8Array>,
    { progress, ...options }: StreamOptions,
  ): Promise<StoredContent | undefined> {
    const hasher = createHasher();
    let bytes = 0;
    for await (const piece of source) {
      hasher.update(piece);
      bytes += piece.length;
      if (isTurnOver()) await nextTurn();
    }
    progress?.expect({ bytes });
    return (await this.finder.rely([{ key: hasher.digestHex(), bytes }], options))[0];
  }

  /** The plain object that holds a content already, or what `save` makes. */
  async #unlessPlain(
    { key, bytes }: Pick<StoredContent, 'key' | 'bytes'>,
    options: CallOptions,
    save: (state: CollectionState) => Promise<StoredPlain>,
  ): Promise<StoredPlain> {
    const state = await this.finder.pinAndReadLog([key], options);
    return this.#place.locks.run(key, async () => {
      const hit = await this.finder.find({ key, bytes, folder: 'manifests', plain: true }, state, options);
      return hit?.plain ? { ...hit.stored, plain: hit.plain } : save(state);
    });
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

  /** Step 5 (model: `write copy`): writes the object that makes a content findable under its key, once all it names is visible. */
  async #writeCopy(
    folder: CopyFolder,
    sealed: Uint8Array,
    whole: Omit<StoredContent, 'copy'> & Omit<WholeCopy, 'stored'> & NamedByCopy,
    state: CollectionState,
    options: CallOptions,
  ): Promise<StoredContent> {
    const session = this.#session;
    const { key, bytes, storedBytes, root, packs, plain } = whole;
    const copy = copyName(folder, key, session.id, session.nextSequence(), sealed.length);
    throwIfAborted(options.signal);
    whole.unnamed?.keep();
    await createOwn(this.#place.storage, copy, sealed, { signal: options.signal, durability: 'deferred' });
    if (whole.chunks) this.#packs.rememberChunks(whole.chunks);
    const { samples } = whole;
    if (samples) this.#newManifests.push({ copy, place: this.#place.id, samples });
    const stored = {
      key,
      copy,
      bytes,
      storedBytes,
      ...(root === undefined ? {} : { root }),
      ...placeMember(this.#place.id),
    };
    return this.finder.learn({ stored, packs, plain }, state).stored;
  }

  #packing<T extends StoreOptions>(options: T): T & Pick<PackOptions, 'targetBytes'> {
    const { localReads, maxObjectBytes = REMOTE_PACK_TARGET_BYTES } = this.#place.storage.capabilities;
    const targetBytes = localReads ? PACK_TARGET_BYTES : REMOTE_PACK_TARGET_BYTES;
    return { ...this.#withDefaults(options), targetBytes: Math.min(targetBytes, maxObjectBytes) };
  }

  #withDefaults<T extends StoreOptions>(options: T): T {
    return { ...options, compression: options.compression ?? this.#place.settings.compression };
  }
}

/** Counts a content that is stored now, or was before. */
function countStored(progress: WorkCounter | undefined, bytes: number): void {
  progress?.add(bytes);
  progress?.itemDone();
}

function wantedOf(key: ContentKey, { bytes, isAbsent }: ContentInput): Wanted {
  return { key, bytes: bytes.length, folder: folderFor(bytes.length), isAbsent };
}

/** Does work on contents side by side. The first failure ends what is under way, and is thrown. */
async function eachOf(
  contents: ReadonlyMap<ContentKey, ContentInput>,
  options: CallOptions,
  work: (key: ContentKey, input: ContentInput, own: CallOptions) => Promise<void>,
): Promise<void> {
  if (contents.size < 2) {
    for (const [key, input] of contents) await work(key, input, options);
    return;
  }
  const call = new LinkedAbort(options.signal);
  let first: { error: unknown } | undefined;
  try {
    await mapBounded([...contents], CONCURRENCY, async ([key, input]) => {
      try {
        await work(key, input, { signal: call.signal });
      } catch (error) {
        first ??= { error: ofItem(error, input.index) };
        call.abort(error);
        throw error;
      }
    });
  } catch (error) {
    throw first ? first.error : error; // the others may be no more than its consequence
  } finally {
    call.release();
  }
}
