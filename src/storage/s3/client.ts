import type { S3Client } from '@aws-sdk/client-s3';
import { StowageError } from '../../errors.ts';
import type { CheckedS3Options } from './options.ts';

/** The AWS SDK's module. */
export type S3Sdk = typeof import('@aws-sdk/client-s3');

/** A client, and the module that it comes from. */
export interface S3Connection {
  sdk: S3Sdk;
  client: S3Client;
  /** True if the client was made here, and is to be destroyed here. */
  isOwn: boolean;
}

/** The parts of a request of the SDK that are used here. */
interface HttpTarget {
  protocol: string;
  hostname: string;
  port?: number | undefined;
  path: string;
}

const MAX_SOCKETS = 128;
const MAX_CONNECTION_MS = 10_000;
const WARNING_SWITCH = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';
/** A library does not print; the SDK would warn on the console of what only we can change. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** @throws StowageError `STORAGE_UNSUPPORTED` where the SDK is not installed; `INVALID_ARGUMENT` where no region is known */
export async function connect(options: CheckedS3Options): Promise<S3Connection> {
  const sdk = await loadSdk();
  if (!options.client) checkEndpointOfEnvironment(options);
  if (options.client) return { sdk, client: options.client as S3Client, isOwn: false };
  const client = newClient(sdk, options, options.region);
  try {
    await client.config.region();
    return { sdk, client, isOwn: true };
  } catch (cause) {
    client.destroy();
    // Servers that are not AWS have one region, and mostly do not care for its name.
    if (endpointOf(options)) return { sdk, client: newClient(sdk, options, 'us-east-1'), isOwn: true };
    throw new StowageError(
      'INVALID_ARGUMENT',
      `The region of the bucket "${options.bucket}" is not known (${(cause as Error).message}); set AWS_REGION, pass ` +
        'region, or write it after the address: ?region=eu-central-1.',
      { details: { bucket: options.bucket }, cause },
    );
  }
}

/**
 * The URL that requests about a bucket go to. Asks the client, because only it knows all of what configures it: the
 * request is made up to where it would be signed, and not sent.
 */
export async function bucketUrlOf({ sdk, client }: S3Connection, bucket: string): Promise<URL> {
  let url = '';
  const command = new sdk.HeadBucketCommand({ Bucket: bucket });
  const stop = () => async (args: { request?: unknown }) => {
    const { protocol, hostname, port, path } = args.request as HttpTarget;
    url = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
    return { output: { $metadata: {} }, response: undefined };
  };
  command.middlewareStack.add(stop, { step: 'build', priority: 'high', name: 'stowageHost' });
  await client.send(command);
  return new URL(url);
}

async function loadSdk(): Promise<S3Sdk> {
  try {
    return await import('@aws-sdk/client-s3');
  } catch (cause) {
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      'Stores on S3 need the optional package @aws-sdk/client-s3, which cannot be loaded here: ' +
        'npm install @aws-sdk/client-s3.',
      { details: { package: '@aws-sdk/client-s3' }, cause },
    );
  }
}

function newClient(sdk: S3Sdk, options: CheckedS3Options, region: string | undefined): S3Client {
  const { endpoint, credentials, requestTimeoutMs } = options;
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  return withoutVersionWarning(
    () =>
      new sdk.S3Client({
        ...(endpoint !== undefined && { endpoint }),
        ...(region !== undefined && { region }),
        ...(credentials !== undefined && { credentials }),
        forcePathStyle: options.forcePathStyle ?? endpointOf(options) !== undefined,
        maxAttempts: 1,
        // The signature covers the SHA-256 of every body, so that all servers refuse one that was changed on its way;
        // further checksums are not understood by all of them.
        ...(!process.env.AWS_REQUEST_CHECKSUM_CALCULATION && { requestChecksumCalculation: 'WHEN_REQUIRED' }),
        ...(!process.env.AWS_RESPONSE_CHECKSUM_VALIDATION && { responseChecksumValidation: 'WHEN_REQUIRED' }),
        // Waiting for "100 Continue" costs a connection of its own for each body, and seconds where no server says it.
        expectContinueHeader: false,
        requestHandler: {
          connectionTimeout: Math.min(requestTimeoutMs, MAX_CONNECTION_MS),
          socketTimeout: requestTimeoutMs,
          httpAgent: agent,
          httpsAgent: agent,
          logger: SILENT,
        },
      }),
  );
}

/** The endpoint, if one is configured where it can be seen without the SDK. */
function endpointOf(options: CheckedS3Options): string | undefined {
  return options.endpoint ?? endpointOfEnvironment()?.endpoint;
}

function endpointOfEnvironment(): { variable: string; endpoint: string } | undefined {
  for (const variable of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
    const endpoint = process.env[variable];
    if (endpoint) return { variable, endpoint };
  }
  return undefined;
}

/** The SDK would say of an address without its scheme that it is no URL, and not whose. */
function checkEndpointOfEnvironment({ endpoint: given }: CheckedS3Options): void {
  const named = given === undefined ? endpointOfEnvironment() : undefined;
  if (!named || (/^https?:\/\//i.test(named.endpoint) && URL.canParse(named.endpoint))) return;
  const { variable, endpoint } = named;
  throw new StowageError(
    'INVALID_ARGUMENT',
    `${variable} is "${endpoint}", which is no URL; write http:// or https:// before the host, as in http://127.0.0.1:9000.`,
    { details: { variable, endpoint } },
  );
}

/** The SDK warns of the end of its support for Node.js 20 when a client is made, unless its own switch is set. */
function withoutVersionWarning<T>(make: () => T): T {
  const before = process.env[WARNING_SWITCH];
  process.env[WARNING_SWITCH] = 'true';
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[WARNING_SWITCH];
    else process.env[WARNING_SWITCH] = before;
  }
}
