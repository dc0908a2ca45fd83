import { describe, it } from 'vitest';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { expectBoundedMemory, WAYS } from './large-memory.ts';

const TIMEOUT_MS = 900_000;

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`a large content on ${server.name} goes up and down within 256 MiB`, () => {
    const inUse = useS3Server(server);
    it.each(WAYS)('as %s', { timeout: TIMEOUT_MS }, async (way) => {
      const { bucket, prefix, ...s3 } = await inUse.newPlace();
      await expectBoundedMemory(`s3://${bucket}/${prefix}`, { s3 }, way);
    });
  });
}

describe('a large content on Azure goes up and down within 256 MiB', () => {
  const azurite = useAzurite();
  it.each(WAYS)('as %s', { timeout: TIMEOUT_MS }, async (way) => {
    const { container, connectionString } = await azurite.newPlace();
    await expectBoundedMemory(`az://${container}`, { azure: { connectionString } }, way);
  });
});

describeOnFakeGcs('a large content on Google Cloud Storage goes up and down within 256 MiB', (server) => {
  it.each(WAYS)('as %s', { timeout: TIMEOUT_MS }, async (way) => {
    const { bucket, apiEndpoint } = await server.newPlace();
    // For each range fake-gcs-server copies the whole object: one of 2 GiB takes it a quarter of an hour, packs of 16 MiB do not.
    const most = way === 'artifact' ? undefined : 256;
    await expectBoundedMemory(`gs://${bucket}`, { gcs: { apiEndpoint } }, way, most);
  });
});
