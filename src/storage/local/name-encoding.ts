import { readFileSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { NameEncoding } from '../names.ts';

/** The object in a store's root that says how its names are encoded. */
export const STORE_RECORD = 'stowage.json';

/**
 * Finds the encoding of names in the store at `root`: that of its record, else `wanted`, else as the file system demands
 * that a new store would lie on. Writes nothing.
 */
export function nameEncodingOf(root: string, wanted: NameEncoding | undefined): NameEncoding {
  return recordedEncoding(root) ?? wanted ?? (foldsCase(root) ? 'fold' : 'exact');
}

/** The encoding that the record tells. One that cannot be read tells none: those who use the store check it. */
function recordedEncoding(root: string): NameEncoding | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(join(root, STORE_RECORD), 'utf8'));
    const names = (record as { names?: unknown } | null)?.names;
    return names === 'exact' || names === 'fold' ? names : undefined;
  } catch {
    return undefined;
  }
}

/** The id of the store that a record says it is of; `undefined` where it says none. */
export function storeIdOf(record: Uint8Array): unknown {
  try {
    return (JSON.parse(Buffer.from(record).toString()) as { storeId?: unknown } | null)?.storeId;
  } catch {
    return undefined;
  }
}

/** True if the nearest folder that exists answers to its name in the other case as well. */
function foldsCase(root: string): boolean {
  for (let path = root; path !== dirname(path); path = dirname(path)) {
    const name = basename(path);
    const swapped = swapCase(name);
    const stats = swapped === name ? undefined : statAt(path);
    if (!stats) continue;
    const other = statAt(join(dirname(path), swapped));
    return other !== undefined && other.ino === stats.ino && other.dev === stats.dev;
  }
  return process.platform === 'win32' || process.platform === 'darwin';
}

function statAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function swapCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const upper = letter.toUpperCase();
    return upper === letter ? letter.toLowerCase() : upper;
  });
}
