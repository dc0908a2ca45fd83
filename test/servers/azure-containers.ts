import { randomBytes } from 'node:crypto';
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll } from 'vitest';
import { startAzurite } from './azurite.ts';

/** A container that nobody else uses, as an `AzureStorage` takes it. */
export interface AzurePlace {
  connectionString: string;
  container: string;
}

/** An Azurite that runs during the tests of a file. */
export interface AzuriteInUse {
  /** `http://127.0.0.1:<port>/devstoreaccount1` */
  endpoint(): string;
  newPlace(): Promise<AzurePlace>;
}

/** Starts Azurite before the tests of the file, and stops it after them. */
export function useAzurite(): AzuriteInUse {
  let running: Awaited<ReturnType<typeof startAzurite>> | undefined;
  beforeAll(async () => {
    running = await startAzurite();
  });
  afterAll(() => running?.stop());
  const azurite = () => {
    if (!running) throw new Error('Azurite runs only while tests do.');
    return running;
  };
  return {
    endpoint: () => azurite().blobEndpoint,
    newPlace: async () => {
      const place = {
        connectionString: azurite().connectionString,
        container: `test-${randomBytes(8).toString('hex')}`,
      };
      await clientOf(place).createIfNotExists();
      return place;
    },
  };
}

/** A client of the tests' own, for what a storage does not do: making containers, looking at blocks, writing behind its back. */
export function clientOf({ connectionString, container }: AzurePlace): ContainerClient {
  return BlobServiceClient.fromConnectionString(connectionString, {
    // Azurite hangs up connections that were idle, maybe as a request is on its way.
    retryOptions: { maxTries: 3, retryDelayInMs: 10 },
  }).getContainerClient(container);
}

/** The blobs that have blocks which nobody committed, and how many. */
export async function uncommittedBlocks(place: AzurePlace): Promise<Record<string, number>> {
  const client = clientOf(place);
  const found: Record<string, number> = {};
  for await (const { name } of client.listBlobsFlat({ includeUncommitedBlobs: true })) {
    const { uncommittedBlocks: blocks } = await client.getBlockBlobClient(name).getBlockList('uncommitted');
    if (blocks?.length) found[name] = blocks.length;
  }
  return found;
}
