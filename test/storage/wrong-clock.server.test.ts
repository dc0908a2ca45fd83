import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import type { OpenStorageOptions } from '../../src/storage/open.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { AZURITE_ACCOUNT, AZURITE_KEY } from '../servers/azurite.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const HOUR_MS = 3_600_000;
const worker = join(import.meta.dirname, 'workers/wrong-clock.mjs');

/** What comes of a task in a process whose clock is off by so much. */
async function withClockOff(address: string, options: OpenStorageOptions, offsetMs: number): Promise<object> {
  const args = [worker, address, JSON.stringify(options), `${offsetMs}`];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`a clock that is wrong, and ${server.name}`, () => {
    const inUse = useS3Server(server);
    const open = async () => {
      const { bucket, prefix, ...s3 } = await inUse.newPlace();
      return { address: `s3://${bucket}/${prefix}`, s3 };
    };

    it.each([-HOUR_MS, HOUR_MS, 24 * HOUR_MS])(
      'off by %i ms: the SDK goes by the server’s',
      async (offsetMs) => {
        const { address, s3 } = await open();
        expect(await withClockOff(address, { s3 }, offsetMs)).toEqual({ auc: 0.91 });
      },
    );

    it('where no answer tells the time, says to set it', async () => {
      const { address, s3 } = await open();
      const proxy = await startFaultyProxy(s3.endpoint);
      const body =
        '<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>';
      proxy.plan = () => ({ kind: 'answer', status: 403, headers: { date: 'unknown' }, body });
      const told = await withClockOff(address, { s3: { ...s3, endpoint: proxy.url } }, HOUR_MS);
      expect(told).toMatchObject({
        code: 'STORAGE_CREDENTIALS',
        message: expect.stringMatching(/clock is too far.*set the clock/),
      });
      await proxy.stop();
    });
  });
}

describe('a clock that is wrong, and Azure', () => {
  const azurite = useAzurite();

  // Azurite does not look at the time of what a key signed; azure-errors.test.ts has what the service says of it.
  it('a SAS is judged by the service’s clock, whatever ours says', async () => {
    const { container } = await azurite.newPlace();
    const sasToken = generateBlobSASQueryParameters(
      {
        containerName: container,
        permissions: ContainerSASPermissions.parse('racwdl'),
        expiresOn: new Date(Date.now() + HOUR_MS / 2),
      },
      new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY),
    ).toString();
    const azure = { endpoint: azurite.endpoint(), sasToken };
    for (const offsetMs of [-HOUR_MS, HOUR_MS])
      expect(await withClockOff(`az://${container}`, { azure }, offsetMs)).toEqual({ auc: 0.91 });
  });
});
