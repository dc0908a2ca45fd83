import { validateUserName } from '../../storage/names.ts';
import { usageError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { runsAt } from '../listings.ts';
import { type RunJson, readRuns, runStatusCell } from '../run-view.ts';
import { formatCount } from '../sizes.ts';
import { withStore } from '../store.ts';
import type { Cell, Column } from '../table.ts';
import { ageOf, formatDuration } from '../times.ts';

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
  options: { limit: string },
): Promise<void> {
  const flow = flowArgument?.replace(/\/$/, '');
  if (flow !== undefined) validateUserName(flow, 'flow name');
  const limit = parseLimit(options.limit);
  await withStore(invocation, async (store) => {
    const { signal, output } = invocation;
    const listed = await runsAt(store.storage, flow, { signal });
    const shown = await readRuns(invocation, store, listed.slice(0, limit));
    if (invocation.json) return output.json({ total: listed.length, runs: shown });
    if (shown.length === 0) return invocation.note('the store has no runs yet.');
    await output.table(COLUMNS, shown.map(runRow));
    const more = listed.length - shown.length;
    if (more > 0) invocation.note(`${formatCount(more)} older not shown; all of them: --limit all`);
  });
}

export function runRow(run: RunJson): Cell[] {
  return [
    { text: `${run.flow}/${run.run}`, style: 'cyan' },
    runStatusCell(run),
    run.createdAt === '' ? '' : ageOf(run.createdAt),
    run.durationMs === undefined ? '' : formatDuration(run.durationMs),
    run.tags.join(', '),
  ];
}

function parseLimit(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`--limit is a number from 1 on, or "all", not ${JSON.stringify(text)}.`);
}
