import { fstatSync, opendirSync, statSync, unlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Unfinished writes of this age belong to nobody any more. */
export const STALE_TMP_MS: number = 24 * 60 * 60 * 1000;
/** The most files looked at, so that a first write takes no longer than this allows. */
export const MAX_TMP_LOOKED_AT = 256;

/**
 * Removes files that crashed writers left in `folder`. What is old is judged by the file system's own clock: the
 * modification time of `justWritten`, a file that was opened a moment ago. What cannot be removed is left for others.
 */
export function removeStaleTmp(folder: string, justWritten: number): void {
  const nowMs = fstatSync(justWritten).mtimeMs;
  try {
    const entries = opendirSync(folder);
    try {
      for (let i = 0; i < MAX_TMP_LOOKED_AT; i += 1) {
        const entry = entries.readSync();
        if (!entry) break;
        if (entry.isFile()) removeIfStale(join(folder, entry.name), nowMs);
      }
    } finally {
      entries.closeSync();
    }
  } catch {
    // The write that brought us here does not depend on it.
  }
}

/** The files of unfinished writes in `folder`, whoever writes them. What vanishes meanwhile is left out. */
export async function* findTmp(
  folder: string,
): AsyncGenerator<{ file: string; bytes: number; modifiedAtMs: number }, void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(nothingIfMissing)) {
    const stats = entry.isFile() && statSync(join(folder, entry.name), { throwIfNoEntry: false });
    if (stats) yield { file: entry.name, bytes: stats.size, modifiedAtMs: stats.mtimeMs };
  }
}

function nothingIfMissing(error: unknown): [] {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
  throw error;
}

function removeIfStale(path: string, nowMs: number): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && nowMs - stats.mtimeMs > STALE_TMP_MS) unlinkSync(path);
}
