import type { ContentStore } from '../content/content-store.ts';
import { type ContentInput, ContentWriter, type StreamOptions } from '../content/writing/content-writer.ts';
import type { SoughtContent } from '../content/writing/copy-finder.ts';
import type { WrittenValue } from '../content/writing/own-writer.ts';
import type { StoredPlain } from '../content/writing/plain-writer.ts';
import { SessionPins } from '../content/writing/session-pins.ts';
import type { StepHint } from '../content/writing/step-hint.ts';
import { digestHex } from '../digest/blake3.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { type ContentRef, HERE, refId } from '../format/content-ref.ts';
import { createOwn, holdsBytes, tryCreateOwn } from '../format/create-own.ts';
import {
  type DoneRecord,
  decodeDone,
  encodeAttempt,
  encodeDone,
  readSessionFile,
  SESSION_FILES,
  type SessionFiles,
  thisOwner,
} from '../format/session-files.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { ContentSource } from '../streams/chunk-stream.ts';
import { Heartbeat } from './heartbeat.ts';

/** A content's place: `HERE`, the default, or the id of another place, as {@link Session.locate} tells it. */
interface AtPlace {
  place?: string | undefined;
}

/** A place for values of an attempt's own. */
interface OwnPlace extends AtPlace {
  /** The beginning of the names of an attempt's objects. Default: of the attempt that this session is of. */
  base?: string | undefined;
}

/** Options of opening a session. */
export interface OpenSessionOptions extends CallOptions {
  /** One that was never used. Default: a new one. */
  id?: SessionId | undefined;
  /** ISO 8601. Default: now. */
  startedAt?: string | undefined;
  /** What people call it. Default: nothing. */
  label?: string | undefined;
  /** The time between heartbeats. Default: ten minutes. */
  beatIntervalMs?: number | undefined;
  /** What it pins from its beginning, in attempt.json, which outlives it: few. Default: nothing. */
  pins?: readonly ContentRef[] | undefined;
}

/** The ends of a session. */
export interface SessionEnding extends Pick<DoneRecord, 'outcome' | 'error'> {
  /** Nobody wants what it wrote, so that it need not be durable. Default `false`. */
  keepsNothing?: boolean | undefined;
}

/**
 * One open session: all that a writer is given. What it writes carries its id, and what it relies on of others is pinned before it is
 * looked for, so that a collector spares both while the session is open. Steps are those of the writer's protocol (docs/format.md,
 * section 6).
 */
export class Session {
  readonly id: SessionId;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly label: string | undefined;
  readonly #store: ContentStore;
  readonly #files: SessionFiles;
  readonly #pins: SessionPins;
  readonly #heartbeat: Heartbeat;
  readonly #hint: StepHint | undefined;
  /** By place. */
  readonly #writers = new Map<string, ContentWriter>();
  /** References that were found under this session, which keeps what they point at from then on. */
  readonly #reliedOn = new Set<string>();

  private constructor(
    store: ContentStore,
    id: SessionId,
    files: SessionFiles,
    { startedAt, label, pins }: { startedAt: string; label: string | undefined; pins: readonly ContentRef[] },
    beatIntervalMs: number | undefined,
  ) {
    this.#store = store;
    this.#files = files;
    this.#pins = new SessionPins(store.storage, id, pins);
    this.#heartbeat = new Heartbeat(store.storage, id, beatIntervalMs);
    this.#hint = files.step && store.hintOf(files.step);
    this.id = id;
    this.startedAt = startedAt;
    this.label = label;
  }

  /** Step 1 (model: `open`): creates attempt.json, which holds the first pins. `undefined` where somebody else's has its name. */
  static async open(
    store: ContentStore,
    files: SessionFiles,
    options: OpenSessionOptions,
  ): Promise<Session | undefined> {
    const { id = newSessionId(), startedAt = new Date().toISOString() } = options;
    const { label, beatIntervalMs, pins = [], signal } = options;
    const said = { startedAt, owner: thisOwner(), label, pins };
    const record = encodeAttempt({ session: id, ...said }, files.subject);
    const name = files.base + SESSION_FILES.attempt;
    const isOurs = await tryCreateOwn(store.storage, name, record, { signal, durability: 'deferred' });
    return isOurs ? new Session(store, id, files, { startedAt, label, pins }, beatIntervalMs) : undefined;
  }

  /** The place at an address, registered and marked where it was not; `HERE` without one, or where it is empty. */
  async locate(rawDataPath: string = HERE, options: CallOptions = {}): Promise<string> {
    return this.#store.locate(rawDataPath, options);
  }

