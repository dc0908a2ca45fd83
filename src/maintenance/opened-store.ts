import { endAll } from '../async/end-all.ts';
import type { ContentStoreOptions } from '../content/content-store.ts';
import type { OpenPlace } from '../content/places/places.ts';
import { ContentAddressedStore } from '../content-addressed-store.ts';
import { invalidArgument, throwIfAborted } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { CountStorage } from '../storage/count.ts';
import { openStorage } from '../storage/open.ts';
import type { RetryOptions } from '../storage/retry-policy.ts';
import type { StoreView } from '../views/store-view.ts';

/** A store as a program names it: an address as `openStorage` takes it, or a storage, which stays open. */
export type GivenStore = string | URL | DataStoreStorage;

/** Gives a storage that was opened as it is to be used: watched, say. */
export type DecorateStorage = (opened: DataStoreStorage) => DataStoreStorage;

/** Options that every call has which maintains a store. */
export interface MaintenanceOptions extends CallOptions {
  /** The store: an address as `openStorage` takes it, or a storage, which stays open. */
  store: GivenStore;
  /**
   * Opens the places elsewhere at which content of the store lies (`rawDataPath`). Default: as for a flow, with credentials of the
   * environment for those that are trusted with them.
   */
  openPlace?: OpenPlace | undefined;
}

/** A store that is open for maintenance. Every request to it, and to its places, is counted. */
export interface OpenedStore {
  readonly storage: DataStoreStorage;
  readonly content: ContentAddressedStore;
  /** The store's own storage, and those of its places that were opened so far. */
  readonly counted: readonly CountStorage[];
  /** The store as views read it. */
  view(told: Pick<StoreView, 'signal' | 'unreadable' | 'progress'>): StoreView;
  /** Closes the places that were opened, and the store's storage, unless that was given. */
  close(): Promise<void>;
}

/**
 * Opens a store, which need not be there. Storages that it opens, those of places among them, are used as `decorate` gives them, and
 * try again as `retry` says.
 */
export async function openForMaintenance(
  { store, openPlace }: Pick<MaintenanceOptions, 'store' | 'openPlace'>,
  decorate: DecorateStorage = (opened) => opened,
  { retry, ...settings }: Pick<ContentStoreOptions, 'verifyHits'> & { retry?: RetryOptions | undefined } = {},
): Promise<OpenedStore> {
  const isOurs = isAddress(store);
  const storage = isOurs ? decorate(await openStorage(store, { retry })) : store;
  const counted: CountStorage[] = [];
  const count = (used: DataStoreStorage): CountStorage => {
    const counting = new CountStorage(used);
    counted.push(counting);
    return counting;
  };
  const around = {
    home: isOurs ? String(store) : undefined,
    decorate: (opened: DataStoreStorage) => count(decorate(opened)),
    retry,
  };
  const content = new ContentAddressedStore(count(storage), { ...settings, openPlace }, around);
  return {
    storage: content.storage,
    content,
    counted,
    view: (told) => ({ ...told, storage: content.storage, content }),
    close: () => endAll([() => content.close(), ...(isOurs ? [() => storage.close()] : [])]),
  };
}

/**
 * Opens a store for `work`, and closes what it opened.
 *
 * @throws StowageError `NO_SUCH_STORE`, `NOT_A_STORE`, `UNSUPPORTED_FORMAT`, what opening a storage throws, and whatever `work` throws
 */
export async function withStore<T>(
  options: MaintenanceOptions,
  decorate: DecorateStorage | undefined,
  work: (opened: OpenedStore) => Promise<T>,
): Promise<T> {
  throwIfAborted(options.signal);
  const opened = await openForMaintenance(options, decorate);
  return closing([opened], async () => {
    await opened.content.prepareToRead({ signal: options.signal });
    return work(opened);
  });
}

/** Works on stores that are open, and closes them. What ended the work is what is told. */
export async function closing<T>(
  opened: readonly Pick<OpenedStore, 'close'>[],
  work: () => Promise<T>,
): Promise<T> {
  const close = (): Promise<void> => endAll(opened.map((store) => () => store.close()));
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await close().catch(() => {}); // what ended the work is what is told
    throw error;
  }
  await close();
  return result;
}

/** Tells an address from a storage. */
export function isAddress(store: unknown): store is string | URL {
  return typeof store === 'string' || store instanceof URL;
}

/** True for what can be the store of a call: an address, or a storage. */
export function isGivenStore(store: unknown): store is GivenStore {
  if (isAddress(store)) return true;
  return typeof store === 'object' && store !== null && 'create' in store && 'list' in store;
}

/** @throws StowageError `INVALID_ARGUMENT` for what is no store */
export function checkGivenStore(store: unknown, call: string): asserts store is GivenStore {
  if (isGivenStore(store)) return;
  throw invalidArgument(`${call} takes { store }: the address of a store, or a storage that was opened.`);
}
