import type {
  KeptRuns,
  PlannedRun,
  RetentionPlan,
  RunReason,
} from '../../maintenance/retention/retention-plan.ts';
import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import { entryCount } from '../cache/entries.ts';
import type { Invocation } from '../invocation.ts';
import { ageCell, nameCell, statusCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

/** More runs, and artifacts, are told as a number. */
const MAX_RUNS = 20;
const MAX_ARTIFACTS = 10;

const FLOW_COLUMNS: readonly Column[] = [
  { header: 'FLOW', shrinks: true },
  { header: 'RUNS', align: 'right' },
  { header: 'TASKS', align: 'right', dropOrder: 2 },
  { header: 'ARTIFACTS', align: 'right', dropOrder: 1 },
  { header: 'FREES', align: 'right' },
  { header: 'SHARED', align: 'right', dropOrder: 3 },
];
const RUN_COLUMNS: readonly Column[] = [
  { header: 'RUN', shrinks: true },
  { header: 'STATUS', dropOrder: 2 },
  { header: 'CREATED', dropOrder: 3 },
  { header: 'TASKS', align: 'right', dropOrder: 4 },
  { header: 'FREES', align: 'right' },
  { header: 'WHY', dropOrder: 1 },
];
const ARTIFACT_COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'FREES', align: 'right' },
  { header: 'SHARED', align: 'right', dropOrder: 1 },
];
const REASONS: Readonly<Record<RunReason, string>> = {
  age: 'too old',
  count: 'not among the newest',
  size: 'beyond the size',
  begun: 'was begun before',
};

/** Tells what a policy would give up, by flow, run and artifact. What it frees stands for itself: much of it may be shared. */
export async function reportPlan(
  invocation: Invocation,
  plan: RetentionPlan,
  maxRuns: number = MAX_RUNS,
): Promise<void> {
  const { output } = invocation;
  const { runs, flows, artifacts, total, cache } = plan;
  if (flows.length > 1) {
    const rows = flows.map(({ flow, ...account }): Cell[] => [
      nameCell(flow),
      formatCount(account.runs),
      formatCount(account.tasks),
      formatCount(account.artifacts),
      formatBytes(account.freedBytes),
      formatBytes(account.sharedBytes),
    ]);
    await output.table(FLOW_COLUMNS, rows);
    await output.line();
  }
  if (runs.length > 0) {
    await output.table(RUN_COLUMNS, runs.slice(0, maxRuns).map(runRow));
    if (runs.length > maxRuns)
      await output.line(`... and ${countOf(runs.length - maxRuns, 'run')} more; --limit all names them`);
    await output.line();
  }
  const largest = artifacts.filter(({ name }) => name !== '').slice(0, MAX_ARTIFACTS);
  if (largest.length > 0) {
    const rows = largest.map(({ name, freedBytes, sharedBytes }): Cell[] => [
      nameCell(name),
      formatBytes(freedBytes),
      formatBytes(sharedBytes),
    ]);
    await output.table(ARTIFACT_COLUMNS, rows);
    const left = artifacts.length - largest.length;
    if (left > 0) await output.line(`... and ${countOf(left, 'name')} more; --json has all`);
    await output.line();
  }
  if (total.runs > 0) await output.sentence(totalText(plan));
  const named = runs.reduce((sum, { keptAttempts }) => sum + keptAttempts, 0);
  if (named > 0) {
    const stay = named === 1 ? 'stays' : 'stay';
    await output.sentence(
      `${countOf(named, 'attempt')} ${stay} all the same, since the cache names ${named === 1 ? 'it' : 'them'}`,
    );
  }
  if (cache.entries > 0) {
    const expired = cache.expired > 0 ? `, ${formatCount(cache.expired)} of them expired` : '';
    await output.sentence(
      `would delete ${entryCount(cache.entries)} of the cache${expired}: ${formatBytes(cache.bytes)}`,
    );
  }
  if (total.runs === 0 && cache.entries === 0)
    await output.sentence('no run and no entry of the cache goes by it.');
  const kept = keptText(plan.kept);
  if (kept !== '') await output.sentence(kept);
}

/** Tells what is to be known of a plan beside what goes. */
export function remarkPlan(invocation: Invocation, plan: RetentionPlan): void {
  for (const { message } of plan.warnings) invocation.note(`warning: ${message}`);
  if (plan.abandoned.length > 0) {
    const were = plan.abandoned.length === 1 ? 'was' : 'were';
    invocation.note(
      `${countOf(plan.abandoned.length, 'run')} that ${were} left open would be recorded as abandoned.`,
    );
  }
  if (plan.deletesEverything) invocation.note('warning: no run of the store would stay.');
}

function totalText({ total, runs }: RetentionPlan): string {
  const onlyContent = runs.every(({ contentOnly }) => contentOnly) ? 'the content of ' : '';
  const what = `${onlyContent}${countOf(total.runs, 'run')}`;
  const parts = [countOf(total.tasks, 'task'), countOf(total.artifacts, 'artifact')];
  const shared =
    total.sharedBytes > 0 ? `; ${formatBytes(total.sharedBytes)} stays, since others need it` : '';
  return `would delete ${what}, with ${parts.join(' and ')}, which frees ${formatBytes(total.freedBytes)}${shared}`;
}

function runRow({
  flow,
  run,
  status,
  createdAt,
  tasks,
  freedBytes,
  reason,
  contentOnly,
}: PlannedRun): Cell[] {
  const why = `${REASONS[reason]}${contentOnly ? ', content only' : ''}`;
  return [
    nameCell(`${flow}/${run}`),
    statusCell({ status }),
    ageCell(createdAt),
    formatCount(tasks),
    formatBytes(freedBytes),
    why,
  ];
}

/** `12 runs stay: 9 by age or number, 2 by a tag, 1 pinned` */
function keptText({ running, pinned, tagged, status, limits, unreadable }: KeptRuns): string {
  const parts = [
    [limits, 'by age, number or size'],
    [tagged, 'by a tag'],
    [status, 'by how they ended'],
    [pinned, 'pinned'],
    [running, 'still running'],
    [unreadable, 'that cannot be read'],
  ] as const;
  const all = limits + tagged + status + pinned + running + unreadable;
  if (all === 0) return '';
  const told = parts.flatMap(([count, why]) => (count > 0 ? [`${formatCount(count)} ${why}`] : []));
  return `${countOf(all, 'run')} ${all === 1 ? 'stays' : 'stay'}: ${told.join(', ')}`;
}
