import type { ListedTask } from '../../attempts/attempt-files.ts';
import { readTasks } from '../attempt-view.ts';
import { ContentTally, type StatJson } from '../content-tally.ts';
import type { Invocation } from '../invocation.ts';
import { runsAt, tasksAt } from '../listings.ts';
import { formatBytes, formatCount, formatPercent } from '../sizes.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type StorePath } from '../store-path.ts';
import type { Cell, Column } from '../table.ts';

/** What the rows of `stowage stat` are, by how far the path goes. */
type By = 'flow' | 'run' | 'step';

/** `stowage stat [flow[/run]]` */
export async function stat(invocation: Invocation, text: string | undefined): Promise<void> {
  const path = parseStorePath(text, 0, 2);
  const by: By = path.flow === undefined ? 'flow' : path.run === undefined ? 'run' : 'step';
  await withStore(invocation, async (store) => {
    const total = new ContentTally(store, invocation);
    const rows = new Map<string, ContentTally>();
    for (const { flow, run } of await runsOf(invocation, store, path)) {
      const rowOf = (name: string): ContentTally =>
        rowFor(rows, name, () => new ContentTally(store, invocation, total));
      total.addRun();
      if (by !== 'step') rowOf(by === 'flow' ? flow : run).addRun();
      const tasks = await tasksAt(store.storage, { flow, run }, invocation);
      await countTasks(invocation, store, tasks, (step) => rowOf({ flow, run, step }[by]), total);
    }
    const entries = [...rows].map(([name, tally]) => ({ name, ...tally.json() }));
    if (by === 'flow') entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const document = { path: formatStorePath(path), by, entries, total: total.json() };
    if (invocation.json) return invocation.output.json(document);
    await print(invocation, by, entries, document.total);
  });
}

async function runsOf(
  invocation: Invocation,
  { storage }: OpenStore,
  { flow, run }: StorePath,
): Promise<{ flow: string; run: string }[]> {
  return flow !== undefined && run !== undefined ? [{ flow, run }] : runsAt(storage, flow, invocation);
}

async function countTasks(
  invocation: Invocation,
  store: OpenStore,
  tasks: readonly ListedTask[],
  rowOf: (step: string) => ContentTally,
  total: ContentTally,
): Promise<void> {
  for await (const { step, attempts } of readTasks(invocation, store, tasks)) {
    for (const tally of [rowOf(step), total]) {
      tally.addTask();
      for (const attempt of attempts) await tally.addAttempt(attempt);
    }
  }
}

function rowFor(rows: Map<string, ContentTally>, name: string, make: () => ContentTally): ContentTally {
  const row = rows.get(name) ?? make();
  rows.set(name, row);
  return row;
}

async function print(
  { output }: Invocation,
  by: By,
  entries: readonly ({ name: string } & StatJson)[],
  total: StatJson,
): Promise<void> {
  const columns: readonly Column[] = [
    { header: by.toUpperCase(), shrinks: true },
    { header: 'RUNS', align: 'right', dropOrder: 3 },
    { header: 'TASKS', align: 'right', dropOrder: 2 },
    { header: 'ATTEMPTS', align: 'right', dropOrder: 5 },
    { header: 'ARTIFACTS', align: 'right', dropOrder: 4 },
    { header: 'SIZE', align: 'right' },
    { header: 'STORED', align: 'right' },
    { header: '%', align: 'right', dropOrder: 1 },
  ];
  const cellsOf = (stat: StatJson): Cell[] => [
    by === 'flow' ? formatCount(stat.runs) : '',
    formatCount(stat.tasks),
    formatCount(stat.attempts),
    formatCount(stat.artifacts),
    formatBytes(stat.bytes),
    formatBytes(stat.storedBytes),
    formatPercent(stat.storedBytes, stat.bytes),
  ];
  const rows = entries.map((entry): Cell[] => [{ text: entry.name, style: 'cyan' }, ...cellsOf(entry)]);
  await output.table(columns, [...rows, [{ text: 'all', style: 'bold' }, ...cellsOf(total)]]);
}
