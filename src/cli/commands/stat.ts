import type { ListedTask } from '../../format/attempt-files.ts';
import { type AttemptView, readTasks, type TaskView } from '../attempt-view.ts';
import { ContentObjectsFinder } from '../content-objects.ts';
import { ContentTally, type Place, type StatJson } from '../content-tally.ts';
import type { Invocation } from '../invocation.ts';
import { runsAt, tasksAt } from '../listings.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type Reaching, type StorePath } from '../store-path.ts';
import { formatBytes, formatCount, formatRatio } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';

/** What the rows of `stowage stat` may be, in the order of paths. */
export const STAT_LEVELS = ['flow', 'run', 'step', 'artifact'] as const;
type By = (typeof STAT_LEVELS)[number];

/** Options of `stowage stat`. */
export interface StatOptions {
  by?: By;
}

/** How many runs are listed at once. */
const CONCURRENT_LISTINGS = 16;

/** `stowage stat [flow[/run[/step[/task]]]]` */
export async function stat(
  invocation: Invocation,
  text: string | undefined,
  options: StatOptions,
): Promise<void> {
  const path = parseStorePath(text, 0, 4);
  const depth = Object.keys(path).length;
  const by = options.by ?? STAT_LEVELS[Math.min(depth, 3)] ?? 'artifact';
  await withStore(invocation, async (store) => {
    const finder = new ContentObjectsFinder(store, invocation);
    const counted = new Count(finder, by, path);
    const runs = await runsOf(invocation, store, path);
    for (let start = 0; start < runs.length; start += CONCURRENT_LISTINGS) {
      const slice = runs.slice(start, start + CONCURRENT_LISTINGS);
      const listed = slice.map((run) => tasksAt(store.storage, { ...path, ...run }, invocation));
      const tasks: ListedTask[] = (await Promise.all(listed)).flat();
      for await (const task of readTasks(invocation, store, tasks)) await counted.addTask(task);
      const begun = new Set(tasks.map((task) => runName(task.path)));
      for (const run of slice) if (!begun.has(runName(run))) counted.addEmptyRun(run);
    }
    const entries = counted.entries();
    const total = counted.total.json();
    const document = { path: formatStorePath(path), by, entries, total, unseen: finder.unseen() };
    if (invocation.json) return invocation.output.json(document);
    await print(invocation, by, entries, total);
    finder.tellUnseen();
  });
}

async function runsOf(
  invocation: Invocation,
  { storage }: OpenStore,
  { flow, run }: StorePath,
): Promise<Reaching<'flow' | 'run'>[]> {
  if (flow !== undefined && run !== undefined) return [{ flow, run }];
  return (await runsAt(storage, flow, invocation)).map(({ flow, run }) => ({ flow, run }));
}

/** The rows by name, and all of them together. */
class Count {
  readonly total: ContentTally;
  readonly #rows = new Map<string, ContentTally>();
  readonly #newRow: () => ContentTally;
  readonly #by: By;
  readonly #path: StorePath;

  constructor(finder: ContentObjectsFinder, by: By, path: StorePath) {
    this.total = new ContentTally(finder);
    this.#newRow = () => new ContentTally(finder);
    this.#by = by;
    this.#path = path;
  }

  /** A run counts although it has no tasks. */
  addEmptyRun(path: Reaching<'flow' | 'run'>): void {
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

  entries(): ({ name: string } & StatJson)[] {
    const entries = [...this.#rows].map(([name, tally]) => ({ name, ...tally.json() }));
    if (this.#by === 'flow') entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (this.#by === 'artifact') entries.sort((a, b) => b.storedBytes - a.storedBytes);
    return entries;
  }

  async #addArtifacts({ entries = [], purged }: AttemptView, place: Place, name: string): Promise<void> {
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

  #row(name: string): ContentTally {
    const row = this.#rows.get(name) ?? this.#newRow();
    this.#rows.set(name, row);
    return row;
  }
}

function runName({ flow, run }: Reaching<'flow' | 'run'>): string {
  return formatStorePath({ flow, run });
}

async function print(
  { output }: Invocation,
  by: By,
  entries: readonly ({ name: string } & StatJson)[],
  total: StatJson,
): Promise<void> {
  const columns: readonly Column[] = [
    { header: by.toUpperCase(), shrinks: true },
    { header: 'RUNS', align: 'right', dropOrder: 5 },
    { header: 'TASKS', align: 'right', dropOrder: 4 },
    { header: 'ATTEMPTS', align: 'right', dropOrder: 7 },
    { header: 'ARTIFACTS', align: 'right', dropOrder: 6 },
    { header: 'SIZE', align: 'right' },
    { header: 'UNIQUE', align: 'right', dropOrder: 3 },
    { header: 'STORED', align: 'right' },
    { header: 'DEDUP', align: 'right', dropOrder: 1 },
    { header: 'COMPRESSION', align: 'right', dropOrder: 2 },
  ];
  const cellsOf = (stat: StatJson): Cell[] => [
    by === 'run' ? '' : formatCount(stat.runs),
    formatCount(stat.tasks),
    formatCount(stat.attempts),
    formatCount(stat.artifacts),
    formatBytes(stat.bytes),
    formatBytes(stat.uniqueBytes),
    formatBytes(stat.storedBytes),
    formatRatio(stat.dedupRatio),
    formatRatio(stat.compressionRatio),
  ];
  const rows = entries.map((entry): Cell[] => [{ text: entry.name, style: 'cyan' }, ...cellsOf(entry)]);
  await output.table(columns, [...rows, [{ text: 'all', style: 'bold' }, ...cellsOf(total)]]);
}
