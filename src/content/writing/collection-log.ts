import { StowageError } from '../../errors.ts';
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

/** Reads the newest version; remembers it, since versions never change. */
export class CollectionLog {
  readonly #storage: DataStoreStorage;
  #known: CollectionState = stateOf(0, true, []);

  constructor(storage: DataStoreStorage) {
    this.#storage = storage;
  }

  /** One LIST, and one GET where the version is new to this process. */
  async newest(options: CallOptions = {}): Promise<CollectionState> {
    for (;;) {
      const version = await this.#newestVersion(options);
      if (version === this.#known.version) return this.#known;
      // Versions are never removed: what is known of this store is of another time.
      if (version < this.#known.version) throw goneError(this.#storage.uri('gc'), 'replaced');
      const state = await this.#read(version, options);
      // A list that is gone was deleted under a newer version: look again.
      if (state) {
        this.#known = state;
        return state;
      }
      if (version === (await this.#newestVersion(options))) throw missingList(this.#storage, version);
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
