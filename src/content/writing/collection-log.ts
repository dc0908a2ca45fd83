import { isStowageError, StowageError, throwIfAborted } from '../../errors.ts';
import {
  COLLECTION_LISTS,
  collectionVersionName,
  collectionVersionOf,
  damagedVersion,
  decodeCollectionList,
  decodeCollectionVersion,
  MAX_COLLECTION_BYTES,
} from '../../format/collection-records.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import { goneError } from '../../storage/checks.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/**
 * The collector's log as writers see it: the newest `gc/<version>` and what it condemns.
 * A store that was never collected is at version 0, which is idle.
 */
export interface CollectionState {
  readonly version: number;
  /** Neither proposed nor final: nothing is about to be deleted, but for names that an earlier deletion could not confirm gone. */
  readonly idle: boolean;
  /** True if a collector has condemned the object of this name (a copy, a pack, a plain object) at this place. */
  isCondemned(objectName: string, place: string): boolean;
}

/** A log can be put back, by a restore or a rule of the bucket, which only a LIST shows: once in this time, in milliseconds. */
const LIST_EVERY_MS = 60 * 60 * 1000;

/** Reads the newest version; remembers it, since versions never change. */
export class CollectionLog {
  readonly #storage: DataStoreStorage;
  readonly #nowMs: () => number;
  #known: CollectionState = stateOf(0, true, []);
  /** When a LIST last told the newest version; before the first one, when this began. */
  #listedAtMs: number;

  /** @param nowMs - a clock that never goes back */
  constructor(storage: DataStoreStorage, nowMs: () => number = () => performance.now()) {
    this.#storage = storage;
    this.#nowMs = nowMs;
    this.#listedAtMs = nowMs();
  }

  /**
   * Step 3 of the writer's protocol (model: `read log`). One GET where no version is newer than the one that this process knows: versions have no gaps, so that the absence of the next
   * one tells. Otherwise, and once an hour, a LIST tells the newest, which is read by a GET.
   *
   * @throws StowageError `STORE_GONE` where the log was put back; `RECORD_DAMAGED`
   */
  async newest(options: CallOptions = {}): Promise<CollectionState> {
    if (await this.#isStillNewest(options)) return this.#known;
    for (;;) {
      const version = await this.#newestVersion(options);
      if (version === this.#known.version) {
        this.#listedAtMs = this.#nowMs();
        return this.#known;
      }
      // Versions are never removed: what is known of this store is of another time.
      if (version < this.#known.version) throw goneError(this.#storage.uri('gc'), 'replaced');
      const state = await this.#read(version, options);
      // A list that is gone was deleted under a newer version: look again.
      if (state) {
        this.#listedAtMs = this.#nowMs();
        this.#known = state;
        return state;
      }
      if (version === (await this.#newestVersion(options))) throw missingList(this.#storage, version);
    }
  }

  /** Only the storage's own word that an object is absent counts: after any other answer the LIST decides. */
  async #isStillNewest({ signal }: CallOptions): Promise<boolean> {
    if (this.#nowMs() - this.#listedAtMs >= LIST_EVERY_MS) return false;
    const next = collectionVersionName(this.#known.version + 1);
    try {
      return (await this.#storage.get(next, { signal, range: { offset: 0, length: 1 } })) === undefined;
    } catch (error) {
      throwIfAborted(signal);
      if (isStowageError(error)) return false; // as where only who may list is told what is absent
      throw error;
    }
  }

  async #newestVersion({ signal }: CallOptions): Promise<number> {
    for await (const page of this.#storage.list({ prefix: 'gc/', limit: 1, signal })) {
      const [first] = page.objects;
      if (!first) continue;
      const version = collectionVersionOf(first.name);
      if (version !== undefined) return version;
      // Only lists may come first, before there is any version. Taking anything else for none would cost content.
      if (!first.name.startsWith(COLLECTION_LISTS)) throw foreignName(this.#storage.uri(first.name));
    }
    return 0;
  }

  async #read(version: number, { signal }: CallOptions): Promise<CollectionState | undefined> {
    const name = collectionVersionName(version);
    const object = await this.#storage.get(name, { signal, maxBytes: MAX_COLLECTION_BYTES });
    if (!object) return undefined;
    const { state, condemned, lists } = decodeCollectionVersion(
      object.body,
      this.#storage.uri(name),
      version,
    );
    const entries = [...condemned];
    for (const list of lists) {
      const found = await this.#storage.get(list.name, { signal, maxBytes: MAX_COLLECTION_BYTES });
      if (!found) return undefined;
      const what = this.#storage.uri(list.name);
      for (const entry of decodeCollectionList(found.body, what, list.digest)) entries.push(entry);
    }
    return stateOf(version, state === 'idle', entries);
  }
}

function stateOf(version: number, idle: boolean, entries: readonly ContentRef[]): CollectionState {
  const condemned = new Set(entries.map(({ place, name }) => `${place}\n${name}`));
  return {
    version,
    idle,
    isCondemned: (objectName, place) => condemned.has(`${place}\n${objectName}`),
  };
}

function foreignName(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is no version of the collector's log, so that the newest one cannot be told; remove it, whoever put it there.`,
    { details: { what } },
  );
}

function missingList(storage: DataStoreStorage, version: number): StowageError {
  return damagedVersion(storage.uri(collectionVersionName(version)));
}
