import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test } from '../property.ts';
import { errorOf, expectSame, noise, objectNames, openFlow, saveTask } from './fixtures.ts';

async function countedFlow(): Promise<{ flow: FlowDataStore; count: CountStorage }> {
  const count = new CountStorage(new MemoryStorage());
  return { flow: await openFlow({ storage: count }), count };
}

describe('tasks by name', () => {
  test.prop(
    [
      fc.array(fc.tuple(fc.constantFrom('r1', 'r2'), fc.constantFrom('a', 'b'), fc.nat(4)), {
        maxLength: 12,
      }),
    ],
    {
      numRuns: 60,
    },
  )('come in the order of the pathspecs, however often one is named', async (wanted) => {
    const { flow } = await countedFlow();
    for (const runId of ['r1', 'r2']) {
      for (const stepName of ['a', 'b']) {
        for (let i = 0; i < 5; i++) await saveTask(flow, { i }, { runId, stepName, taskId: String(i) });
      }
    }
    const pathspecs = wanted.map(([run, step, task]) => `${run}/${step}/${task}`);
    const stores = await flow.getTaskDataStores({ pathspecs });
    expect(stores.map((store) => store.pathspec)).toEqual(pathspecs.map((pathspec) => `${pathspec}/0`));
  });

  it('of one step are found by one LIST, and two requests each', async () => {
    const { flow, count } = await countedFlow();
    for (let i = 0; i < 40; i++) await saveTask(flow, { i }, { taskId: String(i) });
    count.reset();
    const pathspecs = Array.from({ length: 20 }, (_, i) => `r1/fit/${39 - i}`);
    expect(await flow.getTaskDataStores({ pathspecs })).toHaveLength(20);
    expect(count.snapshot()).toMatchObject({ list: { calls: 1, pages: 1 }, get: { calls: 40 } });
  });

  it('are listed by themselves where their step is long', async () => {
    const { flow, count } = await countedFlow();
    await flow.caStore.prepareToWrite();
    // Names before the wanted ones fill all pages that the shared listing may take.
    for (let i = 0; i < 3_000; i++) {
      const name = `flows/Test/r1/fit/a${String(i).padStart(5, '0')}/0.attempt.json`;
      await count.create(name, new Uint8Array());
    }
    for (const taskId of ['x', 'y']) await saveTask(flow, { taskId }, { taskId });
    count.reset();
    const stores = await flow.getTaskDataStores({ pathspecs: ['r1/fit/y', 'r1/fit/x'] });
    expect(stores.map(({ taskId }) => taskId)).toEqual(['y', 'x']);
    expect(count.snapshot().list).toMatchObject({ calls: 3, pages: 4 });
  });

  it('a task cut off by the end of that listing is not read in part', async () => {
    const { flow, count } = await countedFlow();
    await flow.caStore.prepareToWrite();
    for (let i = 0; i < 1_998; i++) {
      await count.create(`flows/Test/r1/fit/a${String(i).padStart(5, '0')}/0.attempt.json`, new Uint8Array());
    }
    await saveTask(flow, { try: 0 }, { taskId: 'x' });
    await saveTask(flow, { try: 1 }, { taskId: 'x' });
    await saveTask(flow, {}, { taskId: 'y' });
    const [x] = await flow.getTaskDataStores({ pathspecs: ['r1/fit/x', 'r1/fit/y'] });
    expect(x?.attempt).toBe(1);
  });

  it.each([
    [['r1/fit/0', 'r1/fit/nobody'], 'TASK_NOT_FOUND'],
    [['r1/fit/0', 'r1/fit/0/7'], 'ATTEMPT_NOT_FOUND'],
    [['r1/fit/0', 'r1/fit/open'], 'ATTEMPT_NOT_DONE'],
    [['r1/nobody/0', 'r1/fit/0'], 'TASK_NOT_FOUND'],
    [['r1/fit'], 'INVALID_PATHSPEC'],
  ] as const)('%j: one that cannot be read is an error', async (pathspecs, code) => {
    const { flow } = await countedFlow();
    await saveTask(flow, {});
    const open = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: 'open' });
    await errorOf(flow.getTaskDataStores({ pathspecs: [...pathspecs] }), code);
    await open.done();
  });

  it('with includePrior come with all their done attempts, up to the one asked for', async () => {
    const { flow } = await countedFlow();
    for (let i = 0; i < 3; i++) await saveTask(flow, { i });
    await flow
      .task({ runId: 'r1', stepName: 'fit', taskId: '0' }, () => Promise.reject(new Error('x')))
      .catch(() => {});
    await saveTask(flow, { i: 4 });
    const attemptsOf = async (options: object, pathspec = 'r1/fit/0'): Promise<number[]> =>
      (await flow.getTaskDataStores({ pathspecs: [pathspec], includePrior: true, ...options })).map(
        (s) => s.attempt,
      );
    expect(await attemptsOf({})).toEqual([0, 1, 2, 4]);
    expect(await attemptsOf({ attempt: 1 })).toEqual([0, 1]);
    expect(await attemptsOf({}, 'r1/fit/0/2')).toEqual([0, 1, 2]);
    expect(await attemptsOf({ allowNotDone: true })).toEqual([0, 1, 2, 3, 4]);
    const ofRun = await flow.getTaskDataStores({ runId: 'r1', includePrior: true, attempt: 1 });
    expect(ofRun.map((s) => s.attempt)).toEqual([0, 1]);
  });

  it.each([
    [{}],
    [{ runId: 'r1', pathspecs: ['r1/fit/0'] }],
    [{ pathspecs: 'r1/fit/0' }],
    [undefined],
    [{ pathspecs: ['r1/fit/0/1'], attempt: 0 }],
  ])('%j is refused', async (selection) => {
    const { flow } = await countedFlow();
    await saveTask(flow, {});
    // biome-ignore lint/suspicious/noExplicitAny: what the types leave out
    await errorOf(async () => flow.getTaskDataStores(selection as any), 'INVALID_ARGUMENT');
  });
});

