import { BoundedWork, mapBounded } from '../async/bounded-work.ts';
import type { ListedTask } from '../format/attempt-files.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { type AttemptDetail, readTasks, type TaskView } from './attempts.ts';
import { ContentObjectsFinder, type UnseenContents } from './content-objects.ts';
import {
  codeSessionOf,
  keepingRecords,
  keptBySession,
  keptReports,
  listRecords,
  ReplayableAttempts,
  rowsOfRecord,
  standaloneSessions,
} from './kept-beside.ts';
import { tasksAt } from './listing.ts';
import { formatStorePath, type RunPath, type StorePath } from './paths.ts';
import { listedRuns } from './runs.ts';
import type { StoreView } from './store-view.ts';
import { type Place, type StorageUse, Tally } from './use-tally.ts';

export type { StorageUse } from './use-tally.ts';

/** The levels by which use is told, in the order of paths. */
export const USE_LEVELS = ['flow', 'run', 'step', 'artifact'] as const;
export type UseLevel = (typeof USE_LEVELS)[number];

/**
 * The kinds of what is kept: values of artifacts; the files, directories and data frames that they refer to; reports; traces and checkpoints, and what
 * they keep for another attempt; the code of runs; published versions; what else was saved outside tasks.
 */
export const USE_KINDS = [
  'artifacts',
  'references',
  'reports',
  'traces',
  'checkpoints',
  'code',
  'published',
  'standalone',
] as const;
export type UseKind = (typeof USE_KINDS)[number];

/** What is kept of one kind. */
export interface KindUse extends Pick<StorageUse, 'bytes' | 'uniqueBytes' | 'storedBytes'> {
  kind: UseKind;
  /** So many artifacts, artifacts that refer to something, reports, calls, checkpoints, runs with code, published versions, or sessions outside tasks. */
  count: number;
}

/** The use below a path, by flow, run, step or artifact, and in all. */
export interface CountedUse {
  by: UseLevel;
  entries: ({ name: string } & StorageUse)[];
  total: StorageUse;
  /** The total by kinds, without those of which there is nothing. What several share counts in each. */
  kinds: KindUse[];
  /** Contents that could not be looked at. */
  unseen: UnseenContents[];
}

/** So many runs are listed at once, and so many tasks are in memory. */
const CONCURRENT_LISTINGS = 16;
const TASKS_AT_ONCE = 256;
/** So many records, or sessions outside tasks, are read at once. */
const CONCURRENCY = 16;

/**
 * Counts what lies below a path and what it takes up, by the level below the path unless told otherwise.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`
 */
export async function countUse(view: StoreView, path: StorePath, by?: UseLevel): Promise<CountedUse> {
  const level = by ?? USE_LEVELS[Math.min(Object.keys(path).length, 3)] ?? 'artifact';
  const count = new Count(view, level, path);
  const { flow, run } = path;
  const runs: RunPath[] =
    run === undefined || flow === undefined ? await listedRuns(view, flow) : [{ flow, run }];
  for (const slice of slices(runs, CONCURRENT_LISTINGS)) {
    const listed = await mapBounded(slice, CONCURRENT_LISTINGS, ({ flow, run }) =>
      tasksAt(view, { ...path, flow, run }),
    );
    const replayable = new ReplayableAttempts();
    for (const some of slices(listed.flat(), TASKS_AT_ONCE)) {
      for (const [index, task] of (await readTasks(view, some)).entries()) {
        await replayable.add(view, task, (some[index] as ListedTask).attempts);
        await count.addTask(task);
      }
    }
    for (const [index, run] of slice.entries()) if (listed[index]?.length === 0) count.addEmptyRun(run);
    await mapBounded(slice, CONCURRENT_LISTINGS, (run) => count.addBeside(run, replayable));
  }
  if (flow === undefined) await count.addStandalone();
  return count.result();
}

function* slices<T>(items: readonly T[], length: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += length) yield items.slice(start, start + length);
}

/** The rows by name, and all of them together. */
class Count {
  readonly #view: StoreView;
  readonly #finder: ContentObjectsFinder;
  readonly #by: UseLevel;
  readonly #path: StorePath;
  readonly #total: Tally;
  readonly #rows = new Map<string, Tally>();
  readonly #kinds: Readonly<Record<UseKind, { count: number; tally: Tally }>>;
  /** The sessions that keep the code of runs. */
  readonly #codeSessions = new Set<string>();

