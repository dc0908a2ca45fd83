import type { ContentStore } from '../../content/content-store.ts';
import type { PlaceOfContent } from '../../content/reading/presence.ts';
import { HERE } from '../../format/content-ref.ts';
import type { EntrySigner } from '../../format/signing.ts';
import type { CallOptions, DataStoreStorage, ListedObject } from '../../storage/contract.ts';
import { compareNames } from '../../storage/name-order.ts';
import { outOfOrder } from '../collection/impossible-listings.ts';
import { SortedLines, WorkFolder } from '../collection/sorted-lines.ts';
import { type Fault, findingOf, problemOf } from './faults.ts';
import type { Finding, Problem } from './finding.ts';
import type { Reading } from './reading.ts';
import { recordConcerns, Wanted } from './wanted.ts';

/** What is younger may be under way yet: as long as an open session may be silent. */
const SETTLED_AFTER_MS = 24 * 60 * 60 * 1000;

/** The part of a store that is checked. */
export interface CheckScope {
  flow?: string | undefined;
  run?: string | undefined;
}

/** An object as a listing with details shows it. */
export type ShownObject = Required<ListedObject>;

/** What was found out about a record: its content, or a fault of it, or that it was deleted since it was listed. */
export type Examined<T> = { value: T } | { finding: Finding } | 'gone';

/** What is told of a record beside its fault. */
export type AboutRecord = Omit<Fault, 'problem' | 'message'>;

/** The choice of what is checked. */
export interface CheckChoice {
  scope: CheckScope;
  /** Only what was written since, by the storage's clock, in milliseconds since 1970. */
  sinceMs: number | undefined;
  /** By this machine's clock; tells what may be under way. */
  nowMs: number;
  /** Verifies the signatures of entries of the cache; without one none is looked at. */
  signer: EntrySigner | undefined;
}

/** What the steps of one check share: the store, what is to be checked of it, and what they learn for the steps behind them. */
export class Checking {
  readonly content: ContentStore;
  readonly storage: DataStoreStorage;
  readonly choice: CheckChoice;
  readonly reading: Reading;
  readonly call: CallOptions;
  readonly folder: WorkFolder = new WorkFolder();
  /** The store itself, and the other places that could be opened. */
  readonly places: Map<string, PlaceOfContent> = new Map();
  readonly wanted: Wanted;
  /** Runs that have a created.json: `<flow>/<run>/`. */
  readonly runs: SortedLines;
  /** Sessions that keep the code of runs, with the run. */
  readonly codeSessions: SortedLines;
  /** Ids of closed sessions that keep a published value, and that nobody is about to name. */
  readonly publishedSessions: SortedLines;
  /** Ids of the sessions of attempts, of loose sessions and of leases. */
  readonly sessions: SortedLines;
  /** Attempts of tasks and how far they got, as `noteAttempt` writes them. */
  readonly attempts: SortedLines;
  /** Attempts as entries of the cache name them: path and number, session, digest of the description. */
  readonly results: SortedLines;
  /** Attempts whose objects of values are known: the beginning of their names. */
  readonly valuesKnown: SortedLines;
  /** Attempts whose objects of values cannot be told: they are open, or have lost a record. */
  readonly valuesUnknown: SortedLines;
  /** Objects of values that descriptions list: place and name. */
  readonly valuesKept: SortedLines;
  /** Some records could not be listed or read, so that nothing is told of what seems to belong to none. */
  isIncomplete = false;
  readonly #onObject: () => void;

  /** @param onObject told of each object that is looked at */
  constructor(
    content: ContentStore,
    choice: CheckChoice,
    reading: Reading,
    onObject: () => void,
    { signal }: CallOptions,
  ) {
    this.#onObject = onObject;
    this.content = content;
    this.storage = content.storage;
    this.choice = choice;
    this.reading = reading;
    this.call = { signal };
    this.wanted = new Wanted(this.folder);
    this.runs = new SortedLines(this.folder);
    this.codeSessions = new SortedLines(this.folder);
    this.publishedSessions = new SortedLines(this.folder);
    this.sessions = new SortedLines(this.folder);
    this.attempts = new SortedLines(this.folder);
    this.results = new SortedLines(this.folder);
    this.valuesKnown = new SortedLines(this.folder);
    this.valuesUnknown = new SortedLines(this.folder);
    this.valuesKept = new SortedLines(this.folder);
    this.places.set(HERE, { storage: content.storage, reader: content.reader });
  }

