import { type Dirent, fstatSync, lstatSync, opendirSync, statSync, unlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The folder of unfinished writes, in that of the store. The name is nobody else's, since a store may lie in a folder that others use,
 * and no object's, whose dots at the beginning are encoded.
 */
export const TMP_FOLDER = '.stowage-tmp';
/** Unfinished writes of this age belong to nobody any more. */
export const STALE_TMP_MS: number = 24 * 60 * 60 * 1000;
/** The most files looked at, so that a first write takes no longer than this allows. */
export const MAX_TMP_LOOKED_AT = 256;
/** A random number of a writer, and how many files it wrote. */
const OWN_NAME = /^[0-9a-f]{24}-\d{1,16}$/;
const CLAIM_NAME = /^claim-[0-9a-f]{64}$/;

/** True if a file in the folder has a name of `Writer.newTmpPath`. */
export function isTmpName(file: string): boolean {
  return OWN_NAME.test(file);
}

/** True if a file in the folder has a name that this software gives. All others are left alone. */
export function isUnfinishedName(file: string): boolean {
  return isTmpName(file) || CLAIM_NAME.test(file);
}

/**
 * Removes files that crashed writers left in `folder`. What is old is judged by the file system's own clock: the
 * modification time of `justWritten`, a file that was opened a moment ago. What cannot be removed is left for others.
 */
export function removeStaleTmp(folder: string, justWritten: number): void {
  const nowMs = fstatSync(justWritten).mtimeMs;
  try {
    if (!isOwnFolder(folder)) return;
    const entries = opendirSync(folder);
    try {
      for (let i = 0; i < MAX_TMP_LOOKED_AT; i += 1) {
        const entry = entries.readSync();
        if (!entry) break;
        if (isUnfinished(entry)) removeIfStale(join(folder, entry.name), nowMs);
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
  if (!isOwnFolder(folder)) return;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(nothingIfMissing)) {
    const stats = isUnfinished(entry) && statSync(join(folder, entry.name), { throwIfNoEntry: false });
    if (stats) yield { file: entry.name, bytes: stats.size, modifiedAtMs: stats.mtimeMs };
  }
}

/** A link leads to what may be somebody else's. */
function isOwnFolder(folder: string): boolean {
  return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isUnfinished(entry: Dirent): boolean {
  return entry.isFile() && isUnfinishedName(entry.name);
}

function nothingIfMissing(error: unknown): [] {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
  throw error;
}

function removeIfStale(path: string, nowMs: number): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && nowMs - stats.mtimeMs > STALE_TMP_MS) unlinkSync(path);
}
