import { existsSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { LocalStorage } from '../../src/storage/local.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { contentOf } from './contents.ts';
import { freshStore } from './storages.ts';

const folder = scratchFolder();
let stores = 0;
const MIB = 1024 * 1024;
const MOST_MS = 20;
/** Collections of garbage and late compilations come now and then: the best of so many rounds counts. */
const ROUNDS = 5;
const SCHEDSTAT = '/proc/thread-self/schedstat';

describe('the event loop is not held up while large content is', () => {
  const noise = Buffer.concat(Array.from({ length: 8 }, (_, i) => contentOf(8 * MIB, i + 1)));
  const text = Buffer.from(
    Array.from({ length: 1_000_000 }, (_, i) => `{"id":${i},"of":"${i * i}"}`).join('\n'),
  );

  test.each([
    ['noise', noise],
    ['text', text],
  ])('saved, saved again and loaded: %s', async (_, content) => {
    const open = (): Promise<LocalStorage> => LocalStorage.open(`${folder}/${stores++}`, { fsync: false });
    const storage = await open();
    const store = freshStore(storage);
    await store.prepareToWrite();
    const key = (await store.saveBlobs([content]))[0]?.key as string;
    await expectTurns('saved', async () => freshStore(await open()).saveBlobs([content]));
    await expectTurns('saved again', () => store.saveBlobs([content]));
    await expectTurns('loaded', () => freshStore(storage).reader.load({ key, bytes: content.length }));
    await expectTurns('loaded by its key', () => freshStore(storage).reader.load({ key }));
  });

  /** Expects that no turn of the loop takes longer than 20 ms. */
  async function expectTurns(what: string, work: () => Promise<unknown>): Promise<void> {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && best >= MOST_MS; round++) {
      let isOver = false;
      const working = work().finally(() => {
        isOver = true;
      });
      let longest = 0;
      for (let since = workedMs(); !isOver; ) {
        await nextTurn();
        const now = workedMs();
        longest = Math.max(longest, now - since);
        since = now;
      }
      await working;
      best = Math.min(best, longest);
    }
    expect(best, what).toBeLessThan(MOST_MS);
  }

  /** The processor's time of this thread, which others on the machine do not lengthen; the clock where no such is told. */
  function workedMs(): number {
    if (!existsSync(SCHEDSTAT)) return performance.now();
    return Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[0]) / 1e6;
  }
});
