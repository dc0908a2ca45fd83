import { isIP } from 'node:net';
import { StowageError } from '../../errors.ts';
import type { AzureStorageOptions } from './options.ts';

const ADDRESS = /^(?:az|azure|abfss?):\/\/([^/?#]*)(?:\/([^?]*))?(?:\?(.*))?$/is;
/** The account in the host of its blob service (or that of its data lake), in every cloud; some have a zone after it. */
const ACCOUNT_HOST = /^([a-z0-9]{3,24})(?:\.z\d+)?\.(?:blob|dfs)\./i;

/** A store by its address. */
export type AzureAddress = Pick<AzureStorageOptions, 'container' | 'prefix' | 'account' | 'endpoint'>;

/**
 * Reads an address: `az://container/prefix?account=...&endpoint=...`, or with the account's host
 * `az://account.blob.core.windows.net/container/prefix`, or as Hadoop writes it
 * `abfss://container@account.dfs.core.windows.net/prefix`. `az:`, `azure:`, `abfs:` and `abfss:` mean the same. The prefix
 * is taken as it is written: nothing in it is percent-decoded. One with a `?` is given by options.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function parseAzureAddress(uri: string): AzureAddress {
  const match = ADDRESS.exec(uri);
  if (!match?.[1]) throw invalid(uri, 'it names no container; write az://container or az://container/prefix');
  const [, authority, path = '', query = ''] = match;
  const place = placeOf(uri, authority, path);
  for (const [key, value] of new URLSearchParams(query)) {
    if (key !== 'account' && key !== 'endpoint') {
      throw invalid(withoutSecrets(uri), `after "?" it may say account= and endpoint=, not ${key}=`);
    }
    if (place[key] !== undefined && place[key] !== value) throw invalid(uri, `it names two of ${key}`);
    place[key] = value;
  }
  return place;
}

/** The account that an endpoint belongs to: in its host, or, where that is a machine of one's own, first in its path. */
export function accountOfEndpoint(endpoint: string): string | undefined {
  if (!URL.canParse(endpoint)) return undefined;
  const { hostname, pathname } = new URL(endpoint);
  const isMachine = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || !hostname.includes('.');
  return ACCOUNT_HOST.exec(hostname)?.[1] ?? ((isMachine && pathname.split('/')[1]) || undefined);
}

/** The address of a blob as other tools of Azure take it. It holds no credentials. */
export function blobUri(containerUrl: string, key: string): string {
  const { origin, pathname } = new URL(containerUrl);
  return `${origin}${pathname}/${key.split('/').map(encodeURIComponent).join('/')}`;
}

function placeOf(uri: string, authority: string, path: string): AzureAddress {
  const [container = '', host, ...more] = authority.split('@');
  if (authority.includes(':') || more.length > 0) {
    const why =
      'credentials come from the environment or from options, an endpoint with a port after ?endpoint=';
    throw invalid(withoutSecrets(uri), why);
  }
  if (host !== undefined) return { container, prefix: path, ...placeOfHost(host) };
  // Names of containers have no dots, those of hosts have.
  if (!container.includes('.')) return { container, prefix: path };
  const slash = path.indexOf('/');
  const first = slash < 0 ? path : path.slice(0, slash);
  if (first === '') throw invalid(uri, `it names no container; write az://${container}/container`);
  return { container: first, prefix: slash < 0 ? '' : path.slice(slash + 1), ...placeOfHost(container) };
}

function placeOfHost(host: string): Pick<AzureAddress, 'account' | 'endpoint'> {
  const account = ACCOUNT_HOST.exec(host)?.[1];
  return { endpoint: `https://${host.replace(/\.dfs\./i, '.blob.')}`, ...(account && { account }) };
}

/** The message must not repeat what may be a secret: what stands before an "@", or is a signature. */
function withoutSecrets(uri: string): string {
  return uri.replace(/\/\/[^/?]*@/, '//...@').replace(/\?.*/s, '?...');
}

function invalid(uri: string, why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `"${uri}" is no address of an Azure storage: ${why}.`, {
    details: { uri },
  });
}
