import { describe, expect, it } from 'vitest';
import type { CachedTask } from '../../src/cached-tasks/cached-task.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { errorOf, openFlow } from '../flow/fixtures.ts';

type Task = CachedTask<number, number>;

/** Tasks of which each calls the next, and the last the first. */
function ring(flows: readonly FlowDataStore[], options: object = {}): Task[] {
  const tasks: Task[] = flows.map((flow, index) =>
    flow.cachedTask({
      name: `task-${index}`,
      version: '1',
      ...options,
      run: (x: number): Promise<number> => (tasks[(index + 1) % tasks.length] as Task)(x),
    }),
  );
  return tasks;
}

describe('cached tasks that call each other', () => {
  it.each([1, 2, 3])('are an error, called alone or at once: %i of them', async (count) => {
    const flow = await openFlow();
    const tasks = ring(Array<FlowDataStore>(count).fill(flow));
    await errorOf((tasks[0] as Task)(0), 'INVALID_ARGUMENT');
    const errors = await Promise.all(tasks.map((task) => errorOf(task(1), 'INVALID_ARGUMENT')));
    expect(errors.some(({ message }) => /wait for/.test(message))).toBe(true);
    for (const task of tasks) expect(errors[0]?.message).toContain(task.taskName);
  });

  it('are an error where they are of two flows, and where one call is sealed or off', async () => {
    const flows = [await openFlow(), await openFlow({ flowName: 'Other' })];
    const tasks = ring(flows);
    await Promise.all(tasks.map((task) => errorOf(task(1), 'INVALID_ARGUMENT')));
    for (const mode of ['refresh', 'off'] as const)
      await Promise.all(tasks.map((task) => errorOf(task(2, { mode }), 'INVALID_ARGUMENT')));
  });

  it('leave every attempt closed', async () => {
    const flow = await openFlow();
    const tasks = ring([flow, flow]);
    await Promise.all(tasks.map((task) => errorOf(task(1, { runId: 'r' }), 'INVALID_ARGUMENT')));
    const attempts = await flow.getTaskDataStores({ runId: 'r', allowNotDone: true });
    expect(attempts.map(({ status }) => status)).toEqual(['failed', 'failed']);
  });
});
