import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { TaskCache } from '../cache/task-cache.ts';
import { shell } from '../codec/shell-command.ts';
import type { DamageMessage } from '../content/damage.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { FlowDataStore } from '../flow-data-store.ts';
import type { DataStoreStorage } from '../storage/contract.ts';
import type { RetryOptions } from '../storage/retry-policy.ts';
import { formatStorePath, type StorePath } from '../views/paths.ts';
import type { StoreView } from '../views/store-view.ts';
import type { Invocation } from './invocation.ts';
import type { OpenedStore } from './opened-store.ts';
import type { SharedStore } from './shared-store.ts';
import { workOnItems } from './ui/progress-line.ts';

/** A store that a command works on. */
export interface OpenStore extends StoreView {
  /** One flow of it. */
  flow(flowName: string): Promise<FlowDataStore>;
}

/** Somebody who asks on the command line can wait longer for the cache than a task. */
const CACHE_TIMEOUT_MS = 5 * 60 * 1000;

/**
 * Opens the store that `--store` or the environment names, for `work`.
 *
 * @throws StowageError `NO_SUCH_STORE`, and whatever `work` throws
 */
export async function withStore<T>(
  invocation: Invocation,
  work: (store: OpenStore) => Promise<T>,
): Promise<T> {
  return openFor(invocation, async (store) => {
    await store.content.prepareToRead(invocation);
    return work(store);
  });
}

/** Opens the store for `work` that writes. Makes it where there is none, and says so, since the address may be wrong. */
export async function withStoreToWrite<T>(
  invocation: Invocation,
  work: (store: OpenStore, isNew: boolean) => Promise<T>,
): Promise<T> {
  return openFor(invocation, async (store) => {
    const isNew = !(await exists(store, invocation));
    if (isNew) {
      await store.content.prepareToWrite(invocation);
      const { addressOf } = await import('./watched-storage.ts');
      invocation.note(`made a new store at ${addressOf(store.storage)}.`);
    }
    return work(store, isNew);
  });
}

/**
 * Opens the cache of the store for `work`. Entries are verified by the keys that `STOWAGE_CACHE_KEY` holds, if it is set.
 *
 * @throws StowageError as {@link withStore} does, and `INVALID_ARGUMENT` for keys that cannot be used
 */
export async function withCache<T>(
  invocation: Invocation,
  work: (cache: TaskCache, store: OpenStore) => Promise<T>,
): Promise<T> {
  const { TaskCache } = await import('../cache/task-cache.ts');
  return withStore(invocation, (store) =>
    work(new TaskCache(store.content, { cacheTimeoutMs: CACHE_TIMEOUT_MS }), store),
  );
}

/**
 * Opens the store once for commands that run within another, and only read.
 *
 * @param retry - when its storages try again; default: as `openStorage`
 * @throws StowageError as {@link withStore} does
 */
export async function withSharedStore<T>(
  invocation: Invocation,
  work: (shared: SharedStore) => Promise<T>,
  retry?: RetryOptions,
): Promise<T> {
  const [{ SharedStore }, { ReadOnlyStorage }] = await Promise.all([
    import('./shared-store.ts'),
    import('../storage/read-only.ts'),
  ]);
  return withStoreAddress(invocation, async (address, decorate) => {
    const shared = new SharedStore(address, (opened) => new ReadOnlyStorage(decorate(opened)), retry);
    try {
      await shared.use(({ content }) => content.prepareToRead(invocation));
      return await work(shared);
    } finally {
      await shared.close();
    }
  });
}

/** Does work on a store that is open for commands that run within another. */
export function onSharedStore<T>(
  invocation: Invocation,
  shared: SharedStore,
  work: (store: OpenStore) => Promise<T>,
): Promise<T> {
  return shared.use((opened) => work(seenBy(invocation, opened)));
}

/** Remarks on every object that is found damaged. */
export function tellDamage(invocation: Invocation): void {
  const tell = (message: unknown): void => {
    const { name, uri, reason } = message as DamageMessage;
    invocation.note(`warning: ${reason.includes(name) ? reason : `${uri} is damaged: ${reason}`}`);
  };
  subscribe('stowage:damaged', tell);
  invocation.atEnd(() => unsubscribe('stowage:damaged', tell));
}

