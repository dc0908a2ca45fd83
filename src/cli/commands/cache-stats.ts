import { formatBytes, formatCount, formatDuration } from '../../options/figures.ts';
import type { CacheFigures } from '../../store-index/cache-figures.ts';
import type { EntryView } from '../../views/cache-entries.ts';
import type { ProblemTally } from '../cache/problem-tally.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type FiguresFailure, INDEX_OPTIONS, type IndexOptions } from '../questions/asked-index.ts';
import { withCache } from '../store.ts';
import { ageCell, nameCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

/** The totals of a task's entries. */
export interface EntryTally {
  entries: number;
  /** The time that it took to make them, as far as they tell: hits on each of them save it. */
  durationMs: number;
  bytes: number;
  inlineBytes: number;
  entryBytes: number;
  oldestAt: string | null;
  newestAt: string | null;
  /** How often its results were found, where the index was asked and has any. */
  figures?: Omit<CacheFigures, 'task'>;
}

/** The answer of `cache stats --json`. */
export interface CacheStats {
  total: EntryTally;
  unreadable: Readonly<Record<string, number>>;
  tasks: ({ task: string } & EntryTally)[];
  /** With figures: the time to which the index tells the store. */
  caughtUpAt?: string | undefined;
  /** The reason why there are no figures, where they were asked for. */
  figuresFailure?: FiguresFailure;
}

const COLUMNS: readonly Column[] = [
  { header: 'TASK', shrinks: true },
  { header: 'ENTRIES', align: 'right' },
  { header: 'TOOK', align: 'right' },
  { header: 'SIZE', align: 'right', dropOrder: 2 },
  { header: 'INLINE', align: 'right', dropOrder: 4 },
  { header: 'OLDEST', dropOrder: 3 },
  { header: 'NEWEST', dropOrder: 1 },
];
const FIGURE_COLUMNS: readonly Column[] = [
  { header: 'HITS', align: 'right' },
  { header: 'MISSES', align: 'right' },
  { header: 'SAVED', align: 'right' },
];

interface StatsOptions extends IndexOptions {
  figures?: boolean;
}

/** `stowage cache stats` */
export const cacheStats: CommandDeclaration = {
  name: 'stats',
  text: 'count the entries by task, and how long it took to make them',
  options: [
    {
      flags: '--figures',
      text: 'ask the index for hits, misses and the time that hits saved, by task',
    },
    ...INDEX_OPTIONS,
  ],
  async run(invocation: Invocation, _: [], options: StatsOptions) {
    const { figures = false, index, update } = options;
    if (!figures && (index !== undefined || update === false))
      throw usageError('--index and --no-update are for --figures, which ask the index.');
    const { problems, ...counted } = await countEntries(invocation);
    const stats = figures ? await withFigures(invocation, options, counted) : counted;
    problems.report(invocation);
    if (invocation.json) return invocation.output.json(stats);
    if (stats.tasks.length === 0 && stats.total.entries === 0)
      return invocation.note('the cache has no entries yet.');
    await print(invocation, stats, figures);
  },
};

function countEntries(invocation: Invocation): Promise<CacheStats & { problems: ProblemTally }> {
  return withCache(invocation, async (cache, store) => {
    const { entryView, readEntries } = await import('../../views/cache-entries.ts');
    const { ProblemTally } = await import('../cache/problem-tally.ts');
    const byTask = new Map<string, EntryTally>();
    const total = emptyTally();
    const problems = new ProblemTally();
    for await (const listed of readEntries(store, cache)) {
      problems.add(listed);
      const entry = entryView(listed);
      count(total, entry);
      if (entry.task === undefined) continue;
      const tally = byTask.get(entry.task) ?? emptyTally();
      byTask.set(entry.task, tally);
      count(tally, entry);
    }
    const unreadable = Object.fromEntries(problems.counts);
    const tasks = [...byTask].map(([task, tally]) => ({ task, ...tally }));
    return { total, unreadable, tasks: tasks.sort(byTaskName), problems };
  });
}

/** A task whose entries are all gone has figures alone. */
async function withFigures(
  invocation: Invocation,
  options: IndexOptions,
  { total, tasks, ...stats }: CacheStats,
): Promise<CacheStats> {
  const { askedCacheFigures } = await import('../questions/cache-figures.ts');
  const asked = await askedCacheFigures(invocation, options);
  if ('figuresFailure' in asked) return { total, tasks, ...stats, ...asked };
  const { byTask, caughtUpAt } = asked;
  const known = new Set(tasks.map(({ task }) => task));
  const gone = [...byTask.keys()].filter((task) => !known.has(task));
  const all = [...tasks, ...gone.map((task) => ({ task, ...emptyTally() }))].sort(byTaskName);
  const sum = { misses: 0, hits: 0, savedMs: 0 };
  for (const figures of byTask.values()) {
    sum.misses += figures.misses;
    sum.hits += figures.hits;
    sum.savedMs += figures.savedMs;
  }
  return {
    ...stats,
    caughtUpAt,
    total: { ...total, figures: sum },
    tasks: all.map((tally) => {
      const figures = byTask.get(tally.task);
      return figures ? { ...tally, figures } : tally;
    }),
  };
}

async function print(
  { output }: Invocation,
  { total, tasks, unreadable }: CacheStats,
  withFigures: boolean,
): Promise<void> {
  const columns = withFigures ? [...COLUMNS, ...FIGURE_COLUMNS] : COLUMNS;
  const cells = (tally: EntryTally): Cell[] => [
    ...cellsOf(tally),
    ...(withFigures ? figureCells(tally.figures) : []),
  ];
  const faults = Object.entries(unreadable).map(([problem, entries]): Cell[] => [
    { text: problem, style: 'red' },
    formatCount(entries),
  ]);
  await output.table(columns, [
    ...tasks.map((tally): Cell[] => [nameCell(tally.task), ...cells(tally)]),
    ...faults,
    [{ text: 'all', style: 'bold' }, ...cells(total)],
  ]);
}

function byTaskName({ task: a }: { task: string }, { task: b }: { task: string }): number {
  return a < b ? -1 : 1;
}

function emptyTally(): EntryTally {
  return {
    entries: 0,
    durationMs: 0,
    bytes: 0,
    inlineBytes: 0,
    entryBytes: 0,
    oldestAt: null,
    newestAt: null,
  };
}

function count(tally: EntryTally, entry: EntryView): void {
  const { durationMs = 0, bytes = 0, inlineBytes = 0, entryBytes, createdAt } = entry;
  tally.entries += 1;
  tally.durationMs += durationMs;
  tally.bytes += bytes;
  tally.inlineBytes += inlineBytes;
  tally.entryBytes += entryBytes;
  const { oldestAt, newestAt } = tally;
  if (oldestAt === null || Date.parse(createdAt) < Date.parse(oldestAt)) tally.oldestAt = createdAt;
  if (newestAt === null || Date.parse(createdAt) > Date.parse(newestAt)) tally.newestAt = createdAt;
}

function cellsOf({ entries, durationMs, bytes, inlineBytes, oldestAt, newestAt }: EntryTally): Cell[] {
  return [
    formatCount(entries),
    formatDuration(durationMs),
    formatBytes(bytes),
    formatBytes(inlineBytes),
    ageCell(oldestAt ?? undefined),
    ageCell(newestAt ?? undefined),
  ];
}

function figureCells(figures: EntryTally['figures']): Cell[] {
  if (!figures) return ['', '', ''];
  const { hits, misses, savedMs } = figures;
  return [formatCount(hits), formatCount(misses), formatDuration(savedMs)];
}
