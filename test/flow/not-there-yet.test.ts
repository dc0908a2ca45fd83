import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { errorOf, openFlow, saveTask, scratchFolder } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

/** What asks for no more than what there is. */
const LISTINGS: readonly [string, (flow: FlowDataStore) => Promise<unknown>, unknown][] = [
  ['latestRun', (flow) => flow.latestRun(), undefined],
  ['latestRun of any', (flow) => flow.latestRun({ status: 'any', tags: ['x'] }), undefined],
  ['runs', (flow) => flow.runs(), []],
  ['getTaskDataStores', (flow) => flow.getTaskDataStores({ runId: 'r1', steps: ['fit'] }), []],
  ['tasks', (flow) => flow.run('r1').tasks(), []],
  [
    'getTaskDataStoreSet',
    async (flow) => [...(await flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['x'] }))],
    [],
  ],
  ['findTask', (flow) => flow.findTask('r1/fit/0'), undefined],
];

describe('a store that is not there yet', () => {
  it.each(LISTINGS)('has nothing for %s, and is not made by asking', async (_, ask, nothing) => {
    const memory = new MemoryStorage();
    expect(await ask(await openFlow({ storage: memory }))).toEqual(nothing);
    expect((await memory.list({ prefix: '' }).next()).value?.objects ?? []).toEqual([]);
    const folder = join(scratchFolder(), 'store');
    expect(await ask(await openFlow({ storage: folder }))).toEqual(nothing);
    expect(existsSync(folder)).toBe(false);
  });

  it.each(LISTINGS)('is seen by %s as soon as somebody makes it', async (_, ask, nothing) => {
    const storage = new MemoryStorage();
    const reader = await openFlow({ storage });
    expect(await ask(reader)).toEqual(nothing);
    const writer = await openFlow({ storage });
    const run = await writer.createRun({ runId: 'r1', tags: ['x'] });
    await saveTask(writer, { x: 1 });
    await run.finish();
    expect(await ask(reader)).not.toEqual(nothing);
  });

  it.each(LISTINGS)('is not taken by %s for one that lost its description', async (_, ask) => {
    const storage = new MemoryStorage();
    await saveTask(await openFlow({ storage }), { x: 1 });
    await storage.delete(['stowage.json']);
    await errorOf(ask(await openFlow({ storage })), 'NOT_A_STORE');
  });

  it.each(LISTINGS)('is not taken by %s for one that went away', async (_, ask) => {
    const storage = new CountStorage(new MemoryStorage());
    Object.defineProperty(storage, 'capabilities', {
      value: { ...storage.capabilities, localReads: true, sharedByProcesses: true },
    });
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: 1 });
    await storage.delete(['stowage.json']);
    await errorOf(ask(flow), 'NO_SUCH_STORE');
  });
});

describe('findTask', () => {
  test.prop([fc.array(fc.constantFrom('done', 'failed', 'open'), { maxLength: 4 })], {
    numRuns: Math.min(propertyRuns, 50),
  })(
    'finds what getTaskDataStore opens, and nothing where that says it is not there or not done',
    async (outcomes) => {
      const flow = await openFlow();
      await saveTask(flow, {}, { runId: 'other' });
      for (const outcome of outcomes) {
        const task = await flow.createTaskDataStore(spec);
        if (outcome === 'done') await task.done();
        if (outcome === 'failed') await task.fail(new Error('no'));
      }
      for (const [pathspec, options] of [
        ['r1/fit/0', {}],
        ['r1/fit/0', { attempt: 'latestDone' }],
        ['r1/fit/0/1', {}],
        ['r1/fit/0', { attempt: 0 }],
        ['other/fit/0', {}],
      ] as const) {
        const opened = flow.getTaskDataStore(pathspec, options);
        const expected = await opened.then(
          (task) => task.pathspec,
          () => undefined,
        );
        expect((await flow.findTask(pathspec, options))?.pathspec).toBe(expected);
      }
    },
  );

  it('costs as much as getTaskDataStore, and one LIST where there is nothing', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: 1 });
    storage.reset();
    await flow.findTask('r1/fit/0');
    expect(storage.snapshot()).toMatchObject({ list: { calls: 1 }, get: { calls: 2 } });
    storage.reset();
    expect(await flow.findTask('r1/fit/nobody')).toBeUndefined();
    expect(storage.snapshot()).toMatchObject({ list: { calls: 1 }, get: { calls: 0 } });
  });

  it('refuses what it cannot look for, and hides no damage', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await errorOf(flow.findTask('r1/fit'), 'INVALID_PATHSPEC');
    await errorOf(flow.findTask('r1/fit/0', { allowNotDone: true } as never), 'INVALID_ARGUMENT');
    await errorOf(flow.findTask('r1/fit/0', { attempt: -1 }), 'INVALID_ARGUMENT');
    await flow.storage.delete(['flows/Test/r1/fit/0/0.metadata.json']);
    await errorOf(flow.findTask('r1/fit/0'), 'RECORD_DAMAGED');
  });
});

describe('a task that is waited for', () => {
  it.each([
    ['memory', () => new MemoryStorage()],
    ['a folder', () => join(scratchFolder(), 'store')],
    ['sqlite:', () => `sqlite:${join(scratchFolder(), 'runs.db')}`],
  ] as const)('in a loop that does nothing else is done beside it, in %s', async (_, place) => {
    const storage = place();
    const [flow, writer] = [await openFlow({ storage }), await openFlow({ storage })];
    await saveTask(writer, { x: 0 }, { stepName: 'before' });
    const saving = new Promise((resolve) => setTimeout(resolve, 20)).then(() => saveTask(writer, { x: 1 }));
    let fit = await flow.findTask('r1/fit/0');
    const endMs = performance.now() + 4_000;
    while (!fit && performance.now() < endMs) fit = await flow.findTask('r1/fit/0');
    expect(await fit?.get('x')).toBe(1);
    await saving;
  });
});
