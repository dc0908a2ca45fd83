import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { throwIfAborted } from '../errors.ts';
import type { Sink } from './output.ts';
import { cannotWrite, EXISTS } from './write-errors.ts';

/** Longer names leave no room for what an unfinished file is called beside them. */
const MAX_NAME_BYTES = 200;

/**
 * Lets `work` write a file, which takes its name only once it is whole: whatever goes wrong, a file that was there before
 * stays as it was; without `overwrite` (default `true`), whatever goes well, too. Devices and pipes are written directly.
 *
 * @throws CliError `OUTPUT_FAILED`
 */
export async function toFile(
  path: string,
  signal: AbortSignal,
  work: (sink: Sink) => Promise<void>,
  { overwrite = true }: { overwrite?: boolean } = {},
): Promise<void> {
  const isSpecial = await describe(path, async () => {
    const stats = await stat(path).catch(ignoreAbsent);
    if (stats?.isDirectory()) throw new Error('it is a folder; name a file in it');
    if (stats && !overwrite) throw new Error(EXISTS);
    return stats !== undefined && !stats.isFile();
  });
  const target = isSpecial ? path : partOf(path);
  const file = await describe(path, () => open(target, isSpecial ? 'w' : 'wx'));
  try {
    await work(fileSink(file, path, signal));
    await describe(path, async () => {
      await file.close();
      if (!isSpecial) await (overwrite ? rename(target, path) : moveToFree(target, path));
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

/** What a file is called until it is whole. */
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

/** What goes wrong with the file is told as that. */
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
