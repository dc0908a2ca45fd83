import { lstat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isStowageError } from '../../errors.ts';
import type { ArtifactInfo } from '../../flow/artifact-info.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { makeFolders } from '../../storage/local/make-folders.ts';
import { CliError } from '../cli-error.ts';
import type { Sink } from '../ui/output.ts';
import { type Form, ownForm, type WriteContext, writeArtifact } from '../values/artifact-writer.ts';
import { directoryIn, nameOf, writeDirectory } from '../values/referenced-file.ts';
import { type ArtifactFile, filesOf } from './artifact-files.ts';
import { toFile } from './output-file.ts';
import { cannotWrite } from './write-errors.ts';

/** The folder where artifacts are saved, and the way. */
export interface FolderOptions {
  /** It is made if it does not exist. */
  folder: string;
  /** Default: each artifact's own. */
  form: Form | undefined;
  /** `true` replaces files that exist. */
  overwrite: boolean;
}

/** An artifact's file, in `--json`. */
export interface ShownFile {
  artifact: string;
  form: Form;
  /** The file with its folder; absent where it was not written. */
  file?: string;
  bytes?: number;
  /** The reason why it was not written. */
  failure?: { code: string; message: string };
}

/**
 * Writes artifacts to a folder, a file each, one after the other. An artifact that cannot be read, or that cannot take the form,
 * keeps no other from being written.
 *
 * @throws CliError `OUTPUT_FAILED`, before anything is written where a file exists that is not to be replaced
 */
export async function saveToFolder(
  context: WriteContext<TaskDataStore>,
  names: readonly string[],
  { folder, form, overwrite }: FolderOptions,
): Promise<{ files: ShownFile[]; failures: Error[] }> {
  const { task } = context;
  const infos = task.names().map((name) => task.info(name));
  const all = filesOf(infos, form, form === undefined ? await referencedNames(context, infos) : undefined);
  const chosen = all.filter(({ artifact }) => names.includes(artifact));
  if (!overwrite) await ensureNone(folder, chosen);
  if (chosen.length > 0) makeFolder(folder);
  const files: ShownFile[] = [];
  const failures: Error[] = [];
  for (const { artifact, file, form: own } of chosen) {
    const path = join(folder, file);
    let bytes = 0;
    const save = async (sink: Sink): Promise<void> => {
      const counting: Sink = {
        async write(piece) {
          bytes += Buffer.byteLength(piece);
          await sink.write(piece);
        },
      };
      await writeArtifact(context, artifact, own, counting);
    };
    try {
      const directory = own === 'file' ? await directoryIn(task, artifact, context.invocation) : undefined;
      if (directory) {
        await writeDirectory(directory, path, overwrite, context.invocation);
        bytes = directory.size;
      } else await toFile(path, context.invocation.signal, save, { overwrite });
      files.push({ artifact, form: own, file: path, bytes });
    } catch (error) {
      if (!isOfArtifact(error)) throw error;
      const { code, message } = error;
      failures.push(error);
      files.push({ artifact, form: own, failure: { code, message } });
    }
  }
  return { files, failures };
}

/** The names of what references among the artifacts stand for; of those that cannot be read, none, which writing them tells. */
async function referencedNames(
  { task, invocation: { signal } }: WriteContext<TaskDataStore>,
  infos: readonly ArtifactInfo[],
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const info of infos) {
    if (ownForm(info) !== 'file') continue;
    try {
      const name = nameOf(await task.get(info.name, { signal }));
      if (name !== undefined) names.set(info.name, name);
    } catch (error) {
      if (!isOfArtifact(error)) throw error;
    }
  }
  return names;
}

/** True if an error concerns one artifact, so that the others can be written. */
function isOfArtifact(error: unknown): error is Error & { code: string } {
  if (error instanceof CliError) return error.code === 'NO_SUCH_FORM';
  return isStowageError(error) && error.code !== 'ABORTED';
}

async function ensureNone(folder: string, files: readonly ArtifactFile[]): Promise<void> {
  const existing: string[] = [];
  for (const { file } of files) {
    const path = join(folder, file);
    if (await exists(path)) existing.push(path);
  }
  const [first] = existing;
  if (first === undefined) return;
  const others = existing.length > 1 ? ` and ${existing.length - 1} more of the files` : '';
  const verb = existing.length > 1 ? 'exist' : 'exists';
  const message = `${first}${others} ${verb} already, and nothing was written. Name another folder, or replace them with --force.`;
  throw new CliError('OUTPUT_FAILED', message, { details: { folder, existing } });
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false; // that the folder is none shows when it is made
    throw cannotWrite(path, error);
  }
}

function makeFolder(folder: string): void {
  try {
    makeFolders(resolve(folder));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why: Record<string, string> = { EEXIST: 'it is no folder', ENOENT: 'no folder can be made there' };
    throw cannotWrite(folder, why[code ?? ''] ? new Error(why[code ?? ''], { cause: error }) : error);
  }
}
