import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../src/format/record.ts';
import {
  BROWSER,
  openPage,
  type ShownStore,
  serveStore,
  settled,
  showStore,
  startBrowser,
  watchPage,
} from './served-page.ts';
import { makeShownStore } from './shown-store.ts';

/** The page asks again every 5 s; a busy machine takes longer. */
const timeout = 30_000;
/** Views that ask again by themselves, or follow, and those that would not but for a failure. */
const ASKING = ['runs', 'run/Train/r3', 'run/Train/r3?show=logs', 'task/Train/r3/slow/1'];
const STILL = ['artifact/Train/r1/fit/0/0/auc', 'compare?a=Train%2Fr1&b=Train%2Fr2', 'cache', 'store'];

describe.skipIf(!BROWSER)('the page of a store that', () => {
  let own: ShownStore;

  beforeAll(async () => {
    own = await showStore(makeShownStore);
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  const open = async (page: Page, address: string): Promise<void> => {
    await page.goto('about:blank');
    await page.goto(`${own.url}#/${address}`);
  };
  const alerts = (page: Page): Promise<string[]> => page.locator('main [role=alert]').allTextContents();

  it('goes away tells so on every view, and shows it again when it is back', async () => {
    const pages = await Promise.all([...ASKING, ...STILL].map(() => openPage(own.browser)));
    const [asking, still] = [pages.slice(0, ASKING.length), pages.slice(ASKING.length)];
    const faults = pages.flatMap((page) => watchPage(page, own.url));
    const openAll = (some: readonly Page[], addresses: readonly string[]): Promise<unknown> =>
      Promise.all(some.map((page, at) => open(page, addresses[at] as string)));
    const toldByAll = (code: string): Promise<unknown> =>
      Promise.all(
        pages.map((page) =>
          page.locator('main [role=alert]', { hasText: code }).first().waitFor({ timeout }),
        ),
      );
    const [runs, , logs] = asking as [Page, Page, Page];

    await openAll(asking, ASKING);
    await Promise.all(asking.map(settled));
    await rename(own.store, `${own.store}.away`);
    await openAll(still, STILL);
    await toldByAll('NO_SUCH_STORE There is no store at');
    expect(await runs.locator('tr[aria-rowindex] a').count()).toBeGreaterThan(0); // what was read stays

    const goOn = logs.getByRole('button', { name: 'Continue' });
    await goOn.waitFor({ timeout });
    await rename(`${own.store}.away`, own.store);
    await goOn.click();
    await logs.getByText('following', { exact: true }).waitFor();
    await Promise.all(
      pages.map((page) => page.locator('main [role=alert]').first().waitFor({ state: 'detached', timeout })),
    );
    const [artifact] = still as [Page];
    await artifact.getByRole('treeitem').first().waitFor();
    expect(faults).toEqual([]);
    await Promise.all(pages.map((page) => page.close()));
  });

  it('has damaged records, and some of a newer release, tells of them, and shows the others', async () => {
    const recordOf = (run: string): string => join(own.store, 'runs', 'Train', run, 'created.json');
    const makeNewer = async (path: string): Promise<void> => {
      const { digest: _, ...record } = JSON.parse(await readFile(path, 'utf8'));
      await writeFile(path, encodeRecord({ ...record, format: 99 }));
    };
    const [shard = ''] = await readdir(join(own.store, 'cache'));
    const [entry = ''] = await readdir(join(own.store, 'cache', shard));
    await makeNewer(recordOf('r1'));
    await writeFile(recordOf('r2'), '{"format":');
    await makeNewer(join(own.store, 'flows/Train/r3/slow/1/0.attempt.json'));
    await writeFile(join(own.store, 'flows/Train/r1/fit/1/0.metadata.json'), Buffer.alloc(512, 7));
    await writeFile(join(own.store, 'cache', shard, entry), 'garbage');
    const page = await openPage(own.browser);
    const faults = watchPage(page, own.url);
    const key = entry.slice(0, entry.indexOf('.'));
    await open(page, 'runs');
    await settled(page);
    expect(await alerts(page)).toEqual([expect.stringMatching(/^RECORD_DAMAGED .*\(And 1 more/)]);
    await page.getByRole('link', { name: 'Train/r3' }).waitFor();
    for (const [address, ...codes] of [
      ['run/Train/r1', 'RECORD_DAMAGED', 'UNSUPPORTED_FORMAT'],
      ['run/Train/r2', 'RECORD_DAMAGED'],
      ['run/Train/r3', 'UNSUPPORTED_FORMAT'],
      ['run/Train/j1'],
      ['task/Train/r3/slow/1', 'UNSUPPORTED_FORMAT'],
      ['task/Train/r3/slow/0'],
      ['task/Train/r1/fit/1', 'RECORD_DAMAGED'],
      ['task/Train/r1/fit/2'],
      ['artifact/Train/r1/fit/1/0/auc', 'RECORD_DAMAGED'],
      // Its other versions are read too.
      ['artifact/Train/r1/fit/2/0/auc', 'The number of Train/r1/fit/1/0 could not be read'],
      [`cache/${key}`, 'RECORD_DAMAGED'],
      ['cache', 'RECORD_DAMAGED'],
    ] as const) {
      await open(page, address);
      await settled(page);
      expect([address, await alerts(page)]).toEqual([
        address,
        codes.map((code) => expect.stringContaining(code)),
      ]);
    }
    expect(faults).toEqual([]);
    // Damage hides neither that there is no index, nor is it told once more for that.
    await using without = await serveStore(own.store, [], { STOWAGE_INDEXES: join(own.folder, 'none') });
    await page.goto(`${without.url}#/runs`);
    await page.getByText('make it with: stowage index').waitFor();
    expect(await alerts(page)).toEqual([expect.stringMatching(/^RECORD_DAMAGED .*\(And 1 more/)]);
    await page.goto(`${without.url}#/cache`);
    await page.getByText('make it with: stowage index').waitFor();
    await page.close();
  });

  it('has damaged content, tells of what it is, and shows the rest', async () => {
    const page = await openPage(own.browser);
    const faults = watchPage(page, own.url);
    const data = join(own.store, 'data');
    for (const name of await readdir(data, { recursive: true }))
      if (/\.\d+$/.test(name)) {
        const bytes = await readFile(join(data, name));
        await writeFile(join(data, name), bytes.fill(0xa5, bytes.length >> 1));
      }
    for (const address of ['weights', 'deep'].map((name) => `artifact/Train/r1/fit/2/0/${name}`)) {
      await open(page, address);
      await settled(page);
      expect([address, await alerts(page)]).toEqual([address, [expect.stringContaining('CONTENT_DAMAGED')]]);
    }
    await open(page, 'artifact/Train/r1/load/0/0/image');
    await page.getByText('This browser cannot show it').or(page.getByText('CONTENT_DAMAGED')).waitFor();
    await rm(join(own.store, 'plain'), { recursive: true });
    await open(page, 'task/Train/r1/fit/2');
    await page
      .frameLocator('iframe')
      .getByText('REPORT_NOT_FOUND')
      .or(page.frameLocator('iframe').getByText('CONTENT'))
      .waitFor();
    await open(page, 'artifact/Train/r1/fit/2/0/auc');
    await settled(page);
    expect(await alerts(page)).toEqual([
      expect.stringContaining('The number of Train/r1/fit/1/0 could not be read'),
    ]);
    expect(faults).toEqual([]);
    await page.close();
  });
});

describe.skipIf(!BROWSER)('the page of a server that has ended', () => {
  it('says so on every view, keeps what it shows, and says what to do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
    const server = await serveStore(await makeShownStore(folder));
    const browser = await startBrowser();
    try {
      const addresses = [...ASKING, 'artifact/Train/r1/fit/0/0/auc'];
      const pages = await Promise.all(addresses.map(() => openPage(browser)));
      const [runs, run, logs, , artifact] = pages as [Page, Page, Page, Page, Page];
      await Promise.all(
        pages.map(async (page, at) => {
          await page.goto(`${server.url}#/${addresses[at]}`);
          await settled(page);
        }),
      );
      const faults = pages.flatMap((page) => watchPage(page, server.url));
      await server[Symbol.asyncDispose]();
      await artifact.getByRole('link', { name: 'Cache', exact: true }).click(); // asks what it has not asked
      const said = 'Start it again, and open the address that it prints';
      await Promise.all(pages.map((page) => page.getByText(said).first().waitFor({ timeout })));
      expect(await runs.locator('tr[aria-rowindex] a').count()).toBeGreaterThan(0);
      expect(await run.locator('tr[aria-rowindex] a').count()).toBeGreaterThan(0);
      await logs.getByRole('button', { name: 'Continue' }).waitFor();
      expect(faults.filter((fault) => !fault.includes('net::ERR_'))).toEqual([]);
    } finally {
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
