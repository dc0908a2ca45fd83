import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import type { AttemptSummary } from '../../src/views/attempts.ts';
import { readRunTree } from '../../src/views/run-tree.ts';
import { readRunSteps, sumsOf } from '../../src/views/step-sums.ts';
import { openFlow } from '../flow/fixtures.ts';
import { test } from '../property.ts';
import { memoryView } from './memory-view.ts';

const RUN = { flow: 'F', run: 'r' };

const attempts = fc.array(
  fc.record({
    status: fc.constantFrom('open', 'done', 'failed', 'abandoned', 'deleted', 'damaged'),
    startedAt: fc.option(fc.nat({ max: 99 }).map(isoOf), { nil: undefined }),
    closedAt: fc.option(fc.nat({ max: 99 }).map(isoOf), { nil: undefined }),
    takenOver: fc.constantFrom(undefined, 'F/old/fit/0/0'),
  }),
  { minLength: 1, maxLength: 3 },
) as fc.Arbitrary<AttemptSummary[]>;

function isoOf(second: number): string {
  return new Date(second * 1000).toISOString();
}

describe('what became of a step', () => {
  test.prop([fc.array(attempts, { maxLength: 6 })])(
    'is what its tasks tell by their latest attempts',
    (tasks) => {
      const latest = tasks.flatMap((all) => all.slice(-1));
      const starts = tasks.flat().flatMap(({ startedAt }) => startedAt ?? []);
      const ends = latest.flatMap(({ closedAt }) => closedAt ?? []);
      const isOpen = latest.some(({ status }) => status === 'open');
      const sums = sumsOf(
        'fit',
        tasks.map((all) => ({ attempts: all })),
      );
      expect(sums.total).toBe(tasks.length);
      for (const status of ['open', 'done', 'failed', 'abandoned', 'deleted', 'damaged'] as const)
        expect(sums.counts[status] ?? 0).toBe(latest.filter((one) => one.status === status).length);
      expect(sums.retries).toBe(tasks.flat().length - tasks.length);
      expect(sums.takenOver).toBe(latest.filter(({ takenOver }) => takenOver !== undefined).length);
      expect(sums.startedAt).toBe(starts.sort()[0]);
      expect(sums.endedAt).toBe(isOpen ? undefined : ends.sort().at(-1));
      const { startedAt, endedAt, durationMs } = sums;
      if (startedAt && endedAt) expect(durationMs).toBe(Date.parse(endedAt) - Date.parse(startedAt));
      else expect(durationMs).toBeUndefined();
    },
  );

  test('is read of all tasks of a run, of retries and hits of the cache as well, by steps as they began', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'F', storage });
    const twice = flow.cachedTask({ name: 'twice', version: '1', run: async (n: number) => 2 * n });
    await twice(1, { runId: 'old' });
    await twice(1, { runId: 'r', recordHit: true });
    await twice(2, { runId: 'r', recordHit: true });
    await sleep(2); // Steps that begin within one millisecond are in the order of their names.
    const fails = () => Promise.reject(new RangeError('too large'));
    for (let taskId = 0; taskId < 300; taskId += 1)
      await flow.task({ runId: 'r', stepName: 'fit', taskId: String(taskId) }, (task) =>
        task.saveArtifacts({ a: 1 }),
      );
    for (const taskId of ['7', '8'])
      await flow.task({ runId: 'r', stepName: 'fit', taskId }, fails).catch(() => {});
    await flow.task({ runId: 'r', stepName: 'fit', taskId: '7' }, (task) => task.saveArtifacts({ a: 2 }));
    const view = memoryView(storage);
    const [{ steps, ...run }, tree] = [await readRunSteps(view, RUN), await readRunTree(view, RUN)];
    expect(steps.map(({ step }) => step)).toEqual(tree.steps.map(({ step }) => step));
    expect(steps).toMatchObject([
      { step: 'twice', total: 2, counts: { done: 2 }, retries: 0, takenOver: 0, cached: 1 },
      { step: 'fit', total: 300, counts: { done: 299, failed: 1 }, retries: 3, takenOver: 0, cached: 0 },
    ]);
    expect(run).toMatchObject({ total: 302, status: 'open', heardAt: tree.heardAt });
    const ofStep = await readRunSteps(view, { ...RUN, step: 'twice' });
    expect(ofStep.steps).toEqual(steps.slice(0, 1));
  });
});
