import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NameEncoding } from '../names.ts';
import { foldsCase } from './folding.ts';
import type { LocalSystem } from './system.ts';

/** The object in a store's root that says how its names are encoded. */
export const STORE_RECORD = 'stowage.json';

/**
 * Finds the encoding of names in the store at `root`: that of its record, else `wanted`, else as the file system demands
 * that a new store would lie on.
 */
export function nameEncodingOf(
  root: string,
  wanted: NameEncoding | undefined,
  system: LocalSystem,
): NameEncoding {
  return recordedEncoding(root) ?? wanted ?? (foldsCase(root, system) ? 'fold' : 'exact');
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
