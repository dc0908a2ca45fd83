import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { OF_THOUSANDS, PATIENT, runnerOfOnly, runnerWithout } from './conformance-runner.ts';

const servers = s3Servers();
for (const server of servers) {
  const { faults, needsRetries, isReal, name } = server;
  const inUse = useS3Server(server);
  let place: ReturnType<typeof inUse.newPlace> | undefined;
  const open = async (): Promise<S3Storage> => {
    place ??= inUse.newPlace();
    return S3Storage.open({ ...(await place), ...PATIENT, singleWriter: !isReal });
  };

  // Listings of thousands, and decorators, are tried on the last one, which is the faster of two.
  const isLast = server === servers.at(-1);
  const elsewhere = isLast ? [] : OF_THOUSANDS;
  describeStorage(runnerWithout([...faults, ...needsRetries, ...elsewhere]), `s3 on ${name}`, open);
  describeStorage(
    isLast ? runnerWithout([...faults, ...OF_THOUSANDS]) : runnerOfOnly(needsRetries),
    `s3 on ${name}, by retry and limit`,
    async () => new RetryStorage(new LimitStorage(await open(), 64)),
  );
}
