import type { TaskCacheOptions } from './cache/task-cache.ts';
import type { ContentStoreOptions } from './content/content-store.ts';
import { invalidArgument } from './errors.ts';
import { MAX_OWN_BYTES } from './format/own-values.ts';
import { ANYTHING, checkOptions, type OptionTable, wholeNumber } from './options/option-table.ts';
import type { CallOptions, DataStoreStorage } from './storage/contract.ts';
import type { SerializerRegistry } from './values/registry.ts';

/** Options of `FlowDataStore.open`. */
export interface FlowDataStoreOptions extends ContentStoreOptions, CallOptions {
  /** The flow whose tasks are written and read. */
  flowName: string;
  /**
   * The store: a path, a URI (`memory:`, `file:`, `s3:`, ...), or a storage, which the caller then closes.
   * Default: what `STOWAGE_DEFAULT_DATASTORE` and `STOWAGE_DATASTORE_SYSROOT_*` say, else `./.stowage`.
   */
  storage?: string | URL | DataStoreStorage | undefined;
  /** The serializers of values. Default: the built-in ones. */
  serializers?: SerializerRegistry | undefined;
  /** Serialized values up to this many bytes are kept in metadata.json, up to 512 KiB an attempt. Default 16,384; 0 keeps none. */
  maxInlineBytes?: number | undefined;
  /**
   * Where a look costs a request (buckets, databases), larger values under this many bytes are kept beside their attempt, one object
   * for each save, and are not looked for; from this size on, and in a folder at any size, equal content is stored once.
   * Default 65,536; at most 262,144; 0 shares all.
   */
  ownBytes?: number | undefined;
  /** The cache of tasks: its signing keys, and how long it may keep a task waiting. Default: see {@link TaskCacheOptions}. */
  cache?: TaskCacheOptions | undefined;
}

const FLOW_OPTIONS: OptionTable<FlowDataStoreOptions> = {
  flowName: ANYTHING,
  storage: {
    expects: 'a path, a URI, or a storage that was opened',
    accepts: (storage) =>
      typeof storage === 'string' ||
      (typeof storage === 'object' &&
        storage !== null &&
        (storage instanceof URL || ('create' in storage && 'list' in storage))),
  },
  serializers: ANYTHING,
  maxInlineBytes: wholeNumber(0),
  ownBytes: wholeNumber(0, MAX_OWN_BYTES),
  cache: ANYTHING,
  compression: ANYTHING,
  verifyHits: ANYTHING,
  rawDataPath: ANYTHING,
  openPlace: ANYTHING,
  lostIdentity: ANYTHING,
};

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkFlowOptions(options: FlowDataStoreOptions): void {
  if (typeof options !== 'object' || options === null)
    throw invalidArgument("FlowDataStore.open takes options, at least { flowName: '...' }.");
  checkOptions<FlowDataStoreOptions>(options, 'FlowDataStore.open', FLOW_OPTIONS);
}