  /** Steps 2 to 5 for contents in memory, each at its place. Results come in the order of `contents`; equal ones are stored once. */
  async put(
    contents: readonly (ContentInput & AtPlace)[],
    options: CallOptions = {},
  ): Promise<StoredContent[]> {
    const groups = await this.#byPlace(contents, options);
    const stored = new Map<ContentInput, StoredContent>();
    for (const { writer, items } of groups) {
      const saved = await writer.put(items, options);
      items.forEach((content, index) => {
        stored.set(content, saved[index] as StoredContent);
      });
    }
    return contents.map((content) => stored.get(content) as StoredContent);
  }

  /** Tells whether small values belong to their attempt at a place: where a look would cost a request. */
  async keepsOwn({ place = HERE, base }: OwnPlace, options: CallOptions = {}): Promise<boolean> {
    if (this.#baseOf(base) === undefined) return false;
    return !(await this.#store.at(place, options)).storage.capabilities.localReads;
  }

  /** Writes small values as an attempt's own, without a look; see {@link keepsOwn}. Results come in the order of `values`. */
  async putOwn(
    values: readonly (ContentInput & AtPlace)[],
    { base: of, ...options }: CallOptions & Omit<OwnPlace, 'place'> = {},
  ): Promise<WrittenValue[]> {
    const base = this.#baseOf(of);
    if (base === undefined) throw invalidArgument('Values of their own belong to an attempt of a task.');
    const written = new Map<ContentInput, WrittenValue>();
    for (const { writer, items } of await this.#byPlace(values, options)) {
      const own = await writer.putOwn(base, items, options);
      items.forEach((value, index) => {
        written.set(value, own[index] as WrittenValue);
      });
    }
    return values.map((value) => written.get(value) as WrittenValue);
  }

  /** Steps 2 to 5 for a content that comes piece by piece, of any length, in bounded memory. */
  async putStream(
    source: AsyncIterable<Uint8Array>,
    { place = HERE, ...options }: StreamOptions & AtPlace = {},
  ): Promise<StoredContent> {
    return (await this.#writerAt(place, options)).putStream(source, options);
  }

  /** Steps 2 to 5 for a plain object named `file`, or one that holds the content already, whatever its file is named. */
  async putPlain(
    file: string,
    source: ContentSource,
    { place = HERE, ...options }: Pick<StreamOptions, 'signal' | 'progress'> & AtPlace = {},
  ): Promise<StoredPlain> {
    return (await this.#writerAt(place, options)).plain.put(file, source, options);
  }

  /** Steps 2 to 5 for a content that is written anew without some packs; see {@link ContentWriter.repack}. */
  async repack(
    name: string,
    leaving: ReadonlySet<string>,
    { place = HERE, ...options }: CallOptions & AtPlace,
  ): Promise<StoredContent | undefined> {
    return (await this.#writerAt(place, options)).repack(name, leaving, options);
  }

  /**
   * Steps 2 to 4 for contents that were stored before, each at its place: a whole copy of each, or `undefined` for what is gone.
   *
   * @throws StowageError `PLACE_NOT_FOUND` where one is missing because its place is
   */
  async rely(
    contents: readonly SoughtContent[],
    options: CallOptions = {},
  ): Promise<(StoredContent | undefined)[]> {
    const found = new Map<SoughtContent, StoredContent | undefined>();
    for (const [place, sought] of groupByPlace(contents)) {
      const relied = await (await this.#writerAt(place, options)).finder.rely(sought, options);
      if (relied.includes(undefined)) await this.#checkPlace(place, options);
      sought.forEach((content, index) => {
        found.set(content, relied[index]);
      });
    }
    return contents.map((content) => found.get(content));
  }

  /**
   * Steps 2 to 4 for what references point at, each at its place, once a session. Resolves to those that point at nothing whole.
   *
   * @throws StowageError `PLACE_NOT_FOUND` for a place that is not known, or where something is missing because its place is
   */
  async relyOnRefs(refs: readonly ContentRef[], options: CallOptions = {}): Promise<ContentRef[]> {
    const fresh = new Map(refs.map((ref) => [refId(ref), ref]));
    for (const id of fresh.keys()) if (this.#reliedOn.has(id)) fresh.delete(id);
    const missing: ContentRef[] = [];
    for (const [place, sought] of groupByPlace([...fresh.values()])) {
      const gone = await (await this.#writerAt(place, options)).finder.relyOnRefs(sought, options);
      if (gone.length > 0) await this.#checkPlace(place, options);
      missing.push(...gone);
    }
    for (const ref of missing) fresh.delete(refId(ref));
    for (const id of fresh.keys()) this.#reliedOn.add(id);
    return missing;
  }

  /** Relies on what a closed attempt names, without a look at each; see `CopyFinder.relyOnDescribed`. */
  async relyOnDescribed(
    contents: readonly StoredContent[],
    refs: readonly ContentRef[],
    stands: () => Promise<boolean>,
    options: CallOptions,
  ): Promise<boolean> {
    const [contentsAt, refsAt] = [groupByPlace(contents), groupByPlace(refs)];
    for (const place of new Set([...contentsAt.keys(), ...refsAt.keys()])) {
      const { finder } = await this.#writerAt(place, options);
      const [there, pointed] = [contentsAt.get(place) ?? [], refsAt.get(place) ?? []];
      if (!(await finder.relyOnDescribed(there, pointed, stands, options))) return false;
    }
    return true;
  }

  /**
   * Steps 6 and 7 (model: `describe`, `close`): what lies at other places becomes durable, then metadata.json is created, then everything else becomes durable,
   * and then DONE is there. Resolves to `undefined`, or to the DONE of whoever closed the session before; either way it is over, and
   * shows no more signs of life. After a failure it can be tried again, with the same `metadata`.
   *
   * @throws StowageError `PLACE_NOT_FOUND` where a place has gone away since; `RECORD_DAMAGED` where a DONE stands that cannot be read
   */
  async close(
    metadata: Uint8Array,
    { keepsNothing, ...ending }: SessionEnding,
    options: CallOptions = {},
  ): Promise<DoneRecord | undefined> {
    if (!keepsNothing && this.#writers.size > 0) await this.persistElsewhere(options);
    const { storage } = this.#store;
    const { base, subject } = this.#files;
    await createOwn(storage, base + SESSION_FILES.metadata, metadata, { durability: 'deferred', ...options });
    const done = {
      session: this.id,
      closedAt: new Date().toISOString(),
      metadataDigest: digestHex(metadata),
      ...ending,
    };
    const name = base + SESSION_FILES.done;
    const body = encodeDone(done, subject);
    const isOurs =
      (await storage.create(name, body, { durability: 'barrier', ...options })) ||
      (await holdsBytes(storage, name, body, options.signal)); // after a lost response
    const standing = isOurs ? undefined : await this.#readDone(name, options);
    await this.#heartbeat.stop();
    if (isOurs && !keepsNothing && this.#writers.size > 0) await this.#tellOfManifests();
    return standing;
  }

  /** Others may reuse the chunks of what was saved. */
  async #tellOfManifests(): Promise<void> {
    const manifests = [...this.#writers.values()].flatMap((writer) => writer.copies.takeManifests());
    await this.#hint?.tell(manifests);
  }

  /** Shows no more signs of life: nobody will close the session, and a collector may give up on it. */
  async abandon(): Promise<void> {
    await this.#heartbeat.stop();
  }

  async #readDone(name: string, options: CallOptions): Promise<DoneRecord> {
    const { storage } = this.#store;
    const standing = await readSessionFile(storage, name, options);
    if (standing) return decodeDone(standing, storage.uri(name), this.#files.subject);
    throw new StowageError(
      'STORAGE_FAILED',
      `${storage.uri(name)} could not be created and cannot be read; check that no other program changes the store's folders.`,
      { details: { name } },
    );
  }

  /** Makes what was written at other places durable: a barrier in the store itself is for that alone. */
  async persistElsewhere({ signal }: CallOptions): Promise<void> {
    for (const place of this.#writers.keys()) {
      if (place === HERE) continue;
      await this.#store.otherPlaces.lookAgain(place, { signal });
      const { storage } = await this.#store.at(place, { signal });
      await storage.persist([], { signal, durability: 'barrier' });
    }
  }

  #baseOf(base: string | undefined): string | undefined {
    return base ?? this.#files.values;
  }

  async #checkPlace(place: string, options: CallOptions): Promise<void> {
    await (await this.#store.at(place, options)).reader.checkPlace(options);
  }

  async #writerAt(place: string, options: CallOptions): Promise<ContentWriter> {
    const known = this.#writers.get(place);
    if (known) return known;
    const at = await this.#store.at(place, options);
    // Another call may have been faster, and its writer knows already what this session may rely on.
    const writer = this.#writers.get(place) ?? new ContentWriter(at, this.#pins, this.#hint);
    this.#writers.set(place, writer);
    return writer;
  }

  /** Every place is found before anything is written. */
  async #byPlace<T extends AtPlace>(
    items: readonly T[],
    options: CallOptions,
  ): Promise<{ writer: ContentWriter; items: T[] }[]> {
    const groups: { writer: ContentWriter; items: T[] }[] = [];
    for (const [place, group] of groupByPlace(items)) {
      groups.push({ writer: await this.#writerAt(place, options), items: group });
    }
    return groups;
  }
}

function groupByPlace<T extends AtPlace>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const { place = HERE } = item;
    const group = groups.get(place);
    if (group) group.push(item);
    else groups.set(place, [item]);
  }
  return groups;
}
