import { mapBounded } from '../async/bounded-work.ts';
import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { CONTENT_FAULTS } from '../attempts/attempt-view.ts';
import { gatherValues } from '../attempts/own-values.ts';
import type { ContentStore } from '../content/content-store.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { formatPathspec } from '../format/pathspec.ts';
import type { StoredContent } from '../format/stored-content.ts';
import { AMOUNT, NAMES, type OptionTable } from '../options/option-table.ts';
import { didYouMean, listed, suggest } from '../options/suggestions.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { LeftOutTask } from './left-out.ts';
import { TaskDataStore } from './task-data-store.ts';
import type { SelectedTasks } from './task-opener.ts';

/** Options of fetching artifacts when a task set is opened. */
export interface PrefetchOptions {
  /** Artifacts to fetch from every task that has them; at least one must. Default none. */
  prefetch?: readonly string[] | undefined;
  /** The bytes that are kept at most; what goes beyond is loaded when it is asked for. Default 268,435,456 (256 MiB). */
  maxPrefetchBytes?: number | undefined;
}

/** The options of fetching artifacts. */
export const PREFETCH_OPTIONS: OptionTable<PrefetchOptions> = { prefetch: NAMES, maxPrefetchBytes: AMOUNT };
const DEFAULT_MAX_PREFETCH_BYTES = 256 * 1024 * 1024;
/** So many contents are fetched at once. */
const CONCURRENCY = 32;
/** An error carries so many existing names in its details. */
const MAX_EXISTING = 20;

/** Many tasks that were opened together, found by their pathspecs, in the order in which they were opened. */
export class TaskDataStoreSet implements Iterable<TaskDataStore> {
  readonly #stores: readonly TaskDataStore[];
  readonly #byPathspec = new Map<string, TaskDataStore>();
  /** The bytes that were fetched ahead. */
  readonly prefetchedBytes: number;
  /** The tasks of the run that the rules do not let be read; see `FlowDataStore.getTaskDataStores`. */
  readonly leftOut: readonly LeftOutTask[];

  /**
   * For use by `FlowDataStore`.
   *
   * @internal
   */
  constructor(stores: readonly TaskDataStore[], leftOut: readonly LeftOutTask[], prefetchedBytes: number) {
    this.leftOut = leftOut;
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
  select: () => Promise<SelectedTasks>,
  content: ContentStore,
  registry: SerializerRegistry,
  { prefetch = [], maxPrefetchBytes = DEFAULT_MAX_PREFETCH_BYTES }: PrefetchOptions,
  options: CallOptions,
): Promise<TaskDataStoreSet> {
  const { read: attempts, leftOut } = await select();
  checkPrefetch(attempts, prefetch);
  const { contents, own } = contentsToFetch(attempts, new Set(prefetch), maxPrefetchBytes);
  const fetched = new Map<string, Uint8Array>();
  await mapBounded(contents, CONCURRENCY, async (address) => {
    const bytes = await fetchIfWhole(content, address, options);
    if (bytes) fetched.set(address.key, bytes);
  });
  await mapBounded(own, CONCURRENCY, async ([read, entries]) => {
    for (const [key, bytes] of await gatherValues(content, read, entries, options))
      if (bytes instanceof Uint8Array) fetched.set(key, bytes);
  });
  const stores = attempts.map((read) => new TaskDataStore(content, registry, read, fetched));
  const bytes = [...fetched.values()].reduce((sum, { length }) => sum + length, 0);
  return new TaskDataStoreSet(stores, leftOut, bytes);
}

/**
 * Refuses names that none of the tasks has, unless no task tells what it has.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`
 */
function checkPrefetch(attempts: SelectedTasks['read'], prefetch: readonly string[]): void {
  const described = attempts.flatMap(({ described }) => (described ? [described] : []));
  if (prefetch.length === 0 || described.length === 0) return;
  const existing = new Set(described.flatMap(({ table }) => table().artifacts.map(({ name }) => name)));
  const missing = prefetch.find((name) => !existing.has(name));
  if (missing === undefined) return;
  const names = [...existing];
  const suggestions = suggest(missing, names);
  const remedy = didYouMean(suggestions) || ` They have ${names.length > 0 ? listed(names) : 'none'}.`;
  throw new StowageError(
    'ARTIFACT_NOT_FOUND',
    `None of the ${attempts.length} tasks of the set has an artifact ${missing} to prefetch.${remedy}`,
    { details: { artifact: missing, suggestions, existing: names.slice(0, MAX_EXISTING) } },
  );
}

/** Each content once, as many as fit; values of attempts' own by attempt. */
function contentsToFetch(
  attempts: SelectedTasks['read'],
  names: ReadonlySet<string>,
  maxBytes: number,
): { contents: StoredContent[]; own: [ReadAttempt, ArtifactEntry[]][] } {
  const contents = new Map<string, StoredContent>();
  const own: [ReadAttempt, ArtifactEntry[]][] = [];
  const seen = new Set<string>();
  let left = maxBytes;
  if (names.size === 0) return { contents: [], own };
  for (const read of attempts) {
    if (!read.described || read.purged) continue;
    const ownRows: ArtifactEntry[] = [];
    for (const entry of read.described.table().artifacts) {
      const { name, key, bytes, content, inline } = entry;
      if (inline || !names.has(name) || seen.has(key) || bytes > left) continue;
      seen.add(key);
      if (content) contents.set(key, content);
      else ownRows.push(entry);
      left -= bytes;
    }
    if (ownRows.length > 0) own.push([read, ownRows]);
  }
  return { contents: [...contents.values()], own };
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
