import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { invalidArgument, type StowageError } from '../errors.ts';
import { hasScheme, isBuiltIn } from './address-text.ts';
import type { DataStoreStorage } from './contract.ts';
import { endpointOfEnvironment, ownEndpoint, type PublicService, withProtocol } from './endpoints.ts';

/** An address in the one form that all its spellings come to. */
export interface CanonicalAddress {
  /** The same for two addresses that lead to the same objects; it names no credentials. */
  identity: string;
  /** By what `openStorage` opens it again, in any folder, and whatever the environment says of endpoints. */
  uri: string;
}

/** What an address may say after "?". */
interface Service {
  endpoint: string;
  /** What says how to get there, not where. */
  others: readonly string[];
}

const SERVICES: Readonly<Record<PublicService, Service>> = {
  s3: { endpoint: 'endpoint', others: ['region', 'forcePathStyle'] },
  gcs: { endpoint: 'apiEndpoint', others: ['projectId', 'userProject'] },
};

/**
 * What the address `given`, by which `storage` was opened, comes to: a relative path, a link, `file:`, `s3a:` and slashes at its end make
 * no difference. An address of a scheme of somebody's own is kept as it is, but for slashes at its end; it is told from
 * others by what the storage says of its objects.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what nobody could open again: a storage in memory without a name
 */
export function canonicalAddress(given: string, storage: DataStoreStorage): CanonicalAddress {
  const root = rootOf(storage);
  const isOwnScheme = hasScheme(given) && !isBuiltIn(given);
  const known = knownAddress(given, root, storage.type);
  return { identity: known.identity, uri: isOwnScheme ? given.replace(/\/+$/, '') : known.uri };
}

/** The address of a storage, as it tells that of its objects, without a slash at its end. */
export function rootOf(storage: DataStoreStorage): string {
  return storage.uri('x').replace(/\/x$/, '');
}

function knownAddress(given: string, root: string, type: string): CanonicalAddress {
  if (type === 'local') {
    const uri = folderUri(fileURLToPath(root));
    return { identity: uri, uri };
  }
  if (type === 'memory') {
    if (root === 'memory:') throw nameless();
    return { identity: root, uri: decodeURIComponent(root) }; // names stand in addresses as they are
  }
  if (type === 'azure') return { identity: root, uri: azureUri(given, root) };
  if (type !== 's3' && type !== 'gcs') return { identity: root, uri: root };
  const service = SERVICES[type];
  const query = new URLSearchParams(given.slice(given.indexOf('?') + 1 || given.length));
  const endpoint = endpointOf(query, type);
  const where = endpoint === undefined ? [] : [[service.endpoint, endpoint]];
  const how = service.others.map((name) => [name, query.get(name) ?? '']).filter(([, value]) => value !== '');
  return { identity: root + queryOf(where), uri: root + queryOf([...where, ...how]) };
}

/** The endpoint that an address or the environment names; `undefined` for the service itself. */
function endpointOf(query: URLSearchParams, type: PublicService): string | undefined {
  const named = query.get(SERVICES[type].endpoint) || endpointOfEnvironment(type);
  return named ? ownEndpoint(type, withProtocol(named)) : undefined;
}

/** Which account it is stands in what Azure says of a container; an address may leave it to the environment. */
function azureUri(given: string, root: string): string {
  const address = given.replace(/\?.*$/s, '').replace(/\/+$/, '');
  const [, container = '', path = ''] = /^[a-z]+:\/\/([^/]+)\/*(.*)$/is.exec(address) ?? [];
  if (/[.@]/.test(container)) return address; // the account stands there already
  const { origin, hostname, pathname } = new URL(root);
  const [, first, second] = pathname.split('/');
  // Emulators have the account first in the path.
  const isInPath = first !== container || (second === container && !hostname.includes('.blob.'));
  const endpoint = isInPath ? `${origin}/${first}` : origin;
  return `az://${container}${path && `/${path}`}${queryOf([['endpoint', endpoint]])}`;
}

function queryOf(entries: readonly (readonly string[])[]): string {
  if (entries.length === 0) return '';
  return `?${entries.map(([name = '', value = '']) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}

/** The address of a folder, links in its path resolved. */
export function folderUri(path: string): string {
  return pathToFileURL(realPathOf(resolve(path))).href;
}

/** Of a folder that need not exist: of the nearest one that does, and the rest as it is. */
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
