import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { OF_THOUSANDS, runnerWithout } from './conformance-runner.ts';

for (const server of s3Servers()) {
  const { faults, needsRetries, isReal, name } = server;
  const inUse = useS3Server(server);
  let place: ReturnType<typeof inUse.newPlace> | undefined;
  const open = async (): Promise<S3Storage> => {
    place ??= inUse.newPlace();
    return S3Storage.open({ ...(await place), singleWriter: !isReal });
  };

  describeStorage(runnerWithout([...faults, ...needsRetries]), `s3 on ${name}`, open);
  describeStorage(
    runnerWithout([...faults, ...OF_THOUSANDS]),
    `s3 on ${name}, by retry and limit`,
    async () => new RetryStorage(new LimitStorage(await open(), 64)),
  );
}
