import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isStowageError, StowageError, type StowageErrorCode } from '../../errors.ts';
import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import { exportPage } from '../../page/export-page.ts';
import { missing } from '../../views/not-found.ts';
import type { RunPath } from '../../views/paths.ts';
import { listedRuns, type RunFilter, type RunView, readRun, selectRuns } from '../../views/runs.ts';
import { toNewFolder } from '../files/new-folder.ts';
import type { Invocation } from '../invocation.ts';
import { withMeantRun } from '../meant-run.ts';
import { figured } from '../questions/run-figures.ts';
import type { SharedStore } from '../shared-store.ts';
import { type OpenStore, onSharedStore } from '../store.ts';
import { parseStorePath } from '../store-path.ts';
import { workOnItems } from '../ui/progress-line.ts';
import { storePage } from './store-page.ts';

/** The runs of an export: those that are named, or the newest ones that pass a filter. */
export type ChosenRuns =
  | { named: readonly string[] }
  | { flow: string | undefined; filter: RunFilter; limit: number };

export interface ExportChoice {
  /** It must not exist yet, or be empty. */
  folder: string;
  runs: ChosenRuns;
  /** Of each run the pages of so many tasks at most. */
  tasksOfRun: number;
}

/**
 * Writes the page of some runs to a folder. Resolves to the page's address, a `file:` URL.
 *
 * @throws CliError `OUTPUT_FAILED`, `USAGE`; StowageError `RUN_NOT_FOUND` for a run that is not there, and where none is like what is asked
 * for; what tells that the store does not answer
 */
export async function exportStore(
  invocation: Invocation,
  shared: SharedStore,
  { folder, runs: choice, tasksOfRun }: ExportChoice,
): Promise<string> {
  const { output, signal } = invocation;
  const written = await toNewFolder(folder, async (files) => {
    const chosen = await onSharedStore(invocation, shared, (store) =>
      'named' in choice
        ? namedRuns(invocation, store, choice.named)
        : filteredRuns(invocation, store, choice),
    );
    const runs = await withKnownFigures(shared, chosen, signal);
    const onProgress = (done: number, total: number): void =>
      invocation.progress(() => workOnItems('exporting', done, total, 'tasks'));
    const host = storePage(shared, invocation.call);
    const exported = await exportPage(host, files, { runs, tasksOfRun, signal, onProgress });
    return { ...exported, runs: runs.length, files: files.files, bytes: files.bytes };
  });
  const { runs, tasks, tasksLeftOut, files, bytes, errors, damage } = written;
  const page = join(folder, 'index.html');
  if (damage) {
    const { code, message, details } = damage;
    invocation.failed(new StowageError(code as StowageErrorCode, message, { details }));
  }
  if (invocation.json) await output.json({ folder, page, runs, tasks, tasksLeftOut, errors, files, bytes });
  else await output.line(page);
  invocation.note(
    `${countOf(runs, 'run')}, ${countOf(tasks, 'task')}: ${countOf(files, 'file')}, ${formatBytes(bytes)}.`,
  );
  if (tasksLeftOut > 0)
    invocation.note(`${countOf(tasksLeftOut, 'more task')} without a page; pages of all: --tasks all`);
  if (errors > 0) invocation.note(`${countOf(errors, 'answer')} of the page are errors, which it tells.`);
  return pathToFileURL(page).href;
}

/** Runs with the figures that the index has. It is asked as it is, and one that is not there costs the figures alone. */
async function withKnownFigures(
  shared: SharedStore,
  runs: readonly RunView[],
  signal: AbortSignal,
): Promise<readonly RunView[]> {
  try {
    return await shared.useIndex((index) => figured(index, runs, { signal }));
  } catch (error) {
    if (!isStowageError(error) || isStowageError(error, 'ABORTED')) throw error;
    return runs;
  }
}

async function namedRuns(
  invocation: Invocation,
  store: OpenStore,
  names: readonly string[],
): Promise<RunView[]> {
  const runs = new Map<string, RunView>();
  for (const name of names) {
    const path = parseStorePath(name, 2, 2);
    const run = await withMeantRun(invocation, store, path, async (meant) => {
      const error = await missing(store, meant);
      if (error) throw error;
      return readRun(store, { ...(meant as RunPath), finished: true });
    });
    runs.set(`${run.flow}/${run.run}`, run);
  }
  return [...runs.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

async function filteredRuns(
  invocation: Invocation,
  store: OpenStore,
  { flow, filter, limit }: Exclude<ChosenRuns, { named: readonly string[] }>,
): Promise<RunView[]> {
  const listed = await listedRuns(store, flow);
  const { runs, unread } = await selectRuns(store, listed, filter, limit);
  if (runs.length === 0) {
    const none =
      listed.length === 0 ? 'The store has no runs' : `None of ${countOf(listed.length, 'run')} matches`;
    const message = `${none}: there is nothing to export.`;
    throw new StowageError('RUN_NOT_FOUND', message, {
      details: { ...(flow === undefined ? {} : { flow }) },
    });
  }
  if (unread > 0)
    invocation.note(`${formatCount(unread)} older runs are not looked at; all of them: --limit all`);
  return runs;
}
