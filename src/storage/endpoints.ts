/** The services whose endpoint an address may leave out, because it is their own. */
export type PublicService = 's3' | 'gcs';

const REGION = '[a-z]{2,}(?:-[a-z]+)+-[0-9]+';
/**
 * Hosts of the services themselves, each told exactly: under `amazonaws.com` there are hosts of customers as well (load balancers, gateways,
 * machines). https://docs.aws.amazon.com/general/latest/gr/s3.html, https://cloud.google.com/storage/docs/request-endpoints
 */
const HOSTS: Readonly<Record<PublicService, RegExp>> = {
  s3: new RegExp(
    '^(?:[a-z0-9.-]+\\.)?(?:' +
      `s3(?:-fips|-accesspoint|-accesspoint-fips)?(?:\\.dualstack)?\\.${REGION}` +
      `|s3-(?:external-1|accelerate(?:\\.dualstack)?|${REGION})|s3|vpce-[0-9a-z-]+\\.s3\\.${REGION}\\.vpce` +
      ')\\.amazonaws\\.com(?:\\.cn)?$',
  ),
  gcs: /^(?:[a-z0-9.-]+\.)?googleapis\.com$/,
};
/** Variables that name the endpoint of all addresses which name none. The first one that is set counts. */
const VARIABLES: Readonly<Record<PublicService, readonly string[]>> = {
  s3: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
  gcs: ['STORAGE_EMULATOR_HOST'],
};
/** The account's host in each cloud of Azure; some have a zone after the account. */
const AZURE_HOST =
  /^([a-z0-9]{3,24})(?:\.z[0-9]+)?\.blob\.(?:core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de)|storage\.azure\.net)$/;

/**
 * The endpoint at `url` in the one form of all its spellings: scheme, host, a port that is no usual one, and a path without a slash at its
 * end. `undefined` for the hosts of the service itself, which an address need not name.
 */
export function ownEndpoint(service: PublicService, url: string): string | undefined {
  if (!URL.canParse(url)) return url;
  const { hostname } = new URL(url);
  return HOSTS[service].test(hostname) ? undefined : plainEndpoint(url);
}

/** The same for a service each of whose accounts has a host of its own. */
export function plainEndpoint(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '').replace(/\/storage\/v1$/, '')}`;
}

/** The endpoint that the environment names, as it is written there. */
export function endpointOfEnvironment(service: PublicService): string | undefined {
  return VARIABLES[service].map((name) => process.env[name]).find((value) => value);
}

/** Emulators of Google are often named without it. */
export function withProtocol(endpoint: string): string {
  return endpoint.includes('://') ? endpoint : `http://${endpoint}`;
}

/** True if credentials that go to an endpoint reach the service itself, and nobody else on the way. */
export function isOfService(service: PublicService, endpoint: string): boolean {
  return isEncrypted(endpoint) && HOSTS[service].test(new URL(endpoint).hostname);
}

/** The account that an endpoint of Azure itself belongs to; `undefined` for any other endpoint. */
export function azureAccountOf(endpoint: string): string | undefined {
  return isEncrypted(endpoint) ? AZURE_HOST.exec(new URL(endpoint).hostname)?.[1] : undefined;
}

/** Written as it is meant: nothing stands before the host, no port, no path behind it. */
function isEncrypted(endpoint: string): boolean {
  return URL.canParse(endpoint) && `https://${new URL(endpoint).hostname}` === endpoint;
}
