import { BoundedMap } from '../async/bounded-map.ts';
import { KeyLocks } from '../async/key-locks.ts';
import type { Compression } from '../codec/envelope.ts';
import { isStowageError } from '../errors.ts';
import type { ContentKey } from '../format/content-names.ts';
import type { PackEntry } from '../format/manifest.ts';
import type { ContentAddress, StoredContent } from '../format/stored-content.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { Place, Places } from './places/places.ts';
import type { Assembly } from './reading/assembly.ts';
import { ContentReader, type ReadOptions } from './reading/content-reader.ts';
import type { CollectionLog } from './writing/collection-log.ts';
import type { PackedEntry } from './writing/pack-writer.ts';
import { SavesUnderWay } from './writing/unnamed-objects.ts';

const KNOWN_COPIES = 20_000;
const KNOWN_CHUNKS = 100_000;
/** A pack is written when it has grown to this. */
export const PACK_TARGET_BYTES: number = 16 * 1024 * 1024;
/**
 * The same where each object costs a request: 32 MiB of content with its envelopes, and room for one chunk more, so that 256 MiB take
 * eight packs.
 */
export const REMOTE_PACK_TARGET_BYTES: number = 129 * 256 * 1024;

/** A copy that this process wrote, or saw whole, after it had read an idle version. */
export interface KnownCopy {
  stored: StoredContent;
  packs: readonly PackEntry[];
  plain: string | undefined;
  /** The idle version. */
  version: number;
}

/** The compression of content unless a call says otherwise. */
export interface WriteSettings {
  compression: Compression;
  /** A hit is read and verified in full. */
  verifyHits: boolean;
}

/** A place with content of a store, the store itself included: its objects, their reader, and what its writers in this process share. */
export class ContentPlace {
  /** `HERE`, or the id of another place. */
  readonly id: string;
  readonly storage: DataStoreStorage;
  readonly reader: ContentReader;
  /** The collector's log, which lies in the store itself for all places. */
  readonly log: CollectionLog;
  readonly settings: WriteSettings;
  /** Keyed by content: the second writer of a content finds the copy of the first. */
  readonly locks: KeyLocks = new KeyLocks();
  /** They end, and remove again what nothing names, when the storage is closed. */
  readonly saves: SavesUnderWay;
  readonly knownCopies: BoundedMap<ContentKey, KnownCopy> = new BoundedMap(KNOWN_COPIES);
  readonly knownChunks: BoundedMap<string, PackedEntry> = new BoundedMap(KNOWN_CHUNKS);
  /** Packs that hold the chunks of one content, for each of them, in the order in which the content needs them. */
  readonly packsTogether: WeakMap<PackEntry, readonly PackEntry[]> = new WeakMap();

  constructor(
    { id, storage }: Pick<ContentPlace, 'id' | 'storage'>,
    reader: ContentReader,
    log: CollectionLog,
    settings: WriteSettings,
  ) {
    this.id = id;
    this.storage = storage;
    this.reader = reader;
    this.log = log;
    this.settings = settings;
    this.saves = new SavesUnderWay(storage);
  }

  /** A pack is written when it has grown to this. */
  get packTargetBytes(): number {
    const { localReads, maxObjectBytes = REMOTE_PACK_TARGET_BYTES } = this.storage.capabilities;
    return Math.min(localReads ? PACK_TARGET_BYTES : REMOTE_PACK_TARGET_BYTES, maxObjectBytes);
  }
}

/** Reads contents at another place. Where one is missing it asks whether the place itself is. */
export class PlaceReader extends ContentReader {
  readonly #at: Place;
  readonly #places: Places;

  constructor(place: Place, places: Places) {
    super(place.storage, place.id);
    this.#at = place;
    this.#places = places;
  }

  protected override async *read(
    address: ContentAddress,
    options: ReadOptions,
    assembly?: Assembly,
  ): AsyncGenerator<Uint8Array> {
    try {
      yield* super.read(address, options, assembly);
    } catch (error) {
      if (isStowageError(error, 'CONTENT_NOT_FOUND')) await this.checkPlace(options);
      throw error;
    }
  }

  /** @throws StowageError `PLACE_NOT_FOUND`, `PLACE_NOT_OURS` */
  override checkPlace(options: CallOptions): Promise<void> {
    return this.#places.checkOwner(this.#at, options);
  }
}