  constructor(view: StoreView, by: UseLevel, path: StorePath) {
    this.#view = view;
    this.#finder = new ContentObjectsFinder(view);
    this.#by = by;
    this.#path = path;
    this.#total = new Tally(this.#finder);
    const kinds = USE_KINDS.map((kind) => [kind, { count: 0, tally: new Tally(this.#finder) }]);
    this.#kinds = Object.fromEntries(kinds);
  }

  /** A run counts although it has no tasks. */
  addEmptyRun(path: RunPath): void {
    const place = { run: runName(path) };
    this.#total.visit(place);
    if (this.#by === 'flow' || this.#by === 'run') this.#row(this.#nameOf(path)).visit(place);
  }

  async addTask({ path, attempts }: TaskView): Promise<void> {
    const name = this.#nameOf(path);
    for (const view of attempts) {
      const place = { run: runName(path), task: `${path.step}/${path.task}`, attempt: view.attempt };
      this.#total.visit(place);
      if (this.#by !== 'artifact') this.#row(name).visit(place);
      await this.#addArtifacts(view, place, name);
      for (const { content } of await keptReports(this.#view, path, view)) {
        this.#kinds.reports.count += 1;
        await this.#each('reports', this.#rowOf(path), (tally) => tally.addContent(content));
      }
    }
  }

  /** Adds traces and checkpoints below the path in a run, and its code. */
  async addBeside(run: RunPath, replayable: ReplayableAttempts): Promise<void> {
    const records = listRecords(this.#view, { ...this.#path, ...run });
    const reading = new BoundedWork(CONCURRENCY);
    try {
      const keeping = keepingRecords(records, replayable, ({ kind, path, bytes }) => {
        this.#kinds[`${kind}s`].count += 1;
        for (const tally of this.#tallies(`${kind}s`, this.#rowOf(path))) tally.addRecord(bytes);
      });
      for await (const record of keeping) {
        await reading.begin(async () => {
          const rows = await rowsOfRecord(this.#view, record);
          for (const row of rows) await this.#addKept(`${record.kind}s`, this.#rowOf(record.path), row);
        });
      }
      await reading.finish();
    } finally {
      await reading.settle();
    }
    if (this.#path.step === undefined) await this.#addCode(run);
  }

  /** Adds what sessions outside tasks keep, but for the code of runs. It belongs to no flow. */
  async addStandalone(): Promise<void> {
    const reading = new BoundedWork(CONCURRENCY);
    try {
      for await (const session of standaloneSessions(this.#view)) {
        if (!this.#codeSessions.has(session))
          await reading.begin(() => this.#addSession('standalone', session, undefined));
      }
      await reading.finish();
    } finally {
      await reading.settle();
    }
  }

  result(): CountedUse {
    const entries = [...this.#rows].map(([name, tally]) => ({ name, ...tally.use() }));
    if (this.#by === 'flow') entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (this.#by === 'artifact') entries.sort((a, b) => b.storedBytes - a.storedBytes);
    const kinds = USE_KINDS.flatMap((kind) => {
      const { count, tally } = this.#kinds[kind];
      const { bytes, uniqueBytes, storedBytes } = tally.use();
      return count === 0 ? [] : [{ kind, count, bytes, uniqueBytes, storedBytes }];
    });
    return { by: this.#by, entries, total: this.#total.use(), kinds, unseen: this.#finder.unseen() };
  }

  async #addCode(run: RunPath): Promise<void> {
    const session = await codeSessionOf(this.#view, run);
    if (session === undefined) return;
    this.#codeSessions.add(session);
    const hasRow = this.#by === 'flow' || this.#by === 'run';
    await this.#addSession('code', session, hasRow ? this.#row(this.#nameOf(run)) : undefined);
  }

  async #addSession(kind: UseKind, session: string, row: Tally | undefined): Promise<void> {
    const kept = await keptBySession(this.#view, session);
    if (!kept) return;
    const of = kept.isPublished ? 'published' : kind;
    this.#kinds[of].count += 1;
    for (const entry of kept.rows) {
      await this.#each(of, row, (tally) => tally.addRow(entry));
      await this.#addRefs(of, row, entry);
    }
  }

  async #addArtifacts({ entries = [], purged }: AttemptDetail, place: Place, name: string): Promise<void> {
    for (const entry of entries) {
      const row = this.#row(this.#by === 'artifact' ? entry.name : name);
      row.visit(place);
      for (const tally of this.#tallies('artifacts', row)) tally.countArtifact();
      this.#kinds.artifacts.count += 1;
      if (purged && !entry.inline) continue; // it takes no space, and has no size
      await this.#each('artifacts', row, (tally) => tally.addRow(entry));
      if (purged || !entry.refs?.length) continue;
      this.#kinds.references.count += 1;
      await this.#addRefs('references', row, entry);
    }
  }

  /** Adds a content that a record keeps, beside the record itself, and what its value refers to. */
  async #addKept(kind: UseKind, row: Tally | undefined, entry: ArtifactEntry): Promise<void> {
    if (!entry.inline) await this.#each(kind, row, (tally) => tally.addRow(entry));
    await this.#addRefs(kind, row, entry);
  }

  async #addRefs(kind: UseKind, row: Tally | undefined, { refs = [] }: ArtifactEntry): Promise<void> {
    const keys = refs.filter((ref) => ref.kind === 'key');
    await mapBounded(keys, CONCURRENCY, (ref) => this.#finder.objectsOfKey(ref)); // each once, side by side
    for (const ref of keys) await this.#each(kind, row, (tally) => tally.addRef(ref));
  }

  async #each(kind: UseKind, row: Tally | undefined, add: (tally: Tally) => Promise<void>): Promise<void> {
    for (const tally of this.#tallies(kind, row)) await add(tally);
  }

  /** Those in which something of a kind counts. */
  #tallies(kind: UseKind, row: Tally | undefined): Tally[] {
    return [this.#total, this.#kinds[kind].tally, ...(row ? [row] : [])];
  }

  /** The row of what belongs to a task, and to none of its artifacts. */
  #rowOf(path: StorePath): Tally | undefined {
    return this.#by === 'artifact' ? undefined : this.#row(this.#nameOf(path));
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
