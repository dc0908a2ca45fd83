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

/** @throws StowageError `STORAGE_UNSUPPORTED` where the SDK is not installed; `INVALID_ARGUMENT` */
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
    credentialsFor: isAnonymous ? async () => ({}) : (url) => client.authClient.getRequestHeaders(url),
  };
}

/**
 * The SDK finds credentials of every kind. Its requests are not used: they cannot be aborted, and its uploads keep no
 * bound on memory that holds with retries of single parts.
 */
async function newClient(options: CheckedGcsOptions): Promise<GcsClient> {
  const { projectId, keyFilename, credentials } = options;
  // The SDK would take an emulator that is named without its protocol for one that speaks TLS.
  const emulator = endpointOfEnvironment('gcs');
  const apiEndpoint = options.apiEndpoint ?? (emulator === undefined ? undefined : withProtocol(emulator));
  const { Storage } = await loadSdk();
  return new Storage({
    ...(projectId !== undefined && { projectId }),
    ...(keyFilename !== undefined && { keyFilename }),
    ...(credentials !== undefined && { credentials }),
    ...(apiEndpoint !== undefined && { apiEndpoint }),
    useAuthWithCustomEndpoint: keyFilename !== undefined || credentials !== undefined,
    retryOptions: { autoRetry: false, maxRetries: 0 },
  });
}

async function loadSdk(): Promise<typeof import('@google-cloud/storage')> {
  try {
    return await import('@google-cloud/storage');
  } catch (cause) {
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      'Stores on Google Cloud Storage need the package @google-cloud/storage, which cannot be loaded here: ' +
        'npm install @google-cloud/storage@7.',
      { details: { package: '@google-cloud/storage' }, cause },
    );
  }
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
