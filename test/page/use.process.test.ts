import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSqlite } from '../../src/storage/sql/sqlite/library.ts';
import { PROGRAM } from '../cli/fixture.ts';
import { until } from '../waiting.ts';
import {
  BROWSER,
  openPage,
  type ServedStore,
  seriousFaults,
  serveStore,
  settled,
  startBrowser,
  watchPage,
} from './served-page.ts';
import { makeShownStore } from './shown-store.ts';

/** More stops than a view has. */
const MAX_STOPS = 60;

describe.skipIf(!BROWSER)('the page', () => {
  let folder: string;
  let store: string;
  let served: ServedStore;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
    store = await makeShownStore(folder);
    served = await serveStore(store);
    browser = await startBrowser();
    page = await openPage(browser, { bypassCSP: true }); // so that it can be waited for what it does
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** What has the focus, as a reader of the screen names it. */
  const focused = (): Promise<string> =>
    page.evaluate(`(() => {
      const one = document.activeElement;
      const said = one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent ?? '';
      return one.localName + ' ' + said.trim();
    })()`);

  /** Goes from stop to stop until one is named so, and sees each marked. */
  async function tabTo(wanted: RegExp, key = 'Tab'): Promise<void> {
    const stops: string[] = [];
    for (let stop = 0; stop < MAX_STOPS; stop++) {
      await page.keyboard.press(key);
      const name = await focused();
      stops.push(name);
      const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
      if (!name.startsWith('body') && outline === 'none')
        throw new Error(`nothing shows where the focus is: ${name}`);
      if (wanted.test(name)) return;
    }
    throw new Error(`no stop is ${wanted}: ${stops.join(', ')}`);
  }

  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await page.keyboard.press(key);
    await settled(page);
  };

  it('leads by the keyboard alone from the runs to what a task saved, and back', async () => {
    const faults = watchPage(page, served.url);
    await page.goto(`${served.url}#/runs`);
    await settled(page);
    await tabTo(/to the content/);
    await press('Enter');
    await tabTo(/^input Flow/);
    await page.keyboard.type('Train');
    await press('Enter');
    await page.waitForFunction("location.hash.includes('flow=Train')");
    await tabTo(/^section /);
    await press('ArrowDown', 'ArrowUp', 'End', 'Home', 'ArrowDown');
    await page.waitForFunction("document.activeElement.closest('tr[aria-rowindex]')");
    await tabTo(/^a Train\//);
    await press('Enter');
    expect(await page.evaluate('location.hash')).toMatch(/^#\/run\/Train\/\w+$/);
    expect(await focused()).toMatch(/^h1 \w+/);

    await page.goto(`${served.url}#/run/Train/r1`);
    await settled(page);
    await tabTo(/^a Timeline/);
    await press('Enter');
    await page.waitForFunction("location.hash.includes('show=timeline')");
    await page.goto(`${served.url}#/task/Train/r1/fit/0`);
    await settled(page);
    await tabTo(/^button Preview/);
    await press('Enter');
    await page.waitForSelector('main .preview, main [class*=preview]');
    await tabTo(/^a auc/);
    await press('Enter');
    expect(await page.evaluate('location.hash')).toMatch(/^#\/artifact\/Train\/r1\/fit\/0\/0\/auc$/);
    expect(await focused()).toMatch(/^h1 auc/);
    await page.goBack();
    await settled(page);
    expect(await page.evaluate('location.hash')).toBe('#/task/Train/r1/fit/0?open=rows');
    expect(faults).toEqual([]);
  });

  it('tells that the index is being made, asks again, and shows what it tells once it is there', async () => {
    const indexes = join(folder, 'locked-indexes');
    const env = { STOWAGE_INDEXES: indexes };
    await promisify(execFile)(process.execPath, [PROGRAM, 'index', '--store', store], {
      env: { ...process.env, ...env },
    });
    const [file = ''] = (await readdir(indexes)).filter((name) => name.endsWith('.db'));
    // Another program keeps whoever makes the index from writing to it.
    const other = (await loadSqlite()).open(join(indexes, file), { readOnly: false });
    other.exec('update stowage_index set is_whole = 0');
    other.exec('begin immediate');
    await using waiting = await serveStore(store, [], env);
    const asked = await openPage(browser);
    const faults = watchPage(asked, waiting.url);
    const questions: string[] = [];
    asked.on('request', (request) => questions.push(request.url()));
    const lineages = (): number => questions.filter((url) => url.includes('/api/lineage')).length;
    await asked.goto(`${waiting.url}#/task/Train/r1/load/0`);
    await asked.getByText(/index of the store is being made.* asks again by itself/).waitFor();
    expect(lineages()).toBe(1);
    await until(() => lineages() > 1);
    await asked.goto(`${waiting.url}#/runs`); // nobody waits any more
    await settled(asked);
    const left = lineages();
    await asked.waitForTimeout(5_000);
    expect(lineages()).toBe(left);
    await asked.goto(`${waiting.url}#/task/Train/r1/load/0`);
    await asked.getByText(/index of the store is being made/).waitFor();
    other.exec('rollback');
    other.close();
    await asked.getByRole('link', { name: 'Train/r1/fit/0/0', exact: true }).waitFor();
    expect(await asked.getByText(/is being made/).count()).toBe(0);
    expect(faults).toEqual([]);
    await asked.close();
  });

  const hash = (): Promise<string> => page.evaluate('decodeURIComponent(location.hash)');
  const open = async (address: string): Promise<void> => {
    await page.goto('about:blank');
    await page.goto(`${served.url}#/${address}`);
    await settled(page);
  };
  /** After the keys, nothing that axe calls serious, and no error. */
  const expectSound = async (faults: readonly string[]): Promise<void> => {
    expect(await seriousFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
  };

  it('compares two runs by the keyboard alone, which it ticks', async () => {
    const faults = watchPage(page, served.url);
    await open('runs?flow=Train&tag=exp');
    await tabTo(/^section runs/);
    await press('ArrowDown', 'c', 'ArrowUp');
    await tabTo(/^input compare Train/);
    await press('Space');
    const boxes = page.getByRole('checkbox', { checked: true });
    expect(await boxes.count()).toBe(2);
    await expectSound(faults);
    await tabTo(/^a Compare Train/, 'Shift+Tab');
    await press('Enter');
    expect(await hash()).toMatch(/^#\/compare\?a=Train\/\w+&b=Train\/\w+$/);
    expect(await focused()).toBe('h1 Compare');
    const compared = await hash();
    await tabTo(/^button Swap/);
    await press('Enter');
    expect(await hash()).not.toBe(compared);
    expect(await focused()).toBe('button Swap');
    await tabTo(/^section changes/);
    await expectSound(faults);
  });

  it('opens an entry of the cache, and asks what a store is asked for, by the keyboard alone', async () => {
    const faults = watchPage(page, served.url);
    await open('cache');
    await tabTo(/^a judge/);
    await press('Enter');
    expect(await hash()).toBe('#/cache?task=judge');
    await tabTo(/^section entries$/);
    await tabTo(/^a [0-9a-f]{12}$/);
    await press('Enter');
    expect(await hash()).toMatch(/^#\/cache\/[0-9a-f]{64}$/);
    expect(await focused()).toMatch(/^h1 Cache entry/);
    await expectSound(faults);
    await open('store');
    await tabTo(/^button Plan it/);
    await press('Enter');
    await page.getByText('Nothing refers to').waitFor();
    await tabTo(/^button Check records/);
    await press('Enter');
    await page.getByText('looked at').waitFor();
    await expectSound(faults);
  });

  it('pages through the rows of a table, and sorts one, by the keyboard alone', async () => {
    const faults = watchPage(page, served.url);
    await open('artifact/Train/r1/load/0/0/frame');
    await tabTo(/^section rows of frame/);
    await press('PageDown', 'End');
    await page.getByRole('cell', { name: '4999', exact: true }).first().waitFor();
    await press('Home');
    await page.locator('tr[aria-rowindex="2"]').waitFor(); // arrows begin at what is seen
    await press('ArrowDown', 'ArrowDown');
    await page.waitForFunction("document.activeElement.closest('tr')?.ariaRowIndex === '4'");
    await press('Enter');
    await page.getByRole('heading', { name: 'Row 2' }).waitFor();
    await expectSound(faults);
    await open('run/Train/r1');
    await tabTo(/^section tasks/);
    await tabTo(/^button Status$/);
    await press('Enter');
    const head = page.getByRole('columnheader', { name: 'Status' });
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    await press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await focused()).toBe('button Status');
    await expectSound(faults);
  });

  it('follows the graph, and opens and closes the tree of a value, by the keyboard alone', async () => {
    const faults = watchPage(page, served.url);
    await open('run/Train/r1?show=graph');
    await tabTo(/^section graph/);
    await tabTo(/^a fit: /);
    await expectSound(faults);
    await press('Enter');
    expect(await hash()).toBe('#/run/Train/r1?show=graph&open=load/flaky'); // all steps of a small run are open at first
    await open('artifact/Train/r1/fit/0/0/deep');
    await tabTo(/^div .*{/);
    const tree = page.getByRole('tree').first();
    const opened = (): Promise<number> => tree.locator('[aria-expanded=true]').count();
    const before = await opened();
    await press('ArrowDown');
    expect(await focused()).toMatch(/^div .*a: /);
    await press('ArrowLeft');
    expect(await opened()).toBeLessThan(before);
    await press('ArrowRight', 'ArrowRight');
    expect(await focused()).toMatch(/^div .*b: /);
    await press('End', 'Enter');
    expect(await opened()).toBeGreaterThan(before);
    await press('Home');
    expect(await page.evaluate("document.activeElement.getAttribute('aria-level')")).toBe('1');
    await expectSound(faults);
  });

  it('goes through the timeline, the logs, the code and the versions of a run by the keyboard alone', async () => {
    const faults = watchPage(page, served.url);
    await open('run/Train/r1?show=timeline');
    await tabTo(/^section timeline/);
    await press('ArrowDown', 'End', 'Home', 'ArrowDown');
    await page.waitForFunction("document.activeElement.closest('tr[aria-rowindex]')");
    await expectSound(faults);
    await tabTo(/^a Logs/, 'Shift+Tab');
    await press('Enter');
    await page.waitForFunction("location.hash.includes('show=logs')");
    await tabTo(/^select Step/);
    await page.keyboard.type('fit');
    await press('Enter');
    await page.waitForFunction("location.hash.includes('step=fit')");
    await expectSound(faults);
    await open('run/Train/r1?show=code');
    await tabTo(/^a Download all/);
    await tabTo(/^a Download \S+/);
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    expect(await readFile(await download.path(), 'utf8')).not.toBe('');
    await expectSound(faults);
    await open('artifact/Train/r1/fit/0/0/auc');
    await tabTo(/^select Number/);
    await page.keyboard.type('size');
    await press('Enter');
    await page.waitForFunction("location.hash.includes('number=size')");
    await tabTo(/^section versions/);
    await tabTo(/^a /);
    await press('Enter');
    expect(await focused()).toMatch(/^h1 auc/);
    await expectSound(faults);
  });

  it('is opened by a file of its user, so that no other user reads its address in the arguments of a program', async () => {
    const [program, opened] = [join(folder, 'browser'), join(folder, 'opened')];
    await writeFile(program, `#!/bin/sh\nprintf '%s\\n' "$*" > '${opened}'\n`);
    await chmod(program, 0o755);
    await using own = await serveStore(store, ['--open'], { BROWSER: program });
    const read = (): Promise<string> => readFile(opened, 'utf8').catch(() => '');
    let given = '';
    await until(async () => {
      given = await read();
      return given.endsWith('\n');
    });
    const file = given.trim();
    const [, token] = new URL(own.url).pathname.split('/');
    expect(file).not.toContain(token);
    expect((await stat(fileURLToPath(file))).mode & 0o777).toBe(0o600);
    await page.goto(file);
    await page.waitForURL(`${own.url}**`);
    await settled(page);
    expect(await page.title()).toContain('runs');
  });
});
