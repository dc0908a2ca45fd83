import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { BROWSER, openPage, type ShownStore, showStore, watchAnswers, watchPage } from './served-page.ts';
import { makeShownStore } from './shown-store.ts';

const LOADED = '#/artifact/Train/r1/load/0/0';
const FITTED = '#/artifact/Train/r1/fit/0/0';
const MEDIA = '#/artifact/Media/r1/make/0/0';
const MEGABYTE = 1_000_000;
const SAMPLES = 4_000;
/** Of 16 bits: 1.6 MB. */
const MANY_SAMPLES = 800_000;
const SAMPLES_A_SECOND = 8_000;

describe.skipIf(!BROWSER)('what an artifact holds', () => {
  let own: ShownStore;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    own = await showStore(async (folder) => {
      const store = await makeShownStore(folder);
      await addMedia(folder, store);
      return store;
    });
    page = await openPage(own.browser, { viewport: { width: 1280, height: 900 } });
    faults = watchPage(page, own.url);
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  /** `Media/r1/make/0`: a sound of half a second, and a file of Markdown; an image and a sound of over a megabyte. */
  async function addMedia(folder: string, store: string): Promise<void> {
    writeFileSync(join(folder, 'sound.wav'), soundOf(SAMPLES));
    writeFileSync(join(folder, 'long.wav'), soundOf(MANY_SAMPLES));
    // What lies behind the end of an image counts for nothing but its length.
    const image = await readFile(join(folder, 'data', 'dot.png'));
    writeFileSync(join(folder, 'large.png'), Buffer.concat([image, Buffer.alloc(2 * MEGABYTE)]));
    writeFileSync(join(folder, 'guide.md'), '# A guide\n\nIt is **short**.\n');
    await using flow = await FlowDataStore.open({ flowName: 'Media', storage: store });
    await flow.task({ runId: 'r1', stepName: 'make', taskId: '0' }, async (task) =>
      task.saveArtifacts({
        sound: await task.files.fromLocal(join(folder, 'sound.wav')),
        guide: await task.files.fromLocal(join(folder, 'guide.md')),
        long: await task.files.fromLocal(join(folder, 'long.wav')),
        large: await task.files.fromLocal(join(folder, 'large.png')),
      }),
    );
  }

  it('is a tree, of values as of JSON', async () => {
    await own.show(page, `${FITTED}/deep`);
    expect(await page.locator('.preview').getByRole('treeitem').count()).toBeGreaterThan(2);
    expect(faults).toEqual([]);
  });

  it('is its text, as it is', async () => {
    await own.show(page, `${FITTED}/page`);
    expect(await page.locator('.preview pre').textContent()).toContain('<script>top.hacked = 1;');
    expect(faults).toEqual([]);
  });

  it('is Markdown, set and as it is typed', async () => {
    await own.show(page, `${MEDIA}/guide`);
    await page.locator('.preview').getByRole('heading', { name: 'A guide' }).waitFor();
    expect(await page.locator('.preview strong').textContent()).toBe('short');
    await page.getByRole('button', { name: 'As it is typed' }).click();
    await page.locator('.preview pre', { hasText: '# A guide' }).waitFor();
    expect(faults).toEqual([]);
  });

  it('is an image that is drawn', async () => {
    await own.show(page, `${LOADED}/image`);
    const width = (): Promise<number> =>
      page.locator('.preview img').evaluate((image) => (image as unknown as Image).naturalWidth);
    await expect.poll(width).toBe(1);
    expect(faults).toEqual([]);
  });

  it('is a sound that can be played', async () => {
    await own.show(page, `${MEDIA}/sound`);
    const sound = page.locator('.preview audio');
    await expect.poll(() => sound.getAttribute('src')).toContain('content/');
    const seconds = (): Promise<number> => sound.evaluate((one) => (one as unknown as Sound).duration);
    await expect.poll(seconds, { timeout: 10_000 }).toBeCloseTo(SAMPLES / SAMPLES_A_SECOND, 2);
    expect(faults).toEqual([]);
  });

  it('is an image, or a sound, of over a megabyte, which is loaded only once somebody asks for it', async () => {
    const answers = watchAnswers(page);
    await own.show(page, `${MEDIA}/long`);
    expect(await page.locator('.preview audio').getAttribute('preload')).toBe('none');
    await own.show(page, `${MEDIA}/large`);
    expect(await page.locator('.preview img').count()).toBe(0);
    expect(await answers.over(MEGABYTE)).toEqual([]);
    await page.getByRole('button', { name: 'Load large' }).click();
    const width = (): Promise<number> =>
      page.locator('.preview img').evaluate((image) => (image as unknown as Image).naturalWidth);
    await expect.poll(width).toBe(1);
    expect(faults).toEqual([]);
  });

  it('is a histogram and a line of numbers', async () => {
    await own.show(page, `${FITTED}/weights`);
    for (const name of [/^Histogram of weights/, /^Line of weights/])
      await expect.poll(() => isDrawn(page.getByRole('img', { name }))).toBe(true);
    expect(await page.locator('.preview dl').textContent()).toContain('Count4000');
    expect(faults).toEqual([]);
  });

  it.each([
    ['Arrow', `${FITTED}/table`, 300],
    ['Parquet', `${LOADED}/frame`, 5_000],
  ] as const)('is a table of %s, from its first row to its last', async (_kind, address, rows) => {
    await own.show(page, address);
    const numbers = page.locator('.preview tbody tr[aria-rowindex] td:first-child');
    await numbers.getByText('0', { exact: true }).waitFor();
    const last = new Intl.NumberFormat('en').format(rows - 1);
    await scrollToEnd(page.locator('.preview .scrolls.long'));
    await numbers.getByText(last, { exact: true }).waitFor();
    expect(faults).toEqual([]);
  });

  it('is a file to be saved, which is the file', async () => {
    await own.show(page, `${LOADED}/rows`);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page
        .getByRole('link', { name: /^Download/ })
        .first()
        .click(),
    ]);
    expect(download.suggestedFilename()).toBe('rows.csv');
    expect(await readFile(await download.path())).toEqual(
      await readFile(join(own.folder, 'data', 'rows.csv')),
    );
  });

  it('is a number whose line goes over the runs', async () => {
    await own.show(page, `${FITTED}/auc`);
    await expect.poll(() => isDrawn(page.getByRole('img', { name: /^value of auc over runs/ }))).toBe(true);
    expect(faults).toEqual([]);
  });
});

