import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { openFlow } from '../../flow/fixtures.ts';
import { json, scratchFolder, stowage } from '../fixture.ts';

/** A pipeline of cached tasks, each call of which may be refreshed; `fit` calls `load` itself. */
async function runOf(
  store: string,
  runId: string,
  refreshed: readonly string[] = [],
  rows = 10,
): Promise<void> {
  await using flow: FlowDataStore = await openFlow({ flowName: 'F', storage: store });
  const mode = (name: string) => ({
    mode: refreshed.includes(name) ? ('refresh' as const) : ('auto' as const),
  });
  const load = flow.cachedTask({
    name: 'load',
    version: '1',
    run: (count: number) => Array.from({ length: count }, (_, index) => index),
  });
  const fitted = flow.cachedTask({
    name: 'fit',
    version: '1',
    run: async (count: number) => ({ mean: (await load(count, mode('load'))).length, at: refreshed.length }),
  });
  await flow.task({ runId, stepName: 'main', taskId: '0' }, async (task) =>
    task.saveArtifacts({ mean: (await fitted(rows, mode('fit'))).mean }),
  );
}

async function changesBetween(store: string, a: string, b: string): Promise<string[]> {
  const { tasks } = await json(store, ['diff', `F/${a}`, `F/${b}`]);
  type Task = Record<'a' | 'b', { path: string } | undefined> & {
    artifacts: { name: string; change: string }[];
  };
  return tasks.flatMap((task: Task) => {
    const step = (task.a ?? task.b)?.path.split('/')[2];
    return task.artifacts.map(({ name, change }) => `${step} ${name} ${change}`);
  });
}

describe('diff of a run whose results were there', () => {
  it('takes what it rests on for its own, over however many tasks and runs', async () => {
    const store = scratchFolder();
    for (const runId of ['r1', 'r2', 'r3']) await runOf(store, runId);
    for (const [a, b] of [
      ['r1', 'r2'],
      ['r2', 'r1'],
      ['r2', 'r3'],
    ] as const)
      expect(await changesBetween(store, a, b)).toEqual([]);
    const { stderr } = await stowage(store, ['diff', 'F/r1', 'F/r2']);
    expect(stderr).toContain('3 tasks');
    // What it rests on lies in neither of both runs.
    await runOf(store, 'r4', ['load', 'fit']);
    expect(await changesBetween(store, 'r2', 'r4')).toEqual(['fit output changed']);
    expect(await changesBetween(store, 'r4', 'r3')).toEqual(['fit output changed']);
  });

  it('tells what one of both has and the other does not rest on', async () => {
    const store = scratchFolder();
    await runOf(store, 'r1');
    await runOf(store, 'r2', [], 7);
    await runOf(store, 'r3');
    expect(await changesBetween(store, 'r2', 'r3')).toEqual([
      'fit input changed',
      'fit output changed',
      'load input changed',
      'load output changed',
      'main mean changed',
    ]);
    // Tasks that were never cached are no one else's.
    const flow = await openFlow({ flowName: 'F', storage: store });
    await flow.task({ runId: 'r2', stepName: 'load', taskId: 'by-hand' }, () => undefined);
    await flow.task({ runId: 'r3', stepName: 'next', taskId: '0' }, async (task) =>
      task.clone(await flow.getTaskDataStore('r2/load/by-hand')),
    );
    const { tasks } = await json(store, ['diff', 'F/r2', 'F/r3']);
    expect(
      tasks.map(({ a, change }: { a?: { path: string }; change: string }) => `${a?.path} ${change}`),
    ).toContain('F/r2/load/by-hand/0 removed');
  });
});
