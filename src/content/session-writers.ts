import { type ContentRef, HERE, refId } from '../format/content-ref.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { ContentWriter, SoughtContent } from './content-writer.ts';
import type { WriterSession } from './session.ts';

/** A writer of one place, and the storage that it writes to. */
export interface WriterAt {
  writer: ContentWriter;
  storage: DataStoreStorage;
}

/** What the writers of a session need of their store. */
export interface WriterSource {
  /** The id of the place at an address, registered. */
  register(rawDataPath: string, options: CallOptions): Promise<string>;
  /** A writer for the session at a place. */
  open(session: WriterSession, place: string, options: CallOptions): Promise<WriterAt>;
  /** Throws where content is missing at a place because the place itself is. */
  check(place: string, options: CallOptions): Promise<void>;
  /** Throws where a place has gone away, as far as a look costs no request. */
  lookAgain(place: string, options: CallOptions): Promise<void>;
}

/**
 * The writers of one session, one for each place that it writes to or relies on. All pin in the store itself, under the one
 * session, and read the one log of the collector.
 */
export class SessionWriters {
  readonly session: WriterSession;
  readonly #source: WriterSource;
  readonly #byPlace = new Map<string, WriterAt>();
  /** References that were found under this session, which keeps what they point at from then on. */
  readonly #reliedOn = new Set<string>();

  constructor(source: WriterSource, session: WriterSession) {
    this.#source = source;
    this.session = session;
  }

  /** The writer of a place that a record names; of the store itself by default. */
  async at(place: string = HERE, options: CallOptions = {}): Promise<ContentWriter> {
    const known = this.#byPlace.get(place);
    if (known) return known.writer;
    const opened = await this.#source.open(this.session, place, options);
    // Another call may have been faster, and its writer knows already what this session may rely on.
    const first = this.#byPlace.get(place) ?? opened;
    this.#byPlace.set(place, first);
    return first.writer;
  }

  /** The writer of the place at an address; of the store itself without one, or where it is empty. */
  async to(rawDataPath: string = HERE, options: CallOptions = {}): Promise<ContentWriter> {
    return this.at(rawDataPath === HERE ? HERE : await this.#source.register(rawDataPath, options), options);
  }

  /**
   * Finds whole copies of contents again, each at its place; see `ContentWriter.relyAll`.
   *
   * @throws StowageError `PLACE_NOT_FOUND` where one is missing because its place is
   */
  async relyAll(
    contents: readonly SoughtContent[],
    options: CallOptions,
  ): Promise<(StoredContent | undefined)[]> {
    const found = new Map<SoughtContent, StoredContent | undefined>();
    for (const [place, sought] of byPlace(contents)) {
      const writer = await this.at(place, options);
      const relied = await writer.relyAll(sought, options);
      if (place !== HERE && relied.includes(undefined)) await this.#source.check(place, options);
      sought.forEach((content, index) => {
        found.set(content, relied[index]);
      });
    }
    return contents.map((content) => found.get(content));
  }

  /**
   * Relies on what references point at, each at its place, once a session; see `ContentWriter.relyOnRefs`.
   *
   * @throws StowageError `PLACE_NOT_FOUND` for a place that is not known, or where something is missing because its place is
   */
  async relyOnRefs(refs: readonly ContentRef[], options: CallOptions): Promise<ContentRef[]> {
    const fresh = new Map(refs.map((ref) => [refId(ref), ref]));
    for (const id of fresh.keys()) if (this.#reliedOn.has(id)) fresh.delete(id);
    const missing: ContentRef[] = [];
    for (const [place, sought] of byPlace([...fresh.values()])) {
      const gone = await (await this.at(place, options)).relyOnRefs(sought, options);
      if (place !== HERE && gone.length > 0) await this.#source.check(place, options);
      missing.push(...gone);
    }
    for (const ref of missing) fresh.delete(refId(ref));
    for (const id of fresh.keys()) this.#reliedOn.add(id);
    return missing;
  }

  /** Relies on what a closed attempt names, everything at its place; see `ContentWriter.relyOnDescribed`. */
  async relyOnDescribed(
    contents: readonly StoredContent[],
    refs: readonly ContentRef[],
    stands: () => Promise<boolean>,
    options: CallOptions,
  ): Promise<boolean> {
    const [contentsAt, refsAt] = [byPlace(contents), byPlace(refs)];
    for (const place of new Set([...contentsAt.keys(), ...refsAt.keys()])) {
      const writer = await this.at(place, options);
      const [there, pointed] = [contentsAt.get(place) ?? [], refsAt.get(place) ?? []];
      if (!(await writer.relyOnDescribed(there, pointed, stands, options))) return false;
    }
    return true;
  }

  /**
   * Makes durable what this session wrote, or relies on, at other places. Comes before DONE, whose own barrier is for the store
   * itself alone.
   *
   * @throws StowageError `PLACE_NOT_FOUND` where a place has gone away since
   */
  async persistElsewhere({ signal }: CallOptions): Promise<void> {
    for (const [place, { storage }] of this.#byPlace) {
      if (place === HERE) continue;
      await this.#source.lookAgain(place, { signal });
      await storage.persist([], { signal, durability: 'barrier' });
    }
  }
}

function byPlace<T extends { place?: string | undefined }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const { place = HERE } = item;
    const group = groups.get(place);
    if (group) group.push(item);
    else groups.set(place, [item]);
  }
  return groups;
}
