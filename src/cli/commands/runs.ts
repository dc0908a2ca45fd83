import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import type { FiguredRun } from '../../store-index/run-figures.ts';
import { hitsText } from '../../views/artifact-texts.ts';
import type { RunPath } from '../../views/paths.ts';
import type { RunFilter } from '../../views/runs.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { INDEX_OPTIONS, type IndexOptions } from '../questions/asked-index.ts';
import { withStore } from '../store.ts';
import { parseStorePath } from '../store-path.ts';
import { ageCell, durationCell, nameCell, statusCell } from '../ui/cells.ts';
import { parseLimit } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { parseSince } from '../ui/times.ts';

const COLUMNS: readonly Column[] = [
  { header: 'RUN', shrinks: true },
  { header: 'STATUS' },
  { header: 'CREATED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
];
const FIGURE_COLUMNS: readonly Column[] = [
  { header: 'SIZE', align: 'right' },
  { header: 'NEW', align: 'right' },
  { header: 'HITS', align: 'right', dropOrder: 2 },
];
const TAGS: Column = { header: 'TAGS', dropOrder: 3, shrinks: true };

interface RunsOptions extends IndexOptions {
  limit: string;
  tag?: readonly string[];
  status?: RunFilter['status'];
  since?: string;
  before?: string;
  text?: string;
  figures?: boolean;
}

/** `stowage runs [flow]` */
export const runs: CommandDeclaration = {
  name: 'runs',
  text: 'list runs, newest first',
  arguments: [{ form: '[flow]', text: 'only runs of this flow', completion: { path: 1 } }],
  options: [
    { flags: '-n, --limit <count>', text: 'how many at most; "all" for no limit', default: '50' },
    {
      flags: '--tag <tag>',
      text: 'only runs with this tag; repeat it for runs with all of them',
      repeats: true,
    },
    {
      flags: '--status <status>',
      text: 'only runs of this status',
      choices: ['open', 'done', 'failed', 'abandoned'] satisfies RunFilter['status'][],
    },
    { flags: '--since <age>', text: 'only runs made since: an age (12h, 7d) or a date (2026-01-31)' },
    {
      flags: '--before <run>',
      text: 'only runs behind this one, <flow>/<run>, in the order of the list',
      completion: { path: 2 },
    },
    { flags: '--text <text>', text: 'only runs that say so in their path, a tag or the parameters' },
    {
      flags: '--figures',
      text: 'ask the index what they saved, how much of it was new, and their hits of the cache',
    },
    ...INDEX_OPTIONS,
  ],
  async run(invocation: Invocation, [text]: [string?], options: RunsOptions) {
    const { limit, tag, status, since, text: said, figures = false } = options;
    const { flow } = parseStorePath(text, 0, 1);
    const most = parseLimit(limit);
    const createdSinceMs = since === undefined ? undefined : parseSince(since, '--since');
    const before = options.before === undefined ? undefined : parseStorePath(options.before, 2, 2);
    if (!figures && (options.index !== undefined || options.update === false))
      throw usageError('--index and --no-update are for --figures, which ask the index.');
    const { total, seenTags, unread, ...selected } = await withStore(invocation, async (store) => {
      const { listedRuns, runsBehind, selectRuns } = await import('../../views/runs.ts');
      const listed = await listedRuns(store, flow);
      const behind = before ? await runsBehind(store, listed, before as RunPath) : listed;
      const filter: RunFilter = { tags: tag, status, createdSinceMs, text: said };
      return { total: listed.length, ...(await selectRuns(store, behind, filter, most)) };
    });
    const { withFigures } = await import('../questions/run-figures.ts');
    const shown = figures ? await withFigures(invocation, options, selected.runs) : selected;
    if (invocation.json) {
      const { runs, ...asked } = shown;
      const first = invocation.output.firstOf(runs);
      const left = runs.length - first.length;
      return invocation.output.json({ total, unread: unread + left, ...asked, runs: first });
    }
    if (shown.runs.length > 0) await printRuns(invocation, shown.runs, figures);
    else if (total === 0) invocation.note('the store has no runs yet.');
    else invocation.note(`none of ${countOf(total, 'run')} matches.${await meantTag(tag ?? [], seenTags)}`);
    if (unread === 0) return;
    const isFiltered = [tag, status, since, said].some((option) => option !== undefined);
    const what = isFiltered ? 'not looked at; to look at all' : 'not shown; all of them';
    invocation.note(`${formatCount(unread)} older ${what}: --limit all`);
  },
};

function printRuns({ output }: Invocation, runs: readonly FiguredRun[], figures: boolean): Promise<void> {
  const columns = [...COLUMNS, ...(figures ? FIGURE_COLUMNS : []), TAGS];
  const rows = runs.map((run) => [...runCells(run), ...(figures ? figureCells(run) : []), tagsOf(run)]);
  return output.table(columns, rows);
}

function figureCells({ figures }: FiguredRun): Cell[] {
  if (!figures) return ['', '', ''];
  return [formatBytes(figures.bytes), formatBytes(figures.newBytes), hitsText(figures)];
}

/** A tag that no run has may be misspelt. */
async function meantTag(tags: readonly string[], seen: ReadonlySet<string>): Promise<string> {
  const { didYouMean, suggest } = await import('../../options/suggestions.ts');
  const unknown = tags.find((one) => !seen.has(one));
  return unknown === undefined ? '' : didYouMean(suggest(unknown, [...seen]));
}

function runCells({ flow, run, status, createdAt, durationMs }: FiguredRun): Cell[] {
  return [nameCell(`${flow}/${run}`), statusCell({ status }), ageCell(createdAt), durationCell(durationMs)];
}

function tagsOf({ tags, pinned, resumes }: FiguredRun): string {
  const told = [...(pinned ? ['(pinned)'] : []), ...(resumes === undefined ? [] : [`(resumes ${resumes})`])];
  return [...told, ...tags].join(', ');
}
