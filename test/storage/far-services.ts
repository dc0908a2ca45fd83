import { describe } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

/** The way to a service, to which a test can put something between. */
export interface Way {
  /** That of the service's endpoint. */
  origin: string;
  /** A storage of a place that nobody else uses, whose requests go to another origin. Parts are as small as the service allows. */
  openThrough: (origin: string, options?: { requestTimeoutMs?: number }) => Promise<DataStoreStorage>;
}

/** Registers tests for each service: for each real server of S3 that there is, Azurite, and fake-gcs-server. */
export function describeOnServices(title: string, body: (findWay: () => Promise<Way>) => void): void {
  for (const server of s3Servers()) {
    describe.runIf(server.isReal)(`${title}, on ${server.name}`, () => {
      const inUse = useS3Server(server);
      body(async () => {
        const place = { ...(await inUse.newPlace()), partBytes: 5 * 1024 * 1024 };
        return {
          origin: place.endpoint,
          openThrough: (endpoint, options) => S3Storage.open({ ...place, ...options, endpoint }),
        };
      });
    });
  }
  describe(`${title}, on Azurite`, () => {
    const azurite = useAzurite();
    body(async () => {
      const place = { ...(await azurite.newPlace()), partBytes: 1024 * 1024 };
      const { origin, pathname } = new URL(azurite.endpoint());
      return {
        origin,
        openThrough: (through, options) =>
          AzureStorage.open({ ...place, ...options, endpoint: through + pathname }),
      };
    });
  });
  describeOnFakeGcs(`${title}, on fake-gcs-server`, (server) => {
    body(async () => {
      const place = { ...(await server.newPlace()), partBytes: 256 * 1024 };
      return {
        origin: place.apiEndpoint,
        openThrough: (apiEndpoint, options) => GcsStorage.open({ ...place, ...options, apiEndpoint }),
      };
    });
  });
}
