import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CachedTask } from '../../src/cached-tasks/cached-task.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';
import { gate } from '../waiting.ts';

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

/** Flows that know of each other as those of several processes do: by what is in their store. */
function openFlows(count: number, storage = new MemoryStorage()): Promise<FlowDataStore[]> {
  return Promise.all(Array.from({ length: count }, () => openFlow({ storage })));
}

/** Of each flow another task of a ring that each of them has. */
function ringOver(flows: readonly FlowDataStore[], options: object): Task[] {
  return flows.map((flow, index) => ring(Array(flows.length).fill(flow), options)[index] as Task);
}

describe('serialized tasks of several processes that call each other', () => {
  const options = { serialize: true, leaseMs: 100 };

  it.each([2, 3, 5])('are an error that names them: %i of them', async (count) => {
    const tasks = ringOver(await openFlows(count), options);
    const errors = await Promise.all(tasks.map((task) => errorOf(task(1), 'INVALID_ARGUMENT')));
    // Where one gives up first, another goes on with its task, and comes to the circle by a shorter way.
    const circle = errors.find(({ details }) => details.circle !== undefined)?.details.circle as string[];
    expect(circle.length).toBeGreaterThan(1);
    expect(new Set(circle).size).toBe(circle.length);
    for (const name of circle) expect(tasks.map(({ taskName }) => taskName)).toContain(name);
  });

  it('are one where a call goes by way of a task that is not serialized, which others called before', async () => {
    const [one, two] = (await openFlows(2)) as [FlowDataStore, FlowDataStore];
    const define = (
      flow: FlowDataStore,
      name: string,
      run: (x: number) => Promise<number>,
      rest: object = options,
    ): Task => flow.cachedTask({ name, version: '1', ...rest, run });
    const [aRuns, bRuns, betweenRuns] = [gate(), gate(), gate()];
    const bOfOne = define(one, 'b', async (x) => x);
    const runBetween = (x: number): Promise<number> => {
      betweenRuns.open();
      return bOfOne(x);
    };
    const between = define(one, 'between', runBetween, {});
    const a = define(one, 'a', async (x) => {
      aRuns.open();
      await betweenRuns.opened;
      return between(x);
    });
    const b = define(two, 'b', async (x) => {
      bRuns.open();
      await betweenRuns.opened;
      return define(two, 'a', async (y) => y)(x);
    });
    const calls = [b(1), a(1)];
    await Promise.all([aRuns.opened, bRuns.opened]);
    calls.push(between(1));
    const failed = (await Promise.allSettled(calls)).filter((result) => result.status === 'rejected');
    // Where one gives up before the other has noticed, that one goes on.
    expect(String(failed[0]?.reason)).toMatch(/wait for each other.*("a".*"b"|"b".*"a")/);
  });

  it('leave no beat and no open attempt behind', async () => {
    const storage = new MemoryStorage();
    const flows = await openFlows(2, storage);
    await Promise.all(
      ringOver(flows, options).map((task) => errorOf(task(1, { runId: 'r' }), 'INVALID_ARGUMENT')),
    );
    expect(await objectNames(storage, 'beats/')).toEqual([]);
    const attempts = await flows[0]?.getTaskDataStores({ runId: 'r', allowNotDone: true });
    expect(new Set(attempts?.map(({ status }) => status))).toEqual(new Set(['failed']));
  });

  it('are none where one waits for another that goes on in the end', async () => {
    const [one, two] = (await openFlows(2)) as [FlowDataStore, FlowDataStore];
    const slow = async (x: number) => {
      await sleep(400);
      return x + 1;
    };
    const inner = { name: 'inner', version: '1', ...options, run: slow };
    const [innerOfOne, innerOfTwo] = [one.cachedTask(inner), two.cachedTask(inner)];
    const outer = two.cachedTask({
      name: 'outer',
      version: '1',
      ...options,
      run: (x: number) => innerOfTwo(x),
    });
    expect(await Promise.all([innerOfOne(1), outer(1)])).toEqual([2, 2]);
  });
});
