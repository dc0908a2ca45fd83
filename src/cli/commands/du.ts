import { formatBytes, formatCount } from '../../options/figures.ts';
import type { Usage, UsageOptions } from '../../store-index/usage.ts';
import { formatStorePath, type StorePath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { INDEX_OPTIONS, type IndexOptions, withAskedIndex, withRunId } from '../questions/asked-index.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { nameCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

type Level = 'flow' | 'run' | 'artifact';

interface DuOptions extends IndexOptions {
  by?: Level;
  limit: string;
}

/** `stowage du [path]` */
export const du: CommandDeclaration = {
  name: 'du',
  text: 'tell which bytes of artifacts are its own, and which are shared, the most first',
  arguments: [pathArgument('[path]', 1, 2)],
  options: [
    {
      flags: '--by <level>',
      text: 'what each row counts; default: the level below the path',
      choices: ['flow', 'run', 'artifact'] satisfies Level[],
    },
    { flags: '-n, --limit <count>', text: 'how many rows at most', default: '50' },
    ...INDEX_OPTIONS,
  ],
  async run(invocation: Invocation, [text]: [string?], options: DuOptions) {
    const given = parseStorePath(text, 0, 2);
    const by = options.by ?? levelBelow(given);
    const limit = parseCount(options.limit);
    const path = await withRunId(invocation, given);
    await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => {
      const { flow, run } = path;
      const asked: UsageOptions = { flow, run, signal: invocation.signal };
      const rows: Usage[] = [];
      // One more than is shown, which tells that there are more.
      for await (const row of index.usage({ ...asked, by, limit: limit + 1 })) rows.push(row);
      const entries = rows.slice(0, limit);
      const isCut = rows.length > limit;
      const { value: total } = await index.usage({ ...asked, by: 'all' }).next();
      if (invocation.json) {
        const shown = invocation.output.firstOf(entries);
        const told = { caughtUpAt, path: formatStorePath(path), by, entries: shown };
        return invocation.output.json({ ...told, isCut: shown.length < rows.length, total: total ?? null });
      }
      if (!total) return invocation.note('the index has no artifacts there.');
      await print(invocation, by, entries, total);
      if (isCut) invocation.note('there are more rows; give a greater --limit.');
    });
  },
};

async function print(
  { output }: Invocation,
  by: Level,
  entries: readonly Usage[],
  total: Usage,
): Promise<void> {
  const columns: readonly Column[] = [
    { header: by.toUpperCase(), shrinks: true },
    { header: 'ATTEMPTS', align: 'right', dropOrder: 2 },
    { header: 'ARTIFACTS', align: 'right', dropOrder: 1 },
    { header: 'SIZE', align: 'right' },
    { header: 'OWN', align: 'right' },
    { header: 'SHARED', align: 'right' },
  ];
  const cellsOf = ({ attempts, artifacts, bytes, ownBytes, sharedBytes }: Usage): Cell[] => [
    formatCount(attempts),
    formatCount(artifacts),
    formatBytes(bytes),
    formatBytes(ownBytes),
    formatBytes(sharedBytes),
  ];
  const rows = entries.map((entry): Cell[] => [nameCell(entry.name), ...cellsOf(entry)]);
  await output.table(columns, [...rows, [{ text: 'all', style: 'bold' }, ...cellsOf(total)]]);
}

function levelBelow({ flow, run }: StorePath): Level {
  if (run !== undefined) return 'artifact';
  return flow === undefined ? 'flow' : 'run';
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw usageError(`--limit is a number from 1 to 99,999, not ${JSON.stringify(text)}.`);
}
