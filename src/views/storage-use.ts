import { mapBounded } from '../async/bounded-work.ts';
import { HERE } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { OwnValue } from '../format/own-values.ts';
import type { StoredContent } from '../format/stored-content.ts';
import { type AttemptDetail, readTasks, type TaskView } from './attempts.ts';
import { ContentObjectsFinder, type UnseenContents } from './content-objects.ts';
import { tasksAt } from './listing.ts';
import { formatStorePath, type RunPath, type StorePath } from './paths.ts';
import { listedRuns } from './runs.ts';
import type { StoreView } from './store-view.ts';

/** The levels by which use is told, in the order of paths. */
export const USE_LEVELS = ['flow', 'run', 'step', 'artifact'] as const;
export type UseLevel = (typeof USE_LEVELS)[number];

/** The use below a path, by flow, run, step or artifact, and in all. */
export interface CountedUse {
  by: UseLevel;
  entries: ({ name: string } & StorageUse)[];
  total: StorageUse;
  /** Contents that could not be looked at. */
  unseen: UnseenContents[];
}

/** The things below a path, and the bytes that they take. */
export interface StorageUse {
  runs: number;
  tasks: number;
  attempts: number;
  artifacts: number;
  /** Different contents that artifacts refer to, inline values not among them; what lies at two places counts at each. */
  contents: number;
  /** The large ones of these that could not be looked at, and are counted as their records say. */
  unseenContents: number;
  /** Serialized bytes of all artifacts, each time one was saved. */
  bytes: number;
  /** The same, but equal contents, and equal parts of large ones, count once. */
  uniqueBytes: number;
  /** The stored bytes of that: compressed, and the inline values. */
  storedBytes: number;
  /** The part of `storedBytes` that inline values are, each time one was saved. */
  inlineBytes: number;
  /** `bytes / uniqueBytes`; `null` where there is nothing. */
  dedupRatio: number | null;
  /** `uniqueBytes / storedBytes`; `null` where there is nothing. */
  compressionRatio: number | null;
  /** `storedBytes / bytes`; `null` where there is nothing. */
  storedRatio: number | null;
}

/** The thing that is being counted: a run, a task of it, or an attempt of that. */
interface Place {
  run: string;
  task?: string;
  attempt?: number;
}

/**
 * Counts artifacts, and what they take up. What contents share is known by the objects they lie in, of which each counts once;
 * but such an object (a pack) may hold much that is not counted here, so that a content never counts more than it takes alone.
 */
class Tally {
  readonly #finder: ContentObjectsFinder;
  readonly #keys = new Set<string>();
  readonly #objects = new Map<string, number>();
  readonly #counts = { runs: 0, tasks: 0, attempts: 0, artifacts: 0 };
  #last: Place | undefined;
  #bytes = 0;
  #inlineBytes = 0;
  /** The different contents, and the bytes that each takes up alone. */
  #contentBytes = 0;
  #aloneBytes = 0;
  #unseenContents = 0;

  /** All tallies of one count share a finder. */
  constructor(finder: ContentObjectsFinder) {
    this.#finder = finder;
  }

  /** Counts a run, task or attempt, once: they are visited in order. */
  visit(place: Place): void {
    const { run, task, attempt } = this.#last ?? {};
    const isNewRun = place.run !== run;
    const isNewTask = isNewRun || place.task !== task;
    if (isNewRun) this.#counts.runs += 1;
    if (isNewTask && place.task !== undefined) this.#counts.tasks += 1;
    if ((isNewTask || place.attempt !== attempt) && place.attempt !== undefined) this.#counts.attempts += 1;
    this.#last = place;
  }

  /** Counts an artifact; what retention gave up takes no space and has no size. */
  async addArtifact({ key, bytes, content, own, inline }: ArtifactEntry, isPurged: boolean): Promise<void> {
    this.#counts.artifacts += 1;
    if (!inline && isPurged) return;
    this.#bytes += bytes;
    if (content) await this.#addContent(key, bytes, content);
    else if (own) this.#addOwn(bytes, own);
    else this.#inlineBytes += bytes;
  }

