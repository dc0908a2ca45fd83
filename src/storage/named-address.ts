import { fileURLToPath, pathToFileURL } from 'node:url';
import { blobUri, parseAzureAddress } from './azure/address.ts';
import { BlobNames } from './azure/blob-names.ts';
import { ObjectKeys } from './bucket/keys.ts';
import { azureAccountOf, isOfService, ownEndpoint, type PublicService, plainEndpoint } from './endpoints.ts';
import { gcsUri, parseGcsAddress } from './gcs/address.ts';
import { parseS3Address, s3Uri } from './s3/address.ts';
import { parsePostgresAddress } from './sql/postgres/address.ts';
import { sqlitePath } from './sql/sqlite/address.ts';

/** Tells where an address leads that somebody else wrote, by its text alone: nothing is opened, and the environment is not asked. */
export interface NamedAddress {
  /** As of `CanonicalAddress`; absent for a scheme of somebody's own, of which only its storage can tell. */
  identity?: string;
  /** The receiver of what opening it needs: a kind of storage and its endpoint, in one form of all its spellings; a folder itself. */
  server: string;
  /** True if the endpoint is written in that form, so that no two programs parse it differently. Records hold no other. */
  isPlain: boolean;
  /**
   * The receiver: nobody but the service itself (`public`, of Azure with the account), this machine's file system (`folder`), this
   * process (`memory`), or anybody.
   */
  kind: 'public' | 'folder' | 'memory' | 'other';
  /** The account of Azure, where it is Azure itself. */
  account?: string;
  /** The bucket of Google, and what the address says of whose project a request is of, who then may pay for it. */
  billing?: { bucket: string; projectId: string | undefined; userProject: string | undefined };
}

const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
/** The part that tells the server of an address of somebody's own scheme: all but the path, as far as anybody can tell that. */
const PATH = /(?<=^[^:]+:\/\/[^/?#]*)\/[^?#]*/;

/**
 * Reads an address as records keep it.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what is no address of its scheme
 * @returns `undefined` for what nobody can tell by its text: a path, a container of Azure without its account
 */
export function namedAddress(uri: string): NamedAddress | undefined {
  switch (SCHEME.exec(uri)?.[1]?.toLowerCase()) {
    case undefined:
      return undefined;
    case 'file':
      return ofFolder(uri);
    case 'memory':
      return {
        identity: `memory:${encodeURIComponent(uri.slice(7))}`,
        server: 'memory',
        isPlain: true,
        kind: 'memory',
      };
    case 's3':
    case 's3a':
    case 's3n': {
      const { bucket, prefix = '', endpoint } = parseS3Address(uri);
      return ofBucket('s3', s3Uri(bucket, new ObjectKeys(prefix).prefix), 'endpoint', endpoint);
    }
    case 'gs':
    case 'gcs': {
      const { bucket, prefix = '', apiEndpoint, projectId, userProject } = parseGcsAddress(uri);
      const named = ofBucket(
        'gcs',
        gcsUri(bucket, new ObjectKeys(prefix).prefix),
        'apiEndpoint',
        apiEndpoint,
      );
      return { ...named, billing: { bucket, projectId, userProject } };
    }
    case 'az':
    case 'azure':
    case 'abfs':
    case 'abfss':
      return ofContainer(uri);
    case 'sqlite': {
      const { href } = pathToFileURL(sqlitePath(uri));
      const identity = `sqlite:${href.slice('file:'.length)}`;
      return { identity, server: identity, isPlain: true, kind: 'folder' };
    }
    case 'postgres':
    case 'postgresql': {
      const { plain } = parsePostgresAddress(uri);
      return { identity: plain, server: plain.replace(PATH, ''), isPlain: true, kind: 'other' };
    }
    default:
      return { server: uri.replace(PATH, ''), isPlain: true, kind: 'other' };
  }
}

/** A `file:` URL with a host is a share on that machine, to which Windows sends what proves who its user is. */
function ofFolder(uri: string): NamedAddress | undefined {
  if (!URL.canParse(uri)) return undefined;
  const { host } = new URL(uri);
  if (host !== '') return { server: `file://${host}`, isPlain: true, kind: 'other' };
  let path: string;
  try {
    path = fileURLToPath(uri);
  } catch {
    return undefined; // no path of this system: with an encoded slash, say, or without a drive
  }
  const identity = pathToFileURL(path).href.replace(/(?<!\/)\/$/, '');
  return { identity, server: identity, isPlain: true, kind: 'folder' };
}

function ofBucket(
  type: PublicService,
  prefix: string,
  member: string,
  named: string | undefined,
): NamedAddress {
  const root = prefix.replace(/\/$/, '');
  const endpoint = named === undefined ? undefined : ownEndpoint(type, named);
  const identity = endpoint === undefined ? root : `${root}?${member}=${encodeURIComponent(endpoint)}`;
  const isPublic = named === undefined || isOfService(type, named);
  return { identity, ...serverAt(type, named), kind: isPublic ? 'public' : 'other' };
}

function ofContainer(uri: string): NamedAddress | undefined {
  const { container = '', prefix = '', account, endpoint: named } = parseAzureAddress(uri);
  if (named === undefined && account === undefined) return undefined;
  const endpoint = named?.replace(/\/+$/, '') ?? `https://${account}.blob.core.windows.net`;
  if (!URL.canParse(endpoint)) return undefined;
  const [x, name] = ['/x', new BlobNames(prefix).keyOf('x')];
  const identity = blobUri(`${endpoint}/${container}`, name).slice(0, -x.length);
  const owner = azureAccountOf(endpoint);
  const told = { identity, ...serverAt('azure', endpoint) };
  const isPublic = owner !== undefined && (account ?? owner) === owner;
  return isPublic ? { ...told, kind: 'public', account: owner } : { ...told, kind: 'other' };
}

/** The receiver of what a storage of a kind needs: at an endpoint, or at the service's own. */
export function serverAt(
  type: string,
  endpoint: string | undefined,
): Pick<NamedAddress, 'server' | 'isPlain'> {
  if (endpoint === undefined) return { server: type, isPlain: true };
  const plain = URL.canParse(endpoint) ? plainEndpoint(endpoint) : endpoint;
  return { server: `${type} ${plain}`, isPlain: plain === endpoint };
}
