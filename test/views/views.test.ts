import { beforeAll, describe, expect, it } from 'vitest';
import { ContentAddressedStore, FlowDataStore, MemoryStorage, type StowageError } from '../../src/index.ts';
import { listBelow } from '../../src/views/listing.ts';
import { missing } from '../../src/views/not-found.ts';
import { readRunTree } from '../../src/views/run-tree.ts';
import { listedRuns, selectRuns } from '../../src/views/runs.ts';
import { countUse } from '../../src/views/storage-use.ts';
import type { StoreView } from '../../src/views/store-view.ts';
import { errorOf } from '../flow/fixtures.ts';

/** What a page or a program has: a store, and no command line. */
function viewOf(storage: MemoryStorage): StoreView & { faults: StowageError[] } {
  const faults: StowageError[] = [];
  return {
    storage,
    content: new ContentAddressedStore(storage),
    signal: new AbortController().signal,
    unreadable: (error) => faults.push(error),
    progress: () => {},
    faults,
  };
}

const storage = new MemoryStorage();
const view = viewOf(storage);
const all = { limit: Number.POSITIVE_INFINITY, isLong: false };

beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage });
  for (const runId of ['r1', 'r2']) {
    const run = await flow.createRun({ runId, tags: [runId === 'r1' ? 'old' : 'new'] });
    for (const taskId of ['2', '10'])
      await flow.task({ runId, stepName: 'fit', taskId }, (task) =>
        task.saveArtifacts({ x: 1, note: 'text' }),
      );
    const failing = flow.task({ runId, stepName: 'report', taskId: '0' }, async () => {
      throw new RangeError('no');
    });
    await expect(failing).rejects.toThrow('no');
    await run.finish();
  }
});

describe('what lies below a path', () => {
  it('is data of each level, whose paths lead on', async () => {
    expect(await listBelow(view, {}, all)).toEqual({
      path: '',
      kind: 'flows',
      total: 1,
      more: 0,
      entries: [{ flow: 'Train', runs: 2 }],
    });
    const runs = await listBelow(view, { flow: 'Train' }, { ...all, limit: 1 });
    expect(runs).toMatchObject({
      path: 'Train',
      kind: 'runs',
      total: 2,
      entries: [{ run: 'r2', status: 'done' }],
    });
    expect(await listBelow(view, { flow: 'Train', run: 'r1' }, all)).toMatchObject({
      kind: 'steps',
      entries: [
        { step: 'fit', tasks: 2, done: 2, failed: 0, other: 0 },
        { step: 'report', tasks: 1, done: 0, failed: 1, other: 0 },
      ],
    });
    const tasks = await listBelow(view, { flow: 'Train', run: 'r1', step: 'fit' }, all);
    expect(tasks.entries).toMatchObject([
      { task: '2', attempts: 1, attempt: 0, status: 'done', artifacts: 2 },
      { task: '10', attempts: 1 },
    ]);
    const task = { flow: 'Train', run: 'r1', step: 'fit', task: '10' };
    expect(await listBelow(view, task, all)).toMatchObject({ kind: 'attempts', entries: [{ attempt: 0 }] });
    expect(await listBelow(view, { ...task, attempt: 0 }, all)).toMatchObject({
      path: 'Train/r1/fit/10/0',
      kind: 'artifacts',
      entries: [{ name: 'x' }, { name: 'note' }],
    });
  });

  it('survives JSON: nothing but plain data is in it', async () => {
    for (const path of [{}, { flow: 'Train' }, { flow: 'Train', run: 'r1' }]) {
      const listing = await listBelow(view, path, all);
      expect(JSON.parse(JSON.stringify(listing))).toEqual(listing);
    }
    const tree = await readRunTree(view, { flow: 'Train', run: 'r1' });
    expect(tree.steps.map(({ step, tasks }) => [step, tasks.length])).toEqual([
      ['fit', 2],
      ['report', 1],
    ]);
    expect(JSON.parse(JSON.stringify(tree))).toEqual(tree);
    const use = await countUse(view, {});
    expect(use).toMatchObject({ by: 'flow', entries: [{ name: 'Train', runs: 2, tasks: 6 }], unseen: [] });
  });
});

describe('runs', () => {
  it('are chosen by tag, status and age, and the rest are counted', async () => {
    const listed = await listedRuns(view, 'Train');
    const ids = async (filter: object, limit = 10): Promise<string[]> =>
      (await selectRuns(view, listed, filter, limit)).runs.map(({ run }) => run);
    expect(await ids({})).toEqual(['r2', 'r1']);
    expect(await ids({ tags: ['old'] })).toEqual(['r1']);
    expect(await ids({ status: 'open' })).toEqual([]);
    expect(await ids({ createdSinceMs: Date.now() + 1_000 })).toEqual([]);
    expect(await selectRuns(view, listed, {}, 1)).toMatchObject({ unread: 1 });
    expect((await selectRuns(view, listed, { tags: ['olt'] }, 1)).seenTags).toEqual(new Set(['old', 'new']));
  });
});

describe('what is missing', () => {
  it('is an error with what there is and what was meant, and no command of a shell', async () => {
    const misspelt = await missing(view, { flow: 'Trian', run: 'r1' });
    expect(misspelt).toMatchObject({
      code: 'RUN_NOT_FOUND',
      message: 'The store has no flow Trian. Did you mean Train?',
      details: { missing: 'flow', suggestions: ['Train'], existing: ['Train'] },
    });
    const error = await errorOf(
      listBelow(view, { flow: 'Train', run: 'r1', step: 'nowhere' }, all),
      'STEP_NOT_FOUND',
    );
    expect(error.message).toBe('Run Train/r1 has no step nowhere.');
    expect(
      await missing(view, { flow: 'Train', run: 'r1', step: 'fit', task: '2', attempt: 0 }),
    ).toBeUndefined();
  });
});

it('what cannot be read is shown as such among the rest, and told', async () => {
  const damaged = new MemoryStorage();
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: damaged });
  for (const runId of ['r1', 'r2']) await flow.createRun({ runId });
  await damaged.overwrite('runs/Train/r1/created.json', new TextEncoder().encode('nonsense'));
  const own = viewOf(damaged);
  const { entries } = await listBelow(own, { flow: 'Train' }, all);
  expect(entries).toMatchObject([
    { run: 'r2', status: 'open' },
    { run: 'r1', status: 'damaged' },
  ]);
  expect(own.faults.map(({ code }) => code)).toEqual(['RECORD_DAMAGED']);
});
