import { isStowageError, type StowageErrorCode } from '../../errors.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import type { ArtifactEntry } from '../../format/description.ts';
import { formatBytes } from '../../options/figures.ts';
import { unreadable } from '../../views/store-view.ts';
import type { OpenStore } from '../store.ts';
import { parquetTable } from './parquet-table.ts';
import type { ArtifactDiff, Side, TaskDiff } from './task-diff.ts';
import { diffTableViews, diffValues, type ValueDiff } from './value-diff.ts';

/** Bounds on what is loaded and kept. */
export interface ExplainLimits {
  /** Values that are longer when serialized are not loaded. */
  maxBytes: number;
  /** So many changes are kept of each artifact. */
  limit: number;
}

/** Values that cannot be had, which is nobody's fault: the key alone tells that they differ. */
const OUT_OF_REACH: readonly StowageErrorCode[] = [
  'CONTENT_PURGED',
  'CONTENT_ERASED',
  'UNKNOWN_ENCODING',
  'UNDECODABLE_ARTIFACT',
  'CODEC_UNAVAILABLE',
];

/** Finds out how the artifacts of one pair of tasks changed; opens the tasks when the first value is needed. */
export class Explainer {
  readonly #store: OpenStore;
  readonly #limits: ExplainLimits;
  readonly #task: TaskDiff;
  readonly #opened = new Map<Side, Promise<TaskDataStore>>();

  constructor(store: OpenStore, task: TaskDiff, limits: ExplainLimits) {
    this.#store = store;
    this.#limits = limits;
    this.#task = task;
  }

  /** Explains the change of an artifact that both have. */
  async explain({ a, b }: ArtifactDiff): Promise<ValueDiff | undefined> {
    if (!a || !b) return undefined;
    const { maxBytes, limit } = this.#limits;
    const largest = Math.max(a.bytes, b.bytes);
    if (largest > maxBytes) {
      const reason = `not compared: ${formatBytes(largest)} are more than --max-bytes ${formatBytes(maxBytes)}`;
      return { kind: 'unread', reason };
    }
    try {
      const [was, is] = [await this.#load(this.#task.a, a), await this.#load(this.#task.b, b)];
      return (await this.#tables(was, is)) ?? diffValues(was, is, limit);
    } catch (error) {
      if (isStowageError(error, ...OUT_OF_REACH)) return { kind: 'unread', reason: error.message };
      return { kind: 'unread', reason: unreadable(this.#store, error).failure.message };
    }
  }

  /** The difference of two Parquet files in the store; `undefined` of other values. */
  async #tables(a: unknown, b: unknown): Promise<ValueDiff | undefined> {
    const options = { maxBytes: this.#limits.maxBytes, signal: this.#store.signal };
    const [was, is] = [await parquetTable(a, options), await parquetTable(b, options)];
    if (was === undefined || is === undefined) return undefined;
    if (typeof was === 'string') return { kind: 'unread', reason: was };
    return typeof is === 'string'
      ? { kind: 'unread', reason: is }
      : diffTableViews(was, is, this.#limits.limit);
  }

  async #load(side: Side | undefined, { name, inline }: ArtifactEntry): Promise<unknown> {
    if (inline && 'json' in inline) return inline.json; // it is at hand
    const task = await this.#open(side as Side);
    return task.get(name, { signal: this.#store.signal });
  }

  #open(side: Side): Promise<TaskDataStore> {
    const known = this.#opened.get(side);
    if (known) return known;
    const { flow, run, step, task, attempt } = side.path;
    const { signal } = this.#store;
    const opened = this.#store
      .flow(flow)
      .then((dataStore) =>
        dataStore.getTaskDataStore(`${run}/${step}/${task}`, { attempt, allowNotDone: true, signal }),
      );
    this.#opened.set(side, opened);
    return opened;
  }
}
