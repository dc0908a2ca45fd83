import type { Compression } from '../codec/envelope.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { BoundedMap } from './bounded-map.ts';
import type { CollectionLog } from './collection-log.ts';
import type { ContentReader } from './content-reader.ts';
import { lookAt } from './copies.ts';
import { markDamaged } from './damage.ts';
import { KeyLocks } from './key-locks.ts';
import type { PackEntry } from './manifest.ts';
import type { ContentKey } from './object-names.ts';
import type { PackedEntry } from './pack-writer.ts';
import type { WriterSession } from './session.ts';
import type { StoredContent } from './stored-content.ts';

const KNOWN_COPIES = 20_000;
const KNOWN_CHUNKS = 100_000;

/** What this process wrote, or saw whole, after it had read an idle version. */
export interface KnownCopy {
  stored: StoredContent;
  packs: readonly PackEntry[];
  plain: string | undefined;
  /** The idle version. */
  version: number;
}

/** What the writers of one store in one process share, for one place. */
export interface SharedWriterState {
  /** Where they write: `HERE`, or the id of another place. */
  readonly place: string;
  /** The objects of that place. */
  readonly storage: DataStoreStorage;
  /** The collector's log, which lies in the store itself for all places. */
  readonly log: CollectionLog;
  readonly reader: ContentReader;
  readonly locks: KeyLocks;
  readonly knownCopies: BoundedMap<ContentKey, KnownCopy>;
  readonly knownChunks: BoundedMap<string, PackedEntry>;
  readonly compression: Compression;
  readonly verifyHits: boolean;
}

export function sharedWriterState(
  { place, storage }: Pick<SharedWriterState, 'place' | 'storage'>,
  log: CollectionLog,
  reader: ContentReader,
  options: { compression: Compression; verifyHits: boolean },
): SharedWriterState {
  return {
    ...options,
    place,
    storage,
    log,
    reader,
    locks: new KeyLocks(),
    knownCopies: new BoundedMap(KNOWN_COPIES),
    knownChunks: new BoundedMap(KNOWN_CHUNKS),
  };
}

/** One session's view of the shared state: which packs of others it may rely on. */
export class WriterContext {
  readonly shared: SharedWriterState;
  readonly session: WriterSession;
  readonly #usablePacks = new Map<string, Promise<boolean>>();

  constructor(shared: SharedWriterState, session: WriterSession) {
    this.shared = shared;
    this.session = session;
  }

  get storage(): DataStoreStorage {
    return this.shared.storage;
  }

  get place(): string {
    return this.shared.place;
  }

  /** Where a chunk lies that this process packed before; whether this session may rely on that pack, {@link mayUsePack} tells. */
  knownChunk(id: string): PackedEntry | undefined {
    return this.shared.knownChunks.get(id);
  }

  rememberChunks(chunks: ReadonlyMap<string, PackedEntry>): void {
    for (const [id, entry] of chunks) this.shared.knownChunks.set(id, entry);
  }

  /**
   * Whether a pack may be relied on: it is pinned, the newest version read after that does not condemn it,
   * and it is there, whole in length and unmarked (step 4 of the writer's protocol). Asked once a session.
   */
  async mayUsePack(pack: PackEntry, options: CallOptions): Promise<boolean> {
    if (this.shared.reader.hasFoundDamaged(pack.name)) return false;
    let usable = this.#usablePacks.get(pack.name);
    if (!usable) {
      usable = this.#checkPack(pack, options);
      this.#usablePacks.set(pack.name, usable);
      usable.catch(() => this.#usablePacks.delete(pack.name));
    }
    return usable;
  }

  async #checkPack(pack: PackEntry, options: CallOptions): Promise<boolean> {
    await this.session.pin([{ place: this.place, kind: 'pack', name: pack.name }], options);
    const state = await this.shared.log.newest(options);
    if (state.isCondemned(pack.name, this.place)) return false;
    const presence = await lookAt(this.storage, pack.name, options);
    if (presence && presence.bytes !== pack.bytes)
      await markDamaged(this.storage, pack.name, 'its length is not the one recorded');
    if (presence?.bytes !== pack.bytes || presence.marked) return false;
    await this.storage.persist([pack.name], options);
    return true;
  }
}
