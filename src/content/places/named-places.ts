import { isStowageError } from '../../errors.ts';
import { accountOfEndpoint } from '../../storage/azure/address.ts';
import type { DataStoreStorage } from '../../storage/contract.ts';
import { endpointOfEnvironment, withProtocol } from '../../storage/endpoints.ts';
import { type NamedAddress, namedAddress, serverAt } from '../../storage/named-address.ts';

/** Whom a program trusts with what its environment holds. */
export interface Trusted {
  /** The storage of the store itself. */
  home: DataStoreStorage;
  /** Addresses that the program named itself, with their schemes: of the store, of its places. */
  addresses: readonly string[];
}

/** The endpoint of Azurite, and of the emulator before it. */
const DEVELOPMENT_ENDPOINT = 'http://127.0.0.1:10000/devstoreaccount1';

/**
 * True if an address that a record of a store names may be opened with what the environment holds. Such an address is data: whoever
 * prepared the store wrote it. Credentials go to the services themselves, to the endpoint that the environment configures, to
 * that of the store, and to servers that the program named; a folder is opened for a store of this machine. Everything else is
 * opened by `openPlace`, or not at all.
 */
export function isTrusted(uri: string, { home, addresses }: Trusted): boolean {
  const named = parsed(uri);
  if (!named) return false;
  const { kind, account, server, isPlain } = named;
  switch (kind) {
    case 'memory':
      return true;
    case 'public':
      if (account === undefined || !takesSas(account)) return true;
      break;
    case 'folder':
      if (home.type === 'local' || home.type === 'memory') return true;
      break;
  }
  const ofStore = home.endpoint === undefined ? undefined : serverAt(home.type, home.endpoint).server;
  const others = [ofStore, ...addresses.map((one) => parsed(one)?.server), ...serversOfEnvironment()];
  return isPlain && others.includes(server);
}

const PROJECTS = ['projectId', 'userProject'] as const;

/**
 * The address by which a bucket that a record names is opened. Who pays for requests is what the program said, in an address of the same
 * bucket, and never what the record says.
 *
 * @param addresses - those that the program named
 */
export function withOwnProjects(uri: string, addresses: readonly string[]): string {
  const named = parsed(uri);
  if (!named?.billing) return uri;
  const [path = '', query] = uri.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  for (const name of PROJECTS) parameters.delete(name);
  for (const address of addresses) {
    const own = parsed(address);
    if (own?.billing?.bucket !== named.billing.bucket || own.server !== named.server) continue;
    for (const name of PROJECTS) {
      const project = own.billing[name];
      if (project !== undefined) parameters.set(name, project);
    }
  }
  return parameters.size === 0 ? path : `${path}?${parameters}`;
}

/** Tells from the address in a record what the id of its place follows from; `undefined` where the text does not tell. */
export function namedIdentity(uri: string): string | undefined {
  return parsed(uri)?.identity;
}

function parsed(uri: string): NamedAddress | undefined {
  try {
    return namedAddress(uri);
  } catch (error) {
    if (isStowageError(error, 'INVALID_ARGUMENT', 'INVALID_NAME')) return undefined;
    throw error;
  }
}

function serversOfEnvironment(): string[] {
  const s3 = endpointOfEnvironment('s3');
  const gcs = endpointOfEnvironment('gcs');
  const account = process.env.AZURE_STORAGE_ACCOUNT;
  const servers: [type: string, endpoint: string | undefined][] = [
    ['s3', s3],
    ['gcs', gcs && withProtocol(gcs)],
    ['azure', endpointOfConnectionString()],
    ['azure', account && `https://${account}.blob.core.windows.net`],
  ];
  return servers.flatMap(([type, at]) => (at ? [serverAt(type, at).server] : []));
}

/** The endpoint of the blob service in a connection string of the environment, in any cloud. */
function endpointOfConnectionString(): string | undefined {
  const settings = connectionString();
  if (settings.get('usedevelopmentstorage') === 'true') return DEVELOPMENT_ENDPOINT;
  const [account, suffix] = [settings.get('accountname'), settings.get('endpointsuffix')];
  const protocol = settings.get('defaultendpointsprotocol') ?? 'https';
  return settings.get('blobendpoint') ?? (account && suffix && `${protocol}://${account}.blob.${suffix}`);
}

function connectionString(): Map<string, string> {
  return new Map(
    (process.env.AZURE_STORAGE_CONNECTION_STRING ?? '').split(';').map((setting) => {
      const equals = setting.indexOf('=');
      return [setting.slice(0, equals).trim().toLowerCase(), setting.slice(equals + 1).trim()];
    }),
  );
}

/**
 * True if a signature (SAS) of the environment would be sent to an account of this name. It stands in the URL of each request, and whoever
 * has it is let in; and each cloud of Azure, and each zone, can have an account of that name, of anybody.
 */
function takesSas(account: string): boolean {
  const { AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY } = process.env;
  const isOurs = !AZURE_STORAGE_ACCOUNT || AZURE_STORAGE_ACCOUNT === account;
  if (AZURE_STORAGE_SAS_TOKEN && !AZURE_STORAGE_KEY && isOurs) return true;
  const settings = connectionString();
  return (
    settings.has('sharedaccesssignature') && accountOfEndpoint(settings.get('blobendpoint') ?? '') === account
  );
}
