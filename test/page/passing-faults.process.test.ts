import type { Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { TASKS_AT_FIRST } from '../../src/page/view-questions.ts';
import { BROWSER, openPage, type ShownStore, showStore } from './served-page.ts';
import { makeShownStore } from './shown-store.ts';

/** The page asks again after 5 s; a busy machine takes longer. */
const timeout = 30_000;
const TASKS = TASKS_AT_FIRST + 20;
const FAILURE = { error: { code: 'STORAGE_UNAVAILABLE', message: 'The storage did not answer.' } };

describe.skipIf(!BROWSER)('what a view cannot read for now', () => {
  let own: ShownStore;

  beforeAll(async () => {
    own = await showStore(async (folder) => {
      const store = await makeShownStore(folder);
      await using flow = await FlowDataStore.open({ flowName: 'Wide', storage: store });
      const run = await flow.createRun({ runId: 'r1' });
      for (let task = 0; task < TASKS; task += 1)
        await flow.task({ runId: 'r1', stepName: 'each', taskId: String(task) }, (one) =>
          one.saveArtifacts({ task }),
        );
      await run.finish('done');
      return store;
    });
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  /** A page whose questions like this one are not answered the first time. */
  async function pageFailing(question: RegExp): Promise<{ page: Page; failed: () => number }> {
    const page = await openPage(own.browser, { viewport: { width: 1280, height: 800 } });
    let failed = 0;
    await page.route(question, (route: Route) => {
      failed += 1;
      return failed === 1 ? route.fulfill({ status: 503, json: FAILURE }) : route.continue();
    });
    return { page, failed: () => failed };
  }

  it('of the further tasks of a run that is over is asked for again', async () => {
    const { page, failed } = await pageFailing(new RegExp(`show\\?.*offset=${TASKS_AT_FIRST}`));
    await page.goto(`${own.url}#/run/Wide/r1`);
    await page.locator('main [role=alert]', { hasText: FAILURE.error.message }).waitFor({ timeout });
    await page.getByText(`${TASKS} tasks`, { exact: true }).first().waitFor({ timeout });
    await page.locator('main [role=alert]').waitFor({ state: 'detached', timeout });
    expect(failed()).toBeGreaterThan(1);
    await page.close();
  });

  it('of the rows of a table that are seen is asked for again, though nobody scrolls', async () => {
    const { page } = await pageFailing(/preview\?.*offset=4900/);
    await page.goto(`${own.url}#/artifact/Train/r1/load/0/0/frame`);
    const numbers = page.locator('.preview tbody tr[aria-rowindex] td:first-child');
    await numbers.getByText('0', { exact: true }).waitFor({ timeout });
    await page.locator('.preview .scrolls.long').evaluate((at) => {
      const scrolled = at as unknown as { scrollTop: number; scrollHeight: number };
      scrolled.scrollTop = scrolled.scrollHeight;
    });
    await page.locator('main [role=alert]', { hasText: FAILURE.error.message }).waitFor({ timeout });
    await numbers.getByText('4,999', { exact: true }).waitFor({ timeout });
    await page.locator('main [role=alert]').waitFor({ state: 'detached', timeout });
    await page.close();
  });

  it('of what tasks read, for the graph, is asked for again', async () => {
    const { page } = await pageFailing(/show\?.*reads=/);
    await page.goto(`${own.url}#/run/Train/r1?show=graph`);
    await page.locator('main [role=alert]', { hasText: FAILURE.error.message }).waitFor({ timeout });
    await page.locator('main [role=alert]').waitFor({ state: 'detached', timeout });
    await page.close();
  });

  it('of the number of a version is told', async () => {
    const { page } = await pageFailing(/preview\?.*r2%2Ffit%2F0/);
    await page.goto(`${own.url}#/artifact/Train/r1/fit/0/0/auc`);
    await page.locator('main [role=alert]', { hasText: FAILURE.error.message }).waitFor({ timeout });
    await page.close();
  });
});
