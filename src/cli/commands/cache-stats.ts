import { formatBytes, formatCount, formatDuration } from '../../options/figures.ts';
import type { EntryView } from '../../views/cache-entries.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withCache } from '../store.ts';
import { ageCell, nameCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

/** The totals of a task's entries. */
interface Tally {
  entries: number;
  /** The time that it took to make them, as far as they tell: hits on each of them save it. */
  durationMs: number;
  bytes: number;
  inlineBytes: number;
  entryBytes: number;
  oldestAt: string | null;
  newestAt: string | null;
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

/** `stowage cache stats` */
export const cacheStats: CommandDeclaration = {
  name: 'stats',
  text: 'count the entries by task, and how long it took to make them',
  async run(invocation: Invocation) {
    await withCache(invocation, async (cache, store) => {
      const { entryView, readEntries } = await import('../../views/cache-entries.ts');
      const { ProblemTally } = await import('../cache/problem-tally.ts');
      const { output } = invocation;
      const byTask = new Map<string, Tally>();
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
      problems.report(invocation);
      const tasks = [...byTask]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([task, tally]) => ({ task, ...tally }));
      if (invocation.json) {
        return output.json({ total, unreadable: Object.fromEntries(problems.counts), tasks });
      }
      if (total.entries === 0) return invocation.note('the cache has no entries yet.');
      const rows = tasks.map((tally): Cell[] => [nameCell(tally.task), ...cellsOf(tally)]);
      const unreadable = [...problems.counts].map(([problem, entries]): Cell[] => [
        { text: problem, style: 'red' },
        formatCount(entries),
      ]);
      await output.table(COLUMNS, [
        ...rows,
        ...unreadable,
        [{ text: 'all', style: 'bold' }, ...cellsOf(total)],
      ]);
    });
  },
};

function emptyTally(): Tally {
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

function count(tally: Tally, entry: EntryView): void {
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

function cellsOf({ entries, durationMs, bytes, inlineBytes, oldestAt, newestAt }: Tally): Cell[] {
  return [
    formatCount(entries),
    formatDuration(durationMs),
    formatBytes(bytes),
    formatBytes(inlineBytes),
    ageCell(oldestAt ?? undefined),
    ageCell(newestAt ?? undefined),
  ];
}
