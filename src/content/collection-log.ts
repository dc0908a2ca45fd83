import { digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import { type ContentRef, readContentRefs } from '../format/content-ref.ts';
import { encodeRecord } from '../format/record.ts';
import { readObjects, readOneOf, readRecord, readString } from '../format/record-fields.ts';
import { SESSION_PATTERN, type SessionId } from '../format/session-id.ts';
import { goneError } from '../storage/checks.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/**
 * The collector's log as writers see it: the newest `gc/<version>` and what it condemns.
 * A store that was never collected is at version 0, which is idle.
 */
export interface CollectionState {
  readonly version: number;
  /** Neither proposed nor final: nothing is about to be deleted, but for names that an earlier deletion could not confirm gone. */
  readonly idle: boolean;
  /** Whether a collector has condemned the object of this name (a copy, a pack, a plain object) at this place. */
  isCondemned(objectName: string, place: string): boolean;
}

/** What one version of the log says. */
export interface CollectionVersion {
  version: number;
  state: 'idle' | 'proposed' | 'final';
  /** The collector's own session. */
  session: SessionId;
  condemned: readonly ContentRef[];
  /** Further condemned names, when they are many: `gc/lists/<session>/<k>`, each with the digest of its bytes. */
  lists: readonly { name: string; digest: string }[];
}

const HIGHEST_VERSION = 999_999_999_999;
const versionRegExp = /^gc\/(\d{12})$/;
const listRegExp = new RegExp(`^gc/lists/${SESSION_PATTERN}/\\d{8}$`);
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** Versions count down, so that a LIST of one name finds the newest. */
export function collectionVersionName(version: number): string {
  return `gc/${String(HIGHEST_VERSION - version).padStart(12, '0')}`;
}

export function encodeCollectionVersion(version: CollectionVersion): Uint8Array {
  return encodeRecord({ format: 1, kind: 'gc-version', ...version });
}

export function encodeCollectionList(entries: readonly ContentRef[]): Uint8Array {
  return encodeRecord({ format: 1, kind: 'gc-list', entries });
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
      const match = versionRegExp.exec(first.name);
      if (match) return HIGHEST_VERSION - Number(match[1]);
      // Only lists may come first, before there is any version. Taking anything else for none would cost content.
      if (!first.name.startsWith('gc/lists/')) throw foreignName(this.#storage.uri(first.name));
    }
    return 0;
  }

  async #read(version: number, { signal }: CallOptions): Promise<CollectionState | undefined> {
    const name = collectionVersionName(version);
    const object = await this.#storage.get(name, { signal, maxBytes: MAX_LIST_BYTES });
    if (!object) return undefined;
    const what = this.#storage.uri(name);
    const record = readRecord(object.body, what, 'gc-version', { version });
    const state = readOneOf(record, 'state', what, ['idle', 'proposed', 'final']);
    const entries = readContentRefs(record.condemned, what);
    for (const list of readObjects(record, 'lists', what)) {
      const listName = readString(list, 'name', what);
      if (!listRegExp.test(listName)) throw damagedVersion(what);
      const found = await this.#storage.get(listName, { signal, maxBytes: MAX_LIST_BYTES });
      if (!found) return undefined;
      if (digestHex(found.body) !== list.digest) throw damagedVersion(this.#storage.uri(listName));
      const recordOfList = readRecord(found.body, listName, 'gc-list');
      for (const entry of readContentRefs(recordOfList.entries, listName)) entries.push(entry);
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

function damagedVersion(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what}, the collector's log, is damaged; saving stops until it is restored from a copy of the store.`,
    { details: { what } },
  );
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
