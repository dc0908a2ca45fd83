import { setImmediate as nextOfLoop } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isTurnOver, nextTurn } from '../../src/async/turns.ts';

describe('turns of the event loop', () => {
  it('are over once work has gone on for 4 ms, whoever works', async () => {
    await nextTurn();
    for (const since = performance.now(); performance.now() - since < 5; );
    expect(isTurnOver()).toBe(true);
  });

  it('are one for each that waits, in the order of asking, so that none has the work of all', async () => {
    let turn = 0;
    let isCounting = true;
    const counting = (async () => {
      while (isCounting) {
        await nextOfLoop();
        turn++;
      }
    })();
    const had: [work: number, turn: number][] = [];
    const works = [0, 1, 2, 3].map(async (work) => {
      for (let times = 0; times < 3; times++) {
        await nextTurn();
        had.push([work, turn]);
      }
    });
    await Promise.all(works);
    isCounting = false;
    await counting;
    expect(had.map(([work]) => work)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    expect(new Set(had.map(([, at]) => at)).size).toBe(had.length);
  });
});
