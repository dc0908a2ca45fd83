import { subscribe } from 'node:diagnostics_channel';
import type { DamageMessage } from '../../content/damage.ts';
import { isStowageError, type StowageError } from '../../errors.ts';
import type { CopyCounts, CopyProgress, CopyResult } from '../../maintenance/copy-report.ts';
import { copyStore } from '../../maintenance/copy-store.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { openStorage } from '../../storage/open.ts';
import { usageError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { missing } from '../not-found.ts';
import { parseStorePath, type StorePath } from '../store-path.ts';
import { Progress } from '../ui/progress.ts';
import { countOf, formatBytes, formatCount } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { wrapWords } from '../ui/wrap.ts';

/** Options of `stowage copy`. */
export interface StoreCopyOptions {
  dryRun?: boolean;
  concurrency: string;
}

/** Spaces where a line may end: a number stays with its unit. */
const NOT_IN_A_SIZE = / (?![kMGTP]?B\b)/;
/** More problems than these are told as a number. */
const MAX_TOLD = 20;

/** `stowage copy <from> <to> [flow[/run]]` */
export async function copy(
  invocation: Invocation,
  from: string,
  to: string,
  text: string | undefined,
  { dryRun = false, concurrency }: StoreCopyOptions,
): Promise<void> {
  const { options, signal } = invocation;
  if (options.store !== undefined)
    throw usageError('stowage copy names both stores itself: leave out --store.');
  const path = parseStorePath(text, 0, 2);
  const { flow: flowName, run: runId } = path;
  const tasks = parseConcurrency(concurrency);
  subscribe('stowage:damaged', (message) => {
    const { uri, reason } = message as DamageMessage;
    invocation.note(`warning: ${uri} is damaged: ${reason}`);
  });
  const progress = new Progress();
  const onProgress = (at: CopyProgress): void => progress.update(() => progressText(at));
  let result: CopyResult;
  try {
    result = await copyStore({ from, to, flowName, runId, concurrency: tasks, dryRun, signal, onProgress });
  } catch (error) {
    if (!isStowageError(error, 'RUN_NOT_FOUND')) throw error;
    throw (await missingInSource(from, path, { signal })) ?? error;
  } finally {
    progress.end();
  }
  await report(invocation, result);
}

/** What was likely meant, and how to see what the source has, which need not be the default store. */
async function missingInSource(
  from: string,
  path: StorePath,
  options: CallOptions,
): Promise<StowageError | undefined> {
  const source = await openStorage(from);
  try {
    return await missing(source, path, { ...options, store: from });
  } finally {
    await source.close();
  }
}

function parseConcurrency(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw usageError(`--concurrency is a number from 1 to 9999, not ${JSON.stringify(text)}.`);
}

function progressText({
  runsDone,
  runs,
  attemptsDone,
  attempts,
  bytesRead,
  bytesWritten,
}: CopyProgress): string {
  const done = `${formatCount(runsDone)} of ${countOf(runs, 'run')}, ${formatCount(attemptsDone)} of ${countOf(attempts, 'attempt')}`;
  return `${done}; read ${formatBytes(bytesRead)}, wrote ${formatBytes(bytesWritten)}`;
}

async function report(invocation: Invocation, result: CopyResult): Promise<void> {
  const { output, json } = invocation;
  if (result.problems.length > 0) invocation.exitCode = EXIT.partial;
  if (json) return output.json({ ...result, problems: result.problems.map(problemJson) });
  const columns: readonly Column[] = [
    { header: '', shrinks: true },
    { header: result.dryRun ? 'TO COPY' : 'COPIED', align: 'right' },
    { header: 'PRESENT', align: 'right' },
    { header: 'REFUSED', align: 'right' },
    { header: 'FAILED', align: 'right' },
    { header: 'OPEN', align: 'right' },
  ];
  const rows = [row('attempts', result.attempts)];
  if (Object.values(result.sessions).some((count) => count > 0))
    rows.push(row('outside tasks', result.sessions));
  if (Object.values(result.entries).some((count) => count > 0))
    rows.push(row('cache entries', result.entries));
  await output.table(columns, rows);
  await output.lines(wrapWords(contentText(result).split(NOT_IN_A_SIZE), output.width));
  if (result.outlived > 0) {
    const count = countOf(result.outlived, 'attempt');
    invocation.note(
      `the target still has ${count} that the source has deleted since: a copy deletes nothing.`,
    );
  }
  if (result.unsignedEntries > 0) {
    const count = formatCount(result.unsignedEntries);
    invocation.note(
      `cache entries left out because no key was set that signs them: ${count}. Set STOWAGE_CACHE_KEY.`,
    );
  }
  tellProblems(invocation, result);
}

function row(what: string, { copied, present, refused, failed, open }: CopyCounts): Cell[] {
  return [what, ...[copied, present, refused, failed, open].map(formatCount)];
}

function contentText({
  dryRun,
  contentBytes,
  bytesDeduplicated,
  bytesRead,
  bytesWritten,
}: CopyResult): string {
  const content = `content ${formatBytes(contentBytes)}`;
  if (dryRun) return `${content}, less what the target has of it already; nothing was written.`;
  const there = formatBytes(bytesDeduplicated);
  return `${content}, of which ${there} was there already or equal to other content; read ${formatBytes(bytesRead)}, wrote ${formatBytes(bytesWritten)}.`;
}

function tellProblems(invocation: Invocation, { problems, attempts, sessions }: CopyResult): void {
  for (const { path, kind, error } of problems.slice(0, MAX_TOLD)) {
    invocation.note(kind === 'refused' ? error.message : `${path} was not copied: ${error.message}`);
  }
  const all = Math.max(
    problems.length,
    attempts.refused + attempts.failed + sessions.refused + sessions.failed,
  );
  if (all > MAX_TOLD)
    invocation.note(`and ${formatCount(all - MAX_TOLD)} more that were not copied; --json names them.`);
}

function problemJson({ path, kind, error }: CopyResult['problems'][number]): object {
  const { code, message, details } = error;
  return { path, kind, error: { code, message, details } };
}
