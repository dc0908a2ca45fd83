import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../../src/page/asked.ts';
import { hrefOf } from '../../src/page/browser/route-address.ts';
import { QUESTIONS } from '../../src/page/questions.ts';
import { addEntries, BULKY, BULKY_ARTIFACTS, BULKY_PUBLISHED, makeBulkyStore } from '../cli/bulky-store.ts';
import { scratchFolder } from '../cli/fixture.ts';
import { stowageProcess } from '../cli/program-process.ts';
import {
  BROWSER,
  crawl,
  openPage,
  type ServedStore,
  seriousFaults,
  serveStore,
  settled,
  startBrowser,
  watchAnswers,
} from './served-page.ts';

const MEGABYTE = 1_000_000;
const ENTRIES = 2_500;
const PATIENCE_MS = 280_000;

const folder = scratchFolder();
const store = join(folder, 'store');
let served: ServedStore;
let key: string;

beforeAll(async () => {
  await makeBulkyStore(store);
  key = await addEntries(store, ENTRIES);
  const environment = { STOWAGE_INDEXES: join(folder, 'indexes') };
  // A busy machine takes longer than the server waits for an index that it makes.
  expect(await stowageProcess(store, ['index'], environment)).toMatchObject({ code: 0 });
  served = await serveStore(store, [], environment);
}, PATIENCE_MS);
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
});

/** All that the page may ask, as widely as it may. */
function questions(): Record<string, string[]> {
  const [run, task, logged] = [BULKY.run, BULKY.task, BULKY.logged].map(encodeURIComponent);
  return {
    runs: ['?limit=all', '?limit=all&figures=', '?limit=all&text=note', '?limit=all&before=Bulky%2Fr5'],
    ls: ['', '?arg=Bulky', `?arg=${run}`, `?arg=${task}`, `?arg=${task}%2F2`],
    show: [
      ...[run, `${run}&brief=`, `${run}&brief=&offset=7`, task, `${task}%2F0`, `${task}%2F2`],
      `${task}%2F2&artifact=artifact-${BULKY_ARTIFACTS - 1}`,
    ].map((path) => `?arg=${path}`),
    find: [
      '?limit=all&all-attempts=',
      '?limit=all&metadata=note&all-attempts=',
      '?arg=Bulky&artifact=artifact-7',
    ],
    lineage: [`?arg=${task}&up=all&down=all&limit=1000`],
    log: [
      `?arg=${run}`,
      `?arg=${run}&tail=100`,
      `?arg=${logged}`,
      `?arg=${logged}%2F0&tail=200&source=task&stream=stdout`,
    ],
    code: [
      `?arg=${encodeURIComponent(BULKY.coded)}`,
      `?arg=${encodeURIComponent(BULKY.coded)}&offset=200&limit=200`,
    ],
    preview: [`?arg=${task}%2F2&arg=artifact-1`, `?arg=${task}%2F2&arg=none`],
    du: ['?by=artifact&limit=9999'],
    stat: ['?by=artifact', '?by=run'],
    diff: [
      `?arg=${run}&arg=Bulky%2Fr3&details=`,
      `?arg=${run}&arg=Bulky%2Fr3&brief=&limit=all`,
      `?arg=${task}%2F2&arg=${task}%2F0&limit=all`,
    ],
    gc: ['?limit=500'],
    fsck: ['?quick=', '?quick=&limit=200'],
    published: ['', '?limit=200', `?of=${encodeURIComponent('Bulky/r3')}`, '?arg=name-0001'],
    'cache ls': ['?limit=all', '?limit=200&offset=200'],
    'cache show': [`?arg=${key}`],
    'cache stats': ['', '?figures=&no-update='],
    'cache explain': [`?arg=${key}`],
  };
}

