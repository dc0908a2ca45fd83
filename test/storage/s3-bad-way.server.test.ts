import { describe, it } from 'vitest';
import { S3Storage } from '../../src/storage/s3.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { expectBudgetToBeTold, expectTasksToSurvive } from './many-tasks.ts';

/** `npm run check-faults` writes 200 tasks on each server. */
const TASKS = Number(process.env.STOWAGE_FAULT_TASKS ?? 0);
const busy = {
  kind: 'answer' as const,
  status: 503,
  body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};

// At once: they wait more than they work.
s3Servers().forEach((server, index) => {
  describe.runIf(server.isReal)(`tasks on a bad way to ${server.name}`, { concurrent: true }, () => {
    const inUse = useS3Server(server);
    const far = async () => {
      const place = await inUse.newPlace();
      const proxy = await startFaultyProxy(place.endpoint);
      const partBytes = 5 * 1024 * 1024;
      const openDirect = () => S3Storage.open({ ...place, partBytes });
      const openThrough = () => S3Storage.open({ ...place, partBytes, endpoint: proxy.url });
      return { proxy, openDirect, openThrough, busy, isChecked: () => true };
    };

    it('are written and read back with 30 % of the requests failing', { timeout: 300_000 }, async () => {
      const store = await far();
      await expectTasksToSurvive({ ...store, tasks: TASKS || (index === 0 ? 100 : 40), largeEvery: 40 });
      await store.proxy.stop();
    });

    it('that is closed: the error names operation, object, attempts and the last cause', async () => {
      const store = await far();
      await expectBudgetToBeTold(store);
      await store.proxy.stop();
    });
  });
});
