import { countOf } from '../../options/figures.ts';
import type { LineageLink, LineageOptions } from '../../store-index/lineage.ts';
import { formatStorePath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { INDEX_OPTIONS, type IndexOptions, withAskedIndex, withRunId } from '../questions/asked-index.ts';
import { parseStorePath } from '../store-path.ts';
import type { Column } from '../ui/table.ts';

interface LineageCommandOptions extends IndexOptions {
  up?: string;
  down?: string;
  limit: string;
}

const COLUMNS: readonly Column[] = [
  { header: '', shrinks: true },
  { header: '' },
  { header: '', dropOrder: 1 },
  { header: '', dropOrder: 2, shrinks: true },
];

/** `stowage lineage <of>` */
export const lineage: CommandDeclaration = {
  name: 'lineage',
  text: 'show what an attempt or a content was made from, and who used it',
  arguments: [
    {
      form: '<of>',
      text: '<flow>/<run>/<step>/<task>[/<attempt>], or the key of a content, 8 digits or more',
      completion: { path: 5 },
    },
  ],
  options: [
    { flags: '--up <steps>', text: 'only what it was made from, so many steps back, or "all"' },
    { flags: '--down <steps>', text: 'only who used it, so many steps on, or "all"' },
    { flags: '-n, --limit <count>', text: 'so many links at most', default: '10000' },
    ...INDEX_OPTIONS,
  ],
  async run(invocation: Invocation, [text]: [string], options: LineageCommandOptions) {
    const asked: LineageOptions = {
      up: parseSteps(options.up, '--up'),
      down: parseSteps(options.down, '--down'),
      limit: parseCount(options.limit),
      signal: invocation.signal,
    };
    const of = text.includes('/')
      ? formatStorePath(await withRunId(invocation, parseStorePath(text, 4, 5)))
      : text;
    await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => {
      const links: LineageLink[] = [];
      for await (const link of index.lineage(of, asked)) links.push(link);
      if (invocation.json) return invocation.output.json({ caughtUpAt, of, links });
      await print(invocation, links);
    });
  },
};

async function print(invocation: Invocation, links: readonly LineageLink[]): Promise<void> {
  const { treeRows } = await import('../ui/table.ts');
  const { lineageTrees, MAX_DEPTH } = await import('../questions/lineage-tree.ts');
  const rows = lineageTrees(links).flatMap(({ cells, children = [] }) => [[...cells], ...treeRows(children)]);
  await invocation.output.table(COLUMNS, rows);
  if (links.every(({ direction }) => direction === 'start'))
    invocation.note('the index has no link of it in that direction.');
  const deeper = links.filter(({ depth }) => depth > MAX_DEPTH).length;
  if (deeper > 0)
    invocation.note(`${countOf(deeper, 'link')} more than ${MAX_DEPTH} steps away: with --json`);
  if (links.at(-1)?.isCut) invocation.note('there are more links; give a greater --limit.');
}

function parseSteps(text: string | undefined, option: string): LineageOptions['up'] {
  if (text === undefined) return undefined;
  if (text === 'all') return true;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usageError(`${option} is a number of steps, or "all", not ${JSON.stringify(text)}.`);
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw usageError(`--limit is a number from 1 to 999,999, not ${JSON.stringify(text)}.`);
}
