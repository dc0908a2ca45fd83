import { isStowageError } from '../../errors.ts';
import type { CopyCounts, CopyProgress, CopyResult } from '../../maintenance/copy-report.ts';
import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import type { StorePath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { tellDamage, withHint } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { type LongWork, workOnBytes } from '../ui/progress-line.ts';
import type { Cell, Column } from '../ui/table.ts';

interface StoreCopyOptions {
  dryRun?: boolean;
  concurrency: string;
}

/** Spaces where a line may end: a number stays with its unit. */
const NOT_IN_A_SIZE = / (?![kMGTP]?B\b)/;
/** More problems than these are told as a number. */
const MAX_TOLD = 20;

/** `stowage copy <from> <to> [flow[/run]]` */
export const copy: CommandDeclaration = {
  name: 'copy',
  text: 'copy a run, a flow or a whole store to another store; only what is missing there',
  arguments: [
    { form: '<from>', text: 'the store to read: a path or a URI', completion: 'folder' },
    { form: '<to>', text: 'the store to write, which is made if there is none', completion: 'folder' },
    pathArgument('[path]', 1, 2, '; default: the whole store'),
  ],
  options: [
    { flags: '--dry-run', text: 'only tell what would be copied' },
    { flags: '--concurrency <count>', text: 'how many tasks at a time', default: '4' },
  ],
  async run(invocation: Invocation, [from, to, text]: [string, string, string?], copying: StoreCopyOptions) {
    const { options, signal } = invocation;
    if (options.store !== undefined)
      throw usageError('stowage copy names both stores itself: leave out --store.');
    const path = parseStorePath(text, 0, 2);
    const concurrency = parseConcurrency(copying.concurrency);
    const { dryRun = false } = copying;
    const { copyDecorated } = await import('../../maintenance/copy-store.ts');
    const { watched } = await import('../watched-storage.ts');
    tellDamage(invocation);
    const onProgress = (at: CopyProgress): void => invocation.progress(() => workOf(at));
    const copyAt = ({ flow: flowName, run: runId }: StorePath): Promise<CopyResult> =>
      copyDecorated({ from, to, flowName, runId, concurrency, dryRun, signal, onProgress }, (storage) =>
        watched(storage, invocation.waiting),
      );
    await report(invocation, await inSource(invocation, from, path, copyAt));
  },
};

/** Does `work` with the path that is meant in the source, and says what is not there, and how to see what is. */
async function inSource(
  invocation: Invocation,
  from: string,
  path: StorePath,
  work: (path: StorePath) => Promise<CopyResult>,
): Promise<CopyResult> {
  const { openStorage } = await import('../../storage/open.ts');
  const { withMeantRun } = await import('../meant-run.ts');
  const { watched } = await import('../watched-storage.ts');
  const storage = watched(await openStorage(from), invocation.waiting);
  const place = { storage, signal: invocation.signal };
  try {
    return await withMeantRun(invocation, place, path, work);
  } catch (error) {
    if (!isStowageError(error, 'RUN_NOT_FOUND')) throw error;
    const { missing } = await import('../../views/not-found.ts');
    throw withHint((await missing(place, path)) ?? error, from);
  } finally {
    await storage.close();
  }
}

function parseConcurrency(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw usageError(`--concurrency is a number from 1 to 9999, not ${JSON.stringify(text)}.`);
}

/** How many attempts there are shows as they are copied; how many runs, before. */
function workOf({ runsDone, runs, itemsDone, bytesWritten, ...bytes }: CopyProgress): LongWork {
  const { facts } = workOnBytes('', { ...bytes, bytesTotal: undefined });
  const attempts = countOf(itemsDone, 'attempt');
  const ofRuns = runs > 1 ? [`${formatCount(runsDone)} of ${countOf(runs, 'run')}`] : [];
  return {
    title: 'copying',
    share: runs > 1 ? runsDone / runs : undefined,
    facts: [...ofRuns, ...facts, attempts, `wrote ${formatBytes(bytesWritten)}`],
  };
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
  if (Object.values(result.published).some((count) => count > 0))
    rows.push(row('published versions', result.published));
  if (Object.values(result.entries).some((count) => count > 0))
    rows.push(row('cache entries', result.entries));
  await output.table(columns, rows);
  await output.sentence(contentText(result), undefined, NOT_IN_A_SIZE);
  if (result.outlived > 0) {
    const count = countOf(result.outlived, 'result');
    invocation.note(
      `the target still has ${count} that the source has given up since: a copy deletes nothing.`,
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

function tellProblems(invocation: Invocation, { problems, attempts, sessions, published }: CopyResult): void {
  for (const { path, kind, error } of problems.slice(0, MAX_TOLD)) {
    invocation.note(kind === 'refused' ? error.message : `${path} was not copied: ${error.message}`);
  }
  const all = Math.max(
    problems.length,
    [attempts, sessions, published].reduce((sum, { refused, failed }) => sum + refused + failed, 0),
  );
  if (all > MAX_TOLD)
    invocation.note(`and ${formatCount(all - MAX_TOLD)} more that were not copied; --json names them.`);
}

function problemJson({ path, kind, error }: CopyResult['problems'][number]): object {
  const { code, message, details } = error;
  return { path, kind, error: { code, message, details } };
}
