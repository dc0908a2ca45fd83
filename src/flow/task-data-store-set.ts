import { mapBounded } from '../async/bounded-work.ts';
import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { CONTENT_FAULTS } from '../attempts/attempt-view.ts';
import type { ContentStore } from '../content/content-store.ts';
import { isStowageError } from '../errors.ts';
import { formatPathspec } from '../format/pathspec.ts';
import type { StoredContent } from '../format/stored-content.ts';
import { AMOUNT, checkOptions, NAMES, type OptionTable } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import { TaskDataStore } from './task-data-store.ts';

/** Options of fetching artifacts when a task set is opened. */
export interface PrefetchOptions {
  /** Artifacts to fetch from every task that has them. Default none. */
  prefetch?: readonly string[] | undefined;
  /** The bytes that are kept at most; what goes beyond is loaded when it is asked for. Default 268,435,456 (256 MiB). */
  maxPrefetchBytes?: number | undefined;
}

const PREFETCH_OPTIONS: OptionTable<PrefetchOptions> = { prefetch: NAMES, maxPrefetchBytes: AMOUNT };
const DEFAULT_MAX_PREFETCH_BYTES = 256 * 1024 * 1024;
/** So many contents are fetched at once. */
const CONCURRENCY = 32;

/** Many tasks that were opened together, found by their pathspecs, in the order in which they were opened. */
export class TaskDataStoreSet implements Iterable<TaskDataStore> {
  readonly #stores: readonly TaskDataStore[];
  readonly #byPathspec = new Map<string, TaskDataStore>();
  /** The bytes that were fetched ahead. */
  readonly prefetchedBytes: number;

  /**
   * For use by `FlowDataStore`.
   *
   * @internal
   */
  constructor(stores: readonly TaskDataStore[], prefetchedBytes: number) {
    this.#stores = stores;
    this.prefetchedBytes = prefetchedBytes;
    for (const store of stores) {
      const { runId, stepName, taskId } = store;
      this.#byPathspec.set(store.pathspec, store);
      // Of several attempts of a task the last one answers to the task's name: they come oldest first.
      this.#byPathspec.set(formatPathspec({ run: runId, step: stepName, task: taskId }), store);
    }
  }

  /** The number of tasks. */
  get size(): number {
    return this.#stores.length;
  }

  /** A task by `run/step/task`, or an attempt by `run/step/task/attempt`; `undefined` where the set does not have it. */
  get(pathspec: string): TaskDataStore | undefined {
    return this.#byPathspec.get(pathspec);
  }

  [Symbol.iterator](): Iterator<TaskDataStore> {
    return this.#stores[Symbol.iterator]();
  }
}

/** Opens a set: reads the attempts, then what is to be prefetched. */
export async function openSet(
  readAttempts: () => Promise<readonly ReadAttempt[]>,
  content: ContentStore,
  registry: SerializerRegistry,
  { prefetch = [], maxPrefetchBytes = DEFAULT_MAX_PREFETCH_BYTES }: PrefetchOptions,
  options: CallOptions,
): Promise<TaskDataStoreSet> {
  checkOptions<PrefetchOptions>({ prefetch, maxPrefetchBytes }, 'getTaskDataStoreSet', PREFETCH_OPTIONS);
  const attempts = await readAttempts();
  const wanted = contentsToFetch(attempts, new Set(prefetch), maxPrefetchBytes);
  const fetched = new Map<string, Uint8Array>();
  await mapBounded(wanted, CONCURRENCY, async (address) => {
    const bytes = await fetchIfWhole(content, address, options);
    if (bytes) fetched.set(address.key, bytes);
  });
  const stores = attempts.map((read) => new TaskDataStore(content, registry, read, fetched));
  const bytes = [...fetched.values()].reduce((sum, { length }) => sum + length, 0);
  return new TaskDataStoreSet(stores, bytes);
}

/** Each content once, as many as fit. */
function contentsToFetch(
  attempts: readonly ReadAttempt[],
  names: ReadonlySet<string>,
  maxBytes: number,
): StoredContent[] {
  const contents = new Map<string, StoredContent>();
  let left = maxBytes;
  if (names.size === 0) return [];
  for (const { described, purged } of attempts) {
    if (!described || purged) continue;
    for (const { name, content } of described.table().artifacts) {
      if (!content || !names.has(name) || contents.has(content.key) || content.bytes > left) continue;
      contents.set(content.key, content);
      left -= content.bytes;
    }
  }
  return [...contents.values()];
}

/** Leaves content that is gone or damaged to the load that asks for it, which knows the artifact. */
async function fetchIfWhole(
  content: ContentStore,
  address: StoredContent,
  options: CallOptions,
): Promise<Uint8Array | undefined> {
  try {
    return await content.reader.load(address, options);
  } catch (error) {
    if (isStowageError(error, ...CONTENT_FAULTS)) return undefined;
    throw error;
  }
}
