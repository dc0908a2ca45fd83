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
import type { Column } from '../ui/table.ts';

interface CodeCommandOptions {
  output?: string;
  force?: boolean;
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
    { flags: '--force', text: 'write to a folder that is not empty; files of the same names are replaced' },
  ],
  async run(invocation: Invocation, [text]: [string], { output: folder, force = false }: CodeCommandOptions) {
    const given = parseStorePath(text, 1, 2);
    if (folder === '') throw usageError('-o names no folder.');
    await withStore(invocation, async (store) => {
      const { reachRun } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const { path, kept } = await withMeantRun(invocation, store, given, async (meant) =>
        openCode(store, await reachRun(store, meant)),
      );
      if (folder === undefined) return list(invocation, store, path, kept);
      if (!force) await refuseFull(folder);
      const written = await kept.download(folder, { signal: store.signal });
      if (invocation.json) return invocation.output.json({ ...factsOf(path, kept), folder: written });
      const what = `${countOf(kept.fileCount, 'file')}, ${formatBytes(kept.size)}`;
      return invocation.output.line(printable(`${written}: the code of ${path.flow}/${path.run}, ${what}`));
    });
  },
};

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

function factsOf({ flow, run }: RunPath, { name, fileCount, size, digest }: DirectoryRef): object {
  return { flow, run, name, fileCount, size, digest };
}

async function list(
  { output, json }: Invocation,
  { signal }: OpenStore,
  path: RunPath,
  kept: DirectoryRef,
): Promise<void> {
  const files = await kept.files({ signal });
  if (!json)
    return output.table(
      COLUMNS,
      files.map((file) => [nameCell(file.path), formatBytes(file.size)]),
    );
  const rows = files.map(({ path, size, digest, executable }) => ({ path, size, digest, executable }));
  return output.json({ ...factsOf(path, kept), files: rows });
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
