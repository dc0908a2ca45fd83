import { StowageError } from '../../errors.ts';
import { endpointOfEnvironment, withProtocol } from '../endpoints.ts';
import type { CheckedGcsOptions, GcsClient } from './options.ts';

/** The address of requests, and their sender. */
export interface GcsConnection {
  /** An origin, perhaps with a path; without a `/` at its end. */
  endpoint: string;
  host: string;
  /** True if that is Google itself, which is known to do what it says. */
  isGoogle: boolean;
  /** The headers that say who sends a request. */
  credentialsFor: (url: string) => Promise<Readonly<Record<string, string>>>;
}

/** The least that reads, writes, lists and deletes objects. */
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write';

/** @throws StowageError `STORAGE_UNSUPPORTED` where Google's library is not installed; `INVALID_ARGUMENT` */
export async function connect(options: CheckedGcsOptions): Promise<GcsConnection> {
  const client = options.client ?? (await newClient(options));
  const endpoint = endpointOf(client.apiEndpoint);
  const host = new URL(endpoint).host;
  const isGoogle = /(^|\.)googleapis\.com$/.test(host);
  const isAnonymous = client.customEndpoint && !client.useAuthWithCustomEndpoint && !isGoogle;
  return {
    endpoint,
    host,
    isGoogle,
    credentialsFor: isAnonymous ? async () => ({}) : (url) => headersOf(client, url),
  };
}

/** Google's own library finds credentials of every kind, and renews them. Requests are sent by `HttpConnections`. */
async function newClient(options: CheckedGcsOptions): Promise<GcsClient> {
  const { projectId, keyFilename, credentials } = options;
  const { GoogleAuth } = await loadAuth();
  const emulator = endpointOfEnvironment('gcs');
  const apiEndpoint = options.apiEndpoint ?? (emulator === undefined ? undefined : withProtocol(emulator));
  return {
    apiEndpoint: apiEndpoint ?? 'https://storage.googleapis.com',
    customEndpoint: apiEndpoint !== undefined,
    useAuthWithCustomEndpoint: keyFilename !== undefined || credentials !== undefined,
    authClient: new GoogleAuth({
      scopes: SCOPE,
      ...(projectId !== undefined && { projectId }),
      ...(keyFilename !== undefined && { keyFilename }),
      ...(credentials !== undefined && { credentials }),
    }),
  };
}

async function loadAuth(): Promise<typeof import('google-auth-library')> {
  try {
    return await import('google-auth-library');
  } catch (cause) {
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      'Stores on Google Cloud Storage need the package google-auth-library, which cannot be loaded here: ' +
        'npm install google-auth-library@10.',
      { details: { package: 'google-auth-library' }, cause },
    );
  }
}

/** The headers of a request: an object up to version 9 of Google's library, `Headers` from 10 on. */
async function headersOf(client: GcsClient, url: string): Promise<Readonly<Record<string, string>>> {
  const headers = await client.authClient.getRequestHeaders(url);
  return headers instanceof Headers ? Object.fromEntries(headers) : headers;
}

/** Emulators are often named with the path of the API, which requests bring along themselves. */
function endpointOf(apiEndpoint: string): string {
  const endpoint = apiEndpoint.replace(/\/+$/, '').replace(/\/storage\/v1$/, '');
  if (URL.canParse(endpoint)) return endpoint;
  throw new StowageError(
    'INVALID_ARGUMENT',
    `"${apiEndpoint}" is no endpoint; write https://storage.googleapis.com, or http://localhost:4443.`,
    { details: { apiEndpoint } },
  );
}
