import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stowageProcess } from '../cli/program-process.ts';
import { type ExportedStore, MANY_TASKS, makeExportedStore } from './exported-store.ts';
import {
  BROWSER,
  crawl,
  faultsOfEach,
  openPage,
  type Show,
  seriousFaults,
  settled,
  startBrowser,
  viewOf,
  watchPage,
} from './served-page.ts';

/** Pages of one view that are looked at in each size and colour. */
const EACH_VIEW = 5;
/** Views are looked at in so many tabs at once. */
const TABS = 3;
const SECTIONS = ['graph', 'timeline', 'logs'].map((section) => `#/run/Train/r1?show=${section}`);

let own: ExportedStore;

beforeAll(async () => {
  own = await makeExportedStore();
});
afterAll(() => own[Symbol.asyncDispose]());

describe.skipIf(!BROWSER)('an exported page, without a server', () => {
  let browser: Browser;
  let url: string;
  let addresses: string[];

  beforeAll(async () => {
    ({ url } = await own.exportTo('all', ['--flow', 'Train']));
    browser = await startBrowser();
    const from = ['#/runs', ...SECTIONS];
    addresses = await crawl(browser, { from, ofEach: EACH_VIEW, show: showHere });
  });
  afterAll(() => browser?.close());

  const showHere: Show = (page, address) => show(page, url + address);
  const onEach = (
    look: (page: Page, address: string) => Promise<string[]>,
    options: BrowserContextOptions = {},
  ): Promise<string[]> =>
    faultsOfEach(
      browser,
      { addresses, url: url.replace(/index\.html$/, ''), show: showHere, options, tabs: TABS },
      look,
    );

  it('has every view of its runs, and links to no other', () => {
    const views = new Set(addresses.map(viewOf));
    expect([...views].sort()).toEqual(['artifact', 'run', 'runs', 'task']);
  });

  it.each([
    [1280, 'light'],
    [400, 'dark'],
  ] as const)(
    'shows each view %i pixels wide, %s, whole, and asks for nothing but its own files',
    async (width, colorScheme) => {
      const faults = await onEach(
        async (page) => {
          const wide = await page.evaluate(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          );
          const hacked = await page.evaluate('window.hacked');
          const told = await page.$$eval('main [role=alert], main .failure, main .preview .quiet', (all) =>
            all.map((one) => one.textContent ?? ''),
          );
          return [
            ...(Number(wide) > 0 ? [`${wide} pixels too wide`] : []),
            ...(hacked === undefined ? [] : [`ran ${hacked}`]),
            ...told.filter((text) => /not in this export|[A-Z]_[A-Z]/.test(text)),
          ];
        },
        { viewport: { width, height: 800 }, colorScheme },
      );
      expect(faults).toEqual([]);
    },
  );

  it.each(['light', 'dark'] as const)('has nothing that axe calls serious, %s', async (colorScheme) => {
    // A page has no bypass of its own policy: axe is put into it by the browser. It asks for styles, which no file may.
    const faults = await onEach((page) => seriousFaults(page), { colorScheme, bypassCSP: true });
    expect(faults.filter((fault) => !/page\.css|ERR_FAILED/.test(fault))).toEqual([]);
  });

  it('has the answers to all that the pages of its runs ask', async () => {
    const page = await openPage(browser);
    const faults = watchPage(page, url.replace(/index\.html$/, ''));
    await show(page, `${url}#/run/Train/r1`);
    for (const task of await links(page, '#/task/Train/r1/')) {
      await show(page, url + task);
      for (const artifact of await links(page, '#/artifact/')) {
        await show(page, url + artifact);
        for (const file of await page.getByRole('button', { name: /^(Preview|Close) / }).all()) {
          await file.click();
          await settled(page);
        }
      }
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  it('shows reports in frames of which nothing runs', async () => {
    const { url: one } = await own.exportTo('reports', ['--run', 'Many/m1', '--tasks', '2']);
    const page = await openPage(browser);
    await show(page, `${url}#/task/Train/r1/fit/0`);
    expect(await page.frameLocator('iframe').locator('h1').textContent()).toContain('<svg onload');
    await show(page, `${one}#/task/Many/m1/each/0`);
    expect(await page.locator('iframe').getAttribute('sandbox')).toBe('');
    const report = page.frameLocator('iframe');
    expect(await report.frameLocator('iframe').locator('h2').textContent()).toBe('of a user');
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    // Nor where somebody opens the file itself.
    const [file = ''] = await readdir(join(own.folder, 'reports', 'reports'));
    await page.goto(pathToFileURL(join(own.folder, 'reports', 'reports', file)).href);
    expect(await page.frameLocator('iframe').locator('h2').textContent()).toBe('of a user');
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    await page.close();
  });

  it('shows images and drawings', async () => {
    const page = await openPage(browser);
    for (const name of ['image', 'drawing']) {
      await show(page, `${url}#/artifact/Train/r1/load/0/0/${name}`);
      const width = await page.locator('img.media').evaluate(naturalWidth);
      expect(width, name).toBeGreaterThan(0);
    }
    await page.close();
  });

  it('shows the first rows of a table as one scrolls, and says where they end', async () => {
    const page = await openPage(browser);
    await show(page, `${url}#/artifact/Train/r1/load/0/0/frame`);
    const rows = page.getByRole('region', { name: 'rows of frame' });
    expect(await page.locator('.preview').textContent()).toContain('the first 1,000 rows are in this export');
    await rows.evaluate(scrollToEnd);
    await page.getByRole('button', { name: '999', exact: true }).waitFor();
    expect(await page.getByText('99.9').count()).toBeGreaterThan(0);
    await page.close();
  });

  it('finds runs as a page that is served does', async () => {
    const page = await openPage(browser);
    for (const [query, found] of [
      ['text=R2', ['Train/r2']],
      ['text=0.05', ['Train/r2']],
      ['tag=exp', ['Train/r2', 'Train/r1']],
      ['status=open', ['Train/r3', 'Train/j2', 'Train/j1']],
      ['since=2000-01-01&status=done', ['Train/r2', 'Train/r1']],
      ['flow=Other', []],
    ] as const) {
      await show(page, `${url}#/runs?${query}`);
      const shown = await page.$$eval('main a[href^="#/run/"]', (all) => all.map((one) => one.textContent));
      expect(shown, query).toEqual(found);
    }
    await show(page, url);
    await page.getByLabel('Text').fill('R2');
    await page.getByText('1 of 5 runs').waitFor();
    await page.close();
  });

  it('has the sizes of runs where an index tells them', async () => {
    const page = await openPage(browser);
    for (const [name, columns] of [
      ['without index', []],
      ['with index', ['Size', 'New', 'Hits']],
    ] as const) {
      const { url: one } = await own.exportTo(name, ['--run', 'Train/r1']);
      await show(page, one);
      const heads = await page.$$eval('main th', (all) => all.map((one) => one.textContent));
      expect(heads.filter((head) => ['Size', 'New', 'Hits'].includes(head ?? ''))).toEqual(columns);
      expect(await page.locator('[role=alert]').count()).toBe(0);
      if (columns.length > 0) break;
      expect(await readdir(join(own.folder, 'indexes')).catch(() => [])).toEqual([]);
      await stowageProcess(own.store, ['index'], own.environment);
    }
    await page.close();
  });

  it('says plainly what is not in it', async () => {
    const { url: one } = await own.exportTo('one', ['--run', 'Train/r1']);
    const page = await openPage(browser);
    for (const address of ['run/Train/r2', 'task/Train/r2/fit/0', 'artifact/Train/r2/fit/0/0/auc']) {
      await show(page, `${one}#/${address}`);
      expect(await page.locator('main').textContent(), address).toContain(
        'This is not in this export, which has one run',
      );
    }
    for (const view of ['compare', 'cache', 'store']) {
      await show(page, `${one}#/${view}`);
      expect(await page.locator('main').textContent(), view).toContain('This view is not in this export.');
    }
    expect(await page.locator('[role=alert]').count()).toBe(0);
    await page.close();
  });

  it('says of tasks beyond its bound that they have no page, and has those first that are not done', async () => {
    const { url: few, told } = await own.exportTo('few', ['--run', 'Many/m1', '--tasks', '2']);
    expect(told).toMatchObject({ runs: 1, tasks: 2, tasksLeftOut: MANY_TASKS - 2 });
    const page = await openPage(browser);
    await show(page, `${few}#/run/Many/m1`);
    expect(await page.locator('main').textContent()).toContain(`${MANY_TASKS} tasks`);
    await show(page, `${few}#/task/Many/m1/each/${MANY_TASKS - 1}`);
    expect(await page.locator('main').textContent()).toContain('the last one fails');
    await show(page, `${few}#/task/Many/m1/each/7`);
    expect(await page.locator('main').textContent()).toContain('one run, with the pages of 2 tasks at most');
    await page.close();
  });

  it('runs nothing of what users named and wrote', async () => {
    const { url: hostile } = await own.exportTo('hostile', ['--text', 'onerror']);
    const page = await openPage(browser);
    const faults = watchPage(page, hostile.replace(/index\.html$/, ''));
    await show(page, hostile);
    const runs = await page.$$eval('main a[href^="#/run/"]', (all) =>
      all.map((one) => one.getAttribute('href')),
    );
    expect(runs).toHaveLength(1);
    await show(page, hostile + runs[0]);
    for (const link of await links(page, '#/task/')) {
      await show(page, hostile + link);
      for (const artifact of await links(page, '#/artifact/')) await show(page, hostile + artifact);
    }
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(faults).toEqual([]);
    await page.close();
  });

  async function links(page: Page, start: string): Promise<string[]> {
    const all = await page.$$eval(`main a[href^="${start}"]`, (found) =>
      found.map((one) => one.getAttribute('href') as string),
    );
    return [...new Set(all)];
  }
});

const naturalWidth = ({ naturalWidth }: { naturalWidth?: number }): number => naturalWidth ?? 0;
const scrollToEnd = (rows: { scrollHeight?: number; scrollTop?: number }): void => {
  rows.scrollTop = rows.scrollHeight ?? 0;
};

/** Goes to a view anew, and waits for all of it. */
async function show(page: Page, address: string): Promise<void> {
  await page.goto('about:blank');
  await page.goto(address);
  await settled(page);
}
