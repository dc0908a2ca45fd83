import type { CacheEntry } from '../format/cache-entry.ts';
import { CACHE_FOLDER, type EntryKey, parseEntryName, taskIdOf } from '../format/cache-names.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** So many tasks of a flow are remembered; of more, all entries of the store are read. */
const MAX_TASKS = 1_000_000;

/**
 * The entries that belong to what is copied: all of a store; of a flow or run those of its cached tasks, whose ids are the first digits
 * of their keys.
 */
export class EntriesToCopy {
  readonly #flow: string | undefined;
  readonly #run: string | undefined;
  /** `undefined` where all are to be read. */
  #tasks: Set<string> | undefined;

  constructor(flow: string | undefined, run: string | undefined) {
    this.#flow = flow;
    this.#run = run;
    if (flow !== undefined) this.#tasks = new Set();
  }

  /** Tells of a task whose attempts are copied. */
  noteTask(task: string): void {
    if (!/^[0-9a-f]{20}$/.test(task)) return;
    this.#tasks?.add(task);
    if (this.#tasks && this.#tasks.size > MAX_TASKS) this.#tasks = undefined;
  }

  /** Lists the keys whose entries may belong to it: one LIST, or one for each folder in which there may be any. */
  async *keysIn(storage: DataStoreStorage, { signal }: CallOptions): AsyncGenerator<EntryKey> {
    const folders =
      this.#tasks && [...new Set([...this.#tasks].map((task) => `${task.slice(0, 3)}/`))].sort();
    for (const folder of folders ?? ['']) {
      for await (const page of storage.list({ prefix: CACHE_FOLDER + folder, signal })) {
        for (const { name } of page.objects) {
          const key = parseEntryName(name);
          if (key !== undefined && (this.#tasks?.has(taskIdOf(key)) ?? true)) yield key;
        }
      }
    }
  }

  /** True if an entry belongs to it. */
  has({ source: { flow, run } }: CacheEntry): boolean {
    return (this.#flow ?? flow) === flow && (this.#run ?? run) === run;
  }
}
