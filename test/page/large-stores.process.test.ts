import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRuns, makeTable, makeTasks } from '../../bench/page-stores.mjs';
import * as stowage from '../../src/index.ts';
import { scratchFolder } from '../cli/fixture.ts';
import {
  BROWSER,
  crawl,
  faultsOfEach,
  openPage,
  type ServedStore,
  type Show,
  serveStore,
  settled,
  startBrowser,
  viewOf,
  watchAnswers,
} from './served-page.ts';

const MEGABYTE = 1_000_000;
const RUNS = 10_000;
const TASKS = 10_000;
const ROWS = 1_000_000;
/** A busy machine takes a few times as long. */
const PATIENCE_MS = 280_000;

describe.skipIf(!BROWSER)('the page of a large store', () => {
  const folder = scratchFolder();
  const store = join(folder, 'store');
  let browser: Browser;
  let served: ServedStore;

  beforeAll(async () => {
    await makeTable(stowage, store, ROWS);
    await makeTasks(stowage, store, TASKS);
    await makeRuns(stowage, store, RUNS);
    served = await serveStore(store, [], { STOWAGE_INDEXES: join(folder, 'indexes') });
    browser = await startBrowser();
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
  });

  const show: Show = async (page, address) => {
    await page.goto(served.url + address);
    await settled(page);
  };

  it(
    'has every view, by answers of less than a megabyte before they are compressed, and without errors',
    async () => {
      const wide = ['#/run/Wide/r1', '#/run/Wide/r1?show=graph', '#/run/Wide/r1?show=timeline'];
      const from = ['#/run/Table/r1', '#/store', '#/cache', '#/compare?a=Wide%2Fr1&b=Table%2Fr1'];
      const addresses = await crawl(browser, { from: [...wide, ...from], ofEach: 4, show });
      const views = new Set(addresses.map(viewOf));
      expect([...views].sort()).toEqual(['artifact', 'cache', 'compare', 'run', 'runs', 'store', 'task']);
      let large: ReturnType<typeof watchAnswers> | undefined;
      const faults = await faultsOfEach(
        browser,
        { addresses, url: served.url, show, options: {} },
        async (page) => {
          large ??= watchAnswers(page);
          return [];
        },
      );
      expect(faults).toEqual([]);
      expect(await large?.over(MEGABYTE)).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    `shows a run of ${TASKS} tasks whole, page by page`,
    async () => {
      const page = await openPage(browser);
      const answers = watchAnswers(page);
      await page.goto(`${served.url}#/run/Wide/r1`);
      await page.getByText('10,001 tasks', { exact: true }).waitFor();
      await page.goto(`${served.url}#/run/Wide/r1?show=graph`);
      await page.getByRole('link', { name: 'each: 10,000 done; reads from first' }).waitFor();
      await page.getByRole('link', { name: /^each: / }).click();
      await page.getByText('200 tasks drawn, 9,800 more of these steps are in the list.').waitFor();
      await page.getByRole('link', { name: 'each/199: ' }).waitFor();
      expect(await page.getByRole('link', { name: /^each\/\d+: / }).count()).toBe(200);
      expect(await answers.over(MEGABYTE)).toEqual([]);
      expect((await answers.over(MEGABYTE / 2)).length).toBeGreaterThan(1); // there was something to bound
      await page.close();
    },
    PATIENCE_MS,
  );

  it(
    `goes on to the oldest of ${RUNS} runs as one scrolls, each of them once, by answers of one size`,
    async () => {
      const page = await openPage(browser);
      const answers = watchAnswers(page);
      await page.goto(`${served.url}#/runs?flow=Many`);
      for (let shown = 100; shown < RUNS; shown = Math.min(shown + 200, RUNS)) {
        await page.locator(`table[aria-rowcount="${shown + 1}"]`).waitFor();
        await page.locator('section.long').press('End');
      }
      await page.locator(`table[aria-rowcount="${RUNS + 1}"]`).waitFor();
      await page.locator('section.long').press('End');
      await page.getByTitle('Many/run-000000').waitFor();
      expect(await answers.over(MEGABYTE / 5)).toEqual([]);
      await page.close();
    },
    PATIENCE_MS,
  );

  it(
    `shows the last of ${ROWS} rows of a table without those before`,
    async () => {
      const page = await openPage(browser);
      const answers = watchAnswers(page);
      await show(page, '#/artifact/Table/r1/load/0/0/frame');
      await page.locator('section.long').press('End');
      await page.getByRole('cell', { name: '999999', exact: true }).waitFor();
      expect(await answers.over(MEGABYTE / 5)).toEqual([]);
      await page.close();
    },
    PATIENCE_MS,
  );
});
