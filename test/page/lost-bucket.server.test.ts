import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { openStorage } from '../../src/storage/open.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { BROWSER, openPage, serveStore, startBrowser, watchPage } from './served-page.ts';

/** A call is tried again for 10 s before it is given up, and a question makes several. */
const timeout = 60_000;

for (const server of s3Servers().filter(({ isReal }) => isReal)) {
  describe.skipIf(!BROWSER)(`the page of a bucket on ${server.name} whose server stops`, () => {
    const inUse = useS3Server(server);
    let browser: Browser;
    beforeAll(async () => {
      browser = await startBrowser();
    });
    afterAll(() => browser?.close());

    it(
      'is told, what was read stays, and it is shown again when the server is back',
      async () => {
        const { bucket, prefix, region, endpoint, credentials } = await inUse.newPlace();
        let between = await startFaultyProxy(endpoint); // what listens there can stop without losing its data
        const address = `s3://${bucket}/${prefix}store?endpoint=${encodeURIComponent(between.url)}&region=${region}`;
        await using storage = await openStorage(address, { s3: { credentials } });
        await using flow = await FlowDataStore.open({ flowName: 'Train', storage });
        await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
          task.saveArtifacts({ x: 1 }),
        );
        await using served = await serveStore(address, [], {
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          AWS_EC2_METADATA_DISABLED: 'true',
        });
        const page = await openPage(browser);
        const faults = watchPage(page, served.url);
        const task = page.locator('tr[aria-rowindex]', { hasText: 'fit/0' });
        const told = page.locator('main [role=alert]');
        try {
          await page.goto(`${served.url}#/run/Train/r1`); // This view does not ask the index.
          await task.waitFor({ timeout });
          await between.stop();
          await page.getByText('Waiting for the store for').waitFor({ timeout });
          await told.getByText('ECONNREFUSED').first().waitFor({ timeout });
          expect(await told.first().textContent()).toMatch(/^STORAGE_UNAVAILABLE .*check the endpoint/);
          expect(await task.count()).toBe(1);
          // The index is first asked now, by a connection of its own.
          await page.goto(`${served.url}#/store`);
          await told.getByText('It answered before').first().waitFor({ timeout });
          expect(await page.getByText(/has ever answered/).count()).toBe(0);
          await page.goto(`${served.url}#/runs`);
          await told.getByText('ECONNREFUSED').first().waitFor({ timeout });
          between = await startFaultyProxy(endpoint, Number(new URL(between.url).port));
          await told.first().waitFor({ state: 'detached', timeout });
          await page.locator('tr[aria-rowindex]', { hasText: 'Train/r1' }).getByRole('link').click();
          await task.waitFor({ timeout });
          expect(faults).toEqual([]);
        } finally {
          await between.stop();
        }
      },
      5 * timeout,
    );
  });
}
