import { isStowageError } from '../../errors.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { countOf } from '../../options/figures.ts';
import { DataFrameRef } from '../../references/data-frame-ref.ts';
import { DirectoryRef } from '../../references/directory/directory-ref.ts';
import { FileRef } from '../../references/file-ref.ts';
import { isShownReference } from '../../views/references.ts';
import { type CliError, usageError } from '../cli-error.ts';
import { cannotWrite, EXISTS } from '../files/write-errors.ts';
import type { Invocation } from '../invocation.ts';
import { workOnBytes } from '../ui/progress-line.ts';

/** The value of an artifact whose row says that it is a reference, if that is one to a directory. */
export async function directoryIn(
  task: TaskDataStore,
  artifact: string,
  { signal }: Pick<Invocation, 'signal'>,
): Promise<DirectoryRef | undefined> {
  const value = await task.get(artifact, { signal });
  return value instanceof DirectoryRef ? value : undefined;
}

/**
 * The file that a value refers to: that of a data frame is its Parquet file. `undefined` for any other value.
 *
 * @throws CliError `USAGE` for a directory, which is no file
 */
export function fileOf(artifact: string, value: unknown): FileRef | undefined {
  if (value instanceof DirectoryRef) throw needsFolder(artifact, value);
  if (value instanceof DataFrameRef) return value.file;
  return value instanceof FileRef ? value : undefined;
}

/** The name of what a value refers to; `undefined` for any other value. */
export function nameOf(value: unknown): string | undefined {
  return isShownReference(value) ? value.name : undefined;
}

/** Tells that a directory is no stream. */
export function needsFolder(artifact: string, { fileCount }: DirectoryRef): CliError {
  return usageError(
    `${artifact} is a directory of ${countOf(fileCount, 'file')}, which one stream cannot hold. Name the folder to write them to: -o <folder>; to see what is known of it: --format json.`,
    { artifact, missing: 'output' },
  );
}

/**
 * Writes the files of a directory below a folder.
 *
 * @throws CliError `OUTPUT_FAILED` where one of them is there, and is to stay; StowageError as `DirectoryRef.download`
 */
export async function writeDirectory(
  directory: DirectoryRef,
  folder: string,
  overwrite: boolean,
  { signal, progress }: Pick<Invocation, 'signal' | 'progress'>,
): Promise<void> {
  const { name } = directory;
  try {
    await directory.download(folder, {
      overwrite,
      signal,
      onProgress: (at) => progress(() => workOnBytes(name, at)),
    });
  } catch (error) {
    if (!isStowageError(error, 'INVALID_ARGUMENT') || overwrite) throw error;
    const { path } = error.details as { path?: string };
    throw path === undefined ? error : cannotWrite(`${folder}/${path}`, new Error(EXISTS, { cause: error }));
  }
}
