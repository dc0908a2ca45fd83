import { printable } from '../../codec/printable-text.ts';
import type { LogName } from '../../format/log-names.ts';
import type { RecordedError } from '../../format/session-files.ts';
import type { AttemptSummary } from '../../views/attempts.ts';
import type { RunPath, TaskOrAttemptPath } from '../../views/paths.ts';
import { formatStorePath } from '../../views/paths.ts';
import type { RunTree } from '../../views/run-tree.ts';
import { usageError } from '../cli-error.ts';
import { ATTEMPT_OPTION, type CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { attemptRule, parseStorePath, pathArgument } from '../store-path.ts';
import {
  ARTIFACT_COLUMNS,
  ageCell,
  artifactRow,
  durationCell,
  errorLine,
  nameCell,
  ownerText,
  statusCell,
  statusStyle,
  storedText,
} from '../ui/cells.ts';
import type { Output } from '../ui/output.ts';
import { formatBytes, formatCount } from '../ui/sizes.ts';
import type { Column, TreeNode } from '../ui/table.ts';

/** The columns of a task: name, status, time. Those of an artifact: name, size, type, stored bytes. */
const TREE_COLUMNS: readonly Column[] = [
  { header: '', shrinks: true },
  { header: '', align: 'right' },
  { header: '', dropOrder: 1, shrinks: true },
  { header: '', align: 'right', dropOrder: 2 },
];
const ATTEMPT_COLUMNS: readonly Column[] = [
  { header: 'ATTEMPT', align: 'right' },
  { header: 'STATUS' },
  { header: 'STARTED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'NOTE', dropOrder: 3, shrinks: true },
];
const LOG_COLUMNS: readonly Column[] = [
  { header: 'LOG' },
  { header: 'STREAM' },
  { header: 'SIZE', align: 'right' },
];
const MAX_STACK_LINES = 12;

/** `stowage show <flow>/<run>[/<step>[/<task>[/<attempt>]]]` */
export const show: CommandDeclaration = {
  name: 'show',
  text: 'show a run as a tree, or a task with its attempts, metadata, artifacts and logs',
  arguments: [pathArgument('<path>', 2, 5)],
  options: [ATTEMPT_OPTION],
  async run(invocation: Invocation, [text]: [string], options: { attempt?: string }) {
    const path = parseStorePath(text, 1, 5);
    if (options.attempt !== undefined && path.task === undefined)
      throw usageError('--attempt is for one task: name it in the path.');
    await withStore(invocation, async (store) => {
      const { reachRun } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      await withMeantRun(invocation, store, path, async (meant) => {
        const reached = await reachRun(store, meant);
        if (reached.task === undefined) return showRun(invocation, store, reached);
        return showTask(invocation, store, reached as TaskOrAttemptPath, options.attempt);
      });
    });
  },
};

async function showRun(invocation: Invocation, store: OpenStore, path: RunPath): Promise<void> {
  const { output } = invocation;
  const { readRunTree } = await import('../../views/run-tree.ts');
  const tree = await readRunTree(store, path);
  if (invocation.json) return output.json(tree);
  await printRunHead(invocation, tree);
  if (tree.steps.length === 0) return output.line('no tasks yet');
  const { treeRows } = await import('../ui/table.ts');
  await output.table(TREE_COLUMNS, treeRows(tree.steps.map(stepNode)));
}

async function printRunHead({ output }: Invocation, run: RunTree): Promise<void> {
  const { paint } = output;
  const facts = [
    paint(statusStyle(run.status), run.status),
    ...(run.createdAt === '' ? [] : [`created ${ageCell(run.createdAt)}`]),
    ...(run.status === 'open' && run.owner ? [ownerText(run)] : []),
    ...(run.durationMs === undefined ? [] : [`took ${durationCell(run.durationMs)}`]),
  ];
  await output.line(paint('bold', printable(`${run.flow}/${run.run}`)));
  await output.line(facts.join(', '));
  const lines = [
    ...(run.tags.length > 0 ? [`tags: ${run.tags.join(', ')}`] : []),
    ...Object.entries(run.parameters).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    ...(run.parents.length > 0 ? [`parents: ${run.parents.join(', ')}`] : []),
    ...(run.rawDataPath ? [`content at: ${run.rawDataPath}`] : []),
  ];
  await output.lines(lines.map(printable));
  if (run.error) await output.line(paint('red', printable(errorLine(run.error))));
  await output.line();
}

function stepNode({ step, tasks }: RunTree['steps'][number]): TreeNode {
  return { cells: [{ text: step, style: 'bold' }], children: tasks.map(taskNode) };
}

function taskNode({ task, attempts }: RunTree['steps'][number]['tasks'][number]): TreeNode {
  const latest = attempts.at(-1) as AttemptSummary;
  const children = latest.artifacts.map((artifact): TreeNode => {
    const { name, bytes, type } = artifact;
    return { cells: [nameCell(name), formatBytes(bytes), type, storedText(artifact)] };
  });
  if (latest.error) children.unshift({ cells: [{ text: errorLine(latest.error), style: 'red' }] });
  if (attempts.length > 1) children.unshift({ cells: [{ text: retriedText(attempts), style: 'dim' }] });
  return { cells: [task, statusCell(latest), durationCell(latest.durationMs)], children };
}

/** Says that a task was tried before, and how that ended: `attempt 3, 2 failed, 1 abandoned before: RangeError: diverged`. */
function retriedText(attempts: readonly AttemptSummary[]): string {
  const earlier = attempts.slice(0, -1);
  const counts = new Map<string, number>();
  for (const { status } of earlier) counts.set(status, (counts.get(status) ?? 0) + 1);
  const texts = [...counts].map(([status, count]) => `${formatCount(count)} ${status}`);
  const error = earlier.findLast((attempt) => attempt.error !== undefined)?.error;
  const why = error ? `: ${errorLine(error)}` : '';
  return `attempt ${attempts.at(-1)?.attempt}, ${texts.join(', ')} before${why}`;
}

async function showTask(
  { output, json, signal }: Invocation,
  store: OpenStore,
  path: TaskOrAttemptPath,
  option: string | undefined,
): Promise<void> {
  const rule = attemptRule(path, option);
  const { pathOf, tasksAt } = await import('../../views/listing.ts');
  const { chooseAttempt, readTask, summaryOf } = await import('../../views/attempts.ts');
  const { listLogs } = await import('../../logs/log-reader.ts');
  const [listed] = await tasksAt(store, path);
  if (!listed) return;
  const attempts = (await readTask(store, listed)).attempts.map(summaryOf);
  const where = formatStorePath(pathOf(listed));
  const chosen = chooseAttempt(where, attempts, rule);
  const logs = (await listLogs(store.storage, listed.path, chosen.attempt, { signal })).map(
    ({ source, stream, bytes }) => ({ source, stream, bytes }),
  );
  if (json) return output.json({ ...pathOf(listed), attempt: chosen.attempt, attempts, logs });
  await output.line(output.paint('bold', printable(where)));
  await output.table(
    ATTEMPT_COLUMNS,
    attempts.map((one) => [
      String(one.attempt),
      statusCell(one),
      ageCell(one.startedAt),
      durationCell(one.durationMs),
      noteOf(one),
    ]),
  );
  await printAttempt(output, chosen, logs, attempts.length > 1);
}

/** The reason of an attempt's end, or, while it is open, whose it is. */
function noteOf({ error, failure, ...attempt }: AttemptSummary): string {
  if (error) return errorLine(error);
  if (failure) return failure.message;
  return attempt.status === 'open' && attempt.owner ? ownerText(attempt) : '';
}

async function printAttempt(
  output: Output,
  { attempt, error, erased, metadata = {}, readFrom = [], artifacts }: AttemptSummary,
  logs: readonly (LogName & { bytes: number })[],
  isOneOfSeveral: boolean,
): Promise<void> {
  const section = (title: string): Promise<void> =>
    output.section(isOneOfSeveral ? `${title} of attempt ${attempt}` : title);
  if (error) {
    await section('Error');
    await output.lines(errorLines(error).map((line) => output.paint('red', printable(line))));
  }
  if (erased) {
    await section('Erased');
    await output.line(printable(`${erased.artifacts.join(', ')}: ${erased.reason}`));
  }
  const values = Object.entries(metadata).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  if (values.length > 0) {
    await section('Metadata');
    await output.lines(values.map(printable));
  }
  if (readFrom.length > 0) {
    await section('Read from');
    await output.lines(readFrom.map(printable));
  }
  if (artifacts.length > 0) {
    await section('Artifacts');
    await output.table(ARTIFACT_COLUMNS, artifacts.map(artifactRow));
  }
  if (logs.length === 0) return;
  await section('Logs');
  await output.table(
    LOG_COLUMNS,
    logs.map(({ source, stream, bytes }) => [source, stream, formatBytes(bytes)]),
  );
}

/** An error with its stack and causes, cut to what one looks at. */
function errorLines(error: RecordedError): string[] {
  const stack = error.stack?.startsWith(errorLine(error)) ? error.stack : undefined;
  const lines = (stack ?? errorLine(error)).split('\n');
  const shown = lines.slice(0, MAX_STACK_LINES);
  if (lines.length > shown.length)
    shown.push(`    ... ${lines.length - shown.length} lines more with --json`);
  if (error.recoverable !== undefined) shown.push(`recoverable: ${error.recoverable ? 'yes' : 'no'}`);
  const within = (how: string, inner: RecordedError): void => {
    const [first, ...rest] = errorLines(inner);
    shown.push(`${how} ${first}`, ...rest);
  };
  for (const member of error.errors ?? []) within('of which', member);
  if (error.cause) within('caused by', error.cause);
  return shown;
}
