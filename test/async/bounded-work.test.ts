import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapBounded, mapInOrder, mapOrAbort } from '../../src/async/bounded-work.ts';
import { test } from '../property.ts';

describe('mapBounded', () => {
  test.prop([fc.array(fc.nat(3), { maxLength: 30 }), fc.integer({ min: 1, max: 8 })])(
    'keeps the order of the items, and its bound',
    async (turns, limit) => {
      let underWay = 0;
      let most = 0;
      const results = await mapBounded(turns, limit, async (count, index) => {
        underWay += 1;
        most = Math.max(most, underWay);
        for (let turn = 0; turn < count; turn++) await undefined;
        underWay -= 1;
        return index;
      });
      expect(results).toEqual(turns.map((_, index) => index));
      expect(most).toBeLessThanOrEqual(limit);
    },
  );

  it('begins nothing after a failure, and leaves nothing under way', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = mapBounded([0, 1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('one fails');
      await delay(5);
      ended.push(item);
    });
    await expect(work).rejects.toThrow('one fails');
    expect(begun).toEqual([0, 1]);
    expect(ended).toEqual([0]);
  });
});

describe('mapOrAbort', () => {
  test.prop([fc.array(fc.nat(3), { maxLength: 30 }), fc.integer({ min: 1, max: 8 })])(
    'keeps the order of the items, and its bound',
    async (turns, limit) => {
      let underWay = 0;
      let most = 0;
      const items = turns.map((count, index) => ({ count, index }));
      const results = await mapOrAbort(items, limit, {}, async ({ count, index }) => {
        underWay += 1;
        most = Math.max(most, underWay);
        for (let turn = 0; turn < count; turn++) await undefined;
        underWay -= 1;
        return index;
      });
      expect(results).toEqual(turns.map((_, index) => index));
      expect(most).toBeLessThanOrEqual(limit);
    },
  );

  /** Never ends by itself. */
  const untilAborted = (signal: AbortSignal | undefined): Promise<never> =>
    new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('a consequence')));
    });

  it.each([0, 1, 2])(
    'ends what is under way when item %i fails, and throws that failure',
    async (failing) => {
      const begun: number[] = [];
      const ended: number[] = [];
      const work = mapOrAbort([0, 1, 2, 3], 3, {}, async (item, { signal }) => {
        begun.push(item);
        try {
          if (item !== failing) await untilAborted(signal);
          while (begun.length < 3) await undefined;
          throw new Error('the first failure');
        } finally {
          ended.push(item);
        }
      });
      await expect(work).rejects.toThrow('the first failure');
      expect(begun).toEqual([0, 1, 2]);
      expect(ended.sort()).toEqual([0, 1, 2]);
    },
  );

  it.each([1, 2])("ends by the caller's signal with %i items", async (count) => {
    const stop = new AbortController();
    const items = Array.from({ length: count }, (_, index) => index);
    const work = mapOrAbort(items, 2, { signal: stop.signal }, (_, { signal }) => untilAborted(signal));
    stop.abort();
    await expect(work).rejects.toThrow('a consequence');
  });
});

describe('mapInOrder', () => {
  test.prop([fc.array(fc.nat(3), { maxLength: 30 }), fc.integer({ min: 1, max: 8 })])(
    'yields in the order of the items, and neither works on nor holds more than its bound',
    async (turns, limit) => {
      let begun = 0;
      let taken = 0;
      const results: number[] = [];
      const items = turns.map((count, index) => ({ count, index }));
      for await (const index of mapInOrder(items, limit, async (item) => {
        begun += 1;
        expect(begun - taken).toBeLessThanOrEqual(limit);
        for (let turn = 0; turn < item.count; turn++) await undefined;
        return item.index;
      })) {
        results.push(index);
        taken += 1;
      }
      expect(results).toEqual(turns.map((_, index) => index));
    },
  );

  it('begins nothing after a failure, and leaves nothing under way', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const yielded: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const item of mapInOrder([0, 1, 2, 3, 4, 5], 3, async (one) => {
        begun.push(one);
        if (one === 1) throw new Error('one fails');
        await delay(5);
        ended.push(one);
        return one;
      }))
        yielded.push(item);
    };
    await expect(reading()).rejects.toThrow('one fails');
    expect(yielded).toEqual([0]);
    expect(begun).toEqual(ended.concat(1).sort());
    expect(begun.length).toBeLessThanOrEqual(4);
  });
});
