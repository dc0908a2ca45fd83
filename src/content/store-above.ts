import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { STORE_RECORD } from '../format/store-record.ts';
import { hasScheme } from '../storage/address-text.ts';
import type { DataStoreStorage } from '../storage/contract.ts';

/**
 * Warns by `process.emitWarning` where a store was made that may not be meant: its address is relative to the working directory, and one
 * of that address lies above, or beside the program. A program that is started in another folder finds another store.
 *
 * @param address as the program or the environment gave it
 */
export function warnOfStoreAbove(storage: DataStoreStorage, address: string | undefined): void {
  if (address === undefined || storage.type !== 'local' || hasScheme(address) || isAbsolute(address)) return;
  const made = dirname(fileURLToPath(storage.uri(STORE_RECORD)));
  const path = join(address, '.');
  if (!made.endsWith(sep + path)) return; // it leads upwards
  // Code that Node.js is given as a text has no file.
  const [, program = ''] = process.argv;
  const beside = isAbsolute(program) ? storeAbove(program, path) : undefined;
  const other = storeAbove(made.slice(0, -path.length - 1), path) ?? beside;
  if (other === undefined || other === made) return;
  const message =
    `A new store was made at ${made}, since the address "${address}" is relative to the working directory; there is one at ${other}. ` +
    'If that is meant, start the program in its folder, or give the absolute path of the store.';
  process.emitWarning(message, { type: 'StowageWarning', code: 'STOWAGE_NEW_STORE' });
}

/** The nearest store at `path` in a folder above `below`. */
function storeAbove(below: string, path: string): string | undefined {
  for (let folder = dirname(below); folder !== below; below = folder, folder = dirname(folder)) {
    const store = join(folder, path);
    if (existsSync(join(store, STORE_RECORD))) return store;
  }
  return undefined;
}
