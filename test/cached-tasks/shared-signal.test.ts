import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFlow } from '../flow/fixtures.ts';

const LEAK = 'MaxListenersExceededWarning';

describe('many calls that share one signal', () => {
  const warnings: string[] = [];
  // Other files may have left something to be warned of.
  const note = ({ name, message }: Error) => name === LEAK && warnings.push(message);
  const inputs = Array.from({ length: 40 }, (_, n) => n);

  beforeAll(() => process.on('warning', note));
  afterAll(() => process.off('warning', note));

  it('leave it with few listeners, so that Node.js warns of no leak', async () => {
    const flow = await openFlow();
    const same = flow.cachedTask({ name: 'same', version: '1', run: (n: number) => n });
    const signal = AbortSignal.timeout(60_000);
    await Promise.all(inputs.map((n) => same(n, { signal })));
    for await (const outcome of same.map(inputs, { concurrency: 40, signal })) expect(outcome.ok).toBe(true);
    expect(await same.plan(inputs, { signal })).toMatchObject({ hits: 40, misses: 0 });
    await turn();
    expect(warnings).toEqual([]);
  });

  it('all end when it is aborted', async () => {
    const flow = await openFlow();
    const controller = new AbortController();
    const task = flow.cachedTask({
      name: 'waits',
      version: '1',
      run: (_: number, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)),
    });
    const calls = inputs.map((n) => task(n, { signal: controller.signal }));
    setTimeout(() => controller.abort(), 20);
    const ends = await Promise.allSettled(calls);
    expect(ends).toEqual(
      inputs.map(() => ({ status: 'rejected', reason: expect.objectContaining({ code: 'ABORTED' }) })),
    );
  });
});
