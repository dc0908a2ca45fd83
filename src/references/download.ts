import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { openPatiently, writeInTurn } from '../async/open-files.ts';
import type { ProgressOptions } from '../async/progress.ts';
import { invalidArgument, throwIfAborted } from '../errors.ts';
import { checkOptions, FLAG, PROGRESS_OPTIONS } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { refuseHome } from '../storage/home-folder.ts';
import { notWritten } from './errors.ts';

/** Options of writing a file to this machine. */
export interface DownloadOptions extends CallOptions, ProgressOptions {
  /** `false` refuses a path at which there is a file. Default `true`: it is replaced. */
  overwrite?: boolean | undefined;
}

/**
 * Writes a file beside its path, and gives it its name once all of it is there.
 *
 * @throws StowageError `DOWNLOAD_FAILED`, `INVALID_ARGUMENT`; what reading throws
 */
export async function downloadFile(
  name: string,
  path: string,
  options: DownloadOptions,
  read: (options: CallOptions & ProgressOptions) => AsyncIterable<Uint8Array>,
): Promise<string> {
  checkOptions<DownloadOptions>(options, 'download', { ...PROGRESS_OPTIONS, overwrite: FLAG });
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalidArgument('A file is downloaded to a path: a text that is not empty.');
  refuseHome(path);
  const { overwrite = true, ...reading } = options;
  throwIfAborted(options.signal);
  const isWithin = path.endsWith('/') || path.endsWith(sep) || (await isFolder(path));
  const target = isWithin ? join(resolve(path), name) : resolve(path);
  await writing(target, () => mkdir(dirname(target), { recursive: true }));
  if (!overwrite && (await writing(target, () => isThere(target)))) throw occupied(target);
  await writeInTurn(() => writeWhole(target, read(reading), { overwrite }), options.signal);
  return target;
}

/** Options of {@link writeWhole}. */
export interface WriteOptions {
  overwrite: boolean;
  /** The bits of its mode, but for those that the process masks. Default: 0o666. */
  mode?: number | undefined;
}

/** Writes a file whose folder is there: it has its name once all of it is written, and before that another one, which a failure removes. */
export async function writeWhole(
  target: string,
  pieces: AsyncIterable<Uint8Array>,
  { overwrite, mode = 0o666 }: WriteOptions,
): Promise<void> {
  const unfinished = join(
    dirname(target),
    `.${basename(target).slice(0, 64)}.${randomBytes(6).toString('hex')}.part`,
  );
  const handle = await writing(target, () => openPatiently(() => open(unfinished, 'wx', mode)));
  try {
    await writePieces(target, handle, pieces);
    await writing(target, () => (overwrite ? rename(unfinished, target) : linkNew(unfinished, target)));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function writePieces(
  target: string,
  handle: FileHandle,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  try {
    for await (const piece of pieces) await writing(target, () => handle.writeFile(piece));
  } finally {
    await handle.close();
  }
}

/** Without replacing what somebody else has put there meanwhile. */
async function linkNew(unfinished: string, target: string): Promise<void> {
  try {
    await link(unfinished, target);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? occupied(target) : error;
  }
  await rm(unfinished);
}

async function writing<T>(target: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isSystemError(error) ? notWritten(target, error) : error;
  }
}

function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function occupied(path: string): Error {
  return invalidArgument(
    `There is a file at ${path}; leave overwrite out to replace it, or choose another path.`,
    {
      path,
    },
  );
}
