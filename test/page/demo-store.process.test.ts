import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNode } from '../package/built.ts';
import {
  BROWSER,
  crawl,
  faultsOfEach,
  type ServedStore,
  type Show,
  seriousFaults,
  serveStore,
  settled,
  startBrowser,
  viewOf,
} from './served-page.ts';

/** Pages of one view that are looked at. */
const EACH_VIEW = 3;

describe.skipIf(!BROWSER)('the page of the store of the demo', () => {
  let folder: string;
  let served: ServedStore;
  let browser: Browser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
    const store = join(folder, 'store');
    // The second finds what the first has made.
    for (let run = 0; run < 2; run++)
      expect(await runNode(['docs/examples/movies.mjs', store])).toMatchObject({ code: 0, stderr: '' });
    served = await serveStore(store, [], { STOWAGE_INDEXES: join(folder, 'indexes') });
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it('has no error on any view, and nothing that axe calls serious', async () => {
    const show: Show = async (page, address) => {
      await page.goto(served.url + address);
      await settled(page);
    };
    const of = 'Movies%2Flatest';
    const linked = await crawl(browser, {
      from: ['#/runs', `#/compare?a=${of}&b=${of}`],
      ofEach: EACH_VIEW,
      show,
    });
    const run = linked.find((address) => /^#\/run\/Movies\/[^/?]+$/.test(address));
    if (run === undefined) throw new Error(`no link leads to a run: ${linked.join(' ')}`);
    const addresses = [...linked, ...['graph', 'timeline', 'logs'].map((part) => `${run}?show=${part}`)];
    expect([...new Set(addresses.map(viewOf))].sort()).toEqual([
      'artifact',
      'cache',
      'compare',
      'run',
      'runs',
      'store',
      'task',
    ]);
    const options = { viewport: { width: 1280, height: 800 }, bypassCSP: true }; // axe is put into the page
    const faults = await faultsOfEach(
      browser,
      { addresses, url: served.url, show, options, tabs: 3 },
      async (page) => [
        ...(await page.locator('[role=alert]').allTextContents()),
        ...(await seriousFaults(page)),
      ],
    );
    expect(faults).toEqual([]);
  });
});
