import { describe, it } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { expectBudgetToBeTold, expectTasksToSurvive } from './many-tasks.ts';

/** `npm run check-faults` writes 200. */
const TASKS = Number(process.env.STOWAGE_FAULT_TASKS ?? 40);
const busy = {
  kind: 'answer' as const,
  status: 503,
  headers: { 'x-ms-error-code': 'ServerBusy', 'content-type': 'application/xml' },
  body: '<?xml version="1.0"?><Error><Code>ServerBusy</Code><Message>The server is busy.</Message></Error>',
};

/** The list of blocks that a commit brings has no checksum; one that was changed names blocks that nobody sent. */
const isChecked = (method: string, path: string) => method === 'PUT' && !path.includes('comp=blocklist');

describe('tasks on a bad way to Azure', () => {
  const azurite = useAzurite();
  const far = async () => {
    const place = await azurite.newPlace();
    const direct = new URL(azurite.endpoint());
    const proxy = await startFaultyProxy(direct.origin);
    const options = { ...place, partBytes: 4 * 1024 * 1024 };
    const openDirect = () => AzureStorage.open(options);
    const openThrough = () => AzureStorage.open({ ...options, endpoint: proxy.url + direct.pathname });
    return { proxy, openDirect, openThrough, busy, isChecked };
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
