import { mapBounded } from '../../async/bounded-work.ts';
import { ENVELOPE_HEADER_BYTES, readEnvelopeHeader } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { type ContentKey, type CopyFolder, folderFor } from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import { placeMember, type StoredContent } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { ContentPlace, KnownCopy } from '../content-place.ts';
import { type ListedCopy, listCopies, lookAt } from '../copies.ts';
import { markDamaged } from '../damage.ts';
import type { CollectionState } from './collection-log.ts';
import type { PackFinder } from './pack-finder.ts';
import type { SessionPins } from './session-pins.ts';

/** A copy that was looked at and may be relied on. */
export type WholeCopy = Omit<KnownCopy, 'version'>;

/** A content that a writer looks for. */
export interface Wanted {
  key: ContentKey;
  /** Length of the content in bytes; `undefined` where only the key is known, which costs a GET more for a small one. */
  bytes: number | undefined;
  folder: CopyFolder;
  /** The length is what a record tells, which may be wrong: a copy of another length is no hit, and is not marked. Default `false`. */
  isTold?: boolean;
  /** Only a plain object will do. Default `false`. */
  plain?: boolean;
  /** It was looked for just now, and was not there: only what this process has seen since counts. Default `false`. */
  isAbsent?: boolean | undefined;
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

/** So many contents of one call are looked for at once. */
const CONCURRENCY = 16;
const SMALL_FIRST: readonly CopyFolder[] = ['data', 'manifests'];
const LARGE_FIRST: readonly CopyFolder[] = ['manifests', 'data'];

/**
 * Finds copies that a session may rely on: steps 2 to 4 of the writer's protocol. Nothing is looked for before it is pinned,
 * and nothing that the newest version of the collector's log condemns is a hit.
 */
export class CopyFinder {
  readonly #place: ContentPlace;
  readonly #session: SessionPins;
  readonly #packs: PackFinder;

  constructor(place: ContentPlace, session: SessionPins, packs: PackFinder) {
    this.#place = place;
    this.#session = session;
    this.#packs = packs;
  }

  /** Steps 2 to 4 for contents that were stored before; `undefined` for what is gone. */
  async rely(
    contents: readonly SoughtContent[],
    options: CallOptions = {},
  ): Promise<(StoredContent | undefined)[]> {
    if (contents.length === 0) return [];
    await prepareCodec();
    const state = await this.pinAndReadLog(new Set(contents.map(({ key }) => key)), options);
    return mapBounded(contents, CONCURRENCY, async (content) => {
      const whole =
        content.bytes === undefined
          ? await this.#findByKey(content.key, state, options)
          : await this.find({ ...content, folder: folderOf(content), isTold: true }, state, options);
      return whole?.stored;
    });
  }

