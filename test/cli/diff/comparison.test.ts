import { expect, it } from 'vitest';
import { compare, compareInBrief } from '../../../src/cli/diff/comparison.ts';
import { CountStorage } from '../../../src/storage/count.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { openFlow } from '../../flow/fixtures.ts';
import { memoryView } from '../../views/memory-view.ts';

const ALL = { limit: 20, maxTasks: Number.POSITIVE_INFINITY };
const TASKS = 20;

it('reads the tasks of a run once that is compared with itself, and none in brief', async () => {
  const storage = new MemoryStorage();
  await using flow = await openFlow({ flowName: 'F', storage });
  for (const runId of ['r1', 'r2']) {
    const run = await flow.createRun({ runId });
    for (let index = 0; index < TASKS; index += 1)
      await flow.task({ runId, stepName: 'each', taskId: String(index) }, (task) =>
        task.saveArtifacts({ index }),
      );
    await run.finish('done');
  }
  const counting = new CountStorage(storage);
  const view = { ...memoryView(storage), storage: counting };
  const [one, other] = [
    { flow: 'F', run: 'r1' },
    { flow: 'F', run: 'r2' },
  ];
  const requests = async (work: () => Promise<unknown>): Promise<number> => {
    counting.reset();
    await work();
    return counting.snapshot().requests;
  };
  const ofBoth = await requests(() => compare(view, { a: one, b: other, kind: 'runs' }, ALL));
  const ofOne = await requests(async () => {
    const compared = await compare(view, { a: one, b: one, kind: 'runs' }, ALL);
    expect(compared).toMatchObject({ tasks: [], same: TASKS, isDifferent: false });
  });
  expect(ofBoth).toBeGreaterThan(2 * TASKS);
  expect(ofOne).toBeLessThan(0.6 * ofBoth);
  const inBrief = await requests(() => compareInBrief(view, { a: one, b: other }, 20));
  expect(inBrief).toBeLessThan(TASKS);
  counting.reset();
  await compareInBrief(view, { a: one, b: other }, 20);
  expect(counting.snapshot().list.calls).toBeLessThanOrEqual(4); // of the records of each, however many runs the flow has
});
