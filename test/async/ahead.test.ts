import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { type AheadOptions, mapAhead } from '../../src/async/ahead.ts';
import { LinkedAbort } from '../../src/async/linked-abort.ts';
import { test } from '../property.ts';

const ahead = (bounds: Partial<AheadOptions<number>> = {}): AheadOptions<number> => ({
  limit: 4,
  maxWeight: Number.POSITIVE_INFINITY,
  weightOf: () => 1,
  call: new LinkedAbort(undefined),
  ...bounds,
});

async function* slowly(items: readonly number[], turns: readonly number[]): AsyncGenerator<number> {
  for (const [index, item] of items.entries()) {
    for (let turn = turns[index % Math.max(1, turns.length)] ?? 0; turn > 0; turn--) await undefined;
    yield item;
  }
}

const anyTurns = fc.array(fc.nat(6), { maxLength: 6 });

describe('work ahead of its turn', () => {
  test.prop([
    fc.array(fc.nat(20), { maxLength: 20 }),
    anyTurns,
    anyTurns,
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 30 }),
    fc.option(fc.nat(19), { nil: undefined }),
    fc.boolean(),
  ])(
    'gives the results in order up to the failure, within both bounds, however long items and work take',
    async (items, sourceTurns, workTurns, limit, maxWeight, failing, isSync) => {
      let [underWay, weight, index] = [0, 0, 0];
      const work = async (item: number): Promise<number> => {
        const own = index++;
        underWay += 1;
        weight += item;
        expect(underWay).toBeLessThanOrEqual(limit);
        expect(underWay === 1 || weight <= maxWeight).toBe(true);
        for (let turn = workTurns[own % Math.max(1, workTurns.length)] ?? 0; turn > 0; turn--)
          await undefined;
        if (own === failing) throw new RangeError(`at ${own}`);
        return item * 2;
      };
      const source = isSync ? items : slowly(items, sourceTurns);
      const given: number[] = [];
      let error: unknown;
      try {
        for await (const result of mapAhead(
          source,
          ahead({ limit, maxWeight, weightOf: (item) => item }),
          work,
        )) {
          given.push(result);
          underWay -= 1;
          weight -= result / 2;
        }
      } catch (thrown) {
        error = thrown;
      }
      const last = failing !== undefined && failing < items.length ? failing : items.length;
      expect(given).toEqual(items.slice(0, last).map((item) => item * 2));
      if (last < items.length) expect(error).toBeInstanceOf(RangeError);
      else expect(error).toBeUndefined();
    },
  );

  test('a result is given though the next item keeps one waiting, which may wait for the result', async () => {
    const taken: number[] = [];
    let wake = (): void => {};
    async function* source(): AsyncGenerator<number> {
      for (let item = 0; item < 3; item++) {
        while (taken.length < item) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        yield item;
      }
    }
    for await (const result of mapAhead(source(), ahead(), async (item) => item)) {
      taken.push(result);
      wake();
    }
    expect(taken).toEqual([0, 1, 2]);
  });

  test('whoever ends early ends the source, and what is under way is aborted and waited for', async () => {
    const call = new LinkedAbort(undefined);
    let [isEnded, running] = [false, 0];
    async function* source(): AsyncGenerator<number> {
      try {
        for (let item = 0; ; item++) yield item;
      } finally {
        isEnded = true;
      }
    }
    const work = async (item: number): Promise<number> => {
      if (item === 0) return item;
      running += 1;
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
      running -= 1;
      throw call.signal.reason;
    };
    for await (const first of mapAhead(source(), ahead({ call }), work)) {
      expect(first).toBe(0);
      expect(running).toBeGreaterThan(0);
      break;
    }
    expect([isEnded, running]).toEqual([true, 0]);
  });

  test('what fails to give an item is thrown once the items before it were given', async () => {
    async function* source(): AsyncGenerator<number> {
      yield 1;
      throw new RangeError('no more');
    }
    const given: number[] = [];
    const results = async (): Promise<void> => {
      for await (const item of mapAhead(source(), ahead(), async (one) => one)) given.push(item);
    };
    await expect(results()).rejects.toThrow('no more');
    expect(given).toEqual([1]);
  });
});
