import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration } from '../../src/options/figures.ts';
import { hrefOf, routeOf } from '../../src/page/browser/route-address.ts';
import type { FiguredRun } from '../../src/store-index/run-figures.ts';
import { hitsText } from '../../src/views/artifact-texts.ts';
import type { ComparisonJson } from '../../src/views/comparison-json.ts';
import { PROGRAM, stowage } from '../cli/fixture.ts';
import {
  BROWSER,
  crawl,
  faultsOfEach,
  openPage,
  type ShownStore,
  seriousFaults,
  serveStore,
  settled,
  showStore,
  viewOf,
  watchAnswers,
  watchPage,
} from './served-page.ts';
import { HOSTILE, makeShownStore } from './shown-store.ts';

const MEGABYTE = 1_000_000;
/** Pages of one view that are looked at. */
const EACH_VIEW = 4;
/** Views are looked at in so many tabs at once. */
const TABS = 3;
const VIEWS = ['runs', 'run', 'task', 'artifact', 'compare', 'cache', 'store'];

/** What the few that are followed need not be: the parts of a run, each kind of value, and what is named so that it might run. */
const [flowOf, runOf, stepOf, taskOf] = HOSTILE;
const OTHERS = [
  ...['graph', 'timeline', 'logs', 'code'].map((part) => hrefOf('run', ['Train', 'r1'], { show: part })),
  hrefOf('run', ['Train', 'r1'], { show: 'graph', open: 'fit' }),
  hrefOf('run', ['Train', 'j2'], { show: 'graph' }),
  hrefOf('run', [flowOf, runOf], { show: 'graph' }),
  hrefOf('task', ['Train', 'r1', 'fit', '0']),
  hrefOf('compare', [], { a: 'Train/r1/fit/0', b: 'Train/r2/fit/0' }),
  hrefOf('compare', [], { a: 'Train/r1/load/0', b: 'Train/r2/load/0' }),
  hrefOf('run', [flowOf, runOf]),
  hrefOf('run', [flowOf, runOf], { show: 'logs' }),
  hrefOf('task', [flowOf, runOf, stepOf, taskOf]),
  hrefOf('artifact', [flowOf, runOf, stepOf, taskOf, '0', 'name0']),
];

