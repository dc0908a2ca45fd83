import { printable } from '../../codec/printable-text.ts';
import { shell } from '../../codec/shell-command.ts';
import type { TaskPath } from '../../format/pathspec.ts';
import { countOf, formatBytes } from '../../options/figures.ts';
import { errorLine, shortKey } from '../../views/artifact-texts.ts';
import type { AttemptSummary } from '../../views/attempts.ts';
import type { FrameView } from '../../views/data-frames.ts';
import type { RunPath, StorePath, TaskOrAttemptPath } from '../../views/paths.ts';
import { formatStorePath } from '../../views/paths.ts';
import type { BriefChoice } from '../../views/run-brief.ts';
import type { CodeView, RunView } from '../../views/runs.ts';
import type { ShownTask } from '../../views/shown-task.ts';
import { usageError } from '../cli-error.ts';
import { ATTEMPT_OPTION, type CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { attemptRule, parseStorePath, pathArgument } from '../store-path.ts';
import { ageCell, durationCell, ownerText, statusCell, statusStyle, withLabel } from '../ui/cells.ts';
import { parseLimit, parseOffset } from '../ui/sizes.ts';
import type { Column } from '../ui/table.ts';
import { wrapText } from '../ui/wrap.ts';

/** The columns of a task: name, status, time. Those of an artifact: name, size, type, stored bytes. */
const TREE_COLUMNS: readonly Column[] = [
  { header: '', shrinks: true },
  { header: '', align: 'right' },
  { header: '', dropOrder: 1, shrinks: true },
  { header: '', align: 'right', dropOrder: 2 },
];
const ATTEMPT_COLUMNS: readonly Column[] = [
  { header: 'ATTEMPT' },
  { header: 'STATUS' },
  { header: 'STARTED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'NOTE', folds: Number.POSITIVE_INFINITY },
];

interface ShowOptions {
  attempt?: string;
  all?: boolean;
  stack?: boolean;
  limit?: string;
  brief?: boolean;
  offset?: string;
  steps?: boolean;
  reads?: boolean;
  artifact?: string;
}

/** With `--json`, the tasks of one answer in brief take no more, so that whoever asks for page after page has pages of one size. */
const MAX_BRIEF_BYTES = 900_000;
/** With `--fit`, the run's own record takes at most this share of it, and what is not counted has room beside. */
const RUN_SHARE = 0.4;
const BESIDE_TASKS_BYTES = 6_000;
/** With `--fit`, so many attempts of a task are told, the one that is shown and the latest of the others. */
const MAX_FITTED_ATTEMPTS = 500;

/** `stowage show <flow>/<run>[/<step>[/<task>[/<attempt>]]]` */
export const show: CommandDeclaration = {
  name: 'show',
  text: 'show a run as a tree, or a task with its attempts, metadata, artifacts, logs, traces and checkpoints',
  arguments: [pathArgument('<path>', 2, 5)],
  options: [
    ATTEMPT_OPTION,
    { flags: '--all', text: 'of a run or step: all tasks, of steps with many as well' },
    {
      flags: '-n, --limit <count>',
      text: 'of a run or step: read at most so many tasks of each step; default: "all"',
    },
    {
      flags: '--brief',
      text: 'of a run or step: its tasks in a line each, the first of each step first; --limit counts all of them',
    },
    { flags: '--offset <count>', text: 'with --brief: leave out so many tasks that come before' },
    {
      flags: '--steps',
      text: 'of a run or step: what became of the tasks of each step, all of which are read, in a line',
    },
    { flags: '--reads', text: 'with --brief: which attempts each has read from, 200 at most' },
    { flags: '--artifact <name>', text: 'of a task: of its artifacts only this one', completion: 'artifact' },
    { flags: '--stack', text: 'of a task: errors with their stacks' },
  ],
  async run(invocation: Invocation, [text]: [string], options: ShowOptions) {
    const path = parseStorePath(text, 1, 5);
    for (const name of ['attempt', 'stack', 'artifact'] as const) {
      if (options[name] !== undefined && path.task === undefined)
        throw usageError(`--${name} is for one task: name it in the path.`);
    }
    if (options.limit !== undefined && path.task !== undefined)
      throw usageError('--limit is for a run or a step, whose tasks it counts.');
    const most = parseLimit(options.limit ?? 'all');
    if (options.all && path.task !== undefined)
      throw usageError('--all is for a run or a step, whose tasks it shows.');
    const brief = briefChoice(path, options, most);
    const withSteps = isOfSteps(path, options);
    await withStore(invocation, async (store) => {
      const { reachRun } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      await withMeantRun(invocation, store, path, async (meant) => {
        const reached = await reachRun(store, meant);
        if (brief) return showBrief(invocation, store, reached, brief);
        if (withSteps) return showSteps(invocation, store, reached);
        if (reached.task === undefined)
          return showRun(invocation, store, reached, { isWhole: options.all ?? false, most });
        return showTask(invocation, store, reached as TaskOrAttemptPath, options);
      });
    });
  },
};

async function showRun(
  invocation: Invocation,
  store: OpenStore,
  path: RunPath,
  { isWhole, most }: { isWhole: boolean; most: number },
): Promise<void> {
  const { output } = invocation;
  const { readRunTree } = await import('../../views/run-tree.ts');
  const tree = await readRunTree(store, path, most);
  if (invocation.json) return output.json(tree);
  await printRunHead(invocation, tree);
  if (tree.steps.length === 0) return output.line('no tasks yet');
  const { treeRows } = await import('../ui/table.ts');
  const { isFolded, treeOf } = await import('../show/tree.ts');
  await output.table(TREE_COLUMNS, treeRows(treeOf(tree, { isWhole, width: output.width })));
  const unread = tree.steps.reduce((sum, { total, tasks }) => sum + total - tasks.length, 0);
  if (unread > 0) invocation.note(`not read: ${countOf(unread, 'task')}; all of them: --limit all`);
  if (!isWhole && tree.steps.some(isFolded))
    invocation.note(`all tasks: ${shell`stowage show --all ${formatStorePath(path)}`}`);
}

/** @throws CliError `USAGE` for options that go with `--brief` alone, or not with it */
function briefChoice(
  path: StorePath,
  { brief = false, offset, reads = false, all }: ShowOptions,
  limit: number,
): BriefChoice | undefined {
  if (!brief && offset !== undefined) throw usageError('--offset is for --brief, which lists tasks.');
  if (!brief && reads) throw usageError('--reads is for --brief, which lists tasks.');
  if (!brief) return undefined;
  if (path.task !== undefined) throw usageError('--brief is for a run or a step, whose tasks it lists.');
  if (all) throw usageError('--all is for the tree; --brief has all tasks.');
  return { offset: parseOffset(offset, 'tasks'), limit, withReads: reads };
}

/** @throws CliError `USAGE` for options that do not go with `--steps` */
function isOfSteps(path: StorePath, { steps = false, brief, limit, all }: ShowOptions): boolean {
  if (!steps) return false;
  if (path.task !== undefined) throw usageError('--steps is for a run or a step, whose tasks it counts.');
  if (brief || all || limit !== undefined)
    throw usageError('--steps counts all tasks, and lists none: without --brief, --all and --limit.');
  return true;
}

async function showSteps(invocation: Invocation, store: OpenStore, path: RunPath): Promise<void> {
  const { output } = invocation;
  const { readRunSteps } = await import('../../views/step-sums.ts');
  const run = await readRunSteps(store, path);
  if (invocation.json) return output.json(run);
  await printRunHead(invocation, run);
  if (run.steps.length === 0) return output.line('no tasks yet');
  const { STEP_COLUMNS, stepRows } = await import('../show/steps.ts');
  await output.table(STEP_COLUMNS, stepRows(run.steps));
}

async function showBrief(
  invocation: Invocation,
  store: OpenStore,
  path: RunPath,
  choice: BriefChoice,
): Promise<void> {
  const { readBriefRun } = await import('../../views/run-brief.ts');
  const { output, json } = invocation;
  const most = Math.min(MAX_BRIEF_BYTES, output.maxBytes - BESIDE_TASKS_BYTES);
  const maxBytes = json ? most : Number.POSITIVE_INFINITY;
  const short = (run: RunView): RunView => output.fitted(run, Math.floor(maxBytes * RUN_SHARE));
  const run = await readBriefRun(store, path, { ...choice, maxBytes, short });
  if (json) return output.json(run);
  await printRunHead(invocation, run);
  if (run.steps.length === 0) return invocation.output.line('no tasks');
  const { BRIEF_COLUMNS, briefRows } = await import('../show/brief.ts');
  await invocation.output.table(BRIEF_COLUMNS, briefRows(run));
  if (run.next !== undefined)
    invocation.note(
      `there are more tasks: ${shell`stowage show ${formatStorePath(path)} --brief --offset ${String(run.next)}`}`,
    );
}

async function printRunHead({ output }: Invocation, run: RunView & { heardAt?: string }): Promise<void> {
  const { paint } = output;
  const facts = [
    run.status,
    ...(run.createdAt === '' ? [] : [`created ${ageCell(run.createdAt)}`]),
    ...(run.status === 'open' && run.owner ? [ownerText(run)] : []),
    ...(run.durationMs === undefined ? [] : [`took ${durationCell(run.durationMs)}`]),
  ];
  await output.line(paint('bold', printable(`${run.flow}/${run.run}`)));
  const [first = '', ...rest] = wrapText(facts.join(', '), output.width);
  await output.lines([paint(statusStyle(run.status), run.status) + first.slice(run.status.length), ...rest]);
  const lines = [
    ...(run.pinned ? [pinLine(run.pinned)] : []),
    ...(run.tags.length > 0 ? [`tags: ${run.tags.join(', ')}`] : []),
    ...Object.entries(run.parameters).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    ...(run.parents.length > 0 ? [`parents: ${run.parents.join(', ')}`] : []),
    ...(run.resumes === undefined ? [] : [resumesLine(run.resumes, run.rerun)]),
    ...(run.rawDataPath ? [`content at: ${run.rawDataPath}`] : []),
    ...(run.code ? [codeLine(run.code)] : []),
  ];
  for (const line of lines) await output.text(line);
  if (run.error) await output.text(errorLine(run.error), 'red');
  await output.line();
}

/** `pinned 3 d ago, retention leaves it: the model of the paper`. */
function pinLine({ at, reason }: NonNullable<RunView['pinned']>): string {
  return `pinned ${ageCell(at)}, retention leaves it${reason === undefined ? '' : `: ${reason}`}`;
}

/** `resumes: Train/r1, but for fit, eval/3`. */
function resumesLine(resumes: string, rerun: readonly string[] = []): string {
  return `resumes: ${resumes}${rerun.length === 0 ? '' : `, but for ${rerun.join(', ')}`}`;
}

function codeLine({ name, digest, fileCount, size }: CodeView): string {
  return `code: ${name}, ${countOf(fileCount, 'file')}, ${formatBytes(size)}, ${shortKey(digest)}`;
}

async function showTask(
  { output, json, signal }: Invocation,
  store: OpenStore,
  path: TaskOrAttemptPath,
  { attempt, stack = false, artifact }: ShowOptions,
): Promise<void> {
  const rule = attemptRule(path, attempt);
  const { pathOf, tasksAt } = await import('../../views/listing.ts');
  const { chooseAttempt, readTask, summaryOf } = await import('../../views/attempts.ts');
  const { artifactsInFull } = await import('../../views/codecs.ts');
  const { listLogs } = await import('../../logs/log-reader.ts');
  const [listed] = await tasksAt(store, path);
  if (!listed) return;
  const details = (await readTask(store, listed)).attempts;
  if (artifact !== undefined)
    for (const one of details) {
      one.artifacts = one.artifacts.filter(({ name }) => name === artifact);
      one.entries = one.entries?.filter(({ name }) => name === artifact) ?? [];
    }
  const where = formatStorePath(pathOf(listed));
  const detail = chooseAttempt(where, details, rule);
  detail.artifacts = await artifactsInFull(store, listed.path, detail);
  const attempts = details.map(summaryOf);
  const chosen = chooseAttempt(where, attempts, rule);
  const logs = (await listLogs(store.storage, listed.path, chosen.attempt, { signal })).map(
    ({ source, stream, bytes }) => ({ source, stream, bytes }),
  );
  const { readPartialRecords } = await import('../../views/partial-records.ts');
  const records = await readPartialRecords(store, listed.path, chosen.attempt);
  const { readReportsOf } = await import('../../views/reports.ts');
  const reports = await readReportsOf(store, listed.path, detail);
  const frames = await framesOf(store, listed.path, chosen);
  if (json) {
    const { flow, run, step, task } = listed.path;
    const { attempt } = chosen;
    const whole: ShownTask = {
      ...{ flow, run, step, task, attempt, attempts, frames, logs, reports },
      ...records,
    };
    return output.json(output.fits(whole) ? whole : { ...whole, attempts: inShort(attempts, chosen) });
  }
  await output.line(output.paint('bold', printable(withLabel(where, chosen))));
  await output.table(
    ATTEMPT_COLUMNS,
    attempts.map((one) => [
      String(one.attempt),
      statusCell(one),
      ageCell(one.startedAt),
      durationCell(one.durationMs),
      one === chosen && one.error ? '' : noteOf(one), // it follows, whole
    ]),
  );
  const { printAttempt } = await import('../show/attempt-report.ts');
  await printAttempt(output, {
    attempt: chosen,
    frames,
    logs,
    reports,
    records,
    isOneOfSeveral: attempts.length > 1,
    withStacks: stack,
  });
}

/** The attempts of a document that does not fit: the one that is shown whole, and of the latest others how they went. */
function inShort(attempts: readonly AttemptSummary[], shown: AttemptSummary): AttemptSummary[] {
  const latest = new Set([shown, ...attempts.filter((one) => one !== shown).slice(1 - MAX_FITTED_ATTEMPTS)]);
  return attempts
    .filter((one) => latest.has(one))
    .map((one) => {
      if (one === shown) return one;
      const { metadata: _, readFrom: __, erased: ___, error: ____, ...head } = one;
      return { ...head, artifacts: [] };
    });
}

/** The data frames of an attempt, whose content is there to be read. */
async function framesOf(store: OpenStore, path: TaskPath, shown: AttemptSummary): Promise<FrameView[]> {
  const { attempt, status, artifacts, purged } = shown;
  if (purged || (status !== 'done' && status !== 'failed')) return [];
  if (!artifacts.some(({ type }) => type === 'DataFrameRef')) return [];
  const { readFrames } = await import('../../views/data-frames.ts');
  const { flow, run, step, task } = path;
  const { signal } = store;
  const dataStore = await (await store.flow(flow)).getTaskDataStore(`${run}/${step}/${task}`, {
    attempt,
    allowNotDone: true,
    signal,
  });
  return readFrames(store, dataStore, artifacts);
}

/** The reason of an attempt's end, or, while it is open, whose it is. */
function noteOf({ error, failure, ...attempt }: AttemptSummary): string {
  if (error) return errorLine(error);
  if (failure) return failure.message;
  if (attempt.takenOver !== undefined) return `from ${attempt.takenOver}`;
  if (attempt.hitOf !== undefined) return `cached, from ${attempt.hitOf}`;
  return attempt.status === 'open' && attempt.owner ? ownerText(attempt) : '';
}
