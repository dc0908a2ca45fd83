import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkedAbort } from '../../../src/async/linked-abort.ts';
import { TransferBudget, transferParts } from '../../../src/storage/bucket/transfers.ts';
import { propertyRuns, test } from '../../property.ts';

const settle = () => new Promise((done) => setImmediate(done));

describe('TransferBudget', () => {
  test.prop([fc.integer({ min: 1, max: 20 }), fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 30 })], {
    numRuns: propertyRuns,
  })(
    'never has more under way than it holds, but for one alone, and lets all through in order',
    async (max, sizes) => {
      const budget = new TransferBudget(max);
      const entered: number[] = [];
      const underWay: { bytes: number; free: () => void }[] = [];
      for (const [i, bytes] of sizes.entries()) {
        void budget.take(bytes).then((free) => {
          entered.push(i);
          underWay.push({ bytes, free });
        });
      }
      await settle();
      while (underWay.length > 0) {
        const sum = underWay.reduce((total, { bytes }) => total + bytes, 0);
        const nonEmpty = underWay.filter(({ bytes }) => bytes > 0).length;
        expect(sum <= max || nonEmpty === 1).toBe(true);
        underWay.shift()?.free();
        await settle();
      }
      expect(entered).toEqual(sizes.map((_, i) => i));
    },
  );

  it('lets one that waits be aborted, and those behind it pass', async () => {
    const budget = new TransferBudget(10);
    const free = await budget.take(6);
    const abort = new AbortController();
    const large = budget.take(6, abort.signal);
    const small = budget.take(4);
    abort.abort();
    await expect(large).rejects.toMatchObject({ code: 'ABORTED' });
    (await small)();
    free();
    await expect(budget.take(1, abort.signal)).rejects.toMatchObject({ code: 'ABORTED' });
    (await budget.take(10))();
  });
});

describe('transferParts', () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  const transfer = (count: number, move: (part: number) => Promise<number>, maxBytes = 4) => {
    const stop = new LinkedAbort(undefined);
    const given: number[] = [];
    function* parts() {
      for (const part of numbers(count)) {
        given.push(part);
        yield part;
      }
    }
    const budget = new TransferBudget(maxBytes);
    return { given, stop, done: transferParts({ parts: parts(), bytesOf: () => 1, move, budget, stop }) };
  };

  it('gives the results in the order of the parts, whatever order they end in', async () => {
    const ends: (() => void)[] = [];
    const { done } = transfer(4, async (part) => {
      await new Promise<void>((end) => ends.push(end));
      return part * 10;
    });
    await settle();
    for (const end of ends.reverse()) end();
    expect(await done).toEqual([0, 10, 20, 30]);
    expect(await transfer(0, async (part) => part).done).toEqual([]);
  });

  it('asks for no more parts than can be under way', async () => {
    const { given, done } = transfer(100, async (part) => {
      await settle();
      return part;
    });
    await Promise.resolve();
    expect(given.length).toBeLessThanOrEqual(5);
    expect(await done).toHaveLength(100);
  });

  it('stops at the first failure, lets those that began end, and throws it', async () => {
    const failure = new Error('part 2');
    const ended: number[] = [];
    const { given, stop, done } = transfer(50, async (part) => {
      await settle();
      if (part === 2) throw failure;
      await settle();
      ended.push(part);
      return part;
    });
    await expect(done).rejects.toBe(failure);
    expect(stop.signal.reason).toBe(failure);
    expect(given.length).toBeLessThan(10);
    expect(ended).toContain(3);
  });

  it('throws what gives the parts throws, once those that began have ended', async () => {
    const failure = new Error('the source broke');
    let hasEnded = false;
    async function* parts() {
      yield 1;
      throw failure;
    }
    const move = async () => {
      await settle();
      hasEnded = true;
    };
    const stop = new LinkedAbort(undefined);
    const done = transferParts({
      parts: parts(),
      bytesOf: () => 1,
      move,
      budget: new TransferBudget(9),
      stop,
    });
    await expect(done).rejects.toBe(failure);
    expect(hasEnded).toBe(true);
  });
});

describe('LinkedAbort', () => {
  it('is aborted with its source, before or after it is made, for the same reason', () => {
    const source = new AbortController();
    const links = [new LinkedAbort(source.signal), new LinkedAbort(source.signal)];
    source.abort('why');
    links.push(new LinkedAbort(source.signal));
    expect(links.map(({ signal }) => signal.reason)).toEqual(['why', 'why', 'why']);
  });

  it('is its own when it is aborted, and when it was released', () => {
    const source = new AbortController();
    const [one, other] = [new LinkedAbort(source.signal), new LinkedAbort(source.signal)];
    one.abort();
    expect([source.signal.aborted, other.signal.aborted]).toEqual([false, false]);
    other.release();
    source.abort();
    expect(other.signal.aborted).toBe(false);
  });

  it('leaves no listener at its source', () => {
    const source = new AbortController();
    const links = Array.from({ length: 100 }, () => new LinkedAbort(source.signal));
    expect(getEventListeners(source.signal, 'abort')).toHaveLength(1);
    for (const link of links) link.release();
    expect(getEventListeners(source.signal, 'abort')).toEqual([]);
  });
});
