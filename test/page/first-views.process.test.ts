import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { formatBytes } from '../../src/options/figures.ts';
import { loadSqlite } from '../../src/storage/sql/sqlite/library.ts';
import { PROGRAM } from '../cli/fixture.ts';
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

const TASKS = 70;

/** Holds what the page asks at addresses; returns what lets it go on. */
async function held(page: Page, asked: string | RegExp): Promise<() => void> {
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(asked, async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

/** What views show before all of it is there. */
describe.skipIf(!BROWSER)('what takes long on the page', () => {
  let folder: string;
  let store: string;
  let env: Record<string, string>;
  let served: ServedStore;
  let browser: Browser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
    store = await makeShownStore(folder);
    await addTasks();
    env = { STOWAGE_INDEXES: join(folder, 'indexes') };
    await call('index');
    served = await serveStore(store, [], env);
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** `Wide/r1`: more tasks than a small run has. */
  async function addTasks(): Promise<void> {
    await using flow = await FlowDataStore.open({ flowName: 'Wide', storage: store });
    for (let task = 0; task < TASKS; task += 1)
      await flow.task({ runId: 'r1', stepName: 'each', taskId: String(task) }, async (open) =>
        open.saveArtifacts({ task }),
      );
  }

  async function call(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...args, '--store', store], {
      env: { ...process.env, ...env },
    });
    return stdout;
  }

  async function told<T>(...args: string[]): Promise<T> {
    return JSON.parse(await call(...args, '--json')) as T;
  }

  it('lets the index tell first what takes space, and then counts what is saved', async () => {
    const page = await openPage(browser);
    const faults = watchPage(page, served.url);
    const count = await held(page, '**/api/stat?*');
    await page.goto(`${served.url}#/store?flow=Train&by=run`);
    const space = page.getByRole('region', { name: 'space', exact: true });
    const savings = page.getByRole('region', { name: 'savings' });
    await space.getByRole('row', { name: /^all / }).waitFor();
    await page.getByRole('status').getByText('counting, which reads all records').waitFor();
    expect(await savings.count()).toBe(0);

    count();
    await savings.getByRole('row', { name: /^all / }).waitFor();
    await settled(page);
    expect(await page.getByText('counting').count()).toBe(0);
    const du = await told<{ entries: { name: string; ownBytes: number; sharedBytes: number }[] }>(
      ...['du', 'Train', '--by', 'run'],
    );
    const rows = space.getByRole('row').filter({ has: page.getByRole('link') });
    expect(await rows.count()).toBe(du.entries.length);
    for (const [at, { name, ownBytes, sharedBytes }] of du.entries.entries()) {
      const row = rows.nth(at);
      expect(await row.getByRole('link').getAttribute('href')).toBe(`#/run/${name}`);
      expect((await row.getByRole('cell').allTextContents()).slice(3)).toEqual(
        [ownBytes, sharedBytes].map((bytes) => formatBytes(bytes)),
      );
    }
    const { total } = await told<{ total: { savedByDedup: number; savedByCompression: number } }>(
      ...['stat', 'Train', '--by', 'run'],
    );
    const saved = `deduplication saves ${formatBytes(total.savedByDedup)}, compression ${formatBytes(total.savedByCompression)}.`;
    await page.getByText(saved).waitFor();
    expect(await savings.getByRole('link').first().getAttribute('href')).toMatch(/^#\/run\/Train\/\w+$/);
    expect(faults).toEqual([]);
    await page.close();
  });

  it.each([
    ['graph', 'svg.graph a'],
    ['timeline', 'svg.bars rect'],
  ])('draws the %s of a large run from what was read, and adds up its steps then', async (show, drawn) => {
    const page = await openPage(browser);
    const faults = watchPage(page, served.url);
    const add = await held(page, /\/api\/show\?.*\bsteps=/);
    await page.goto(`${served.url}#/run/Wide/r1?show=${show}`);
    await page.locator(drawn).first().waitFor();
    await page.getByRole('status').getByText('adding up the steps').waitFor();
    const main = page.locator('main');
    expect(await main.getByText(`${TASKS} tasks`).count()).toBeGreaterThan(0);
    const { steps } = await told<{ steps: { counts: { done: number } }[] }>('show', 'Wide/r1', '--steps');
    const counted = `${steps[0]?.counts.done} done`;
    const sum = show === 'graph' ? main.getByRole('link', { name: counted }) : main.getByText(counted);
    expect(await sum.count()).toBe(0);

    add();
    await sum.first().waitFor();
    await settled(page);
    expect(await page.getByText('adding up').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('tells of two runs first what they tell of themselves, and then compares their tasks', async () => {
    const page = await openPage(browser);
    const faults = watchPage(page, served.url);
    const compare = await held(page, '**/api/diff?*details*');
    await page.goto(`${served.url}#/compare?a=Train%2Fr1&b=Train%2Fr2`);
    const both = page.getByRole('region', { name: 'both runs' });
    await both.getByRole('row', { name: /^status done/ }).waitFor();
    await page.getByRole('status').getByText('comparing tasks').waitFor();
    const { run, runs } = await told<{
      run: { total: number; changes: { path: string }[] };
      runs: { a: { tags: string[] }; b: { tags: string[] } };
    }>('diff', 'Train/r1', 'Train/r2', '--brief');
    const changes = page.getByRole('region', { name: 'changes of the run' });
    expect(run.total).toBeGreaterThan(0);
    const paths = await changes.getByRole('rowheader').allTextContents();
    expect(paths).toEqual(run.changes.map(({ path }) => path));
    const tags = await both.getByRole('row', { name: /^tags/ }).getByRole('cell').allTextContents();
    expect(tags).toEqual([runs.a.tags.join(', '), runs.b.tags.join(', ')]);
    expect(await page.getByRole('region', { name: 'artifacts that differ' }).count()).toBe(0);
    expect(await seriousFaults(page)).toEqual([]);

    compare();
    await page.getByRole('region', { name: 'artifacts that differ' }).first().waitFor();
    expect(await page.getByText('comparing').count()).toBe(0);
    expect(await changes.getByRole('rowheader').allTextContents()).toEqual(paths);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('tells how many entries the cache has of each task first, and then lists them', async () => {
    const page = await openPage(browser);
    const faults = watchPage(page, served.url);
    const list = await held(page, '**/api/cache/ls?*');
    await page.goto(`${served.url}#/cache`);
    const byTask = page.getByRole('region', { name: 'entries by task' });
    await byTask.getByRole('row', { name: /^all / }).waitFor();
    await page.getByRole('status').getByText('reading entries').waitFor();
    list();
    const entries = page.getByRole('region', { name: 'entries', exact: true });
    await entries.getByRole('row').nth(1).waitFor();
    expect(await page.getByText('reading entries').count()).toBe(0);
    const { total } = await told<{ total: { entries: number } }>('cache', 'stats');
    expect(await entries.getByRole('row').count()).toBe(1 + total.entries);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('hides the link to the content until it has the focus', async () => {
    const page = await openPage(browser);
    await page.goto(`${served.url}#/runs`);
    await settled(page);
    const skip = page.locator('.skip');
    expect((await skip.boundingBox())?.width).toBeLessThanOrEqual(1);
    await skip.focus();
    expect((await skip.boundingBox())?.width).toBeGreaterThan(50);
    await page.close();
  });

  it('says what it waits for, and for how long, until it has an answer', async () => {
    const page = await openPage(browser);
    const faults = watchPage(page, served.url);
    const answer = await held(page, '**/api/runs*');
    await page.goto(`${served.url}#/runs`);
    const note = page.getByRole('complementary', { name: 'waiting' });
    expect(await note.count()).toBe(0);
    await page.getByText('Waiting for the store for 2 s').waitFor();
    await page.getByText('Waiting for the store for 3 s').waitFor();
    // Read out once, whatever the clock says.
    expect(await note.getByRole('status').textContent()).toBe('Waiting for the store …');
    expect(await seriousFaults(page)).toEqual([]);
    answer();
    await page.locator('tr[aria-rowindex]').first().waitFor();
    await note.waitFor({ state: 'detached' });
    expect(faults).toEqual([]);
    await page.close();
  });

  it('counts what is saved though the index is being made', async () => {
    const indexes = join(folder, 'locked-indexes');
    env = { STOWAGE_INDEXES: indexes };
    await call('index');
    const [file = ''] = (await readdir(indexes)).filter((name) => name.endsWith('.db'));
    // Another program keeps whoever makes the index from writing to it.
    const other = (await loadSqlite()).open(join(indexes, file), { readOnly: false });
    other.exec('update stowage_index set is_whole = 0');
    other.exec('begin immediate');
    await using waiting = await serveStore(store, [], env);
    const page = await openPage(browser);
    await page.goto(`${waiting.url}#/store`);
    await page.getByText(/deduplication saves/).waitFor();
    expect(await page.getByText(/index of the store is being made/).count()).toBe(1);
    other.exec('rollback');
    other.close();
    await page.getByRole('region', { name: 'space', exact: true }).waitFor();
    await page.close();
  });
});
