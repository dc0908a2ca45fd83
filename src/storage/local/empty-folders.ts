import { rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from './errors.ts';

/**
 * Removes the folders of deleted files that hold nothing any more, and their parents, below `root`. The system removes
 * only empty ones, so that no object is lost; a create that meets a folder on its way out makes it anew.
 */
export function removeEmptyFolders(root: string, deletedPaths: readonly string[]): void {
  for (const first of new Set(deletedPaths.map((path) => dirname(path)))) {
    for (let folder = first; folder.length > root.length && isRemoved(folder); ) folder = dirname(folder);
  }
}

function isRemoved(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return codeOf(error) === 'ENOENT';
  }
}
