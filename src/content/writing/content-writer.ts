import { mapOrAbort } from '../../async/bounded-work.ts';
import { onUse } from '../../async/open-files.ts';
import type { WorkCounter } from '../../async/progress.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { sealEnvelope } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { createHasher, digestHex } from '../../digest/blake3.ts';
import { throwIfAborted } from '../../errors.ts';
import { CHUNKED_FROM_BYTES, type ContentKey, folderFor, parseCopyName } from '../../format/content-names.ts';
import type { StoredContent } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { changedMeanwhile, ensureThere, isGone, settled } from '../../streams/lent-memory.ts';
import { abortable, readHead } from '../../streams/stream-head.ts';
import type { ContentPlace } from '../content-place.ts';
import type { CollectionState } from './collection-log.ts';
import { CopyFinder, type Wanted, type WholeCopy } from './copy-finder.ts';
import { CopyWriter } from './copy-writer.ts';
import { ofItem } from './item-errors.ts';
import { packContent, type StoreOptions } from './large-content.ts';
import { digestLent } from './lent-content.ts';
import { type OwnInput, type WrittenValue, writeOwnValues } from './own-writer.ts';
import { PackFinder } from './pack-finder.ts';
import type { PackOptions } from './pack-writer.ts';
import { PlainWriter } from './plain-writer.ts';
import type { SessionPins } from './session-pins.ts';
import type { StepHint } from './step-hint.ts';

/** For collections alone. */
const repacking = onUse(() => import('./repacked-content.ts'));

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

/**
 * Stores contents under one session: what may be relied on is found by the writer's protocol ({@link CopyFinder});
 * everything else is written under names that carry the session, which protects them.
 */
export class ContentWriter {
  readonly #place: ContentPlace;
  readonly #session: SessionPins;
  readonly #packs: PackFinder;
  /** Finds what may be relied on, of contents that were stored before. */
  readonly finder: CopyFinder;
  /** Writes what makes contents findable, and tells of the manifests among them. */
  readonly copies: CopyWriter;
  /** Stores contents as they are, for other tools. */
  readonly plain: PlainWriter;

  /** @param hint - that of the step whose contents are saved. Default: none */
  constructor(place: ContentPlace, session: SessionPins, hint?: StepHint) {
    this.#place = place;
    this.#session = session;
    this.#packs = new PackFinder(place, session, hint);
    this.finder = new CopyFinder(place, session, this.#packs);
    this.copies = new CopyWriter(place, session, this.finder, this.#packs);
    this.plain = new PlainWriter(place, session, this.finder, this.copies);
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
    await mapOrAbort([...small], CONCURRENCY, options, async ([key, input], own) => {
      stored.set(key, await this.#putOne(key, input, state, own));
    });
    if (large.size > 1) {
      await mapOrAbort([...large], CONCURRENCY, options, async ([key, input], own) => {
        const hit = await this.#findLarge(key, input, state, own);
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
        const stored =
          hit?.stored ?? (await this.copies.write('manifests', packed.sealed, whole, state, own));
        progress?.itemDone();
        return stored;
      });
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
    const { isGroupedAlike, repackContent } = await repacking();
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
      return this.#place.locks.run(key, () =>
        this.copies.write('manifests', packed.sealed, whole, state, own),
      );
    });
  }

  async #findLarge(
    key: ContentKey,
    input: ContentInput,
    state: CollectionState,
    options: CallOptions,
  ): Promise<WholeCopy | undefined> {
    try {
      return await this.#place.locks.run(key, () => this.finder.find(wantedOf(key, input), state, options));
    } catch (error) {
      throw ofItem(error, input.index);
    }
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
        const stored = await this.copies.write('data', sealed, whole, state, options);
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
        const stored = await this.copies.write('manifests', packed.sealed, whole, state, own);
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

  #packing<T extends StoreOptions>(options: T): T & Pick<PackOptions, 'targetBytes'> {
    return { targetBytes: this.#place.packTargetBytes, ...this.#withDefaults(options) };
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