describe('a task set', () => {
  const shared = noise(50_000);

  async function tasks(flow: FlowDataStore): Promise<void> {
    for (let i = 0; i < 10; i++) {
      await saveTask(flow, { shared, own: noise(30_000, i + 2), i }, { taskId: String(i) });
    }
  }

  it('reads no content twice, and none again that was prefetched', async () => {
    const { flow, count } = await countedFlow();
    await tasks(flow);
    count.reset();
    const set = await flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['shared', 'own'] });
    expect(count.snapshot()).toMatchObject({ list: { calls: 1 }, get: { calls: 20 + 1 + 10 } });
    expect(set.prefetchedBytes).toBe(50_000 + 10 * 30_000);
    count.reset();
    for (const task of set) {
      const i = Number(task.taskId);
      expectSame(await task.loadArtifacts(), { shared, own: noise(30_000, i + 2), i });
    }
    expect(count.snapshot().requests).toBe(0);
  });

  it('keeps no more than it may, and loads the rest when it is asked for', async () => {
    const { flow, count } = await countedFlow();
    await tasks(flow);
    const set = await flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['own'], maxPrefetchBytes: 100_000 });
    expect(set.prefetchedBytes).toBe(90_000);
    count.reset();
    for (const task of set)
      expectSame({ own: await task.get('own') }, { own: noise(30_000, Number(task.taskId) + 2) });
    expect(count.snapshot().get.calls).toBe(7);
  });

  it('gives each caller memory of its own', async () => {
    const { flow } = await countedFlow();
    await tasks(flow);
    const set = await flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['shared'] });
    for (const task of set) {
      const value = await task.get<Uint8Array>('shared');
      expect(Buffer.compare(value, shared)).toBe(0);
      value.fill(0);
    }
  });

  it('finds tasks by pathspec, with and without the attempt, in the order asked for', async () => {
    const { flow } = await countedFlow();
    await tasks(flow);
    await saveTask(flow, { again: true }, { taskId: '3' });
    const pathspecs = ['r1/fit/7', 'r1/fit/3', 'r1/fit/5/0'];
    const set = await flow.getTaskDataStoreSet({ pathspecs, includePrior: true });
    expect([...set].map((task) => task.pathspec)).toEqual([
      'r1/fit/7/0',
      'r1/fit/3/0',
      'r1/fit/3/1',
      'r1/fit/5/0',
    ]);
    expect(set.size).toBe(4);
    expect(set.get('r1/fit/3')?.attempt).toBe(1);
    expect(set.get('r1/fit/3/0')?.attempt).toBe(0);
    expect(set.get('r1/fit/8')).toBeUndefined();
  });

  it('opens all the same where content is gone, and says so when it is loaded', async () => {
    const { flow } = await countedFlow();
    await tasks(flow);
    for (const name of await objectNames(flow.storage, 'data/')) await flow.storage.delete([name]);
    const set = await flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['own'] });
    const error = await errorOf(async () => set.get('r1/fit/0')?.get('own'), 'CONTENT_NOT_FOUND');
    expect(error.details.artifact).toBe('own');
  });

  it('can be merged', async () => {
    const { flow } = await countedFlow();
    await tasks(flow);
    const set = await flow.getTaskDataStoreSet({ runId: 'r1', steps: ['fit'] });
    await flow.task({ runId: 'r1', stepName: 'join', taskId: '0' }, (task) =>
      task.mergeArtifacts(set, { include: ['shared'] }),
    );
    expect((await flow.getTaskDataStore('r1/join/0')).names()).toEqual(['shared']);
  });
});
