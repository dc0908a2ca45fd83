import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { throwIfAborted } from '../errors.ts';
import { CliError } from './cli-error.ts';
import type { Sink } from './output.ts';

/**
 * Lets `work` write a file, which takes its name only once it is whole: whatever goes wrong, a file that was there before
 * stays as it was. Devices and pipes are written directly.
 *
 * @throws CliError `OUTPUT_FAILED`
 */
export async function toFile(
  path: string,
  signal: AbortSignal,
  work: (sink: Sink) => Promise<void>,
): Promise<void> {
  const isSpecial = await describe(path, async () => {
    const stats = await stat(path).catch(ignoreAbsent);
    if (stats?.isDirectory()) throw new Error('it is a folder; name a file in it');
    return stats !== undefined && !stats.isFile();
  });
  const target = isSpecial ? path : `${path}.${randomBytes(4).toString('hex')}.part`;
  const file = await describe(path, () => open(target, isSpecial ? 'w' : 'wx'));
  try {
    await work(fileSink(file, path, signal));
    await describe(path, async () => {
      await file.close();
      if (!isSpecial) await rename(target, path);
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

/** What goes wrong with the file is told as that. */
async function describe<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = REASONS[code ?? ''] ?? message;
    throw new CliError('OUTPUT_FAILED', `${path} cannot be written: ${why}.`, { details: { path }, cause });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EACCES: 'it is not permitted',
  EPERM: 'it is not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