/** An error that names what a store does not have, with the command that shows what it has; `store` is what `--store` must name. */
export function withHint(error: unknown, store?: string): unknown {
  if (!isStowageError(error, 'RUN_NOT_FOUND', 'STEP_NOT_FOUND', 'TASK_NOT_FOUND')) return error;
  const {
    flow = '',
    run = '',
    step = '',
    missing = '',
    suggestions,
  } = error.details as StorePath & {
    missing?: string;
    suggestions?: readonly string[];
  };
  const see: Readonly<Record<string, string>> = {
    flow: 'stowage ls',
    run: shell`stowage runs ${flow}`,
    step: shell`stowage ls ${formatStorePath({ flow, run })}`,
    task: shell`stowage ls ${formatStorePath({ flow, run, step })}`,
  };
  const command = see[missing];
  if (command === undefined || !suggestions || suggestions.length > 0) return error;
  const hint = `See what it has with: ${command}${store === undefined ? '' : shell` --store ${store}`}`;
  return new StowageError(error.code, `${error.message} ${hint}`, { details: error.details, cause: error });
}

/**
 * Gives `work` the address of the store that `--store` or the environment names, for what opens it itself, and how it is to use what it opens.
 *
 * @throws StowageError `NO_SUCH_STORE`, with what to do, and whatever `work` throws
 */
export async function withStoreAddress<T>(
  invocation: Invocation,
  work: (store: string, decorate: (opened: DataStoreStorage) => DataStoreStorage) => Promise<T>,
): Promise<T> {
  const [{ defaultStorageUri }, { watched }] = await Promise.all([
    import('../default-storage.ts'),
    import('./watched-storage.ts'),
  ]);
  tellDamage(invocation);
  try {
    if (invocation.shared) return await work(invocation.shared.address, invocation.shared.decorate);
    const address = invocation.options.store ?? defaultStorageUri();
    return await work(address, (opened) => watched(opened, invocation.waiting));
  } catch (error) {
    throw isStowageError(error, 'NO_SUCH_STORE') ? withRemedy(error) : withHint(error);
  }
}

async function exists({ content }: OpenStore, invocation: Invocation): Promise<boolean> {
  try {
    await content.prepareToRead(invocation);
    return true;
  } catch (error) {
    if (isStowageError(error, 'NO_SUCH_STORE')) return false;
    throw error;
  }
}

async function openFor<T>(invocation: Invocation, work: (store: OpenStore) => Promise<T>): Promise<T> {
  tellDamage(invocation);
  try {
    if (invocation.shared) return await onSharedStore(invocation, invocation.shared, work);
    const [{ openStore }, { defaultStorageUri }, { watched }] = await Promise.all([
      import('./opened-store.ts'),
      import('../default-storage.ts'),
      import('./watched-storage.ts'),
    ]);
    const address = invocation.options.store ?? defaultStorageUri();
    const opened = await openStore(address, (storage) => watched(storage, invocation.waiting));
    try {
      return await work(seenBy(invocation, opened));
    } finally {
      await opened.close();
    }
  } catch (error) {
    throw isStowageError(error, 'NO_SUCH_STORE') ? withRemedy(error) : withHint(error);
  }
}

/** A store that is open, as a command sees it. */
function seenBy(invocation: Invocation, { storage, content, flow }: OpenedStore): OpenStore {
  return {
    storage,
    content,
    flow,
    signal: invocation.signal,
    unreadable: (error) => invocation.failed(error),
    progress: (noun, read, total) => invocation.progress(() => workOnItems('reading', read, total, noun)),
  };
}

/** Here, since a command that is given its stores as arguments takes no `--store`. */
function withRemedy(error: StowageError): StowageError {
  const remedy = 'Name another with --store <path or URI>, or in the environment (see stowage --help).';
  return new StowageError(error.code, `${error.message} ${remedy}`, { details: error.details, cause: error });
}