describe.skipIf(!BROWSER)('the page in a browser', () => {
  let own: ShownStore;
  let addresses: string[];

  beforeAll(async () => {
    own = await showStore(makeShownStore);
    const from = ['#/runs', '#/compare?a=Train%2Fr1&b=Train%2Fr2'];
    const linked = await crawl(own.browser, { from, ofEach: EACH_VIEW, show: own.show });
    addresses = [...new Set([...linked, ...OTHERS])];
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  const onEach = (
    look: (page: Page, address: string) => Promise<string[]>,
    options: BrowserContextOptions = {},
  ): Promise<string[]> =>
    faultsOfEach(own.browser, { addresses, url: own.url, show: own.show, options, tabs: TABS }, look);

  /** Gives what commands print of the store, with `env` beside what this process has. */
  const callWith =
    (env: Readonly<Record<string, string>>) =>
    async (...args: string[]): Promise<string> => {
      const called = [PROGRAM, ...args, '--store', own.store];
      return (await promisify(execFile)(process.execPath, called, { env: { ...process.env, ...env } }))
        .stdout;
    };

  it('has every view, which links lead to', () => {
    const views = new Set(addresses.map(viewOf));
    expect(VIEWS.filter((view) => !views.has(view))).toEqual([]);
  });

  it.each([
    [1280, 'light'],
    [1280, 'dark'],
    [400, 'light'],
    [400, 'dark'],
  ] as const)(
    'shows each view %i pixels wide, %s, without sideways scrolling, errors, or requests elsewhere',
    async (width, colorScheme) => {
      const faults = await onEach(
        async (page) => {
          const wide = await page.evaluate(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          );
          const hacked = await page.evaluate('window.hacked');
          return [
            ...(Number(wide) > 0 ? [`${wide} pixels too wide`] : []),
            ...(hacked === undefined ? [] : [`ran ${hacked}`]),
          ];
        },
        { viewport: { width, height: 800 }, colorScheme },
      );
      expect(faults).toEqual([]);
    },
  );

  it.each([
    [1280, 'light'],
    [400, 'dark'],
  ] as const)('has nothing that axe calls serious, %i pixels wide, %s', async (width, colorScheme) => {
    // A page has no bypass of its own policy: axe is put into it by the browser.
    const viewport = { width, height: 800 };
    expect(await onEach((page) => seriousFaults(page), { viewport, colorScheme, bypassCSP: true })).toEqual(
      [],
    );
  });

  it('asks for nothing over a megabyte, as it is before it is compressed', async () => {
    const page = await openPage(own.browser);
    const large = watchAnswers(page);
    for (const address of addresses) {
      await page.goto(own.url + address);
      await settled(page);
    }
    expect(await large.over(MEGABYTE)).toEqual([]);
    await page.close();
  });

  it('opens a step of the graph to its tasks and what they read, and leads through it by arrows', async () => {
    const page = await openPage(own.browser, { bypassCSP: true });
    const focused = (): Promise<string> =>
      page.evaluate("document.activeElement?.querySelector('title')?.textContent ?? ''");
    const press = async (...keys: string[]): Promise<string> => {
      for (const key of keys) await page.keyboard.press(key);
      await settled(page);
      return focused();
    };
    await own.show(page, hrefOf('run', ['Train', 'r1'], { show: 'graph' }));
    const lines = page.locator('.graph .edges path');
    const fit = page.getByRole('link', { name: /^fit\/\d: done/ });
    expect([await fit.count(), await lines.count()]).toEqual([3, 3]);
    expect(await fit.first().locator('title').textContent()).toMatch(/; reads from load\/0\/0$/);

    await page.locator('.graph a[tabindex="0"]').focus();
    expect(await press('Home', 'ArrowRight')).toBe('fit: 3 done');
    expect(await press('Enter')).toMatch(/^fit: 3 done; reads from load$/);
    expect([await fit.count(), await lines.count()]).toEqual([0, 1]);
    expect(routeOf(new URL(page.url()).hash).query.open).toBe('load/flaky');
    expect(await press('Enter')).toBe('fit: 3 done');
    expect(await press('ArrowDown', 'ArrowDown')).toMatch(/^fit\/1: done/);
    await press('Enter');
    expect(await page.locator('main h1').textContent()).toContain('1');
    expect(routeOf(new URL(page.url()).hash)).toMatchObject({
      view: 'task',
      path: ['Train', 'r1', 'fit', '1'],
    });
    await page.close();
  });

  it('tells once of a run that is not there, with its logs as well', async () => {
    const page = await openPage(own.browser);
    for (const show of ['', 'logs']) {
      await own.show(page, hrefOf('run', ['Train', 'nobody'], show === '' ? {} : { show }));
      await page.locator('main [role=alert]').first().waitFor();
      await page.waitForTimeout(1_000); // both questions were answered
      expect(await page.locator('main [role=alert]').allTextContents()).toEqual([
        expect.stringMatching(/^RUN_NOT_FOUND /),
      ]);
    }
    await page.close();
  });

  it('marks tasks of the graph that were not run in this run', async () => {
    const page = await openPage(own.browser);
    await own.show(page, hrefOf('run', ['Train', 'j2'], { show: 'graph' }));
    expect(await page.locator('.graph .elsewhere').count()).toBe(3);
    expect(await page.getByRole('link', { name: /: done, cached from Train\/j1\/judge\// }).count()).toBe(3);
    await page.close();
  });

  it('lays what differs in tables side by side, as the command line tells it, and marks it by more than colour', async () => {
    const paths = ['Train/r1/load/0', 'Train/r2/load/0'] as const;
    const { tasks } = JSON.parse(await callWith({})('diff', ...paths, '--json')) as ComparisonJson;
    const frame = tasks[0]?.artifacts.find(({ name }) => name === 'frame');
    if (frame?.how?.kind !== 'table') throw new Error('frame is no table');
    const { sideBySide: told, changed = 0 } = frame.how;
    const page = await openPage(own.browser);
    await own.show(page, hrefOf('compare', [], { a: paths[0], b: paths[1] }));
    const table = page.getByRole('region', { name: 'rows of frame that differ' });
    expect(told?.columns).toEqual(['id', 'auc', 'name']);
    for (const [index, { cells }] of (told?.rows ?? []).entries()) {
      const row = table.locator('tbody tr').nth(index);
      const sides = await Promise.all(
        ['th', 'del', 'ins', 'td.quiet'].map((side) => row.locator(side).textContent()),
      );
      expect(sides.map((text) => text?.trim())).toEqual(cells.flat());
    }
    const mark = (side: string): Promise<string> =>
      page.evaluate(`getComputedStyle(document.querySelector('.sides ${side}'), '::before').content`);
    expect([await mark('del'), await mark('ins')].map((text) => text.slice(1, 2))).toEqual(['\u2212', '+']);
    const more = changed - (told?.rows.length ?? 0);
    await page.getByText(`${formatCount(more)} more rows differ.`).waitFor();

    await own.show(page, hrefOf('compare', [], { a: 'Train/r1/fit/0', b: 'Train/r2/fit/0' }));
    await page
      .getByRole('region', { name: 'changes of weights' })
      .getByText('[1]', { exact: true })
      .waitFor();
    await page.close();
  });

  it('names the kinds of what takes space as the command line does', async () => {
    const page = await openPage(own.browser);
    await own.show(page, '#/store');
    const kinds = await page
      .getByRole('region', { name: 'space by kind' })
      .getByRole('rowheader')
      .allTextContents();
    const { stdout } = await stowage(own.store, ['stat']);
    const told = stdout.slice(stdout.indexOf('\nKIND ')).split('\n').slice(2, -1);
    expect(kinds).toEqual(told.map((line) => line.split('  ', 1)[0]));
    expect(kinds).toContain('files they refer to');
    await page.close();
  });

  it('shows sizes, new bytes and hits of runs as the command line tells them, and without an index how it is made', async () => {
    const env = { STOWAGE_INDEXES: join(own.folder, 'no-indexes') };
    await using without = await serveStore(own.store, [], env);
    const page = await openPage(own.browser);
    const faults = watchPage(page, without.url);
    const heads = (): Promise<string[]> => page.locator('thead th').allTextContents();
    await page.goto(`${without.url}#/runs`);
    await page.getByText('make it with: stowage index').waitFor();
    expect(await heads()).not.toContain('Hits');
    const call = callWith(env);
    await call('index');
    await page.reload();
    await page.getByRole('columnheader', { name: 'Hits' }).waitFor();
    await settled(page);
    const { runs } = JSON.parse(await call('runs', '--figures', '--json')) as { runs: FiguredRun[] };
    const at = (await heads()).indexOf('Size');
    for (const { flow, run, figures } of runs) {
      const row = page
        .locator('tbody tr')
        .filter({ has: page.getByTitle(`${flow}/${run}`, { exact: true }) });
      const cells = (await row.locator('td').allTextContents()).slice(at, at + 3);
      if (!figures) throw new Error(`the index does not have ${flow}/${run}`);
      expect([flow, run, ...cells]).toEqual([
        flow,
        run,
        formatBytes(figures.bytes),
        formatBytes(figures.newBytes),
        hitsText(figures),
      ]);
    }
    expect(runs.map(({ figures }) => figures?.cacheHits)).toContain(3);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('shows hits and misses of cached tasks as the command line tells them, and without an index how it is made', async () => {
    const env = { STOWAGE_INDEXES: join(own.folder, 'no-indexes-yet') };
    await using without = await serveStore(own.store, [], env);
    const page = await openPage(own.browser);
    const faults = watchPage(page, without.url);
    await page.goto(`${without.url}#/cache`);
    await page.getByText('make it with: stowage index').waitFor();
    const cells = async (): Promise<string[]> => {
      const row = page
        .locator('tbody tr')
        .filter({ has: page.getByRole('link', { name: 'judge', exact: true }) });
      return row.locator('td').allTextContents();
    };
    expect(await cells()).toHaveLength(5);
    const call = callWith(env);
    await call('index');
    await page.reload();
    await page.getByRole('columnheader', { name: 'Misses' }).waitFor();
    const { tasks } = JSON.parse(await call('cache', 'stats', '--figures', '--json')) as {
      tasks: { task: string; figures: { hits: number; misses: number; savedMs: number } }[];
    };
    expect(tasks).toMatchObject([{ task: 'judge', figures: { hits: 3, misses: 3 } }]);
    const { hits, misses, savedMs } = tasks[0]?.figures ?? { hits: 0, misses: 0, savedMs: 0 };
    expect((await cells()).slice(5)).toEqual([String(hits), String(misses), formatDuration(savedMs)]);
    expect(faults).toEqual([]);
    await page.close();
  });
});