  use(): StorageUse {
    const bytes = this.#bytes;
    let objectBytes = 0;
    for (const length of this.#objects.values()) objectBytes += length;
    const contentStoredBytes = Math.min(objectBytes, this.#aloneBytes);
    const storedBytes = contentStoredBytes + this.#inlineBytes;
    const shared = this.#aloneBytes === 0 ? 1 : contentStoredBytes / this.#aloneBytes;
    const uniqueBytes = Math.round(this.#contentBytes * shared) + this.#inlineBytes;
    return {
      ...this.#counts,
      contents: this.#keys.size,
      unseenContents: this.#unseenContents,
      bytes,
      uniqueBytes,
      storedBytes,
      inlineBytes: this.#inlineBytes,
      dedupRatio: ratio(bytes, uniqueBytes),
      compressionRatio: ratio(uniqueBytes, storedBytes),
      storedRatio: ratio(storedBytes, bytes),
    };
  }

  /** A value of an attempt's own is shared by nothing else. */
  #addOwn(bytes: number, { object, offset, storedBytes, place = HERE }: OwnValue): void {
    const id = `${place}/${object}/${offset}`;
    if (this.#keys.has(id)) return;
    this.#keys.add(id);
    this.#contentBytes += bytes;
    this.#aloneBytes += storedBytes;
    this.#objects.set(id, storedBytes);
  }

  async #addContent(key: string, bytes: number, content: StoredContent): Promise<void> {
    // What lies at two places is stored twice.
    const id = `${content.place ?? HERE}/${key}`;
    if (this.#keys.has(id)) return;
    this.#keys.add(id);
    this.#contentBytes += bytes;
    this.#aloneBytes += content.storedBytes;
    const { sizes, isSeen } = await this.#finder.objectsOf(content);
    if (!isSeen) this.#unseenContents += 1;
    for (const [name, length] of sizes) this.#objects.set(`${content.place ?? HERE}/${name}`, length);
  }
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

/** So many runs are listed at once, and so many tasks are in memory. */
const CONCURRENT_LISTINGS = 16;
const TASKS_AT_ONCE = 256;

/**
 * Counts what lies below a path and what it takes up, by the level below the path unless told otherwise.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`
 */
export async function countUse(view: StoreView, path: StorePath, by?: UseLevel): Promise<CountedUse> {
  const level = by ?? USE_LEVELS[Math.min(Object.keys(path).length, 3)] ?? 'artifact';
  const finder = new ContentObjectsFinder(view);
  const count = new Count(finder, level, path);
  const { flow, run } = path;
  const runs: RunPath[] =
    run === undefined || flow === undefined ? await listedRuns(view, flow) : [{ flow, run }];
  for (const slice of slices(runs, CONCURRENT_LISTINGS)) {
    const listed = await mapBounded(slice, CONCURRENT_LISTINGS, ({ flow, run }) =>
      tasksAt(view, { ...path, flow, run }),
    );
    for (const some of slices(listed.flat(), TASKS_AT_ONCE)) {
      for (const task of await readTasks(view, some)) await count.addTask(task);
    }
    for (const [index, run] of slice.entries()) if (listed[index]?.length === 0) count.addEmptyRun(run);
  }
  return { by: level, entries: count.entries(), total: count.total.use(), unseen: finder.unseen() };
}

function* slices<T>(items: readonly T[], length: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += length) yield items.slice(start, start + length);
}

/** The rows by name, and all of them together. */
class Count {
  readonly total: Tally;
  readonly #rows = new Map<string, Tally>();
  readonly #finder: ContentObjectsFinder;
  readonly #by: UseLevel;
  readonly #path: StorePath;

  constructor(finder: ContentObjectsFinder, by: UseLevel, path: StorePath) {
    this.total = new Tally(finder);
    this.#finder = finder;
    this.#by = by;
    this.#path = path;
  }

  /** A run counts although it has no tasks. */
  addEmptyRun(path: RunPath): void {
    const place = { run: runName(path) };
    this.total.visit(place);
    if (this.#by === 'flow' || this.#by === 'run') this.#row(this.#nameOf(path)).visit(place);
  }

  async addTask({ path, attempts }: TaskView): Promise<void> {
    const name = this.#nameOf(path);
    for (const view of attempts) {
      const place = { run: runName(path), task: `${path.step}/${path.task}`, attempt: view.attempt };
      this.total.visit(place);
      if (this.#by !== 'artifact') this.#row(name).visit(place);
      await this.#addArtifacts(view, place, name);
    }
  }

  entries(): ({ name: string } & StorageUse)[] {
    const entries = [...this.#rows].map(([name, tally]) => ({ name, ...tally.use() }));
    if (this.#by === 'flow') entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (this.#by === 'artifact') entries.sort((a, b) => b.storedBytes - a.storedBytes);
    return entries;
  }

  async #addArtifacts({ entries = [], purged }: AttemptDetail, place: Place, name: string): Promise<void> {
    for (const entry of entries) {
      const row = this.#row(this.#by === 'artifact' ? entry.name : name);
      row.visit(place);
      for (const tally of [this.total, row]) await tally.addArtifact(entry, purged === true);
    }
  }

  /** A row's name below the path: steps and runs of different flows are different. */
  #nameOf({ flow = '', run = '', step = '' }: StorePath): string {
    const name = { flow, run, step, artifact: '' }[this.#by];
    return this.#by === 'flow' || this.#path.flow !== undefined ? name : `${flow}/${name}`;
  }

  #row(name: string): Tally {
    const row = this.#rows.get(name) ?? new Tally(this.#finder);
    this.#rows.set(name, row);
    return row;
  }
}

function runName({ flow, run }: RunPath): string {
  return formatStorePath({ flow, run });
}
