import { countOf, formatCount } from '../../options/figures.ts';
import type { RunFilter, RunView } from '../../views/runs.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
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
  { header: 'TAGS', dropOrder: 3, shrinks: true },
];

interface RunsOptions {
  limit: string;
  tag?: readonly string[];
  status?: RunFilter['status'];
  since?: string;
  text?: string;
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
    { flags: '--text <text>', text: 'only runs that say so in their path, a tag or the parameters' },
  ],
  async run(
    invocation: Invocation,
    [text]: [string?],
    { limit, tag, status, since, text: said }: RunsOptions,
  ) {
    const { flow } = parseStorePath(text, 0, 1);
    const most = parseLimit(limit);
    const createdSinceMs = since === undefined ? undefined : parseSince(since, '--since');
    const isFiltered = [tag, status, since, said].some((option) => option !== undefined);
    await withStore(invocation, async (store) => {
      const { listedRuns, selectRuns } = await import('../../views/runs.ts');
      const { output } = invocation;
      const listed = await listedRuns(store, flow);
      const selected = await selectRuns(
        store,
        listed,
        { tags: tag, status, createdSinceMs, text: said },
        most,
      );
      const { runs: shown, unread, seenTags } = selected;
      if (invocation.json) return output.json({ total: listed.length, unread, runs: shown });
      if (shown.length > 0) await output.table(COLUMNS, shown.map(runRow));
      else if (listed.length === 0) invocation.note('the store has no runs yet.');
      else {
        const meant = await meantTag(tag ?? [], seenTags);
        invocation.note(`none of ${countOf(listed.length, 'run')} matches.${meant}`);
      }
      if (unread === 0) return;
      const what = isFiltered ? 'not looked at; to look at all' : 'not shown; all of them';
      invocation.note(`${formatCount(unread)} older ${what}: --limit all`);
    });
  },
};

/** A tag that no run has may be misspelt. */
async function meantTag(tags: readonly string[], seen: ReadonlySet<string>): Promise<string> {
  const { didYouMean, suggest } = await import('../../options/suggestions.ts');
  const unknown = tags.find((one) => !seen.has(one));
  return unknown === undefined ? '' : didYouMean(suggest(unknown, [...seen]));
}

function runRow({ flow, run, status, createdAt, durationMs, tags, pinned, resumes }: RunView): Cell[] {
  return [
    nameCell(`${flow}/${run}`),
    statusCell({ status }),
    ageCell(createdAt),
    durationCell(durationMs),
    [
      ...(pinned ? ['(pinned)'] : []),
      ...(resumes === undefined ? [] : [`(resumes ${resumes})`]),
      ...tags,
    ].join(', '),
  ];
}
