import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { BROWSER, openPage, type ServedStore, serveStore, startBrowser, watchPage } from './served-page.ts';

/** The page asks again every 5 s; a busy machine takes longer. */
const timeout = 30_000;
/** The list of runs, a run, its logs, and a task of it. */
const VIEWS = ['runs', 'run/Live/r1', 'run/Live/r1?show=logs', 'task/Live/r1/fit/1'] as const;

describe.skipIf(!BROWSER)('a page that is open while a run goes on', () => {
  let folder: string;
  let flow: FlowDataStore;
  let served: ServedStore;
  let browser: Browser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
    const storage = join(folder, 'store');
    flow = await FlowDataStore.open({ flowName: 'Live', storage });
    const run = await (await FlowDataStore.open({ flowName: 'Other', storage })).createRun({ runId: 'r0' });
    await run.finish('done');
    served = await serveStore(storage, [], { STOWAGE_INDEXES: join(folder, 'indexes') });
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    await flow?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('shows new runs, tasks, lines and statuses as they come, without being loaded again', async () => {
    const opened = await Promise.all(VIEWS.map(() => openPage(browser)));
    const [runs, run, logs, task] = opened as [Page, Page, Page, Page];
    const faults = opened.flatMap((page) => watchPage(page, served.url));
    const open = async (page: Page, address: string): Promise<void> => {
      await page.goto(`${served.url}#/${address}`);
      await page.evaluate('window.isSame = true');
    };
    const seen = (one: Locator): Promise<void> => one.waitFor({ timeout });
    const rowOf = (page: Page, name: string, status: string): Locator =>
      page.locator('tr[aria-rowindex]', { hasText: name }).filter({ hasText: status });

    await open(runs, VIEWS[0]);
    await seen(rowOf(runs, 'Other/r0', 'done'));
    const written = await flow.createRun({ runId: 'r1' });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (one) => one.saveArtifacts({ x: 1 }));
    await Promise.all([open(run, VIEWS[1]), open(logs, VIEWS[2]), open(task, VIEWS[3])]);
    await Promise.all([
      seen(rowOf(run, 'fit/0', 'done')),
      seen(logs.getByText('following', { exact: true })),
      seen(task.getByRole('alert').getByText('TASK_NOT_FOUND')),
    ]);

    const second = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '1' });
    await second.saveLogs('task', { stdout: 'first line\n' });
    await Promise.all([
      seen(rowOf(runs, 'Live/r1', 'open')),
      seen(rowOf(run, 'fit/1', 'open')),
      seen(logs.getByText('first line')),
      seen(task.locator('.facts', { hasText: 'open' })),
      seen(task.locator('.log', { hasText: 'first line' })),
    ]);
    expect(await task.getByRole('alert').count()).toBe(0);

    await second.saveArtifacts({ model: 'fitted' });
    await second.done();
    await Promise.all([
      seen(rowOf(run, 'fit/1', 'done')),
      seen(task.locator('.facts', { hasText: 'done' })),
      seen(task.getByRole('link', { name: 'model', exact: true })),
    ]);

    // One that failed may be tried again while its page is open.
    const third = { runId: 'r1', stepName: 'fit', taskId: '2' };
    await flow.task(third, () => Promise.reject(new Error('too hot'))).catch(() => {});
    const retried = await openPage(browser);
    await open(retried, 'task/Live/r1/fit/2');
    await seen(retried.locator('.facts', { hasText: 'failed' }));
    await flow.task(third, (one) => one.saveArtifacts({ x: 3 }));
    await seen(retried.locator('.attempts', { hasText: '1 done' }));
    expect(await retried.evaluate('window.isSame')).toBe(true);

    await written.finish('done');
    await Promise.all([
      seen(run.locator('.title .status', { hasText: 'done' })),
      seen(logs.locator('.title .status', { hasText: 'done' })),
      seen(logs.getByText('all was read')),
      seen(rowOf(runs, 'Live/r1', 'done')),
    ]);

    const same = await Promise.all(opened.map((page) => page.evaluate('window.isSame')));
    expect(same).toEqual(opened.map(() => true));
    expect(faults).toEqual([]);
    await Promise.all(opened.map((page) => page.close()));
  });
});
