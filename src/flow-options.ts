import type { TaskCacheOptions } from './cache/task-cache.ts';
import type { ContentStoreOptions } from './content/content-store.ts';
import { invalidArgument } from './errors.ts';
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
  /** The cache of tasks: its signing keys, and how long it may keep a task waiting. Default: see {@link TaskCacheOptions}. */
  cache?: TaskCacheOptions | undefined;
}

const OPTION_NAMES: Readonly<Record<keyof FlowDataStoreOptions, true>> = {
  flowName: true,
  storage: true,
  serializers: true,
  maxInlineBytes: true,
  cache: true,
  compression: true,
  verifyHits: true,
  rawDataPath: true,
  openPlace: true,
  lostIdentity: true,
  signal: true,
};

/** A misspelt option would else be ignored, and the data go where nobody looks. */
export function checkOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument("FlowDataStore.open takes options, at least { flowName: '...' }.");
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTION_NAMES, name));
  if (unknown === undefined) return;
  throw invalidArgument(
    `FlowDataStore.open has no option ${unknown}; it has ${Object.keys(OPTION_NAMES).join(', ')}.`,
    { option: unknown },
  );
}

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkStorage(storage: unknown): void {
  const isStorage =
    typeof storage === 'object' && storage !== null && 'create' in storage && 'list' in storage;
  if (isStorage) return;
  throw invalidArgument('The option storage must be a path, a URI, or a storage that was opened.');
}

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkInline(bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw invalidArgument(`maxInlineBytes must be an integer from 0 on, not ${String(bytes)}.`);
}
