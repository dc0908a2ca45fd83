import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openFlow } from '../fixtures.ts';

/** What calls came to: the value, or the code of the error. */
async function outcomesOf(calls: AsyncIterable<{ ok: boolean; value?: unknown; error?: unknown }>) {
  const outcomes: unknown[] = [];
  for await (const { ok, value, error } of calls)
    outcomes.push(ok ? value : (error as { code?: string }).code);
  return outcomes;
}

describe('an input that the caller changes while the call is under way', () => {
  it('never makes a result of another input: not returned, and not stored', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'changed', version: '1', run: (input: { n: number }) => input.n });
    const ends = new Set<string>();
    for (let ticks = 0; ticks < 80; ticks++) {
      const input = { n: ticks * 2 };
      const call = task(input);
      for (let i = 0; i < ticks; i++) await null;
      input.n += 1;
      const end = await call.catch((error: { code: string }) => error.code);
      expect(['INVALID_ARGUMENT', ticks * 2]).toContain(end);
      expect(await task({ n: ticks * 2 })).toBe(ticks * 2);
      expect(await task({ n: ticks * 2 + 1 })).toBe(ticks * 2 + 1);
      ends.add(typeof end);
    }
    expect(ends).toEqual(new Set(['string', 'number']));
  });

  it('counts as it was when the call was made: one object for all rows of a source', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'rows', version: '1', run: (input: { n: number }) => input.n });
    for (let n = 0; n < 6; n++) await task({ n });
    async function* rows() {
      const row = { n: 0 };
      for (; row.n < 6; row.n++) yield row;
    }
    expect(await outcomesOf(task.map(rows(), { concurrency: 3 }))).toEqual([0, 1, 2, 3, 4, 5]);
    const missing = flow.cachedTask({ name: 'rows', version: '2', run: (input: { n: number }) => input.n });
    const outcomes = await outcomesOf(missing.map(rows(), { concurrency: 3 }));
    for (const [index, outcome] of outcomes.entries()) expect([index, 'INVALID_ARGUMENT']).toContain(outcome);
  });

  it('does not count where a schema made another object of it', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({
      name: 'parsed',
      version: '1',
      input: z.object({ n: z.number() }),
      run: async (input) => input.n,
    });
    await task({ n: 0 });
    const input = { n: 1 };
    const call = task(input);
    await sleep(0);
    input.n = 2;
    expect(await call).toBe(1);
  });

  it('is told as what it is, and not tried again', async () => {
    const flow = await openFlow();
    let runs = 0;
    const task = flow.cachedTask({
      name: 'told',
      version: '1',
      retry: { attempts: 3 },
      run: (input: { n: number }) => {
        runs += 1;
        return input.n;
      },
    });
    const input = { n: 1 };
    const call = task(input);
    input.n = 2;
    await expect(call).rejects.toThrow('The input of task "told" was changed before');
    expect(runs).toBe(0);
  });
});