  /** True if only a flow, or a run of it, is checked. */
  get isPart(): boolean {
    return this.choice.scope.flow !== undefined;
  }

  /** The beginning of the names in a folder that are checked: `flows/` or `flows/<flow>/<run>/`. */
  prefixOf(folder: string): string {
    const { flow, run } = this.choice.scope;
    if (flow === undefined) return folder;
    return run === undefined ? `${folder}${flow}/` : `${folder}${flow}/${run}/`;
  }

  /** The objects below a prefix, in the order of their names. */
  async *list(prefix: string, storage: DataStoreStorage = this.storage): AsyncGenerator<ShownObject, void> {
    let last = '';
    for await (const page of storage.list({ prefix, details: true, ...this.call })) {
      for (const { name, bytes = 0, modifiedAtMs = 0 } of page.objects) {
        // What goes along with it would be taken for missing.
        if (compareNames(name, last) < 0) throw outOfOrder(name, last);
        last = name;
        this.#onObject();
        yield { name, bytes, modifiedAtMs };
      }
    }
  }

  /** True if an object is among what was written since the time that was asked for. */
  isRecent({ modifiedAtMs }: { modifiedAtMs: number }): boolean {
    return this.choice.sinceMs === undefined || modifiedAtMs >= this.choice.sinceMs;
  }

  /** True if whoever wrote an object is done with it, or dead. */
  isSettled({ modifiedAtMs }: { modifiedAtMs: number }): boolean {
    return this.choice.nowMs - modifiedAtMs >= SETTLED_AFTER_MS;
  }

  /**
   * Reads a record, and again where a fault was found that may have come about on the way. `read` resolves to `undefined` for what is not
   * there.
   */
  async examine<T>(about: AboutRecord, read: () => Promise<T | undefined>): Promise<Examined<T>> {
    let before: string | undefined;
    for (;;) {
      try {
        const value = await read();
        return value === undefined ? 'gone' : { value };
      } catch (thrown) {
        const { problem, error } = problemOf(thrown);
        if (problem !== 'unreadable' && before !== error.message) {
          before = error.message;
          continue;
        }
        return { finding: this.found(about, problem, error.message) };
      }
    }
  }

  /** {@link examine} for an object of the store itself whose bytes `decode` reads. */
  record<T>(
    about: AboutRecord,
    maxBytes: number,
    decode: (bytes: Uint8Array, what: string) => T,
    storage: DataStoreStorage = this.storage,
  ): Promise<Examined<T>> {
    return this.examine(about, async () => {
      const object = await storage.get(about.object, { ...this.call, maxBytes });
      return object && decode(object.body, storage.uri(about.object));
    });
  }

  /** The finding of a fault; of a record of an attempt, run or session it concerns that, unless something else is told. */
  found(about: AboutRecord, problem: Problem, message: string): Finding {
    const concerns = about.concerns ?? recordConcerns(about.object);
    return findingOf({ ...about, problem, message, concerns });
  }

  /** A name that is none of a store. */
  foreign(layer: Finding['layer'], object: string, place: string = HERE): Finding {
    const at = this.places.get(place)?.storage ?? this.storage;
    const uri = object.endsWith('/') ? at.uri(`${object}x`).slice(0, -1) : at.uri(object);
    const message = `${uri} has a name that no part of a store has: somebody else put it there. Stowage leaves it alone; move it away if nobody needs it.`;
    return findingOf({ layer, problem: 'foreign', severity: 'notice', object, place, message });
  }

  /** What a process left that died. */
  leftover(about: AboutRecord, why: string): Finding {
    const at = this.places.get(about.place ?? HERE)?.storage ?? this.storage;
    return this.found(about, 'leftover', `${at.uri(about.object)} ${why}`);
  }

  /** A mark of which nothing but its name counts, and that has content. */
  filledMark(layer: Finding['layer'], { name, bytes }: ShownObject): Finding | undefined {
    if (bytes === 0) return undefined;
    const message = `${this.storage.uri(name)} has ${bytes} bytes, and should be empty. What it says by its name counts all the same.`;
    return this.found({ layer, object: name, remedy: 'leave' }, 'damaged', message);
  }
}
