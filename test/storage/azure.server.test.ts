import { describe, it } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { type AzurePlace, useAzurite } from '../servers/azure-containers.ts';

/** Azurite looks through all blobs for each request, so that what writes thousands takes long on a busy machine. */
const TIMEOUT_MS = 180_000;
const runner = {
  describe,
  it: (name: string, body: (context?: unknown) => Promise<void>) => it(name, { timeout: TIMEOUT_MS }, body),
};

const azurite = useAzurite();
let place: Promise<AzurePlace> | undefined;
const open = async (prefix = ''): Promise<AzureStorage> => {
  place ??= azurite.newPlace();
  return AzureStorage.open({ ...(await place), prefix });
};

describeStorage(runner, 'azure', () => open());
describeStorage(
  runner,
  'azure, below an awkward prefix, by retry and limit',
  async () => new RetryStorage(new LimitStorage(await open('/Some where./100%2E/😀.'), 64)),
);
