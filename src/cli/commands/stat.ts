import { countOf, formatBytes, formatCount, formatRatio } from '../../options/figures.ts';
import { kindText } from '../../views/artifact-texts.ts';
import { formatStorePath } from '../../views/paths.ts';
import type { CountedUse, KindUse, StorageUse, UseLevel } from '../../views/storage-use.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { nameCell } from '../ui/cells.ts';
import { parseLimit } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';

/** `stowage stat [flow[/run[/step[/task]]]]` */
export const stat: CommandDeclaration = {
  name: 'stat',
  text: 'count runs, tasks, attempts and artifacts, and the bytes that all of it takes',
  arguments: [pathArgument('[path]', 1, 4)],
  options: [
    {
      flags: '--by <level>',
      text: 'what each row counts; default: the level below the path',
      choices: ['flow', 'run', 'step', 'artifact'] satisfies UseLevel[],
    },
    { flags: '-n, --limit <count>', text: 'so many rows at most, those that store most; default: "all"' },
  ],
  async run(invocation: Invocation, [text]: [string?], options: { by?: UseLevel; limit?: string }) {
    const given = parseStorePath(text, 0, 4);
    const limit = parseLimit(options.limit ?? 'all');
    const [path, counted] = await withStore(invocation, async (store) => {
      const { countUse } = await import('../../views/storage-use.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      return withMeantRun(invocation, store, given, async (meant) => {
        return [formatStorePath(meant), await countUse(store, meant, options.by)] as const;
      });
    });
    const { output, json } = invocation;
    const chosen = largest(counted.entries, limit);
    const entries = json ? output.firstOf(chosen) : chosen;
    const more = counted.entries.length - entries.length;
    if (json) return output.json({ path, ...counted, entries, ...(more > 0 ? { more } : {}) });
    await print(invocation, { ...counted, entries: chosen });
    if (more > 0) invocation.note(`${countOf(more, 'row')} more, each of which stores no more than these.`);
  },
};

/** In their order where all are wanted. */
function largest<T extends StorageUse>(entries: T[], limit: number): T[] {
  if (entries.length <= limit) return entries;
  return entries.toSorted((a, b) => b.storedBytes - a.storedBytes).slice(0, limit);
}

async function print(
  invocation: Invocation,
  { by, entries, total, kinds, unseen }: CountedUse,
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
  const cellsOf = (use: StorageUse): Cell[] => [
    by === 'run' ? '' : formatCount(use.runs),
    formatCount(use.tasks),
    formatCount(use.attempts),
    formatCount(use.artifacts),
    formatBytes(use.bytes),
    formatBytes(use.uniqueBytes),
    formatBytes(use.storedBytes),
    formatRatio(use.dedupRatio),
    formatRatio(use.compressionRatio),
  ];
  const rows = entries.map((entry): Cell[] => [nameCell(entry.name), ...cellsOf(entry)]);
  await invocation.output.table(columns, [...rows, [{ text: 'all', style: 'bold' }, ...cellsOf(total)]]);
  if (kinds.some(({ kind }) => kind !== 'artifacts')) await printKinds(invocation, kinds);
  for (const { contents, failure } of unseen) {
    if (failure.code === 'CONTENT_DAMAGED') continue; // it is reported by itself
    const [is, its] = contents === 1 ? ['is', 'its record says'] : ['are', 'their records say'];
    invocation.note(
      `${countOf(contents, 'large content')} could not be looked at, and ${is} counted as ${its}: ${failure.message}`,
    );
  }
}

async function printKinds({ output }: Invocation, kinds: readonly KindUse[]): Promise<void> {
  const columns: readonly Column[] = [
    { header: 'KIND', shrinks: true },
    { header: 'COUNT', align: 'right' },
    { header: 'SIZE', align: 'right' },
    { header: 'UNIQUE', align: 'right', dropOrder: 1 },
    { header: 'STORED', align: 'right' },
  ];
  await output.line();
  const rows = kinds.map(({ kind, count, bytes, uniqueBytes, storedBytes }): Cell[] => [
    kindText(kind),
    formatCount(count),
    formatBytes(bytes),
    formatBytes(uniqueBytes),
    formatBytes(storedBytes),
  ]);
  await output.table(columns, rows);
}
