import { mapInOrder } from '../../async/bounded-work.ts';
import { readAttempt } from '../../attempts/attempt-reader.ts';
import { isStowageError } from '../../errors.ts';
import { TaskDataStore } from '../../flow/task-data-store.ts';
import type { ListedTask } from '../../format/attempt-files.ts';
import { SerializerRegistry } from '../../values/registry.ts';
import { unreadable } from '../../views/store-view.ts';
import type { OpenStore } from '../store.ts';

/** The artifacts of one task. */
export interface TaskResult {
  task: string;
  attempt: number;
  status: string;
  label?: string;
  values: ReadonlyMap<string, unknown>;
}

/** The wanted attempts and artifacts of tasks. */
export interface ResultChoice {
  /** Default: all but those whose names begin with `_` and those of more than {@link MAX_UNNAMED_BYTES}. */
  names: readonly string[];
  attempt: 'latestDone' | undefined;
  allowNotDone: boolean;
}

/** A task that has no attempt of those that are wanted. */
export interface LeftOutTask {
  task: string;
  status: string;
}

/** So many tasks are read at once. */
const CONCURRENCY = 16;
/** Larger artifacts are models and files rather than results, and are loaded only where they are named. */
export const MAX_UNNAMED_BYTES = 100_000;

/** Reads the artifacts of many tasks, in their order, and keeps account of what is not among them. */
export class ResultReader {
  /** Tasks that are not done, or have no such attempt. */
  readonly leftOut: LeftOutTask[] = [];
  /** Tasks of which a record or a value cannot be read; the store is told why. */
  unreadable = 0;
  /** Artifacts that were too large to be loaded without being named, and the bytes of the largest. */
  readonly large: Map<string, number> = new Map();
  /** The names of all artifacts that were met. */
  readonly seen: Set<string> = new Set();
  readonly #store: OpenStore;
  readonly #choice: ResultChoice;
  readonly #registry = new SerializerRegistry();

  constructor(store: OpenStore, choice: ResultChoice) {
    this.#store = store;
    this.#choice = choice;
  }

  /** What can be read of `tasks`: one that cannot be read whole is not among it. */
  async *read(tasks: readonly ListedTask[]): AsyncGenerator<TaskResult, void> {
    let read = 0;
    for await (const result of mapInOrder(tasks, CONCURRENCY, (task) => this.#readTask(task))) {
      read += 1;
      this.#store.progress('tasks', read, tasks.length);
      if (result === undefined) this.unreadable += 1;
      else if ('values' in result) yield result;
      else this.leftOut.push(result);
    }
  }

  async #readTask({ path, attempts }: ListedTask): Promise<TaskResult | LeftOutTask | undefined> {
    const { storage, content, signal } = this.#store;
    const { attempt, allowNotDone } = this.#choice;
    try {
      const rule = { attempt, allowNotDone };
      const read = await readAttempt(storage, content.reader, path, attempts, rule, { signal });
      const task = new TaskDataStore(content, this.#registry, read);
      const values = new Map<string, unknown>();
      for (const name of this.#wanted(task)) values.set(name, await task.get(name, { signal }));
      const { attempt: number, status, label } = read;
      return { task: path.task, attempt: number, status, ...(label === undefined ? {} : { label }), values };
    } catch (error) {
      if (isStowageError(error, 'ATTEMPT_NOT_DONE', 'ATTEMPT_DELETED')) {
        const { status } = error.details as { status?: string };
        const other = error.code === 'ATTEMPT_DELETED' ? 'deleted' : 'not done';
        return { task: path.task, status: status ?? other };
      }
      unreadable(this.#store, error);
      return undefined;
    }
  }

  #wanted(task: TaskDataStore): string[] {
    const { names } = this.#choice;
    for (const name of task.names()) this.seen.add(name);
    if (names.length > 0) return names.filter((name) => task.has(name));
    return task.names().filter((name) => {
      if (name.startsWith('_')) return false;
      const { bytes } = task.info(name);
      if (bytes > MAX_UNNAMED_BYTES) this.large.set(name, Math.max(bytes, this.large.get(name) ?? 0));
      return bytes <= MAX_UNNAMED_BYTES;
    });
  }
}
