import { describe, it } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { scratchFolder } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { expectToLiveBesideOthers } from './not-a-store.ts';

const title = 'is no store until one is made beside them, and none where stowage.json is not ours';

describe('a folder with files of others', () => {
  it(title, () => expectToLiveBesideOthers(() => LocalStorage.open(scratchFolder(), { fsync: false })));
});

for (const server of s3Servers()) {
  describe(`a bucket of ${server.name} with objects of others`, () => {
    const inUse = useS3Server(server);
    const singleWriter = !server.isReal;
    it(title, () =>
      expectToLiveBesideOthers(async () => S3Storage.open({ ...(await inUse.newPlace()), singleWriter })),
    );
  });
}

describe('a container with blobs of others', () => {
  const azurite = useAzurite();
  it(title, () => expectToLiveBesideOthers(async () => AzureStorage.open(await azurite.newPlace())));
});

describeOnFakeGcs('a bucket of Cloud Storage with objects of others', (server) => {
  it(title, () => expectToLiveBesideOthers(async () => GcsStorage.open(await server.newPlace())));
});
