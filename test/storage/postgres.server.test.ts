import { PostgresStorage } from '../../src/storage/databases.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { OF_THOUSANDS, runnerWithout } from './conformance-runner.ts';

describeOnPostgres('the promises of every storage', (server) => {
  describeStorage(runnerWithout(), 'postgres', () => PostgresStorage.open(`${server.address()}/plain`));
  describeStorage(
    runnerWithout(OF_THOUSANDS),
    'postgres, by retry and limit',
    async () => new RetryStorage(new LimitStorage(await PostgresStorage.open(server.address()), 64)),
  );
});
