import type { Invocation } from '../invocation.ts';
import { runsAt } from '../listings.ts';
import { RunFilter, type RunFilterOptions } from '../run-filter.ts';
import { type RunJson, runStatusCell } from '../run-view.ts';
import { withStore } from '../store.ts';
import { parseStorePath } from '../store-path.ts';
import { didYouMean, suggest } from '../suggestions.ts';
import { countOf, formatCount, parseLimit } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { ageOf, formatDuration } from '../ui/times.ts';

const COLUMNS: readonly Column[] = [
  { header: 'RUN', shrinks: true },
  { header: 'STATUS' },
  { header: 'CREATED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'TAGS', dropOrder: 3, shrinks: true },
];

/** `stowage runs [flow]` */
export async function runs(
  invocation: Invocation,
  flowArgument: string | undefined,
  options: RunFilterOptions & { limit: string },
): Promise<void> {
  const { flow } = parseStorePath(flowArgument, 0, 1);
  const limit = parseLimit(options.limit);
  const filter = new RunFilter(options);
  await withStore(invocation, async (store) => {
    const { signal, output } = invocation;
    const listed = await runsAt(store.storage, flow, { signal });
    const { runs: shown, unread, seenTags } = await filter.select(invocation, store, listed, limit);
    if (invocation.json) return output.json({ total: listed.length, unread, runs: shown });
    if (shown.length > 0) await output.table(COLUMNS, shown.map(runRow));
    else if (listed.length === 0) invocation.note('the store has no runs yet.');
    else invocation.note(`none of ${countOf(listed.length, 'run')} matches.${meantTag(options, seenTags)}`);
    if (unread === 0) return;
    const what = filter.isEmpty ? 'not shown; all of them' : 'not looked at; to look at all';
    invocation.note(`${formatCount(unread)} older ${what}: --limit all`);
  });
}

/** A tag that no run has may be misspelt. */
function meantTag({ tag = [] }: RunFilterOptions, seen: ReadonlySet<string>): string {
  const unknown = tag.find((one) => !seen.has(one));
  return unknown === undefined ? '' : didYouMean(suggest(unknown, [...seen]));
}

function runRow(run: RunJson): Cell[] {
  return [
    { text: `${run.flow}/${run.run}`, style: 'cyan' },
    runStatusCell(run),
    run.createdAt === '' ? '' : ageOf(run.createdAt),
    run.durationMs === undefined ? '' : formatDuration(run.durationMs),
    run.tags.join(', '),
  ];
}
