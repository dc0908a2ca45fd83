import { it } from 'vitest';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { expectBudgetToBeTold, expectTasksToSurvive } from './many-tasks.ts';

/** `npm run check-faults` writes 200. */
const TASKS = Number(process.env.STOWAGE_FAULT_TASKS ?? 60);
const busy = {
  kind: 'answer' as const,
  status: 503,
  body: JSON.stringify({ error: { message: 'Backend Error', errors: [{ reason: 'backendError' }] } }),
};

describeOnFakeGcs('tasks on a bad way', (server) => {
  const far = async () => {
    const place = await server.newPlace();
    const proxy = await startFaultyProxy(place.apiEndpoint);
    const options = { ...place, partBytes: 4 * 1024 * 1024 };
    const openDirect = () => GcsStorage.open(options);
    const openThrough = () => GcsStorage.open({ ...options, apiEndpoint: proxy.url });
    return { proxy, openDirect, openThrough, busy, isChecked: () => false };
  };

  it('are written and read back with 30 % of the requests failing', { timeout: 300_000 }, async () => {
    const store = await far();
    await expectTasksToSurvive({ ...store, tasks: TASKS, largeEvery: 20 });
    await store.proxy.stop();
  });

  it('that is closed: the error names operation, object, attempts and the last cause', async () => {
    const store = await far();
    await expectBudgetToBeTold(store);
    await store.proxy.stop();
  });
});
