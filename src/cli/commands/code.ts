import { readdir } from 'node:fs/promises';
import { printable } from '../../codec/printable-text.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { countOf, formatBytes } from '../../options/figures.ts';
import type { DirectoryRef } from '../../references/directory/directory-ref.ts';
import type { RunPath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import { cannotWrite } from '../files/write-errors.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { nameCell } from '../ui/cells.ts';
import { parseLimit } from '../ui/sizes.ts';
import type { Column } from '../ui/table.ts';

interface CodeCommandOptions {
  output?: string;
  force?: boolean;
  limit?: string;
  offset?: string;
}

/** The files of the code of a run, as `code --json` lists them. */
export interface CodeListing {
  flow: string;
  run: string;
  /** The name of the folder. */
  name: string;
  fileCount: number;
  size: number;
  digest: string;
  /** By their paths. */
  files: { path: string; size: number; digest: string; executable: boolean }[];
  /** The number of files before those behind these; absent where none come. */
  next?: number;
}

/** The files that are listed. */
interface FileChoice {
  offset: number;
  limit: number;
}

const COLUMNS: readonly Column[] = [
  { header: 'FILE', folds: Number.POSITIVE_INFINITY },
  { header: 'SIZE', align: 'right' },
];

/** `stowage code <flow>/<run>` */
export const code: CommandDeclaration = {
  name: 'code',
  text: 'list the sources that made a run, or write them to a folder',
  arguments: [pathArgument('<path>', 2, 2)],
  options: [
    { flags: '-o, --output <folder>', text: 'write them to this folder', completion: 'folder' },
    { flags: '-n, --limit <count>', text: 'list so many files at most; default: "all"' },
    { flags: '--offset <count>', text: 'leave out so many files that come before' },
    { flags: '--force', text: 'write to a folder that is not empty; files of the same names are replaced' },
  ],
  async run(invocation: Invocation, [text]: [string], options: CodeCommandOptions) {
    const { output: folder, force = false } = options;
    const given = parseStorePath(text, 1, 2);
    if (folder === '') throw usageError('-o names no folder.');
    const choice = choiceOf(options);
    await withStore(invocation, async (store) => {
      const { reachRun } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const { path, kept } = await withMeantRun(invocation, store, given, async (meant) =>
        openCode(store, await reachRun(store, meant)),
      );
      if (folder === undefined) return list(invocation, store, path, kept, choice);
      if (!force) await refuseFull(folder);
      const written = await kept.download(folder, { signal: store.signal });
      if (invocation.json) return invocation.output.json({ ...factsOf(path, kept), folder: written });
      const what = `${countOf(kept.fileCount, 'file')}, ${formatBytes(kept.size)}`;
      return invocation.output.line(printable(`${written}: the code of ${path.flow}/${path.run}, ${what}`));
    });
  },
};

/** @throws CliError `USAGE` */
function choiceOf({ output, limit, offset = '0' }: CodeCommandOptions): FileChoice {
  if (output !== undefined && (limit !== undefined || offset !== '0'))
    throw usageError('--limit and --offset are for the list of files; -o writes all of them.');
  if (!/^\d{1,9}$/.test(offset))
    throw usageError(`--offset is a number of files, not ${JSON.stringify(offset)}.`);
  return { offset: Number(offset), limit: parseLimit(limit ?? 'all') };
}

async function openCode(store: OpenStore, path: RunPath): Promise<{ path: RunPath; kept: DirectoryRef }> {
  const { flow, run } = path;
  const kept = await readCodeOf(store, path);
  if (kept) return { path, kept };
  throw new StowageError(
    'REFERENCE_NOT_FOUND',
    `The run ${flow}/${run} was made without its code, which createRun({ code: '.' }) keeps.`,
    { details: { flow, run } },
  );
}

async function readCodeOf(store: OpenStore, path: RunPath): Promise<DirectoryRef | undefined> {
  try {
    return await (await store.flow(path.flow)).run(path.run).code({ signal: store.signal });
  } catch (error) {
    if (!isStowageError(error, 'RUN_NOT_FOUND')) throw error;
    const { missing } = await import('../../views/not-found.ts');
    throw (await missing(store, path)) ?? error;
  }
}

function factsOf(
  { flow, run }: RunPath,
  { name, fileCount, size, digest }: DirectoryRef,
): Omit<CodeListing, 'files'> {
  return { flow, run, name, fileCount, size, digest };
}

async function list(
  invocation: Invocation,
  { signal }: OpenStore,
  path: RunPath,
  kept: DirectoryRef,
  { offset, limit }: FileChoice,
): Promise<void> {
  const { output, json } = invocation;
  const all = await kept.files({ signal });
  const files = all.slice(offset, offset + limit);
  const next = offset + files.length;
  const isCut = next < all.length;
  if (json) {
    const rows = files.map(({ path, size, digest, executable }) => ({ path, size, digest, executable }));
    const listing = { ...factsOf(path, kept), files: rows, ...(isCut ? { next } : {}) };
    return output.json(listing satisfies CodeListing);
  }
  await output.table(
    COLUMNS,
    files.map((file) => [nameCell(file.path), formatBytes(file.size)]),
  );
  if (isCut) invocation.note(`${countOf(all.length - next, 'more file')}: --offset ${next}`);
}

/** @throws CliError `OUTPUT_FAILED` for a folder that holds anything, and what is no folder */
async function refuseFull(folder: string): Promise<void> {
  try {
    const names = await readdir(folder);
    if (names.length > 0)
      throw new Error('the folder is not empty; --force writes to it, and replaces files of the same names');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw cannotWrite(folder, error);
  }
}
