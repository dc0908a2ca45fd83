import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { LinkedAbort } from '../../src/async/linked-abort.ts';
import { onAbort } from '../../src/async/on-abort.ts';
import { TransferBudget } from '../../src/storage/bucket/transfers.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';

const listenersOf = ({ signal }: AbortController): number => getEventListeners(signal, 'abort').length;

describe('waiting for a signal', () => {
  it('calls back whoever still waits, once', () => {
    const abort = new AbortController();
    const called: string[] = [];
    const forget = onAbort(abort.signal, () => called.push('forgotten'));
    onAbort(abort.signal, () => called.push('a'));
    onAbort(abort.signal, () => called.push('b'));
    forget();
    abort.abort();
    expect(called).toEqual(['a', 'b']);
  });

  it('takes one listener of a signal that many calls share, of which Node.js would warn', async () => {
    const abort = new AbortController();
    const { signal } = abort;
    const limit = new LimitStorage(new MemoryStorage(), 1);
    const budget = new TransferBudget(1);
    const free = await budget.take(1);
    const reads = Array.from({ length: 20 }, (_, i) => limit.get(`${i}`, { signal }));
    const transfers = Array.from({ length: 20 }, () => budget.take(1, signal).then((end) => end()));
    const streams = Array.from({ length: 20 }, (_, i) => {
      const body = (async function* () {
        yield new Uint8Array(1);
      })();
      return new MemoryStorage().create(`${i}`, body, { signal });
    });
    const links = Array.from({ length: 20 }, () => new LinkedAbort(signal));
    expect(listenersOf(abort)).toBe(1);
    free();
    await Promise.all([...reads, ...transfers, ...streams]);
    expect(listenersOf(abort)).toBe(1);
    for (const link of links) link.release();
    expect(listenersOf(abort)).toBe(0);
  });

  it('takes no listener of a signal whose owner calls back', () => {
    const call = new LinkedAbort();
    let calls = 0;
    const count = () => {
      calls += 1;
    };
    onAbort(call.signal, count);
    onAbort(call.signal, () => {
      calls += 10;
    })();
    const inner = new LinkedAbort(call.signal);
    expect(getEventListeners(call.signal, 'abort')).toEqual([]);
    call.abort('enough');
    expect([calls, inner.signal.reason]).toEqual([1, 'enough']);
  });
});
