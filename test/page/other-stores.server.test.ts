import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hrefOf } from '../../src/page/browser/route-address.ts';
import { stowageProcess } from '../cli/program-process.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { BROWSER, faultsOfEach, type Show, serveStore, settled, startBrowser } from './served-page.ts';
import { fillShownStore, HOSTILE, type ShownPlace } from './shown-store.ts';

/** A store that the command line opens by its address. */
interface Made extends ShownPlace {
  address: string;
}

/** Views are looked at in so many tabs at once. */
const TABS = 3;
const [flowOf, runOf, stepOf, taskOf] = HOSTILE;
const VIEWS = [
  ...['#/runs', '#/cache', '#/store', '#/store?flow=Train'],
  ...['', 'graph', 'timeline', 'logs'].map((show) => hrefOf('run', ['Train', 'r1'], { show })),
  '#/compare?a=Train%2Fr1&b=Train%2Fr2',
  '#/task/Train/r1/fit/0',
  ...['rows', 'parts', 'image', 'frame'].map((name) => `#/artifact/Train/r1/load/0/0/${name}`),
  ...['weights', 'table', 'deep', 'notes'].map((name) => `#/artifact/Train/r1/fit/0/0/${name}`),
  hrefOf('task', [flowOf, runOf, stepOf, taskOf]),
];

/** What a view shows, but for what tells of time and space: its heads, links, statuses and values. */
async function outlineOf(page: Page): Promise<string[]> {
  const shown = 'main :is(h1, h2, h3, th, a, [role=treeitem], figcaption, .status, .error-tree)';
  const texts = await page.locator(shown).allTextContents();
  return texts.map((text) => text.replace(/[\d.,]+ (ms|s|min|B|kB|KiB)/g, '').replace(/\s+/g, ' ')).sort();
}

describe.skipIf(!BROWSER)('the page of a store', () => {
  let folder: string;
  let browser: Browser;
  let ofFolder: Map<string, string[]>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
    browser = await startBrowser();
    const address = join(folder, 'store');
    ofFolder = await outlines({ address, storage: address });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Fills a store, and what each view of it shows. */
  async function outlines({ address, ...place }: Made): Promise<Map<string, string[]>> {
    const environment = { STOWAGE_INDEXES: join(folder, 'indexes') };
    await fillShownStore(folder, place);
    expect(await stowageProcess(address, ['index'], environment)).toMatchObject({ code: 0 });
    await using served = await serveStore(address, [], environment);
    const show: Show = async (page, view) => {
      await page.goto(served.url + view);
      await settled(page);
    };
    const { stdout } = await stowageProcess(address, ['cache', 'ls', '--json'], environment);
    const [{ key }] = JSON.parse(stdout).entries;
    const addresses = [...VIEWS, hrefOf('cache', [key])];
    const found = new Map<string, string[]>();
    const on = { addresses, url: served.url, show, options: {}, tabs: TABS };
    const faults = await faultsOfEach(browser, on, async (page, view) => {
      found.set(view, await outlineOf(page));
      return page.locator('[role=alert]').allTextContents();
    });
    expect(faults).toEqual([]);
    return found;
  }

  const isLikeThatOfAFolder = (make: () => Promise<Made>): void =>
    it('opens every view without an error, and shows what it shows of a folder', async () => {
      const found = await outlines(await make());
      for (const [view, shown] of ofFolder) expect([view, found.get(view)]).toEqual([view, shown]);
    });

  describe('in a file of SQLite', () => {
    isLikeThatOfAFolder(async () => {
      const address = `sqlite:${join(folder, 'runs.db')}`;
      return { address, storage: address };
    });
  });

  for (const server of s3Servers().filter(({ isReal }) => isReal)) {
    describe(`whose content is on ${server.name}`, () => {
      const inUse = useS3Server(server);
      const before = { ...process.env };
      beforeAll(() => {
        const { endpoint, region, credentials } = inUse.access();
        process.env.AWS_ENDPOINT_URL_S3 = endpoint;
        process.env.AWS_REGION = region;
        process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId;
        process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey;
        process.env.AWS_EC2_METADATA_DISABLED = 'true';
      });
      afterAll(() => {
        process.env = before;
      });
      const newBucket = async (): Promise<string> => {
        const { bucket, prefix } = await inUse.newPlace();
        return `s3://${bucket}/${prefix}store`;
      };

      describe('as are its records', () => {
        isLikeThatOfAFolder(async () => {
          const address = await newBucket();
          return { address, storage: address };
        });
      });

      describeOnPostgres('in PostgreSQL', (database) => {
        isLikeThatOfAFolder(async () => {
          const address = `${database.address()}/shown`;
          return { address, storage: address, rawDataPath: await newBucket() };
        });
      });
    });
  }
});
