import { shell } from '../../codec/shell-command.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { formatBytes } from '../../options/figures.ts';
import type { ReportInfo } from '../../reports/report-reader.ts';
import { formatStorePath, type TaskOrAttemptPath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import { ATTEMPT_OPTION, type CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { attemptRule, parseStorePath, pathArgument } from '../store-path.ts';
import { nameCell } from '../ui/cells.ts';
import type { Column } from '../ui/table.ts';

interface ReportOptions {
  output?: string;
  open?: boolean;
  force?: boolean;
  attempt?: string;
}

const COLUMNS: readonly Column[] = [
  { header: 'REPORT' },
  { header: 'TITLE', shrinks: true, dropOrder: 2 },
  { header: 'SIZE', align: 'right', dropOrder: 1 },
  { header: 'ADDRESS', folds: Number.POSITIVE_INFINITY },
];

/** `stowage report <flow>/<run>/<step>/<task>[/<attempt>] [name]` */
export const report: CommandDeclaration = {
  name: 'report',
  text: 'list the reports of a task, or write or open one',
  arguments: [
    pathArgument('<path>', 4, 5),
    { form: '[name]', text: 'the report; not needed where there is one only', completion: 'report' },
  ],
  options: [
    {
      flags: '-o, --output <file>',
      text: 'write it to this file, whole or not at all; "-" for stdout',
      completion: 'file',
    },
    { flags: '--open', text: 'open it in the browser' },
    { flags: '--force', text: 'replace a file that exists' },
    ATTEMPT_OPTION,
  ],
  async run(invocation: Invocation, [text, name]: [string, string | undefined], given: ReportOptions) {
    const { json } = invocation;
    const { output: file, open = false, force = false } = given;
    const path = parseStorePath(text, 1, 5);
    if (file === '') throw usageError('-o names no file; "-" is the standard output.');
    if (open && file !== undefined)
      throw usageError('-o writes a report, and --open opens it; give one of them.');
    if (json && (open || file !== undefined))
      throw usageError('--json lists reports as JSON, and a report is HTML; leave -o and --open out.');
    await withStore(invocation, async (store) => {
      const { reachTask } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const task = await withMeantRun(invocation, store, path, async (meant) =>
        openTask(store, await reachTask(store, meant), given.attempt),
      );
      const reports = await task.reports({ signal: store.signal });
      if (!open && file === undefined && name === undefined) return list(invocation, task, reports);
      const chosen = choose(task, reports, name);
      if (open) return openReport(invocation, store, task, chosen);
      if (file === undefined) return list(invocation, task, [chosen]);
      const bytes = await task.loadReport(chosen.name, { signal: store.signal });
      if (file === '-') return invocation.output.write(bytes);
      const { toFile } = await import('../files/output-file.ts');
      const options = { overwrite: force, followLinks: true };
      await toFile(file, store.signal, (sink) => sink.write(bytes), options);
    });
  },
};

/** Whatever its status: a report is there to be seen while the task runs, and where it failed. */
async function openTask(
  store: OpenStore,
  path: TaskOrAttemptPath,
  option: string | undefined,
): Promise<TaskDataStore> {
  const attempt = attemptRule(path, option);
  const flow = await store.flow(path.flow);
  const pathspec = `${path.run}/${path.step}/${path.task}`;
  try {
    return await flow.getTaskDataStore(pathspec, { attempt, allowNotDone: true, signal: store.signal });
  } catch (error) {
    if (!isStowageError(error, 'TASK_NOT_FOUND')) throw error;
    const { missing } = await import('../../views/not-found.ts');
    throw (await missing(store, path)) ?? error;
  }
}

/** The report of a name, or the only one. */
function choose(task: TaskDataStore, reports: readonly ReportInfo[], name: string | undefined): ReportInfo {
  const [only, ...more] = name === undefined ? reports : reports.filter((one) => one.name === name);
  if (only && more.length === 0) return only;
  const existing = reports.map((one) => one.name);
  const path = `${task.flowName}/${task.pathspec}`;
  if (only) throw usageError(`Name one report of ${path}: ${existing.join(', ')}.`, { path, existing });
  const which = name === undefined ? '' : ` ${JSON.stringify(name)}`;
  const those = existing.length === 0 ? 'none' : existing.join(', ');
  const message = `There is no report${which} of ${path}; it has ${those}.${elsewhere(task)}`;
  throw new StowageError('REPORT_NOT_FOUND', message, { details: { path, existing } });
}

/** Says which attempt has the reports of one that was taken over. */
function elsewhere({ takenOver }: TaskDataStore): string {
  if (takenOver === undefined) return '';
  return ` It was taken over, and its reports lie with ${takenOver}. See: ${shell`stowage report ${takenOver}`}`;
}

async function list(
  invocation: Invocation,
  task: TaskDataStore,
  reports: readonly ReportInfo[],
): Promise<void> {
  const { output, json } = invocation;
  const { flowName: flow, runId: run, stepName: step, taskId, attempt } = task;
  if (json) return output.json({ flow, run, step, task: taskId, attempt, reports });
  if (reports.length === 0)
    return invocation.note(
      `${formatStorePath({ flow, run, step, task: taskId, attempt })} has no reports.${elsewhere(task)}`,
    );
  await output.table(
    COLUMNS,
    reports.map(({ name, title, bytes, uri }) => [nameCell(name), title, formatBytes(bytes), uri ?? 'gone']),
  );
}

/** A file of a folder is opened where it lies; of any other storage a copy. */
async function openReport(
  invocation: Invocation,
  store: OpenStore,
  task: TaskDataStore,
  { name, uri }: ReportInfo,
): Promise<void> {
  const { openInBrowser, toTemporaryFile } = await import('../files/open-in-browser.ts');
  // Verified in either case: what is opened is a report, in which nothing runs.
  const bytes = await task.loadReport(name, { signal: store.signal });
  const address = uri?.startsWith('file:') ? uri : await toTemporaryFile(`${name}.html`, bytes);
  await openInBrowser(address);
  invocation.note(`opened ${address}`);
}
