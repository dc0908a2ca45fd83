import { afterEach, expect, it } from 'vitest';
import { openFlow } from '../flow/fixtures.ts';

const warnings: Error[] = [];
// Other files may have left something else to be warned of.
const note = (warning: Error): unknown =>
  warning.name === 'MaxListenersExceededWarning' && warnings.push(warning);
process.on('warning', note);
afterEach(() => void process.off('warning', note));

it('many calls at once are no leak of listeners', async () => {
  const flow = await openFlow();
  const task = flow.cachedTask({ name: 'double', version: '1', run: async (n: number) => n * 2 });
  const inputs = Array.from({ length: 60 }, (_, n) => n);
  const { signal } = new AbortController();
  for (const options of [{ concurrency: 30 }, { concurrency: 30, signal }]) {
    for await (const outcome of task.map(inputs, options)) expect(outcome.ok).toBe(true);
    await task.plan(inputs, options);
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
});
