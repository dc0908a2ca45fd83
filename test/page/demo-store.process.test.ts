import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNode } from '../package/built.ts';
import {
  BROWSER,
  crawl,
  faultsOfEach,
  type ShownStore,
  seriousFaults,
  showStore,
  viewOf,
} from './served-page.ts';

/** Pages of one view that are looked at. */
const EACH_VIEW = 3;

describe.skipIf(!BROWSER)('the page of the store of the demo', () => {
  let own: ShownStore;

  beforeAll(async () => {
    own = await showStore(async (folder) => {
      const store = join(folder, 'store');
      // The second finds what the first has made.
      for (let run = 0; run < 2; run++)
        expect(await runNode(['docs/examples/movies.mjs', store])).toMatchObject({ code: 0, stderr: '' });
      return store;
    });
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  it('has no error on any view, and nothing that axe calls serious', async () => {
    const of = 'Movies%2Flatest';
    const linked = await crawl(own.browser, {
      from: ['#/runs', `#/compare?a=${of}&b=${of}`],
      ofEach: EACH_VIEW,
      show: own.show,
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
      own.browser,
      { addresses, url: own.url, show: own.show, options, tabs: 3 },
      async (page) => [
        ...(await page.locator('[role=alert]').allTextContents()),
        ...(await seriousFaults(page)),
      ],
    );
    expect(faults).toEqual([]);
  });
});
