import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from './errors.ts';

/**
 * Makes a folder, and those above it that are missing; one that is there is left as it is. One by one, since Node's recursive
 * `mkdir` never ends where nothing can be made in a folder that is there, as in `/proc`.
 *
 * @param floor a folder above it which is not made. Default: none
 * @throws the system's error: `ENOENT` where a folder cannot be made, or was removed meanwhile; `EEXIST` where something else has its name
 */
export function makeFolders(path: string, floor?: string): void {
  try {
    makeOne(path);
  } catch (error) {
    const above = dirname(path);
    if (codeOf(error) !== 'ENOENT' || above === path || above === floor) throw error;
    makeFolders(above, floor);
    makeOne(path);
  }
}

function makeOne(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw error;
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) return;
    // What has the name and leads nowhere is a link; or it was removed since.
    throw code === 'EEXIST' && !stats ? Object.assign(new Error(NOWHERE), { code: 'ENOENT', path }) : error;
  }
}

const NOWHERE = 'a link on the way leads nowhere';