interface Image {
  naturalWidth: number;
}

interface Sound {
  duration: number;
}

/** A canvas that has something on it. */
function isDrawn(chart: Locator): Promise<boolean> {
  return chart.locator('canvas').evaluate((canvas) => {
    const { width, height, getContext } = canvas as unknown as Canvas;
    const { data } = getContext.call(canvas, '2d').getImageData(0, 0, width, height);
    return data.some((byte) => byte !== 0);
  });
}

interface Canvas {
  width: number;
  height: number;
  getContext(kind: '2d'): {
    getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray };
  };
}

async function scrollToEnd(part: Locator): Promise<void> {
  await part.evaluate((at) => {
    const scrolled = at as unknown as { scrollTop: number; scrollHeight: number };
    scrolled.scrollTop = scrolled.scrollHeight;
  });
}

/** A file of WAV, one channel of so many 16-bit samples. */
function soundOf(samples: number): Buffer {
  const wav = Buffer.alloc(44 + 2 * samples);
  wav.write('RIFF', 0, 'latin1');
  wav.writeUInt32LE(36 + 2 * samples, 4);
  wav.write('WAVEfmt ', 8, 'latin1');
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(SAMPLES_A_SECOND, 24);
  wav.writeUInt32LE(2 * SAMPLES_A_SECOND, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36, 'latin1');
  wav.writeUInt32LE(2 * samples, 40);
  for (let at = 0; at < samples; at += 1) wav.writeInt16LE(Math.round(8_000 * Math.sin(at / 3)), 44 + 2 * at);
  return wav;
}
