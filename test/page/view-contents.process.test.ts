import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatBytes } from '../../src/options/figures.ts';
import { hrefOf } from '../../src/page/browser/route-address.ts';
import type { ShownTask } from '../../src/views/shown-task.ts';
import { stowage } from '../cli/fixture.ts';
import { BROWSER, openPage, type ShownStore, showStore } from './served-page.ts';
import { makeShownStore } from './shown-store.ts';

const timeout = 30_000;

describe.skipIf(!BROWSER)('a view', () => {
  let own: ShownStore;
  let page: Page;

  beforeAll(async () => {
    own = await showStore(makeShownStore);
    page = await openPage(own.browser, { viewport: { width: 1280, height: 900 } });
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  const told = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await stowage(own.store, [...args, '--json'])).stdout) as T;

  it('of a task has type, size and digest of each artifact as show tells them', async () => {
    const { attempts } = await told<ShownTask>('show', 'Train/r1/fit/0');
    await own.show(page, '#/task/Train/r1/fit/0');
    const table = page.getByRole('region', { name: 'artifacts' });
    for (const { name, type, bytes, key } of attempts[0]?.artifacts ?? []) {
      const row = table.locator('tr', { has: page.getByRole('link', { name, exact: true }) });
      const cells = await row.locator('td').allTextContents();
      expect([name, cells[0]?.startsWith(type), cells[1]]).toEqual([name, true, formatBytes(bytes)]);
      expect(await row.locator('td.digest').getAttribute('title')).toBe(key);
    }
    expect(attempts[0]?.artifacts.length).toBeGreaterThan(5);
  });

  it('of a task that failed has its error with the stack and the cause', async () => {
    await own.show(page, '#/task/Train/r2/flaky/0');
    const error = page.locator('.error-tree').first();
    expect(await error.locator('p.failure').allTextContents()).toEqual([
      expect.stringContaining('fell over'),
      expect.stringContaining('caused by RangeError: too large'),
    ]);
    expect(await error.locator('pre.stack').first().textContent()).toMatch(/^\s*at .*shown-store/);
  });

  it('of an artifact has what it was made from, who used it, and where the same content lies', async () => {
    await own.show(page, '#/artifact/Train/r1/fit/0/0/rows');
    const tree = (title: string) =>
      page.locator('.lineage section', { has: page.getByRole('heading', { name: title, exact: true }) });
    await tree('Made from').getByRole('link', { name: 'Train/r1/load/0/0' }).waitFor({ timeout });
    await own.show(page, '#/artifact/Train/r1/load/0/0/rows');
    for (const task of ['0', '1', '2'])
      await tree('Used by')
        .getByRole('link', { name: `Train/r1/fit/${task}/0` })
        .first()
        .waitFor({ timeout });
    const elsewhere = page.locator('section', {
      has: page.getByRole('heading', { name: 'The same content elsewhere', exact: true }),
    });
    await elsewhere.getByRole('link', { name: 'Train/r2/load/0/0' }).first().waitFor({ timeout });
  });

  it('of an entry of the cache says why its call was a miss, as explain does', async () => {
    const { entries } = await told<{ entries: { key: string }[] }>('cache', 'ls', '--task', 'judge');
    const key = entries[0]?.key ?? '';
    const { differences } = await told<{ differences: { message: string }[] }>('cache', 'explain', key);
    await own.show(page, hrefOf('cache', [key]));
    const section = page.locator('section', {
      has: page.getByRole('heading', { name: /^Why it was a miss/ }),
    });
    expect(await section.locator('li').allTextContents()).toEqual(differences.map(({ message }) => message));
    expect(differences.length).toBeGreaterThan(0);
  });

  it('of the runs has those of a flow, a tag, a status, a text and a time, as the command line does', async () => {
    for (const [query, args] of [
      [{ flow: 'Train', tag: 'exp' }, ['Train', '--tag', 'exp']],
      [{ status: 'open' }, ['--status', 'open']],
      [{ text: 'r2' }, ['--text', 'r2']],
      [{ since: '1h', status: 'done' }, ['--since', '1h', '--status', 'done']],
    ] as const) {
      const { runs } = await told<{ runs: { flow: string; run: string }[] }>('runs', ...args);
      await own.show(page, hrefOf('runs', [], query));
      const shown = await page.locator('tr[aria-rowindex] a').allTextContents();
      const names = shown.map((name) => name.trim()).filter((name) => name.includes('/'));
      expect(names.sort()).toEqual(runs.map(({ flow, run }) => `${flow}/${run}`).sort());
      expect(names.length).toBeGreaterThan(0);
    }
  });

  it('of the store has the runs that a policy gives up, and the findings of a check', async () => {
    const policy = join(own.folder, 'policy.json');
    await writeFile(policy, JSON.stringify({ keepLast: 1 }));
    expect(await stowage(own.store, ['policy', 'set', policy])).toMatchObject({ code: 0 });
    const record = join(own.store, 'flows/Train/r1/fit/1');
    const [damaged = ''] = (await readdir(record)).filter((name) => name.endsWith('.metadata.json'));
    const { plan } = await told<{ plan: { runs: { flow: string; run: string }[] } }>('gc');
    await own.show(page, '#/store');
    await page.getByRole('button', { name: /^Plan it/ }).click();
    const table = page.getByRole('region', { name: 'runs that would go' });
    await table.waitFor({ timeout });
    expect(await table.getByRole('rowheader').allTextContents()).toEqual(
      plan.runs.map(({ flow, run }) => `${flow}/${run}`),
    );
    const whole = await readFile(join(record, damaged));
    await writeFile(join(record, damaged), whole.subarray(0, 100));
    await page.getByRole('button', { name: /^Check records/ }).click();
    await page.locator('.status', { hasText: 'Not sound' }).waitFor({ timeout });
    expect(await page.locator('li', { hasText: 'Train/r1/fit/1' }).count()).toBeGreaterThan(0);
  });
});
