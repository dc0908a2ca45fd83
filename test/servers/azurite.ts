import { packageScript } from './binaries.ts';
import { type RunningServer, startServer } from './running-server.ts';

/** The account and key that Azurite has unless it is told others; they are published, and no secret. */
export const AZURITE_ACCOUNT = 'devstoreaccount1';
export const AZURITE_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Starts Azurite's blob service, from npm, with its data in memory. */
export async function startAzurite(): Promise<
  RunningServer & { blobEndpoint: string; connectionString: string }
> {
  const server = await startServer({
    name: 'azurite',
    command: process.execPath,
    args: (port) => [
      packageScript('azurite/dist/src/blob/main.js'),
      ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`],
      ...['--inMemoryPersistence', '--silent', '--disableTelemetry'],
      // A client may speak a version of the API that this Azurite has not heard of.
      '--skipApiVersionCheck',
    ],
  });
  const blobEndpoint = `${server.url}/${AZURITE_ACCOUNT}`;
  const connectionString =
    `DefaultEndpointsProtocol=http;AccountName=${AZURITE_ACCOUNT};AccountKey=${AZURITE_KEY};` +
    `BlobEndpoint=${blobEndpoint};`;
  return { ...server, blobEndpoint, connectionString };
}
