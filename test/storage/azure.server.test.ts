import { AzureStorage } from '../../src/storage/azure.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { type AzurePlace, useAzurite } from '../servers/azure-containers.ts';
import { OF_THOUSANDS, PATIENT, runnerWithout } from './conformance-runner.ts';

const azurite = useAzurite();
let place: Promise<AzurePlace> | undefined;
const open = async (prefix = ''): Promise<AzureStorage> => {
  place ??= azurite.newPlace();
  return AzureStorage.open({ ...(await place), ...PATIENT, prefix });
};

describeStorage(runnerWithout(), 'azure', () => open());
describeStorage(
  runnerWithout(OF_THOUSANDS),
  'azure, below an awkward prefix, by retry and limit',
  async () => new RetryStorage(new LimitStorage(await open('/Some where./100%2E/😀.'), 64)),
);
