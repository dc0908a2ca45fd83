import { isStowageError, type StowageError } from '../../errors.ts';
import { type CopyFolder, damagedMarkOf } from '../../format/content-names.ts';
import { type ContentRef, HERE } from '../../format/content-ref.ts';
import type { PackEntry } from '../../format/manifest.ts';
import type { ContentAddress } from '../../format/stored-content.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { type ListedCopy, listCopies, lookAt, type ObjectPresence } from '../copies.ts';
import type { ContentReader } from './content-reader.ts';

/**
 * The result of a look at a content: a copy that can be read, none, none that is whole, none that this release reads, or that the
 * place where it should lie is not there.
 */
export type Presence = 'whole' | 'gone' | 'damaged' | 'newer-format' | 'place-absent';

/** A place that is not there, is another's, or of which nothing tells whose it is. */
const NO_PLACE = [
  'PLACE_NOT_FOUND',
  'PLACE_NOT_OURS',
  'PLACE_NOT_TRUSTED',
  'RECORD_DAMAGED',
  'UNSUPPORTED_FORMAT',
] as const;

/** The places of contents, and their readers. */
export interface PlaceOfContent {
  storage: DataStoreStorage;
  reader: ContentReader;
}

/** Finds a place by its id; {@link HERE} is the store itself. Throws where it cannot be reached. */
export type ContentAt = (place: string, options: CallOptions) => Promise<PlaceOfContent>;

/**
 * Looks whether contents can still be read, at any depth: a copy, and all packs or the plain object that it names. Nothing is
 * read but manifests and locators, so that what is damaged inside, unmarked, shows only when it is loaded.
 *
 * Requests for each content: one LIST where it is small; one LIST, one GET, and one LIST for each session that wrote packs of it
 * where it is large; two LISTs and a GET where it is a plain object. A content of which only the key is known may take one LIST
 * more, and so does every folder without a copy; where it is gone from another place, that place is asked by a GET. An instance looks at each pack once: make a new one for each look.
 */
export class ContentPresence {
  readonly #at: ContentAt;
  readonly #packs = new Map<string, Promise<Map<string, ObjectPresence>>>();
  /** The fault of the first place that is not there. */
  placeFault: StowageError | undefined;

  constructor(at: ContentAt) {
    this.#at = at;
  }

  /** Looks for a content: for its recorded copy, or any other. */
  async ofContent(address: ContentAddress, options: CallOptions): Promise<Presence> {
    const { place = HERE } = address;
    const at = await this.#reach(place, options);
    if (!at) return 'place-absent';
    const first: CopyFolder = address.copy?.startsWith('manifests/') ? 'manifests' : 'data';
    const found = new Set<Presence>();
    for (const folder of [first, first === 'data' ? 'manifests' : 'data'] as const) {
      for (const copy of await listCopies(at.storage, folder, address.key, options)) {
        const presence = await this.#ofCopy(at, copy, address, options);
        if (presence === 'whole') return 'whole';
        found.add(presence);
      }
    }
    if (found.has('newer-format')) return 'newer-format';
    return found.has('damaged') ? 'damaged' : this.#gone(at, options);
  }

  /** Looks for what a reference names: a content by its key, or a pack or plain object by its name. */
  async ofRef({ place, kind, name }: ContentRef, options: CallOptions): Promise<Presence> {
    if (kind === 'key') return this.ofContent({ key: name, place }, options);
    const at = await this.#reach(place, options);
    if (!at) return 'place-absent';
    const { storage, reader } = at;
    const presence = verdict(reader, name, await lookAt(storage, name, options));
    return presence === 'gone' ? this.#gone(at, options) : presence;
  }

  /** Looks for an object of an attempt's own values: one HEAD. */
  async ofObject(name: string, place: string | undefined, options: CallOptions): Promise<Presence> {
    const at = await this.#reach(place ?? HERE, options);
    if (!at) return 'place-absent';
    return (await at.storage.head(name, options)) ? 'whole' : this.#gone(at, options);
  }

  /** `undefined` where the store knows no such place. */
  async #reach(place: string, options: CallOptions): Promise<PlaceOfContent | undefined> {
    try {
      return await this.#at(place, options);
    } catch (error) {
      return this.#noteAbsent(error);
    }
  }

  /** Tells content that is gone from a place that is not there: moved, emptied, or not mounted, that may come back. */
  async #gone({ reader }: PlaceOfContent, options: CallOptions): Promise<Presence> {
    try {
      await reader.checkPlace(options);
      return 'gone';
    } catch (error) {
      this.#noteAbsent(error);
      return 'place-absent';
    }
  }

  #noteAbsent(error: unknown): undefined {
    if (!isStowageError(error, ...NO_PLACE)) throw error;
    this.placeFault ??= error;
  }

  async #ofCopy(
    at: PlaceOfContent,
    copy: ListedCopy,
    address: ContentAddress,
    options: CallOptions,
  ): Promise<Presence> {
    const { storage, reader } = at;
    if (copy.marked || reader.hasFoundDamaged(copy.name)) return 'damaged';
    if (copy.folder === 'data') return 'whole';
    try {
      const described = await reader.describeCopy(copy.name, options);
      if (!described) return 'gone';
      const { stored, packs, plain } = described;
      const fits =
        (address.root ?? stored.root) === stored.root && (address.bytes ?? stored.bytes) === stored.bytes;
      if (!fits) return 'damaged';
      if (plain === undefined) return await this.#ofPacks(at, packs, options);
      return verdict(reader, plain, await lookAt(storage, plain, options), stored.bytes);
    } catch (error) {
      if (isStowageError(error, 'UNSUPPORTED_FORMAT')) return 'newer-format';
      if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
      await reader.reportDamage(error, copy.name);
      return 'damaged';
    }
  }

  async #ofPacks(
    { storage, reader }: PlaceOfContent,
    packs: readonly PackEntry[],
    options: CallOptions,
  ): Promise<Presence> {
    const perSession = new Map<string, number>();
    for (const { name } of packs) perSession.set(folderOf(name), (perSession.get(folderOf(name)) ?? 0) + 1);
    for (const { name, bytes } of packs) {
      const prefix = perSession.get(folderOf(name)) === 1 ? name : folderOf(name);
      let listing = this.#packs.get(prefix);
      if (!listing) {
        listing = listPacks(storage, prefix, options);
        this.#packs.set(prefix, listing);
      }
      const presence = verdict(reader, name, (await listing).get(name), bytes);
      if (presence !== 'whole') return presence;
    }
    return 'whole';
  }
}

async function listPacks(
  storage: DataStoreStorage,
  prefix: string,
  { signal }: CallOptions,
): Promise<Map<string, ObjectPresence>> {
  const packs = new Map<string, ObjectPresence>();
  const names = new Set<string>();
  for await (const page of storage.list({ prefix, details: true, signal })) {
    for (const { name, bytes } of page.objects) {
      names.add(name);
      packs.set(name, { bytes: bytes as number, marked: false });
    }
  }
  for (const [name, pack] of packs) pack.marked = names.has(damagedMarkOf(name));
  return packs;
}

function verdict(
  reader: ContentReader,
  name: string,
  presence: ObjectPresence | undefined,
  bytes: number | undefined = presence?.bytes,
): Presence {
  if (!presence) return 'gone';
  const isWhole = !presence.marked && presence.bytes === bytes && !reader.hasFoundDamaged(name);
  return isWhole ? 'whole' : 'damaged';
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1);
}
