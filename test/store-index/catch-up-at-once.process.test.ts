import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';
import { catchUpAtOnce, goOnAtOnce, killFirst, LONGEST_MS, saveTasks, TASKS } from './catch-up-at-once.ts';
import { openIndex, rowsOf, select } from './indexes.ts';

async function expectWhole(store: string, path: string): Promise<void> {
  const { index, path: another } = await openIndex({ store });
  await index.catchUp();
  expect(await rowsOf(path)).toEqual(await rowsOf(another));
}

describe('processes that catch up one file of an index at once', () => {
  it(
    'while others write, and one of them is killed again and again, leave in it what one that is made from nothing has',
    async () => {
      const folder = scratchFolder();
      const [store, path] = [join(folder, 'store'), join(folder, 'index.db')];
      await (await openFlow({ storage: store })).createRun({ runId: 'first' });
      await catchUpAtOnce({ store, path });
      await expectWhole(store, path);
    },
    LONGEST_MS,
  );

  it(
    'go on from where one was killed',
    async () => {
      const folder = scratchFolder();
      const [store, path] = [join(folder, 'store'), join(folder, 'index.db')];
      await saveTasks(await openFlow({ storage: store }));
      await killFirst({ store, path });
      const [{ attempts = 0 } = {}] = await select(path, 'select count(*) as attempts from attempts');
      expect(attempts).toBeGreaterThan(0);
      for (const done of await goOnAtOnce({ store, path })) {
        expect(done.attempts).toBeGreaterThan(0);
        expect(done.attempts).toBeLessThanOrEqual(TASKS - Number(attempts));
      }
      await expectWhole(store, path);
    },
    LONGEST_MS,
  );
});
