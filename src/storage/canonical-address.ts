import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { invalidArgument, type StowageError } from '../errors.ts';
import { hasScheme, isBuiltIn } from './address-text.ts';
import type { DataStoreStorage } from './contract.ts';

/** An address in the one form that all its spellings come to. */
export interface CanonicalAddress {
  /** The same for two addresses that lead to the same objects; it names no credentials. */
  identity: string;
  /** The address by which `openStorage` opens it again, in any folder, and whatever the environment says of endpoints. */
  uri: string;
}

/** The parts of a bucket's address after "?": where its server is, and how to get there. */
const PARAMETERS: Readonly<Record<string, { endpoint: string; others: readonly string[] }>> = {
  s3: { endpoint: 'endpoint', others: ['region', 'forcePathStyle'] },
  // Who pays is no part of where a place is: what a store says of it would be an instruction to whoever reads it.
  gcs: { endpoint: 'apiEndpoint', others: [] },
};

/**
 * Gives the one form of the address `given`, by which `storage` was opened: a relative path, a link, `file:`, `s3a:` and slashes at its
 * end make no difference, and the endpoint is that of the storage, whatever named it. An address of a scheme of somebody's own is kept
 * as it is, but for slashes at its end; it is told from others by what the storage says of its objects.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what nobody could open again: a storage in memory without a name
 */
export function canonicalAddress(given: string, storage: DataStoreStorage): CanonicalAddress {
  const root = rootOf(storage);
  const isOwnScheme = hasScheme(given) && !isBuiltIn(given);
  const known = knownAddress(given, root, storage);
  return { identity: known.identity, uri: isOwnScheme ? given.replace(/\/+$/, '') : known.uri };
}

/** The address of a storage, as it tells that of its objects, without a slash at its end. */
export function rootOf(storage: DataStoreStorage): string {
  return storage.uri('x').replace(/\/x$/, '');
}

function knownAddress(given: string, root: string, { type, endpoint }: DataStoreStorage): CanonicalAddress {
  if (type === 'local') {
    const uri = folderUri(fileURLToPath(root));
    return { identity: uri, uri };
  }
  if (type === 'memory') {
    if (root === 'memory:') throw nameless();
    return { identity: root, uri: decodeURIComponent(root) }; // names stand in addresses as they are
  }
  if (type === 'azure') return { identity: root, uri: azureUri(given, endpoint) };
  const parameters = PARAMETERS[type];
  if (!parameters) return { identity: root, uri: root };
  const query = new URLSearchParams(given.slice(given.indexOf('?') + 1 || given.length));
  const where = [[parameters.endpoint, endpoint ?? '']];
  const how = parameters.others.map((name) => [name, query.get(name) ?? '']);
  return { identity: root + queryOf(where), uri: root + queryOf([...where, ...how]) };
}

/** The account stands in the endpoint; an address may leave it to the environment. */
function azureUri(given: string, endpoint = ''): string {
  const address = given.replace(/\?.*$/s, '').replace(/\/+$/, '');
  const [, container = '', path = ''] = /^[a-z]+:\/\/([^/]+)\/*(.*)$/is.exec(address) ?? [];
  if (/[.@]/.test(container)) return address; // the account stands there already
  return `az://${container}${path && `/${path}`}${queryOf([['endpoint', endpoint]])}`;
}

/** Parameters without a value are left out. */
function queryOf(entries: readonly (readonly string[])[]): string {
  const said = entries.filter(([, value]) => value);
  return said.map(([name, value = ''], i) => `${i ? '&' : '?'}${name}=${encodeURIComponent(value)}`).join('');
}

/** The address of a folder, links in its path resolved. */
export function folderUri(path: string): string {
  return pathToFileURL(realPathOf(resolve(path))).href;
}

/** Takes a folder that need not exist: the nearest one that does is resolved, and the rest stays as it is. */
function realPathOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPathOf(parent), basename(path));
  }
}

function nameless(): StowageError {
  return invalidArgument(
    'A storage in memory without a name cannot be found again; give it one, as in memory:raw.',
  );
}