describe('an answer', () => {
  it(
    'takes a megabyte at most, whatever is asked of long texts and lists',
    async () => {
      const asked = questions();
      expect(Object.keys(asked).sort()).toEqual(Object.keys(QUESTIONS).sort());
      let large = 0;
      for (const [command, queries] of Object.entries(asked))
        for (const query of queries) {
          const address = `${command.replace(' ', '/')}${query}`;
          const text = await (await fetch(`${served.url}api/${address}`)).text();
          expect(Buffer.byteLength(text), address).toBeLessThanOrEqual(MEGABYTE);
          const { result, error } = JSON.parse(text) as Answer;
          const isMissing = /arg=none/.test(query);
          expect(error?.code, `${address}: ${error?.message}`).toBe(
            isMissing ? 'ARTIFACT_NOT_FOUND' : undefined,
          );
          if (!isMissing) expect(result, address).toBeDefined();
          if (text.length > MEGABYTE / 2) large += 1;
        }
      expect(large).toBeGreaterThan(15); // there was something to bound
    },
    PATIENCE_MS,
  );

  it('of lists that go on has all of them, page by page', async () => {
    const all = async (command: string, member: string): Promise<unknown[]> => {
      const items: unknown[] = [];
      let next: number | undefined = 0;
      while (next !== undefined) {
        const response: Response = await fetch(`${served.url}api/${command}?limit=1000&offset=${next}`);
        const { result } = (await response.json()) as Answer<Record<string, unknown[]> & { next?: number }>;
        items.push(...(result?.[member] ?? []));
        next = result?.next;
      }
      return items;
    };
    const keys = (await all('cache/ls', 'entries')).map((entry) => (entry as { key: string }).key);
    expect(new Set(keys).size).toBe(ENTRIES + 2);
    expect(keys).toHaveLength(ENTRIES + 2);
    expect(await all('published', 'published')).toHaveLength(BULKY_PUBLISHED);
  });

  it('that follows logs sends a megabyte at most of what is there already', async () => {
    const ending = new AbortController();
    const response = await fetch(`${served.url}follow/log?arg=${BULKY.run}`, { signal: ending.signal });
    let bytes = 0;
    let quiet: ReturnType<typeof setTimeout> | undefined;
    try {
      for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
        bytes += piece.length;
        clearTimeout(quiet);
        quiet = setTimeout(() => ending.abort(), 3_000);
      }
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    }
    expect(bytes).toBeLessThanOrEqual(MEGABYTE);
    expect(bytes).toBeGreaterThan(MEGABYTE / 4);
  });
});

describe.skipIf(!BROWSER)('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
  });

  const show = async (page: Page, address: string): Promise<void> => {
    await page.goto(served.url + address);
    await settled(page);
  };

  it(
    'has every view by such answers, none of which is refused, and says what is left out',
    async () => {
      const of = BULKY.task.split('/');
      const from = [
        ...['#/runs', '#/store', '#/cache', '#/compare?a=Bulky%2Fr2&b=Bulky%2Fr3'],
        ...['', 'graph', 'timeline', 'logs'].map((part) =>
          hrefOf('run', BULKY.run.split('/'), { show: part }),
        ),
        ...[hrefOf('task', of), hrefOf('task', [...of, '0']), hrefOf('task', BULKY.logged.split('/'))],
        hrefOf('artifact', [...of, '2', `artifact-${BULKY_ARTIFACTS - 1}`]),
        hrefOf('cache', [key]),
      ];
      const addresses = await crawl(browser, { from, ofEach: 3, show });
      const page = await openPage(browser);
      const answers = watchAnswers(page);
      for (const address of addresses) {
        await show(page, address);
        expect(await page.getByText('ANSWER_TOO_LARGE').count(), address).toBe(0);
      }
      expect(await answers.over(MEGABYTE)).toEqual([]);

      await show(page, hrefOf('task', [...of, '2']));
      const note = page.getByRole('complementary', { name: 'left out' });
      await note.getByText(`stowage show ${BULKY.task}/2 --json`).waitFor();
      expect(await note.textContent()).toMatch(/[\d,]+ more of attempts\.2\.artifacts/);
      for (const [width, colorScheme] of [
        [1280, 'light'],
        [400, 'dark'],
      ] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        const tooWide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
        expect([width, await page.evaluate(tooWide)]).toEqual([width, 0]);
        const box = await note.boundingBox();
        expect((box?.x ?? 0) + (box?.width ?? width)).toBeLessThanOrEqual(width);
        expect(await seriousFaults(page, 'aside.cut')).toEqual([]);
      }
      const load = page.getByRole('button', { name: 'Load long' });
      expect([await load.count(), await page.locator('iframe').count()]).toEqual([1, 0]);
      await load.click();
      await page.frameLocator('iframe[title="report long"]').getByText('a "long" text').waitFor();
      const saving = page.waitForEvent('download');
      await page.getByRole('link', { name: 'Download long' }).click();
      expect((await saving).suggestedFilename()).toBe('long.html');
      await show(page, hrefOf('artifact', [...of, '2', `artifact-${BULKY_ARTIFACTS - 1}`]));
      expect(await page.getByText('has no artifact of this name').count()).toBe(0);
      await page.getByText(`artifact number ${BULKY_ARTIFACTS - 1} of ${BULKY_ARTIFACTS}`).waitFor();
      await show(page, hrefOf('task', BULKY.logged.split('/')));
      await page.getByText(`stowage log ${BULKY.logged}/0 --source task --stream stdout`).waitFor();
      await show(page, '#/cache');
      await page.getByRole('button', { name: '2,302 more' }).click();
      await page.getByRole('button', { name: '2,102 more' }).waitFor();
      await show(page, hrefOf('artifact', ['Bulky', 'r3', 'model', '0', '0', 'huge']));
      await page.getByText('stowage get Bulky/r3/model/0/0 huge -o huge.json').waitFor();
      expect(await page.getByRole('link', { name: 'Download' }).count()).toBe(0);
      await show(page, hrefOf('artifact', ['Bulky', 'r3', 'model', '0', '0', 'model']));
      expect(await page.getByRole('link', { name: 'Download' }).count()).toBe(1);
      await page.close();
    },
    PATIENCE_MS,
  );
});
