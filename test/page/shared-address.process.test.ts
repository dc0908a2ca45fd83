import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { PAGE_FILES } from '../../src/page/view-questions.ts';
import { BROWSER, openPage, type ShownStore, settled, showStore } from './served-page.ts';
import { makeShownStore } from './shown-store.ts';

/** What is scrolled to and typed goes to the address after a pause. */
const PAUSE_MS = 600;
/** Of a directory: more than a page has. */
const FILES = PAGE_FILES + 50;

describe.skipIf(!BROWSER)('the address of a view', () => {
  let own: ShownStore;

  beforeAll(async () => {
    own = await showStore(async (folder) => {
      const store = await makeShownStore(folder);
      await addDirectory(folder, store);
      return store;
    });
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  /** `Files/r1/make/0`, artifact `many`: files of their own numbers, from 1 on. */
  async function addDirectory(folder: string, store: string): Promise<void> {
    const many = join(folder, 'many');
    await mkdir(many);
    for (let file = 1; file <= FILES; file += 1)
      await writeFile(join(many, `${String(file).padStart(4, '0')}.txt`), `file ${file}\n`);
    await using flow = await FlowDataStore.open({ flowName: 'Files', storage: store });
    await flow.task({ runId: 'r1', stepName: 'make', taskId: '0' }, async (task) =>
      task.saveArtifacts({ many: await task.directories.fromLocal(many) }),
    );
  }

  /** What is seen of a view after something was chosen, and what whoever opens a copy of its address sees. */
  async function seenByBoth<T>(
    address: string,
    choose: (page: Page) => Promise<void>,
    see: (page: Page) => Promise<T>,
  ): Promise<{ one: T; other: T; address: string }> {
    const page = await openPage(own.browser, { viewport: { width: 1280, height: 800 } });
    await own.show(page, address);
    const entries = await page.evaluate('history.length');
    await choose(page);
    await page.waitForTimeout(PAUSE_MS);
    await settled(page);
    expect(await page.evaluate('history.length')).toBe(entries); // the way back leads out of the view
    const another = await openPage(own.browser, { viewport: { width: 1280, height: 800 } });
    await another.goto(page.url());
    await settled(another);
    await another.waitForTimeout(PAUSE_MS);
    const seen = { one: await see(page), other: await see(another), address: page.url() };
    await page.close();
    await another.close();
    return seen;
  }

  const rowsOf = (page: Page): Promise<string[]> =>
    page.locator('tbody tr[aria-rowindex] td:first-child').allTextContents();

  it('has the sort of a table, and its filters', async () => {
    const { one, other } = await seenByBoth(
      '#/run/Train/r1',
      async (page) => {
        for (let clicks = 0; clicks < 2; clicks += 1)
          await page.locator('thead button').getByText('Task').click();
        await page.getByLabel('Status').selectOption('done');
        await page.getByLabel('Text').fill('fit');
      },
      async (page) => [
        await page.locator('th[aria-sort]').getAttribute('aria-sort'),
        ...(await rowsOf(page)),
      ],
    );
    expect(one).toEqual(['descending', 'fit/2 ', 'fit/1 ', 'fit/0 ']);
    expect(other).toEqual(one);
  });

  it('has the steps of a timeline that are folded', async () => {
    const { one, other } = await seenByBoth(
      '#/run/Train/r1?show=timeline',
      (page) => page.getByRole('button', { name: 'fit 3 tasks' }).click(),
      (page) => page.locator('button.fold[aria-expanded="false"]').allTextContents(),
    );
    expect(one).toEqual(['fit 3 tasks']);
    expect(other).toEqual(one);
  });

  it('has the runs that are chosen, whatever they are called', async () => {
    const { one, other } = await seenByBoth(
      '#/runs',
      async (page) => {
        await page.getByLabel('compare Train/r1').check();
        await page.locator('input[type=checkbox]:not(:checked)').nth(1).check();
      },
      async (page) => [await page.locator('.chosen').textContent()],
    );
    expect(one[0]).toMatch(/^Compare Train\/r1 with .*none$/);
    expect(other).toEqual(one);
  });

  it('has the number that is chosen for the line of versions', async () => {
    const { one, other } = await seenByBoth(
      '#/artifact/Train/r1/fit/0/0/auc',
      async (page) => void (await page.getByRole('combobox', { name: 'Number' }).selectOption('time')),
      (page) => page.getByRole('combobox', { name: 'Number' }).inputValue(),
    );
    expect([one, other]).toEqual(['time', 'time']);
  });

  it('has the place in the rows of a table, and the row that is open', async () => {
    const seen = async (page: Page): Promise<unknown> => {
      const top = await page.locator('section.long').evaluate((part) => Math.round(part.scrollTop / 28));
      return [top, await page.locator('.row-opened h3').textContent(), (await rowsOf(page)).slice(0, 3)];
    };
    const { one, other } = await seenByBoth(
      '#/artifact/Train/r1/load/0/0/frame',
      async (page) => {
        await page.locator('section.long').evaluate((part) => part.scrollTo(0, 3_000 * 28));
        await page.getByRole('button', { name: '3,002', exact: true }).click();
        await page.locator('section.long').evaluate((part) => part.scrollTo(0, 4_500 * 28));
      },
      seen,
    );
    expect(one).toEqual([4_500, 'Row 3,002 Close', ['4,492', '4,493', '4,494']]);
    expect(other).toEqual(one);
  });

  it('has the file of a directory that is open', async () => {
    const { one, other } = await seenByBoth(
      '#/artifact/Train/r1/load/0/0/parts',
      (page) => page.getByRole('button', { name: 'Preview a.txt' }).click(),
      (page) => page.locator('table.files .preview').allTextContents(),
    );
    expect(one).toEqual(['a\n']);
    expect(other).toEqual(one);
  });

  it('has the page of the files of a directory, and the file that is open there', async () => {
    const first = `${String(PAGE_FILES + 1).padStart(4, '0')}.txt`;
    const { one, other, address } = await seenByBoth(
      '#/artifact/Files/r1/make/0/0/many',
      async (page) => {
        await page.getByRole('button', { name: 'Later' }).click();
        await page.getByRole('button', { name: `Preview ${first}` }).click();
      },
      async (page) => [
        await page.getByText(/^Files /).textContent(),
        await page.locator('table.files tbody tr').count(),
        await page.locator('table.files .preview').allTextContents(),
      ],
    );
    expect(one).toEqual([
      expect.stringContaining(`Files ${PAGE_FILES + 1} to ${FILES} of ${FILES} files`),
      FILES - PAGE_FILES,
      [`file ${PAGE_FILES + 1}\n`],
    ]);
    expect(other).toEqual(one);
    expect(address).toContain(`files=${PAGE_FILES}`);
  });

  it('has the artifacts and reports of a task that are open', async () => {
    const { one, other } = await seenByBoth(
      '#/task/Train/r1/fit/0',
      async (page) => {
        await page.getByRole('button', { name: 'Preview notes' }).click();
        await page.getByRole('button', { name: 'Close loss' }).click();
      },
      async (page) => [
        await page.locator('tr.opened').count(),
        await page.locator('tr.opened pre').textContent(),
        await page.locator('iframe').count(),
      ],
    );
    expect(one).toEqual([1, expect.stringMatching(/^# Notes/), 0]);
    expect(other).toEqual(one);
  });

  it('has the cached task whose entries are listed', async () => {
    const cache = await seenByBoth(
      '#/cache?task=judge',
      async () => {},
      (page) => page.getByRole('heading', { level: 2 }).allTextContents(),
    );
    expect(cache.other).toEqual(cache.one);
    expect(cache.one).toContain('Entries of judge');
  });
});
