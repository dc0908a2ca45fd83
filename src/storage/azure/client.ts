import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { ContainerClient, RequestPolicyFactory, WebResource } from '@azure/storage-blob';
import { StowageError } from '../../errors.ts';
import { type AzureSdk, findAccount } from './account.ts';
import type { CheckedAzureOptions } from './options.ts';

/** A client of one container. */
export interface AzureConnection {
  container: ContainerClient;
  /** True if it may send a request again by itself, as one that was passed in does by the SDK's default. */
  mayRepeat: boolean;
  /** The time at which the SAS expires, in milliseconds since 1970, where there is one that says it. */
  sasExpiresAtMs?: number | undefined;
  /** Frees what was made for it. */
  close(): void;
}

const MAX_SOCKETS = 128;

/** @throws StowageError `INVALID_ARGUMENT`, `STORAGE_CREDENTIALS`; `STORAGE_UNSUPPORTED` where the SDK is not installed */
export async function connect(options: CheckedAzureOptions): Promise<AzureConnection> {
  if (options.containerClient) {
    const container = options.containerClient as ContainerClient;
    const sasExpiresAtMs = expiryOf(new URL(container.url).search.slice(1));
    return { container, mayRepeat: true, sasExpiresAtMs, close() {} };
  }
  const sdk = await loadSdk();
  const { endpoint, credential, sas } = await findAccount(sdk, options);
  const pipeline = sdk.newPipeline(credential, { retryOptions: { maxTries: 1 } });
  const agents = new Agents(options.requestTimeoutMs);
  pipeline.factories.push(agents.policy);
  const url = `${endpoint}/${options.container}${sas === undefined ? '' : `?${sas}`}`;
  return {
    container: new sdk.ContainerClient(url, pipeline),
    mayRepeat: false,
    sasExpiresAtMs: expiryOf(sas ?? ''),
    close: () => agents.destroy(),
  };
}

async function loadSdk(): Promise<AzureSdk> {
  try {
    return await import('@azure/storage-blob');
  } catch (cause) {
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      'Stores on Azure need the optional package @azure/storage-blob, which cannot be loaded here: ' +
        'npm install @azure/storage-blob@12.32 (the last for Node.js 20).',
      { details: { package: '@azure/storage-blob' }, cause },
    );
  }
}

function expiryOf(sas: string): number | undefined {
  const expiryMs = Date.parse(new URLSearchParams(sas).get('se') ?? '');
  return Number.isNaN(expiryMs) ? undefined : expiryMs;
}

/**
 * The sockets of one storage, which end with it. Those of the SDK are shared by the whole process, and wait forever for a
 * service that keeps silent. Where a proxy is configured (`HTTPS_PROXY`) its sockets are used.
 */
class Agents {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(requestTimeoutMs: number) {
    const options = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: requestTimeoutMs };
    this.#http = endingSilence(new HttpAgent(options), requestTimeoutMs);
    this.#https = endingSilence(new HttpsAgent(options), requestTimeoutMs);
  }

  get policy(): RequestPolicyFactory {
    const agentOf = (url: string): HttpAgent => (url.startsWith('https:') ? this.#https : this.#http);
    return {
      create: (next) => ({
        sendRequest: (request: WebResource & { agent?: HttpAgent }) => {
          request.agent ??= agentOf(request.url);
          return next.sendRequest(request);
        },
      }),
    };
  }

  destroy(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** Node.js only tells that nothing was sent or received for so long; somebody has to end it. */
function endingSilence<A extends HttpAgent>(agent: A, requestTimeoutMs: number): A {
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = createConnection(options, callback) as Duplex;
    const message = `nothing was sent or received for ${requestTimeoutMs} ms`;
    socket.on('timeout', () => socket.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' })));
    return socket;
  };
  return agent;
}
