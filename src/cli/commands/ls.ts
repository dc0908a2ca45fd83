import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import { errorLine } from '../../views/artifact-texts.ts';
import type { AttemptSummary } from '../../views/attempts.ts';
import type { Listing, TaskSummary, WantedStatus } from '../../views/listing.ts';
import type { StorePath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { ARTIFACT_COLUMNS, ageCell, artifactRow, durationCell, nameCell, statusCell } from '../ui/cells.ts';
import { parseLimit } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';

const FLOW_COLUMNS: readonly Column[] = [
  { header: 'FLOW', shrinks: true },
  { header: 'RUNS', align: 'right' },
  { header: 'NEWEST', dropOrder: 1 },
];
const RUN_COLUMNS: readonly Column[] = [
  { header: 'RUN', shrinks: true },
  { header: 'STATUS' },
  { header: 'CREATED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
];
const STEP_COLUMNS: readonly Column[] = [
  { header: 'STEP', shrinks: true },
  { header: 'TASKS', align: 'right' },
  { header: 'DONE', align: 'right' },
  { header: 'FAILED', align: 'right', dropOrder: 1 },
  { header: 'OTHER', align: 'right', dropOrder: 2 },
];
const TASK_COLUMNS: readonly Column[] = [
  { header: 'TASK', shrinks: true },
  { header: 'LABEL', shrinks: true },
  { header: 'STATUS' },
  { header: 'ATTEMPTS', align: 'right', dropOrder: 4 },
  { header: 'STARTED', dropOrder: 3 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'ARTIFACTS', align: 'right', dropOrder: 5 },
  { header: 'SIZE', align: 'right', dropOrder: 2 },
  { header: 'ERROR', folds: Number.POSITIVE_INFINITY },
];
const ATTEMPT_COLUMNS: readonly Column[] = [{ header: 'ATTEMPT', align: 'right' }, ...TASK_COLUMNS.slice(1)];

interface LsOptions {
  limit?: string;
  status?: WantedStatus;
  label?: string;
  long?: boolean;
}

/** Runs are many, and each takes a request or two. */
const DEFAULT_RUNS = '50';

/** `stowage ls [flow[/run[/step[/task[/attempt]]]]]` */
export const ls: CommandDeclaration = {
  name: 'ls',
  text: 'list what lies below a path: flows, runs, steps, tasks, attempts, artifacts',
  arguments: [pathArgument('[path]', 1, 5)],
  options: [
    {
      flags: '-n, --limit <count>',
      text: 'how many at most, or "all"; default: 50 of runs, all of anything else',
    },
    {
      flags: '--status <status>',
      text: 'only runs, tasks or attempts of this status; below a run, the tasks of all steps',
      choices: ['open', 'done', 'failed', 'abandoned'] satisfies WantedStatus[],
    },
    {
      flags: '--label <text>',
      text: 'only tasks whose label holds this text, of a run or a step',
    },
    { flags: '-l, --long', text: 'of flows: when the newest run was made (slower)' },
  ],
  async run(invocation: Invocation, [text]: [string?], options: LsOptions) {
    const path = parseStorePath(text, 0, 5);
    const isFlow = path.flow !== undefined && path.run === undefined;
    checkStatus(path, options.status);
    checkLabel(path, options.label);
    const limit = parseLimit(options.limit ?? (isFlow ? DEFAULT_RUNS : 'all'));
    const listing = await withStore(invocation, async (store) => {
      const { listBelow } = await import('../../views/listing.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const { long: isLong = false, status, label } = options;
      const choice = { limit, isLong, status, label };
      return withMeantRun(invocation, store, path, (meant) => listBelow(store, meant, choice));
    });
    if (invocation.json) return invocation.output.json(listing);
    await print(invocation, listing, options);
  },
};

/** @throws CliError `USAGE` where nothing that is listed has such a status */
function checkStatus({ flow, run, attempt }: StorePath, status: WantedStatus | undefined): void {
  if (status === undefined) return;
  if (flow === undefined || attempt !== undefined) {
    const what = flow === undefined ? 'Flows' : 'Artifacts';
    throw usageError(`${what} have no status: with --status, name a flow, a run, a step or a task.`);
  }
  if (run === undefined && status === 'abandoned')
    throw usageError('A run is open, done or failed; attempts of its tasks may be abandoned.');
}

/** @throws CliError `USAGE` where no tasks are listed, or nothing is searched for */
function checkLabel({ run, task }: StorePath, label: string | undefined): void {
  if (label === undefined) return;
  if (run === undefined || task !== undefined)
    throw usageError('--label looks for tasks: name the run, or one of its steps.');
  if (label === '') throw usageError('--label needs the text to look for.');
}

async function print(invocation: Invocation, listing: Listing, { status, label }: LsOptions): Promise<void> {
  const { output } = invocation;
  const { kind, total, more, entries } = listing;
  const { columns, rows } = tableOf(listing);
  if (rows.length > 0) await output.table(columns, rows);
  else if (kind === 'flows') invocation.note('the store has no runs yet.');
  else if (status !== undefined || label !== undefined) {
    const found = [
      ...(status === undefined ? [] : [`is ${status}`]),
      ...(label === undefined ? [] : [`has a label with ${JSON.stringify(label)}`]),
    ];
    invocation.note(`none of ${countOf(total, kind.replace(/s$/, ''))} ${found.join(' and ')}.`);
  }
  if (more > 0) {
    const isOlder = kind === 'runs' || kind === 'attempts';
    // Of runs only as many are looked at as it takes.
    const isUnread = kind === 'runs' && status !== undefined;
    const what = `${isOlder ? 'older' : 'more'} not ${isUnread ? 'looked at' : 'shown'}`;
    invocation.note(`${formatCount(more)} ${what}; all of them: --limit all`);
  }
  const latest = kind === 'attempts' ? (entries.at(-1)?.artifacts ?? []) : [];
  if (latest.length === 0) return;
  await output.line();
  await output.table(ARTIFACT_COLUMNS, latest.map(artifactRow));
}

/** Without the column of labels where there are none. */
function tableOf(listing: Listing): { columns: readonly Column[]; rows: Cell[][] } {
  const { columns, rows } = wholeTable(listing);
  const place = columns.findIndex(({ header }) => header === 'LABEL');
  if (place < 0 || rows.some((row) => row[place] !== '')) return { columns, rows };
  const without = <T>(cells: readonly T[]): T[] => cells.filter((_, index) => index !== place);
  return { columns: without(columns), rows: rows.map(without) };
}

function wholeTable(listing: Listing): { columns: readonly Column[]; rows: Cell[][] } {
  switch (listing.kind) {
    case 'flows':
      return {
        columns: FLOW_COLUMNS,
        rows: listing.entries.map(({ flow, runs, newestRunAt }) => [
          nameCell(flow),
          formatCount(runs),
          ageCell(newestRunAt),
        ]),
      };
    case 'runs':
      return {
        columns: RUN_COLUMNS,
        rows: listing.entries.map(({ run, status, createdAt, durationMs }) => [
          nameCell(run),
          statusCell({ status }),
          ageCell(createdAt),
          durationCell(durationMs),
        ]),
      };
    case 'steps':
      return {
        columns: STEP_COLUMNS,
        rows: listing.entries.map(({ step, tasks, done, failed, other }) => [
          nameCell(step),
          formatCount(tasks),
          formatCount(done),
          failed === 0 ? '0' : { text: formatCount(failed), style: 'red' },
          formatCount(other),
        ]),
      };
    case 'tasks': {
      // Below a run the steps tell tasks apart.
      const isOfRun = listing.path.split('/').length === 2;
      return {
        columns: TASK_COLUMNS,
        rows: listing.entries.map((entry) => [
          nameCell(isOfRun ? `${entry.step}/${entry.task}` : entry.task),
          ...attemptCells(entry, entry.attempts, entry),
        ]),
      };
    }
    case 'attempts':
      return {
        columns: ATTEMPT_COLUMNS,
        rows: listing.entries.map((entry) => {
          const bytes = entry.artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0);
          const size = { artifacts: entry.artifacts.length, bytes };
          return [String(entry.attempt), ...attemptCells(entry, undefined, size)];
        }),
      };
    case 'artifacts':
      return { columns: ARTIFACT_COLUMNS, rows: listing.entries.map(artifactRow) };
  }
}

/** The cells of {@link TASK_COLUMNS} for an attempt, behind its name. */
function attemptCells(
  entry: TaskSummary | AttemptSummary,
  attempts: number | undefined,
  { artifacts, bytes }: { artifacts: number; bytes: number },
): Cell[] {
  return [
    entry.label ?? '',
    statusCell(entry),
    attempts === undefined ? '' : String(attempts),
    ageCell(entry.startedAt),
    durationCell(entry.durationMs),
    formatCount(artifacts),
    artifacts === 0 ? '' : formatBytes(bytes),
    entry.error ? errorLine(entry.error) : '',
  ];
}
