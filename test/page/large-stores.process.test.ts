import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRuns, makeTasks } from '../../bench/page-stores.mjs';
import * as stowage from '../../src/index.ts';
import { scratchFolder } from '../cli/fixture.ts';
import { BROWSER, type ServedStore, serveStore, startBrowser, watchAnswers } from './served-page.ts';

const MEGABYTE = 1_000_000;
/** Most of the time goes into making the stores. */
const PATIENCE_MS = 280_000;

describe.skipIf(!BROWSER)('the page of a large store', () => {
  const folder = scratchFolder();
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await startBrowser();
    page = await browser.newPage();
  });
  afterAll(() => browser?.close());

  function serve(store: string): Promise<ServedStore> {
    return serveStore(store, [], { STOWAGE_INDEXES: join(folder, 'indexes') });
  }

  it(
    'shows a run of 10,000 tasks whole, by answers of less than a megabyte before they are compressed',
    async () => {
      const store = join(folder, 'wide');
      await makeTasks(stowage, store, 10_000);
      await using served = await serve(store);
      const answers = watchAnswers(page);
      await page.goto(`${served.url}#/run/Wide/r1`);
      await page.getByText('10,001 tasks', { exact: true }).waitFor();
      await page.goto(`${served.url}#/run/Wide/r1?show=graph`);
      await page.getByRole('link', { name: 'each: 10,000 done; reads from first' }).waitFor();
      expect(await answers.over(MEGABYTE)).toEqual([]);
      expect((await answers.over(MEGABYTE / 2)).length).toBeGreaterThan(1); // there was something to bound
    },
    PATIENCE_MS,
  );

  it(
    'goes on to the oldest of many runs as one scrolls, each of them once, by answers of one size',
    async () => {
      const store = join(folder, 'many');
      await makeRuns(stowage, store, 450);
      await using served = await serve(store);
      const answers = watchAnswers(page);
      await page.goto(`${served.url}#/runs`);
      for (const count of [101, 301, 451]) {
        await page.locator(`table[aria-rowcount="${count}"]`).waitFor();
        await page.locator('section.long').press('End');
      }
      await page.getByTitle('Many/run-000000').waitFor();
      expect(await page.locator('table').getAttribute('aria-rowcount')).toBe('451');
      expect(await answers.over(MEGABYTE / 5)).toEqual([]);
    },
    PATIENCE_MS,
  );
});
