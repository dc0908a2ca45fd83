import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore, type OpenTaskDataStore } from '../../src/index.ts';
import { hrefOf } from '../../src/page/browser/route-address.ts';
import { BROWSER, openPage, type ShownStore, showStore } from './served-page.ts';

describe.skipIf(!BROWSER)('the timeline of a run', () => {
  let own: ShownStore;

  beforeAll(async () => {
    own = await showStore(async (folder) => {
      const store = join(folder, 'store');
      await fillStore(store);
      return store;
    });
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  /** `Train/again` takes `load/0` over from `Train/first`, tries `fit/0` a second time, and finds the result of `score`. */
  async function fillStore(store: string): Promise<void> {
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
    const save = (task: OpenTaskDataStore): Promise<unknown> => task.saveArtifacts({ x: 1 });
    const score = flow.cachedTask({ name: 'score', version: '1', run: async (n: number) => n / 2 });
    const load = { stepName: 'load', taskId: '0' };
    const first = await flow.createRun({ runId: 'first' });
    await flow.task({ runId: 'first', ...load }, async (task) => void (await save(task)));
    await score(1, { runId: 'scores' });
    await first.finish('failed');
    const again = await flow.createRun({ runId: 'again', resume: 'Train/first' });
    await flow.task({ runId: 'again', ...load }, async (task) => void (await save(task)));
    const fit = { runId: 'again', stepName: 'fit', taskId: '0' };
    await flow.task(fit, () => Promise.reject(new Error('too hot'))).catch(() => {});
    await flow.task(fit, save);
    await score(1, { runId: 'again', recordHit: true });
    await again.finish('done');
  }

  it('has a bar for each attempt, and marks what was tried again, taken over and cached by a link to where it comes from', async () => {
    const page = await openPage(own.browser, { viewport: { width: 1280, height: 800 } });
    await own.show(page, hrefOf('run', ['Train', 'again'], { show: 'timeline' }));
    const line = (text: string) => page.locator('tr[aria-rowindex]', { hasText: text });
    const fit = line('2 tries');
    expect(
      await fit.locator('rect').evaluateAll((all) => all.map((one) => one.getAttribute('class'))),
    ).toEqual(['part failed', 'part done']);
    for (const [how, path] of [
      ['taken over', 'Train/first/load/0/0'],
      ['cached', 'Train/scores/score/'],
    ] as const) {
      const link = line(how).getByRole('link', { name: how });
      expect(decodeURIComponent((await link.getAttribute('href')) ?? '')).toContain(path);
      expect(await line(how).locator('rect').getAttribute('class')).toBe('part elsewhere');
    }
    await line('taken over').getByRole('link', { name: 'taken over' }).click();
    await page.waitForFunction("location.hash.startsWith('#/task/Train/first/load/0')");
    await page.close();
  });
});