  /** Steps 2 to 4 for what references point at. Resolves to those that point at nothing whole. */
  async relyOnRefs(refs: readonly ContentRef[], options: CallOptions = {}): Promise<ContentRef[]> {
    if (refs.length === 0) return [];
    await prepareCodec();
    const state = await this.pinAndReadLog(keysOf(refs), options, refs.filter(isNoKey));
    const missing: ContentRef[] = [];
    await mapBounded(refs, CONCURRENCY, async (ref) => {
      if (!(await this.#findRef(ref, state, options))) missing.push(ref);
    });
    return missing;
  }

  /**
   * Relies on contents that a closed attempt names, without a look at each (model: `clone`): an idle version is
   * read, then `stands` tells whether the attempt's description stands without a mark, the keys are pinned, and that version
   * must still be the newest, and condemn none of the copies. `false` where each has to be looked at ({@link rely}, {@link relyOnRefs}).
   */
  async relyOnDescribed(
    contents: readonly StoredContent[],
    refs: readonly ContentRef[],
    stands: () => Promise<boolean>,
    options: CallOptions = {},
  ): Promise<boolean> {
    const { reader, log, settings } = this.#place;
    if (settings.verifyHits || this.#place.storage.capabilities.localReads) return false; // looking is cheap, or asked for
    const before = await log.newest(options);
    if (!before.idle || !(await stands())) return false;
    const keys = new Set([...contents.map(({ key }) => key), ...keysOf(refs)]);
    const state = await this.pinAndReadLog(keys, options, refs.filter(isNoKey));
    if (!state.idle || state.version !== before.version) return false;
    const { id } = this.#place;
    const names = [...contents.map(({ copy }) => copy), ...refs.map(({ name }) => name)];
    return !names.some((name) => state.isCondemned(name, id) || reader.hasFoundDamaged(name));
  }

  /**
   * Steps 2 and 3; the packs of what this process knows are pinned with the keys, and with what is named by `further` pins, so that
   * one request does for all.
   */
  async pinAndReadLog(
    keys: Iterable<ContentKey>,
    options: CallOptions,
    further: readonly ContentRef[] = [],
  ): Promise<CollectionState> {
    await this.#session.pin([...further, ...pinsFor(this.#place, keys)], options);
    return this.#place.log.newest(options);
  }

  /** Step 4 (model: `look`): a copy that is neither condemned nor marked, and whole as far as it is looked at; `undefined` without one. */
  async find(wanted: Wanted, state: CollectionState, options: CallOptions): Promise<WholeCopy | undefined> {
    const known = this.#knownCopy(wanted, state);
    if (known && !this.#rechecks() && fits(known, wanted)) return known;
    // What another session of this process has written since is known, and may be relied on once it was listed.
    const isNew = wanted.isAbsent && !this.#place.knownCopies.get(wanted.key);
    if (isNew && !this.#rechecks()) return undefined;
    for (const copy of await listCopies(this.#place.storage, wanted.folder, wanted.key, options)) {
      if (copy.marked || this.#isLost(copy.name, state)) continue;
      const whole = await this.#inspect(copy, wanted, state, options);
      if (whole && fits(whole, wanted)) return this.learn(whole, state);
    }
    if (known && !wanted.plain) this.#place.knownCopies.delete(wanted.key);
    return undefined;
  }

  /** Step 4 for a content of which only the key is known: it may be small or large. */
  async #findByKey(
    key: ContentKey,
    state: CollectionState,
    options: CallOptions,
  ): Promise<WholeCopy | undefined> {
    const known = this.#place.knownCopies.get(key)?.stored;
    for (const folder of known?.copy.startsWith('manifests/') ? LARGE_FIRST : SMALL_FIRST) {
      const found = await this.find({ key, bytes: known?.bytes, folder }, state, options);
      if (found) return found;
    }
    return undefined;
  }

  /** Step 4 for a reference, whatever it points at; `false` where nothing whole is found. */
  async #findRef({ kind, name }: ContentRef, state: CollectionState, options: CallOptions): Promise<boolean> {
    if (kind !== 'key') return this.#mayUseObject(name, undefined, state, options);
    return (await this.#findByKey(name, state, options)) !== undefined;
  }

  /** Remembers a copy that was written, or seen whole, after `state` was read. */
  learn(whole: WholeCopy, state: CollectionState): WholeCopy {
    const { knownCopies } = this.#place;
    if (state.idle) knownCopies.set(whole.stored.key, { ...whole, version: state.version });
    return whole;
  }

  /** A copy that this process knows under an idle version that is still the newest one (model: `know`). What it learned after this session's pins does not count. */
  #knownCopy({ key, folder }: Wanted, state: CollectionState): WholeCopy | undefined {
    const known = this.#place.knownCopies.get(key);
    if (!known || !state.idle || known.version !== state.version) return undefined;
    const pins = pinsOf(known, this.#place.id);
    const names = [known.stored.copy, ...pins.map(({ name }) => name)];
    const isPinned = this.#session.has(pins);
    const isWhole = !names.some((name) => this.#isLost(name, state));
    return known.stored.copy.startsWith(folder) && isPinned && isWhole ? known : undefined;
  }

  /** Condemned, or found damaged by this process. */
  #isLost(name: string, state: CollectionState): boolean {
    const { id, reader } = this.#place;
    return state.isCondemned(name, id) || reader.hasFoundDamaged(name);
  }

  /** Every hit is looked at, known or not, where looking is cheap or asked for. */
  #rechecks(): boolean {
    return this.#place.storage.capabilities.localReads || this.#place.settings.verifyHits;
  }

  /** Looks at a copy and what it names; what is found damaged is marked, and is no hit. */
  async #inspect(
    copy: ListedCopy,
    wanted: Wanted,
    state: CollectionState,
    options: CallOptions,
  ): Promise<WholeCopy | undefined> {
    const place = this.#place;
    const { storage } = place;
    try {
      const whole =
        copy.folder === 'data'
          ? await this.#inspectData(copy, wanted, options)
          : await this.#inspectDescription(copy, wanted, state, options);
      if (!whole) return undefined;
      if (place.settings.verifyHits) await place.reader.verifyCopy(copy.name, options);
      await storage.persist([copy.name], options);
      return whole;
    } catch (error) {
      // One that a newer release wrote is whole for it, and none for us.
      if (isStowageError(error, 'CONTENT_NOT_FOUND', 'UNSUPPORTED_FORMAT')) return undefined;
      if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
      await place.reader.reportDamage(error, copy.name);
      return undefined;
    }
  }

  async #inspectData(copy: ListedCopy, wanted: Wanted, options: CallOptions): Promise<WholeCopy | undefined> {
    const { storage } = this.#place;
    let { bytes: contentBytes } = wanted;
    if (contentBytes === undefined || storage.capabilities.localReads) {
      const range = { offset: 0, length: ENVELOPE_HEADER_BYTES };
      const object = await storage.get(copy.name, { signal: options.signal, range });
      if (!object) return undefined;
      const { kind, rawBytes, storedBytes } = readEnvelopeHeader(object.body);
      const isWhole = kind === 'blob' && storedBytes + ENVELOPE_HEADER_BYTES === object.bytes;
      if (!isWhole) throw misfit(copy.name);
      if (rawBytes !== (contentBytes ?? rawBytes)) return otherLength(copy.name, wanted);
      contentBytes = rawBytes;
    }
    const { key, name, bytes } = copy;
    return {
      stored: {
        key,
        copy: name,
        bytes: contentBytes,
        storedBytes: bytes,
        ...placeMember(this.#place.id),
      },
      packs: [],
      plain: undefined,
    };
  }

  /**
   * Checks what a copy names against the version that was read once the key was pinned: a pinned key keeps its copies, and these their
   * packs, so that they need no pin of their own.
   */
  async #inspectDescription(
    copy: ListedCopy,
    wanted: Wanted,
    state: CollectionState,
    options: CallOptions,
  ): Promise<WholeCopy | undefined> {
    const place = this.#place;
    const whole = await place.reader.describeCopy(copy.name, options);
    if (!whole) return undefined;
    if (whole.stored.bytes !== (wanted.bytes ?? whole.stored.bytes)) return otherLength(copy.name, wanted);
    if (!(await this.#packs.holdCopy(whole.packs, state, options))) return undefined;
    if (whole.plain && !(await this.#mayUseObject(whole.plain, whole.stored.bytes, state, options)))
      return undefined;
    return whole;
  }

  /** Of a pack or a plain object that is pinned; its length is compared with `bytes`, if they are known. */
  async #mayUseObject(
    name: string,
    bytes: number | undefined,
    state: CollectionState,
    options: CallOptions,
  ): Promise<boolean> {
    const { storage } = this.#place;
    if (this.#isLost(name, state)) return false;
    const presence = await lookAt(storage, name, options);
    if (!presence) return false;
    const isWhole = presence.bytes === (bytes ?? presence.bytes);
    if (!isWhole) await markDamaged(storage, name, 'its length is not the one recorded');
    if (!isWhole || presence.marked) return false;
    await storage.persist([name], options);
    return true;
  }
}

/** The pins of contents that are about to be looked for: their keys, and the packs of what this process knows of them. */
export function pinsFor(place: ContentPlace, keys: Iterable<ContentKey>): ContentRef[] {
  const pins: ContentRef[] = [];
  for (const key of keys) {
    pins.push({ place: place.id, kind: 'key', name: key });
    const known = place.knownCopies.get(key);
    for (const pin of known ? pinsOf(known, place.id) : []) pins.push(pin);
  }
  return pins;
}

function pinsOf({ packs, plain }: WholeCopy, place: string): ContentRef[] {
  const pins: ContentRef[] = packs.map(({ name }) => ({ place, kind: 'pack', name }));
  if (plain) pins.push({ place, kind: 'plain', name: plain });
  return pins;
}

function fits({ stored, plain }: WholeCopy, wanted: Wanted): boolean {
  return (!wanted.plain || plain !== undefined) && stored.bytes === (wanted.bytes ?? stored.bytes);
}

/** No hit; the fault is the copy's unless a record told the length. */
function otherLength(name: string, { isTold }: Wanted): undefined {
  if (!isTold) throw misfit(name);
}

function misfit(name: string): StowageError {
  return new StowageError('CONTENT_DAMAGED', `${name} is not an envelope of the content its name says.`, {
    details: { copy: name },
  });
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
