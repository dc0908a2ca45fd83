import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../waiting.ts';
import {
  BROWSER,
  openPage,
  type ServedStore,
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
  async function tabTo(wanted: RegExp): Promise<void> {
    const stops: string[] = [];
    for (let stop = 0; stop < MAX_STOPS; stop++) {
      await page.keyboard.press('Tab');
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
    expect(await page.evaluate('location.hash')).toBe('#/task/Train/r1/fit/0');
    expect(faults).toEqual([]);
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
