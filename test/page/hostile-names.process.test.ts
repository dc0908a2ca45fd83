import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hrefOf } from '../../src/page/browser/route-address.ts';
import { HOSTILE_NAME, makeHostileStore } from './hostile-store.ts';
import { BROWSER, crawl, faultsOfEach, type ShownStore, settled, showStore, viewOf } from './served-page.ts';

const name = HOSTILE_NAME;
const task = [name, name, name];
const FROM = [
  '#/runs',
  ...['', 'graph', 'timeline', 'logs'].map((show) => hrefOf('run', [name, name], { show })),
  ...['0', '1'].map((attempt) => hrefOf('task', [name, ...task, attempt])),
  hrefOf('compare', [], { a: [name, ...task].join('/'), b: [name, name, name, 'other'].join('/') }),
  ...['arrow', 'directory', 'elsewhere', 'file', 'frame', 'gone', 'notes.md', 'rows', 'text', name].map(
    (artifact) => hrefOf('artifact', [name, ...task, '1', artifact]),
  ),
  ...['flow', 'run', 'artifact'].map((by) => hrefOf('store', [], { flow: name, by })),
];

/** In the page: hostile text that is not shown, or was taken for more than text, and a view that is too wide. */
const FAULTS = `(() => {
  const main = document.querySelector('main');
  const links = [...document.querySelectorAll('a')].map((one) => one.getAttribute('href'));
  const counts = {
    'not shown': main.textContent.includes('<img src=x onerror=top.hacked=1>') ? 0 : 1,
    ran: window.hacked ?? 0,
    'links elsewhere': links.filter((one) => !/^(#\\/|content\\/|report\\/)/.test(one)).length,
    elements: main.querySelectorAll('script, base, link, [onerror], [onload], iframe[srcdoc]').length,
    'pixels too wide': document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
  return Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [what + ': ' + count] : []));
})()`;

/** What the browser tells of the HTML of users that it blocked in the frame of a report. */
const OF_REPORTS =
  /^console: (Blocked script execution in 'about:srcdoc'|Loading the image '[^']*\/report\/)/;

describe.skipIf(!BROWSER)('the page of a store in which every field is hostile', () => {
  let own: ShownStore;
  let addresses: string[];

  beforeAll(async () => {
    own = await showStore(makeHostileStore);
    const linked = await crawl(own.browser, {
      from: ['#/cache', '#/store', '#/runs'],
      ofEach: 2,
      show: own.show,
    });
    addresses = [...new Set([...FROM, ...linked])].filter((one) => one !== '#/compare'); // of nothing yet
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  /** Opens all that a view has to open: previews, reports, stacks, what is read on demand. */
  async function openAll(page: Page): Promise<void> {
    await page.evaluate(`for (const one of document.querySelectorAll('main button[aria-expanded=false], main section > button'))
      if (/^(Preview|Open|Plan|Check)/.test(one.textContent)) one.click()`);
    await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
    await settled(page);
  }

  it.each([1280, 400])(
    'shows it as text, runs nothing of it, and asks for nothing elsewhere, %i pixels wide',
    async (width) => {
      expect([...new Set(addresses.map(viewOf))].sort()).toEqual([
        'artifact',
        'cache',
        'compare',
        'run',
        'runs',
        'store',
        'task',
      ]);
      const faults = await faultsOfEach(
        own.browser,
        { addresses, url: own.url, show: own.show, options: { viewport: { width, height: 800 } }, tabs: 3 },
        async (page) => {
          await openAll(page);
          return page.evaluate<string[]>(FAULTS);
        },
      );
      expect(faults.filter((fault) => !OF_REPORTS.test(fault))).toEqual([]);
    },
  );
});
