import { type Dirent, opendirSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { ListOptions } from '../contract.ts';
import type { ListEntry } from '../list-pages.ts';
import { compareNames } from '../name-order.ts';
import {
  decodeSegment,
  encodeObjectName,
  isObjectSegment,
  type NameEncoding,
  RESERVED_SEGMENT,
} from '../names.ts';
import { isAbsent, localError } from './errors.ts';

/** The beginning of a segment that its file name has as it is, in either encoding; but the first letter of a device's name is encoded. */
const PLAIN_BEGINNING = /^[a-z0-9_-]*/;
const ENCODED = '%';
/** The entries that are read of a folder at a time, where most of them are left out. */
const READ_AT_ONCE = 128;

/** A file or folder that was found, by the name of the object or the common prefix (ending in `/`) that it stands for. */
interface Found {
  name: string;
  path: string;
  isFolder: boolean;
}

/** A folder that is being gone through. */
interface Level {
  found: Found[];
  next: number;
}

/**
 * Finds the objects of a listing, in order: depth first, each folder sorted by whole names, so that `a-b`, `a.b` and
 * `a/b` come as their bytes demand. Folders that hold nothing to be listed are not read, and of the folder in which the prefix ends
 * only what may begin so is decoded and sorted: the copies of a key are found in a millisecond or two beside thousands of others.
 */
export function* walk(root: string, encoding: NameEncoding, options: ListOptions): Generator<ListEntry> {
  const { prefix, startAfter = '', depth = 'all', details = false } = options;
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (base.startsWith(`${RESERVED_SEGMENT}/`)) return;
  const basePath = base ? join(root, encodeObjectName(base.slice(0, -1), encoding)) : root;
  const read = (name: string, path: string, beginning = ''): Level => ({
    found: readFolder(name, path, encoding, beginning),
    next: 0,
  });
  const levels = [read(base, basePath, prefix.slice(base.length))];
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    const found = level.found[level.next];
    level.next += 1;
    if (!found) {
      levels.pop();
    } else if (found.name.startsWith(prefix) && !isLeftOut(found, startAfter, depth)) {
      if (!found.isFolder) {
        const object = details ? detailed(found) : { name: found.name };
        if (object) yield object;
      } else if (depth === 'all') {
        levels.push(read(found.name, found.path));
      } else if (holdsObjects(found, encoding)) {
        yield found.name;
      }
    }
  }
}

/** True if the entry, and all within it, is named `startAfter` or comes before it. */
function isLeftOut(found: Found, startAfter: string, depth: 'all' | 'one'): boolean {
  if (startAfter === '' || compareNames(found.name, startAfter) > 0) return false;
  return !(found.isFolder && depth === 'all' && startAfter.startsWith(found.name));
}

/** Folders are opened one after another; one that vanished meanwhile held nothing that had to be listed. */
function readFolder(name: string, path: string, encoding: NameEncoding, beginning = ''): Found[] {
  try {
    const found: Found[] = [];
    for (const entry of entriesOf(path, PLAIN_BEGINNING.exec(beginning)?.[0] ?? '')) {
      const one = foundAt(name, path, entry, encoding);
      if (one) found.push(one);
    }
    return found.sort((a, b) => compareNames(a.name, b.name));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw localError(error, { operation: 'list', name, path });
  }
}

/** The entries of a folder whose names may stand for what begins so, and maybe others. */
function entriesOf(path: string, beginning: string): Dirent[] {
  if (beginning === '') return readdirSync(path, { withFileTypes: true });
  const found: Dirent[] = [];
  const folder = opendirSync(path, { bufferSize: READ_AT_ONCE });
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      if (entry.name.startsWith(beginning) || entry.name.startsWith(ENCODED)) found.push(entry);
    }
  } finally {
    folder.closeSync();
  }
  return found;
}

/** The object or folder that an entry stands for. None, if this storage would not give such a name. */
function foundAt(folder: string, path: string, entry: Dirent, encoding: NameEncoding): Found | undefined {
  // HFS+ gives names back in NFD.
  const segment = decodeSegment(entry.name, encoding) ?? decodeSegment(entry.name.normalize('NFC'), encoding);
  if (segment === undefined || !isObjectSegment(segment)) return undefined;
  const entryPath = path + sep + entry.name; // `join` would normalize each, which takes longer than to read it
  const kind = entry.isSymbolicLink() ? statOf(entryPath) : entry;
  const isFolder = kind?.isDirectory() ?? false;
  if (!isFolder && !kind?.isFile()) return undefined;
  if (folder === '' && segment === RESERVED_SEGMENT) return undefined;
  return { name: isFolder ? `${folder}${segment}/` : folder + segment, path: entryPath, isFolder };
}

/**
 * A crash may leave an empty folder behind, which is no common prefix of anything. Folders are read whole: to open one and
 * read its first entry takes twice as long, unless it holds thousands.
 */
function holdsObjects(folder: Found, encoding: NameEncoding): boolean {
  const found = readFolder(folder.name, folder.path, encoding);
  return found.some(({ isFolder }) => !isFolder) || found.some((one) => holdsObjects(one, encoding));
}

function detailed(found: Found): ListEntry | undefined {
  const stats = statOf(found.path);
  return stats && { name: found.name, bytes: stats.size, modifiedAtMs: stats.mtimeMs };
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw localError(error, { operation: 'list', name: path, path });
  }
}
