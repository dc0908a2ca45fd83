import type { RunOutcome } from '../../format/run-ends.ts';
import type { FinishedRun } from '../../maintenance/finish-run.ts';
import { countOf, formatCount } from '../../options/figures.ts';
import { formatStorePath, type RunPath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { ownerText, statusStyle } from '../ui/cells.ts';

interface FinishOptions {
  status?: RunOutcome;
  error?: string;
}

/** The end of a run, and whether it was recorded just now. */
interface RecordedEnd extends FinishedRun {
  changed: boolean;
}

/** More tasks or attempts than these are told by their number. */
const MAX_TOLD = 10;

/** `stowage finish <flow>/<run>` */
export const finish: CommandDeclaration = {
  name: 'finish',
  text: 'record that a run has ended, where its own process did not',
  arguments: [pathArgument('<path>', 2, 2)],
  options: [
    {
      flags: '--status <status>',
      text: 'how it ended; default: done, if all of its tasks are',
      choices: ['done', 'failed'] satisfies RunOutcome[],
    },
    { flags: '--error <text>', text: 'why it failed; the status is failed then' },
  ],
  async run(invocation: Invocation, [text]: [string], { status, error }: FinishOptions) {
    const given = parseStorePath(text, 1, 2);
    if (error !== undefined && status === 'done')
      throw usageError('--error tells why a run failed: leave it out, or give --status failed.');
    if (error === '') throw usageError('--error is empty: say why the run failed, or leave it out.');
    const ending = { status: error === undefined ? status : 'failed', error } as const;
    const end = await withStore(invocation, async (store) => {
      const { reachRun } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      return withMeantRun(invocation, store, given, async (meant) =>
        finishAt(store, await reachRun(store, meant), ending),
      );
    });
    await report(invocation, end);
  },
};

/** Finishes a run that has not ended so before. */
async function finishAt(
  store: OpenStore,
  path: RunPath,
  { status, error }: { status: RunOutcome | undefined; error: string | undefined },
): Promise<RecordedEnd> {
  const { flow, run } = path;
  const { readRunFinished } = await import('../../format/run-ends.ts');
  const { finishRun } = await import('../../maintenance/finish-run.ts');
  const before = await readRunFinished(store.storage, flow, run, store);
  // The end that is asked for is there: nobody is told of a fault that there is none of.
  const isSame = before && before.status === (status ?? 'done') && error === undefined;
  if (isSame) return { flow, run, ...before, openAttempts: [], changed: false };
  const ending = { status: status ?? (await endByTasks(store, path)), error };
  const { isStowageError } = await import('../../errors.ts');
  try {
    return { ...(await finishRun(store, { flow, run }, ending)), changed: true };
  } catch (failure) {
    if (!isStowageError(failure, 'RUN_NOT_FOUND')) throw failure;
    const { missing } = await import('../../views/not-found.ts');
    throw (await missing(store, { flow, run })) ?? failure;
  }
}

/** How a run ended of which nobody says it: as done, if all of its tasks did. */
async function endByTasks(store: OpenStore, path: RunPath): Promise<RunOutcome> {
  const { pathOf, tasksAt } = await import('../../views/listing.ts');
  const { readStatuses } = await import('../../views/attempts.ts');
  const { shell } = await import('../../codec/shell-command.ts');
  const tasks = await tasksAt(store, path);
  const statuses = await readStatuses(store, tasks);
  const unfinished = tasks.flatMap((task, index) => {
    const { step, task: name } = pathOf(task);
    return statuses[index] === 'done' ? [] : [`${step}/${name} (${statuses[index]})`];
  });
  if (unfinished.length === 0) return 'done';
  const where = formatStorePath(path);
  const shown = unfinished.slice(0, MAX_TOLD).join(', ');
  const more = unfinished.length > MAX_TOLD ? `, and ${formatCount(unfinished.length - MAX_TOLD)} more` : '';
  const verb = unfinished.length === 1 ? 'is' : 'are';
  throw usageError(
    `${formatCount(unfinished.length)} of ${countOf(tasks.length, 'task')} of ${where} ${verb} not done: ${shown}${more}. Say how the run ended, with --status done or: ${shell`stowage finish ${where} --status failed`}`,
    { ...path, tasks: tasks.length, notDone: unfinished.length },
  );
}

async function report(invocation: Invocation, end: RecordedEnd): Promise<void> {
  const { output } = invocation;
  if (invocation.json) return output.json(end);
  const { flow, run, status, openAttempts, changed } = end;
  const { printable } = await import('../../codec/printable-text.ts');
  const said = `${printable(`${flow}/${run}`)} ${changed ? 'is' : 'was'} ${output.paint(statusStyle(status), status)}`;
  await output.line(changed ? said : `${said} already; nothing was changed.`);
  for (const { step, task, attempt, ...open } of openAttempts.slice(0, MAX_TOLD)) {
    invocation.note(`${flow}/${run}/${step}/${task}/${attempt} is open still, ${ownerText(open)}.`);
  }
  const more = openAttempts.length - MAX_TOLD;
  if (more > 0) invocation.note(`and ${formatCount(more)} more attempts are open still.`);
}
