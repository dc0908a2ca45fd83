import { describe, expect, it, test } from 'vitest';
import { endSource, MAX_CLEANUP_MS } from '../../src/streams/end-source.ts';
import { errorOf, openFlow } from '../flow/fixtures.ts';

/** One branch of a stream that is read twice; the other is left alone. */
function branch<T>(items: readonly T[]): ReadableStream<T> {
  const whole = new ReadableStream<T>({
    start(controller) {
      for (const item of items) controller.enqueue(item);
    },
  });
  return whole.tee()[0];
}

describe('one branch of tee(), of which an item is refused', () => {
  const bytes = new Uint8Array(3);
  const task = { runId: 'r', stepName: 's', taskId: '0' };
  const calls: [string, (flow: Awaited<ReturnType<typeof openFlow>>) => Promise<unknown>][] = [
    ['saveData', (flow) => flow.saveData(branch([{ name: 'a', data: bytes }, 5]) as never)],
    ['the bytes of saveData', (flow) => flow.saveData([{ name: 'a', data: branch([bytes, 'x']) as never }])],
    ['saveBlobs', (flow) => flow.caStore.saveBlobs(branch([5]) as never)],
    [
      'the bytes of saveBlobs',
      (flow) => flow.caStore.saveBlobs([branch([new Uint8Array(300_000), 'x']) as never]),
    ],
    ['saveArtifacts', (flow) => flow.task(task, (open) => open.saveArtifacts(branch([5]) as never))],
    ['saveLogs', (flow) => flow.task(task, (open) => open.saveLogs('x', { stdout: branch([{}]) as never }))],
    [
      'loadData',
      async (flow) => {
        await flow.caStore.saveBlobs([bytes]);
        for await (const _ of flow.loadData(branch([5]) as never));
      },
    ],
  ];
  test.each(calls)('ends %s, whatever becomes of the other', async (_, call) => {
    await errorOf(call(await openFlow()), 'INVALID_ARGUMENT');
  });
});

it('a source that is ended is waited for while it cleans up, and its failure is told', async () => {
  let isClean = false;
  await endSource({}, async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    isClean = true;
  });
  expect(isClean).toBe(true);
  await expect(endSource({}, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(
    endSource({}, () => {
      throw new Error('at once');
    }),
  ).rejects.toThrow('at once');
});

it('a source that never ends is not waited for for ever', async () => {
  const began = performance.now();
  await endSource({}, () => new Promise(() => {}));
  expect(performance.now() - began).toBeGreaterThan(MAX_CLEANUP_MS - 50);
});
