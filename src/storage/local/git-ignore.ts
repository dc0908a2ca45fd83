import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from './errors.ts';
import { STORE_RECORD } from './name-encoding.ts';
import { TMP_FOLDER } from './tmp-folder.ts';

/** A file by which git offers nothing in its folder to be added, itself included. */
const GIT_IGNORE = '.gitignore';
const EVERYTHING = '*\n';
/** What a writer at the same time may have made. */
const OWN: readonly string[] = [TMP_FOLDER, STORE_RECORD, GIT_IGNORE];

/**
 * Keeps git from offering to add the files of a new store: a folder under git in which nothing but the store's first files lie gets a
 * `.gitignore` of its own. A folder that others use gets none, and one that is there stays as it is.
 *
 * @throws the system's error
 */
export function hideFromGit(folder: string): void {
  if (!isUnderGit(folder) || !readdirSync(folder).every((name) => OWN.includes(name))) return;
  try {
    writeFileSync(join(folder, GIT_IGNORE), EVERYTHING, { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** True if a folder above holds a repository, or (a file, in worktrees and submodules) says where its repository is. */
function isUnderGit(folder: string): boolean {
  for (let above = dirname(folder), below = folder; above !== below; below = above, above = dirname(above)) {
    if (existsSync(join(above, '.git'))) return true;
  }
  return false;
}
