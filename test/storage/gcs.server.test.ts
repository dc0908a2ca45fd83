import { GcsStorage } from '../../src/storage/gcs.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { describeOnFakeGcs, type GcsPlace } from '../servers/gcs-buckets.ts';
import { OF_THOUSANDS, PATIENT, runnerWithout } from './conformance-runner.ts';

describeOnFakeGcs('the promises of every storage', (server) => {
  let place: Promise<GcsPlace> | undefined;
  const open = async (options: { prefix?: string; partBytes?: number } = {}): Promise<GcsStorage> => {
    place ??= server.newPlace();
    return GcsStorage.open({ ...(await place), ...PATIENT, apiEndpoint: server.url(), ...options });
  };

  // Thousands of objects are those of gcs-listing.server.test.ts.
  describeStorage(runnerWithout(OF_THOUSANDS), 'gcs', () => open());
  describeStorage(
    runnerWithout(OF_THOUSANDS),
    'gcs, below an awkward prefix, in small parts, by retry and limit',
    async () =>
      new RetryStorage(
        new LimitStorage(await open({ prefix: '/Some where./100%2E/😀.', partBytes: 256 * 1024 }), 64),
      ),
  );
});
