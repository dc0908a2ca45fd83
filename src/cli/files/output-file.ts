import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { throwIfAborted } from '../../errors.ts';
import type { Sink } from '../ui/output.ts';
import { cannotWrite, EXISTS } from './write-errors.ts';

/** Longer names leave no room for what an unfinished file is called beside them. */
const MAX_NAME_BYTES = 200;

/** Options of {@link toFile}. */
export interface FileOptions {
  /** `false` refuses to replace a file. Default `true`. */
  overwrite?: boolean;
  /** `true` keeps a link, and replaces the file that it leads to; not where others may have put the link. Default `false`: the link is replaced. */
  followLinks?: boolean;
}

/** The permissions of a new file, less what the umask takes. */
const NEW_FILE_MODE = 0o666;

/**
 * Lets `work` write a file, which takes its name only once it is whole: whatever goes wrong, a file that was there before
 * stays as it was; without `overwrite`, whatever goes well, too. One that is replaced hands on its permissions. Devices and pipes are
 * written directly.
 *
 * @throws CliError `OUTPUT_FAILED`
 */
export async function toFile(
  path: string,
  signal: AbortSignal,
  work: (sink: Sink) => Promise<void>,
  { overwrite = true, followLinks = false }: FileOptions = {},
): Promise<void> {
  const { isSpecial, mode, place } = await describe(path, async () => {
    const stats = await stat(path).catch(ignoreAbsent);
    const isFolder = stats?.isDirectory() || path.endsWith('/') || path.endsWith(sep);
    if (isFolder) throw new Error('it is a folder; name a file in it');
    if (stats?.isFile() && !overwrite) throw new Error(EXISTS);
    return {
      isSpecial: stats !== undefined && !stats.isFile(),
      mode: stats && stats.mode & 0o777,
      place: stats && followLinks ? await realpath(path) : path,
    };
  });
  const target = isSpecial ? path : partOf(place);
  const file = await describe(path, () => open(target, isSpecial ? 'w' : 'wx', mode ?? NEW_FILE_MODE));
  try {
    // Where a file system knows no modes nothing is lost.
    if (mode !== undefined && !isSpecial) await file.chmod(mode).catch(() => {});
    await work(fileSink(file, path, signal));
    await describe(path, async () => {
      await file.close();
      if (!isSpecial) await (overwrite ? rename(target, place) : moveToFree(target, place));
    });
  } catch (error) {
    await file.close().catch(() => {});
    if (!isSpecial) await rm(target, { force: true });
    throw error;
  }
}

function fileSink(file: FileHandle, path: string, signal: AbortSignal): Sink {
  return {
    async write(piece) {
      throwIfAborted(signal);
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      await describe(path, () => file.writeFile(bytes));
    },
  };
}

/** The name of a file until it is whole. */
function partOf(path: string): string {
  const part = `.${randomBytes(4).toString('hex')}.part`;
  const name = basename(path);
  return join(dirname(path), Buffer.byteLength(name) > MAX_NAME_BYTES ? part : name + part);
}

/** `rename` replaces what has appeared meanwhile, and `link` does not; but not every file system has links. */
async function moveToFree(target: string, path: string): Promise<void> {
  try {
    await link(target, path);
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    if (await stat(path).catch(ignoreAbsent)) throw new Error(EXISTS);
    return rename(target, path);
  }
  await rm(target);
}

const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Names the file in every error of it. */
async function describe<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
