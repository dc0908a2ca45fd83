import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import { ResumedTasks } from '../../src/flow/resumed-tasks.ts';
import { RunWriter } from '../../src/flow/run-writer.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import { TaskOpener } from '../../src/flow/task-opener.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { listAttempts } from '../../src/format/attempt-files.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { eraseFromStore } from '../../src/maintenance/erasure/erase-from-store.ts';
import { removeFromStore } from '../../src/maintenance/retention/remove.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { propertyRuns, test } from '../property.ts';
import { until } from '../waiting.ts';
import { errorOf, noise, objectNames, openFlow, openLocalFlow, saveTask } from './fixtures.ts';

/** A task of a graph: the earlier tasks that it reads, how it ended in the first run, and whether its code is new in the second. */
interface Node {
  reads: readonly number[];
  ended: 'done' | 'failed' | 'open' | 'never asked for';
  isChanged: boolean;
  isLarge: boolean;
}

/** Dense and short: a task reads each earlier one with even chance, so that nearly every graph has done tasks that rest on changed ones. */
const nodes: fc.Arbitrary<Node[]> = fc
  .array(
    fc.record({
      reads: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      ended: fc.oneof(
        { weight: 7, arbitrary: fc.constant<Node['ended']>('done') },
        { weight: 2, arbitrary: fc.constantFrom<Node['ended']>('failed', 'open', 'never asked for') },
      ),
      isChanged: fc.constantFrom(true, false, false),
      isLarge: fc.boolean(),
    }),
    { minLength: 3, maxLength: 6 },
  )
  .map((all) =>
    all.map(({ reads, ...node }, index) => ({
      ...node,
      reads: reads.flatMap((isRead, read) => (isRead && read < index ? [read] : [])),
    })),
  );

const nameOf = (index: number): { stepName: string; taskId: string } => ({
  stepName: `step${index % 3}`,
  taskId: `${index}`,
});
const pathOf = (runId: string, index: number): string =>
  `${runId}/${nameOf(index).stepName}/${nameOf(index).taskId}`;

/** The value of a task is told by its code and by what it read. */
async function work(
  flow: FlowDataStore,
  task: OpenTaskDataStore,
  { reads, isLarge }: Node,
  code: string,
): Promise<void> {
  const read: unknown[] = [];
  for (const one of reads) {
    const origin = await flow.getTaskDataStore(pathOf(task.runId, one));
    task.recordRead(origin);
    read.push(await origin.get('value'));
  }
  await task.saveArtifacts({ value: { code, read }, ...(isLarge ? { large: noise(20_000) } : {}) });
  await task.saveMetadata({ code });
}

const codeOf = (index: number, version: number): string => `${index}, version ${version}`;

class RemoteStorage extends StorageDecorator {
  override get capabilities(): DataStoreStorage['capabilities'] {
    return { ...super.capabilities, localReads: false };
  }
}

describe('a run that resumes another', () => {
  for (const [kind, toStorage] of [
    ['memory', () => new MemoryStorage()],
    ['a storage whose reads cost requests', () => new RemoteStorage(new MemoryStorage())],
  ] as const) {
    test.prop([nodes, fc.boolean()], { numRuns: Math.ceil(propertyRuns / 5) })(
      `has what a run from nothing has, and runs no function that need not, on ${kind}`,
      async (graph, isOneProcess) => {
        const storage = toStorage();
        const flow = await openFlow({ storage });
        const states: Node['ended'][] = [];
        for (const [index, node] of graph.entries()) {
          const canRun = node.reads.every((read) => states[read] === 'done');
          const ended = canRun ? node.ended : 'never asked for';
          states.push(ended);
          if (ended === 'never asked for') continue;
          const task = await flow.createTaskDataStore({ runId: 'old', ...nameOf(index) });
          await work(flow, task, node, codeOf(index, 0));
          if (ended === 'done') await task.done();
          if (ended === 'failed') await task.fail(new Error('no luck'));
        }
        await flow.createRun({ runId: 'old' }).catch(() => {}); // of a graph of which nothing was asked for
        const isNamed = (index: number): boolean =>
          Boolean(graph[index]?.isChanged) && states[index] !== 'never asked for';
        const rerun = graph.flatMap((_, index) =>
          !isNamed(index)
            ? []
            : [index % 2 ? pathOf('old', index) : pathOf('old', index).slice('old/'.length)],
        );
        await flow.createRun({ runId: 'new', resume: 'Test/old', rerun });
        const ran: number[] = [];
        const mustRun = new Set<number>();
        for (const [index, node] of graph.entries()) {
          if (isNamed(index) || states[index] !== 'done' || node.reads.some((read) => mustRun.has(read)))
            mustRun.add(index);
          const asking = isOneProcess ? flow : await openFlow({ storage });
          await asking.task({ runId: 'new', ...nameOf(index) }, async (task) => {
            ran.push(index);
            await work(asking, task, node, codeOf(index, isNamed(index) ? 1 : 0));
          });
        }
        expect(ran).toEqual([...mustRun]);
        await flow.createRun({ runId: 'from nothing' });
        for (const [index, node] of graph.entries()) {
          await flow.task({ runId: 'from nothing', ...nameOf(index) }, (task) =>
            work(flow, task, node, codeOf(index, isNamed(index) ? 1 : 0)),
          );
          const is = await flow.getTaskDataStore(pathOf('new', index));
          const expected = await flow.getTaskDataStore(pathOf('from nothing', index));
          expect(await is.loadArtifacts()).toEqual(await expected.loadArtifacts());
          expect(await is.loadMetadata()).toEqual(await expected.loadMetadata());
          expect(is.takenOver).toBe(mustRun.has(index) ? undefined : `Test/${pathOf('old', index)}/0`);
          const read = node.reads.map((one) => `Test/${pathOf('new', one)}/0`);
          expect(is.readFrom).toEqual([...read, ...(is.takenOver ? [is.takenOver] : [])]);
        }
      },
    );
  }

  it('writes no content anew but the small values of a bucket', async () => {
    const storage = new CountStorage(new RemoteStorage(new MemoryStorage()));
    const flow = await openFlow({ storage });
    await saveTask(flow, { small: noise(30_000), large: noise(300_000) }, { runId: 'old' });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const before = await objectNames(storage);
    storage.reset();
    await flow.task({ runId: 'new', stepName: 'fit', taskId: '0' }, never);
    const written = (await objectNames(storage)).filter((name) => !before.includes(name));
    const contents = written.filter((name) => /^(data|manifests|packs|values)/.test(name));
    expect(contents).toEqual([expect.stringMatching(/^values\/Test\/new\/fit\/0\/0\./)]);
    const task = await flow.getTaskDataStore('new/fit/0');
    expect(await task.get('large')).toEqual(noise(300_000));
  });

  it('is told of by the run and by its tasks, in copies too, and goes on there', async () => {
    const { flow, folder } = await openLocalFlow();
    await flow.createRun({ runId: 'old', parameters: { rate: 0.1 } });
    await saveTask(flow, { x: 1 }, { runId: 'old' });
    await saveTask(flow, { y: 1 }, { runId: 'old', stepName: 'eval' });
    const run = await flow.createRun({ runId: 'new', resume: 'Test/old', rerun: ['eval', 'old/eval/0'] });
    expect(await run.info()).toMatchObject({
      resumes: 'Test/old',
      rerun: ['eval', 'eval/0'],
      parameters: { rate: 0.1 },
    });
    await flow.task({ runId: 'new', stepName: 'fit', taskId: '0' }, never);
    const to = new MemoryStorage();
    expect((await copyStore({ from: folder, to })).problems).toEqual([]);
    const copy = await openFlow({ storage: to });
    expect(await copy.run('new').info()).toMatchObject({ resumes: 'Test/old', rerun: ['eval', 'eval/0'] });
    expect((await copy.getTaskDataStore('new/fit/0')).takenOver).toBe('Test/old/fit/0/0');
    await copy.createRun({ runId: 'next', resume: 'Test/new' });
    await copy.task({ runId: 'next', stepName: 'fit', taskId: '0' }, never);
    expect((await copy.getTaskDataStore('next/fit/0')).takenOver).toBe('Test/new/fit/0/0');
  });

  it('does not take over what rests on a task that ran again, over three runs', async () => {
    const flow = await openFlow();
    const pipeline = async (runId: string): Promise<string[]> => {
      const ran: string[] = [];
      await flow.task({ runId, stepName: 'a', taskId: '0' }, async (task) => {
        ran.push('a');
        await task.saveArtifacts({ of: runId });
      });
      await flow.task({ runId, stepName: 'b', taskId: '0' }, async (task) => {
        ran.push('b');
        const a = await flow.getTaskDataStore(`${runId}/a/0`);
        task.recordRead(a);
        await task.saveArtifacts({ read: await a.get('of') });
      });
      return ran;
    };
    expect(await pipeline('1')).toEqual(['a', 'b']);
    await flow.createRun({ runId: '2', resume: 'Test/1' });
    expect(await pipeline('2')).toEqual([]);
    await flow.createRun({ runId: '3', resume: 'Test/2', rerun: ['a'] });
    expect(await pipeline('3')).toEqual(['a', 'b']);
    expect(await (await flow.getTaskDataStore('3/b/0')).get('read')).toBe('3');
    // A later attempt of what was read is not what was read.
    await flow.createTaskDataStore({ runId: '1', stepName: 'a', taskId: '0' }).then((task) => task.done());
    await flow.createRun({ runId: '4', resume: 'Test/1' });
    expect(await pipelineOf(flow, '4')).toEqual(['b']);
  });

  it('does not take over what rests on a task that somebody ran again by hand in this run', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await pipelineOf(flow, 'old');
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const a = { runId: 'new', stepName: 'a', taskId: '0' };
    expect(await flow.takeOverTask(a)).toMatchObject({ takenOver: 'Test/old/a/0/0', attempt: 0 });
    const other = await openFlow({ storage });
    await other.createTaskDataStore(a).then((task) => task.done());
    expect(await flow.takeOverTask(a)).toBeUndefined();
    expect(await pipelineOf(flow, 'new')).toEqual(['a', 'b']);
  });
});

describe('a task that is taken over', () => {
  it('gives what its function returned by restore, and is refused without, before anything is written', async () => {
    const flow = await openFlow();
    const spec = { runId: 'old', stepName: 'fit', taskId: '0' };
    const fit = async (task: OpenTaskDataStore): Promise<{ auc: number }> => {
      await task.saveArtifacts({ metrics: { auc: 0.9 } });
      return { auc: 0.9 };
    };
    expect(await flow.task(spec, fit)).toEqual({ auc: 0.9 });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const again = { ...spec, runId: 'new' };
    const error = await errorOf(flow.task(again, fit), 'INVALID_ARGUMENT');
    expect(error.message).toContain('restore');
    expect(await flow.findTask('new/fit/0')).toBeUndefined();
    const restored: { auc: number } = await flow.task(again, fit, { restore: (task) => task.get('metrics') });
    expect(restored).toEqual({ auc: 0.9 });
    // It is known of the one that was taken over as well.
    await flow.createRun({ runId: 'third', resume: 'Test/new' });
    await errorOf(flow.task({ ...spec, runId: 'third' }, fit), 'INVALID_ARGUMENT');
    // @ts-expect-error what restore gives is what the function returns
    const wrong = flow.task(again, fit, { restore: () => 'text' });
    expect(await wrong).toBe('text');
    await errorOf(flow.task(again, fit, { restore: 1 as never }), 'INVALID_ARGUMENT');
  });

  it('of which nobody knows what its function returned is refused likewise: it closed its attempt itself', async () => {
    const flow = await openFlow();
    const spec = { runId: 'old', stepName: 'fit', taskId: '0' };
    await flow.task(spec, async (task) => {
      await task.done();
      return 1;
    });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const error = await errorOf(
      flow.task({ ...spec, runId: 'new' }, () => 1),
      'INVALID_ARGUMENT',
    );
    expect(error.message).toContain('returned a value, or may have');
  });

  it('returned nothing where it failed, and nothing is recorded of it', async () => {
    const flow = await openFlow();
    const spec = { runId: 'old', stepName: 'fit', taskId: '0' };
    const failing = flow.task(spec, async (task) => {
      await task.saveArtifacts({ x: 1 });
      throw new Error('no luck');
    });
    await expect(failing).rejects.toThrow('no luck');
    const record = await flow.storage.get('flows/Test/old/fit/0/0.metadata.json');
    expect(JSON.parse(Buffer.from(record?.body ?? []).toString())).not.toHaveProperty('returned');
    await flow.task(spec, () => 1);
    const done = await flow.storage.get('flows/Test/old/fit/0/1.metadata.json');
    expect(JSON.parse(Buffer.from(done?.body ?? []).toString())).toMatchObject({ returned: true });
  });

  it('that was closed by hand gives what restore gives, else undefined', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 }, { runId: 'old' });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const spec = { runId: 'new', stepName: 'fit', taskId: '0' };
    const fit: () => unknown = () => {
      throw new Error('it is run, and need not be');
    };
    expect(await flow.task(spec, fit, { restore: (task) => task.get('x') })).toBe(1);
    expect(await flow.task(spec, fit)).toBeUndefined();
  });

  it('asked for again is the same attempt, and the given number is used', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 }, { runId: 'old' });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const spec = { runId: 'new', stepName: 'fit', taskId: '0' };
    const taken = await Promise.all([flow.takeOverTask(spec), flow.takeOverTask({ ...spec, attempt: 7 })]);
    expect(taken.map((task) => task?.takenOver)).toEqual(['Test/old/fit/0/0', 'Test/old/fit/0/0']);
    const again = await flow.takeOverTask(spec);
    expect(again?.attempt).toBe(7);
    expect((await flow.takeOverTask({ ...spec, attempt: 7 }))?.attempt).toBe(7);
    await errorOf(flow.takeOverTask({ ...spec, attempt: 0 }), 'ATTEMPT_EXISTS');
    await flow.task(spec, never);
    expect((await flow.getTaskDataStore('new/fit/0')).attempt).toBe(7);
  });

  it('keeps its label, its metadata and its values when the old run goes, whether or not the new one is open', async () => {
    for (const storage of [new MemoryStorage(), new RemoteStorage(new MemoryStorage())]) {
      const flow = await openFlow({ storage });
      const values = { small: noise(30_000), large: noise(300_000) };
      await flow.task({ runId: 'old', stepName: 'fit', taskId: '0', label: 'north' }, async (task) => {
        await task.saveArtifacts(values);
        await task.saveMetadata({ rows: 3 });
      });
      await saveTask(flow, { y: 1 }, { runId: 'old', stepName: 'eval' });
      await flow.run('old').finish('failed');
      await flow.createRun({ runId: 'new', resume: 'Test/old' });
      await flow.task({ runId: 'new', stepName: 'fit', taskId: '0' }, never);
      await removeFromStore({ store: storage, path: 'Test/old' });
      const task = await flow.getTaskDataStore('new/fit/0');
      expect(await task.loadArtifacts()).toEqual(values);
      expect([task.label, await task.loadMetadata()]).toEqual(['north', { rows: 3 }]);
      // What is gone is run.
      let runs = 0;
      await flow.task({ runId: 'new', stepName: 'eval', taskId: '0' }, () => {
        runs += 1;
      });
      expect(runs).toBe(1);
      await flow.task({ runId: 'new', stepName: 'fit', taskId: '0' }, never);
    }
  });
});

describe('several that ask for the same task at once', () => {
  it.each([1, 2])('all get what the old run has, and run nothing, with %d stores', async (stores) => {
    const storage = new MemoryStorage();
    const first = await openFlow({ storage });
    const second = stores === 1 ? first : await openFlow({ storage });
    await saveTask(first, { x: 1 }, { runId: 'old' });
    await first.createRun({ runId: 'new', resume: 'Test/old' });
    const spec = { runId: 'new', stepName: 'fit', taskId: '0' };
    const restore = (task: TaskDataStore): Promise<unknown> => task.get('x');
    const given = await Promise.all([
      first.task(spec, never as () => unknown, { restore }),
      second.task(spec, never as () => unknown, { restore }),
      second.takeOverTask(spec).then((task) => task?.get('x')),
    ]);
    expect(given).toEqual([1, 1, 1]);
    // Later ones may stand beside the first; each is whole, and was taken over.
    const path = { flow: 'Test', run: 'new', step: 'fit', task: '0' };
    for (const [attempt, files] of await listAttempts(storage, path, {})) {
      expect(files.has('done')).toBe(true);
      const task = await first.getTaskDataStore(`new/fit/0/${attempt}`);
      expect([task.takenOver, await task.get('x')]).toEqual(['Test/old/fit/0/0', 1]);
    }
  });
});

describe('what reads a task that is being taken over a second time', () => {
  /** `a` of the new run was taken over, and another process is about to close a second attempt of it. */
  async function heldBack(): Promise<{
    flow: FlowDataStore;
    storage: DataStoreStorage;
    close: () => Promise<unknown>;
    lists: () => number;
  }> {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    await pipelineOf(flow, 'old');
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const a = { runId: 'new', stepName: 'a', taskId: '0' };
    const [isClosing, closing] = gate();
    const [mayClose, open] = gate();
    const slow = new (class extends StorageDecorator {
      override async create(...args: Parameters<DataStoreStorage['create']>): Promise<boolean> {
        if (args[0] === 'flows/Test/new/a/0/1.DONE') {
          closing();
          await mayClose;
        }
        return super.create(...args);
      }
    })(storage);
    const other = await openFlow({ storage: slow });
    await flow.takeOverTask(a);
    const second = other.takeOverTask({ ...a, attempt: 1 });
    await isClosing;
    const close = (): Promise<unknown> => {
      open();
      return second;
    };
    return { flow, storage, close, lists: () => storage.snapshot().list.calls };
  }

  it('waits until that is done, and is taken over', async () => {
    const { flow, close, lists } = await heldBack();
    const before = lists();
    const taking = flow.task({ runId: 'new', stepName: 'b', taskId: '0' }, never);
    await until(() => lists() - before > 5); // it has looked, and looks again
    await close();
    await taking;
    const b = await flow.getTaskDataStore('new/b/0');
    expect([b.takenOver, b.readFrom]).toEqual(['Test/old/b/0/0', ['Test/new/a/0/1', 'Test/old/b/0/0']]);
  });

  it('is run where that is not done in time', async () => {
    const { flow, storage, close } = await heldBack();
    const context = {
      content: flow.caStore,
      registry: new SerializerRegistry(),
      maxInlineBytes: 0,
      ownBytes: 0,
    };
    const impatient = new ResumedTasks(new TaskOpener('Test', context), new RunWriter('Test', context), 50);
    const b = { runId: 'new', stepName: 'b', taskId: '0' };
    expect(await impatient.takeOver(b, { isRestored: true })).toBeUndefined();
    expect(await objectNames(storage, 'flows/Test/new/b/')).toEqual([]);
    await close();
    expect((await impatient.takeOver(b, { isRestored: true }))?.taken?.takenOver).toBe('Test/old/b/0/0');
  });

  it('ends where it is aborted', async () => {
    const { flow, close, lists } = await heldBack();
    const before = lists();
    const ending = new AbortController();
    const b = { runId: 'new', stepName: 'b', taskId: '0' };
    const taking = errorOf(flow.takeOverTask(b, { signal: ending.signal }), 'ABORTED');
    await until(() => lists() - before > 5);
    ending.abort();
    await taking;
    await close();
  });
});

describe('a join of many tasks', () => {
  it('is taken over by one LIST of each step that it read', async () => {
    const storage = new CountStorage(new RemoteStorage(new MemoryStorage()));
    const flow = await openFlow({ storage });
    const ids = Array.from({ length: 40 }, (_, index) => `${index}`);
    for (const taskId of ids)
      await flow.task({ runId: 'old', stepName: 'part', taskId }, (task) => task.saveArtifacts({ x: 1 }));
    await flow.task({ runId: 'old', stepName: 'join', taskId: '0' }, async (task) => {
      for (const id of ids) task.recordRead(await flow.getTaskDataStore(`old/part/${id}`));
    });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    for (const taskId of ids) await flow.task({ runId: 'new', stepName: 'part', taskId }, never);
    const asking = await openFlow({ storage });
    const before = storage.snapshot().list.calls;
    const join = await asking.takeOverTask({ runId: 'new', stepName: 'join', taskId: '0' });
    expect(join?.readFrom).toHaveLength(41);
    expect(storage.snapshot().list.calls - before).toBeLessThan(12);
  });
});

describe('a task of the old run', () => {
  const spec = { runId: 'new', stepName: 'fit', taskId: '0' };
  const LOSSES: [string, () => DataStoreStorage, number][] = [
    ['a small one', () => new MemoryStorage(), 30_000],
    ['a large one', () => new MemoryStorage(), 300_000],
    ['a small one where looks cost requests', () => new RemoteStorage(new MemoryStorage()), 30_000],
    ['a large one where looks cost requests', () => new RemoteStorage(new MemoryStorage()), 300_000],
    ['one of 64 KiB where looks cost requests', () => new RemoteStorage(new MemoryStorage()), 65_536],
  ];

  /** A run that resumes another, whose one task has lost its content, in a process that has not seen it. */
  async function lostContent(storage: DataStoreStorage, bytes: number): Promise<FlowDataStore> {
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: noise(bytes) }, { runId: 'old' });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    const contents = (await objectNames(storage)).filter((name) =>
      /^(data|manifests|packs|values)\//.test(name),
    );
    expect(contents).not.toEqual([]);
    await storage.delete(contents);
    return openFlow({ storage });
  }

  async function expectRun(flow: FlowDataStore): Promise<void> {
    await flow.task(spec, (task) => task.saveArtifacts({ x: 2 }));
    const task = await flow.getTaskDataStore('new/fit/0');
    expect([await task.get('x'), task.takenOver, task.readFrom]).toEqual([2, undefined, []]);
    expect(task.attempt).toBe(0);
  }

  it.each<[string, (flow: FlowDataStore, storage: MemoryStorage) => Promise<unknown>]>([
    ['failed', (flow) => flow.createTaskDataStore(ofOld).then((task) => task.fail(new Error('no')))],
    ['is open', (flow) => flow.createTaskDataStore(ofOld)],
    [
      'has its content purged',
      (flow) => flow.storage.create('flows/Test/old/fit/0/0.PURGED', new Uint8Array()),
    ],
    ['is deleted', (flow) => flow.storage.create('flows/Test/old/fit/0/0.DELETED', new Uint8Array())],
    [
      'has something erased',
      (_, storage) => eraseFromStore({ store: storage, target: 'Test/old/fit/0/x', reason: 'asked' }),
    ],
  ])('that %s is run', async (_, happen) => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: noise(30_000) }, { runId: 'old' });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    await happen(flow, storage);
    await expectRun(flow);
  });

  it.each(LOSSES)('that has lost content is run, %s', async (_, storage, bytes) => {
    await expectRun(await lostContent(storage(), bytes));
  });

  it.each(LOSSES)(
    'that has lost content fails the attempt that was to take it over by hand, %s',
    async (_, storage, bytes) => {
      const flow = await lostContent(storage(), bytes);
      await errorOf(flow.takeOverTask(spec), 'CONTENT_NOT_FOUND');
      const failed = await flow.getTaskDataStore('new/fit/0', { allowNotDone: true });
      expect(failed.error?.message).toContain('Run the task again');
      expect(failed.readFrom).toEqual(['Test/old/fit/0/0']);
      // The next call leaves it to whoever asks, in another process too.
      for (const next of [flow, await openFlow({ storage: flow.storage })])
        expect(await next.takeOverTask(spec)).toBeUndefined();
      const again = await flow.createTaskDataStore(spec);
      await again.saveArtifacts({ x: 2 });
      await again.done();
      expect(await flow.takeOverTask(spec)).toBeUndefined();
      expect(await (await flow.getTaskDataStore('new/fit/0')).get('x')).toBe(2);
    },
  );

  it('of which something was erased once it was taken over is run', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1, y: 2 }, { runId: 'old' });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    expect((await flow.takeOverTask(spec))?.takenOver).toBe('Test/old/fit/0/0');
    await eraseFromStore({ store: flow.storage, target: 'Test/new/fit/0/x', reason: 'asked' });
    expect(await flow.takeOverTask(spec)).toBeUndefined();
    await flow.task(spec, (task) => task.saveArtifacts({ x: 3, y: 2 }));
    expect(await (await flow.getTaskDataStore('new/fit/0')).loadArtifacts()).toEqual({ x: 3, y: 2 });
  });

  it('that is erased between the look at it and its takeover is run', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: 1 }, { runId: 'old' });
    await flow.createRun({ runId: 'new', resume: 'Test/old' });
    let isErased = false;
    const meanwhile = new (class extends StorageDecorator {
      override async create(...args: Parameters<DataStoreStorage['create']>): Promise<boolean> {
        if (args[0].startsWith('flows/Test/new/fit/0/0.') && !isErased) {
          isErased = true;
          await eraseFromStore({ store: storage, target: 'Test/old/fit/0/x', reason: 'asked' });
        }
        return super.create(...args);
      }
    })(storage);
    const asking = await openFlow({ storage: meanwhile });
    await asking.task(spec, (task) => task.saveArtifacts({ x: 2 }));
    expect(isErased).toBe(true);
    const task = await flow.getTaskDataStore('new/fit/0');
    expect([await task.get('x'), task.takenOver]).toEqual([2, undefined]);
  });
});

const ofOld = { runId: 'old', stepName: 'fit', taskId: '0' };

describe('cached tasks', () => {
  it('of a task that is taken over do not run, and run as ever in others', async () => {
    const flow = await openFlow();
    const calls: number[] = [];
    const square = flow.cachedTask({
      name: 'square',
      version: '1',
      run: async (n: number) => {
        calls.push(n);
        return n * n;
      },
    });
    const pipeline = async (runId: string): Promise<string[]> => {
      const ran: string[] = [];
      await flow.task({ runId, stepName: 'a', taskId: '0' }, async (task) => {
        ran.push('a');
        await task.saveArtifacts({ four: await square(2) });
      });
      await flow.task({ runId, stepName: 'b', taskId: '0' }, async (task) => {
        ran.push('b');
        task.recordRead(await flow.getTaskDataStore(`${runId}/a/0`));
        await task.saveArtifacts({ sum: (await square(2)) + (await square(3)) });
      });
      return ran;
    };
    await pipeline('old');
    expect(calls).toEqual([2, 3]);
    await flow.createRun({ runId: 'new', resume: 'Test/old', rerun: ['b'] });
    expect(await pipeline('new')).toEqual(['b']);
    expect(calls).toEqual([2, 3]);
    await flow.createRun({ runId: 'third', resume: 'Test/new' });
    expect(await pipeline('third')).toEqual([]);
    // Callers of a cached task that is named run; the call itself is a hit.
    await flow.createRun({ runId: 'fourth', resume: 'Test/old', rerun: ['square'] });
    expect(await pipeline('fourth')).toEqual(['a', 'b']);
    expect(calls).toEqual([2, 3]);
  });
});

describe('a run of a copied store', () => {
  it('is resumed by running what called a cached task, which is a hit, and nothing else', async () => {
    const { flow, folder } = await openLocalFlow();
    let calls = 0;
    const pipeline = async (on: FlowDataStore, runId: string): Promise<string[]> => {
      const square = on.cachedTask({
        name: 'square',
        version: '1',
        run: async (n: number) => {
          calls += 1;
          return n * n;
        },
      });
      const ran: string[] = [];
      await on.task({ runId, stepName: 'load', taskId: '0' }, async (task) => {
        ran.push('load');
        await task.saveArtifacts({ n: 2 });
      });
      await on.task({ runId, stepName: 'call', taskId: '0' }, async (task) => {
        ran.push('call');
        await task.saveArtifacts({ four: await square(2) });
      });
      return ran;
    };
    expect(await pipeline(flow, 'old')).toEqual(['load', 'call']);
    const to = new MemoryStorage();
    expect((await copyStore({ from: folder, to })).problems).toEqual([]);
    const copy = await openFlow({ storage: to });
    await copy.createRun({ runId: 'new', resume: 'Test/old' });
    expect(await pipeline(copy, 'new')).toEqual(['call']);
    expect(await (await copy.getTaskDataStore('new/call/0')).get('four')).toBe(4);
    expect(calls).toBe(1);
    // Where it ran, it is taken over as ever.
    await copy.createRun({ runId: 'next', resume: 'Test/new' });
    expect(await pipeline(copy, 'next')).toEqual([]);
  });
});

describe('createRun refuses', () => {
  it.each<[string, object, string]>([
    ['a run that is not there', { resume: 'Test/odl' }, 'RUN_NOT_FOUND'],
    ['a run of another flow', { resume: 'Other/old' }, 'INVALID_ARGUMENT'],
    ['a name without its flow', { resume: 'old' }, 'INVALID_ARGUMENT'],
    ['a run that is no text', { resume: 1 }, 'INVALID_ARGUMENT'],
    ['a task', { resume: 'Test/old/fit/0' }, 'INVALID_ARGUMENT'],
    ['a name that is none', { resume: 'Test/..' }, 'INVALID_NAME'],
    ['rerun alone', { rerun: ['fit'] }, 'INVALID_ARGUMENT'],
    ['rerun that is no list', { resume: 'Test/old', rerun: 'fit' }, 'INVALID_ARGUMENT'],
    ['a step that is not there', { resume: 'Test/old', rerun: ['fti'] }, 'STEP_NOT_FOUND'],
    ['a task that is not there', { resume: 'Test/old', rerun: ['fit/1'] }, 'TASK_NOT_FOUND'],
    ['a task of another run', { resume: 'Test/old', rerun: ['new/fit/0'] }, 'INVALID_ARGUMENT'],
    ['an attempt', { resume: 'Test/old', rerun: ['old/fit/0/0'] }, 'INVALID_ARGUMENT'],
    ['an empty name', { resume: 'Test/old', rerun: [''] }, 'INVALID_NAME'],
  ])('%s, and leaves no trace', async (_, options, code) => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 }, { runId: 'old' });
    const before = await objectNames(flow.storage);
    await errorOf(flow.createRun({ runId: 'new', ...options }), code as never);
    expect(await objectNames(flow.storage)).toEqual(before);
  });

  it('to resume in a store that is not there', async () => {
    const flow = await openFlow();
    await errorOf(flow.createRun({ resume: 'Test/old' }), 'NO_SUCH_STORE');
  });
});

/** A promise, and what resolves it. */
function gate(): [Promise<void>, () => void] {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return [opened, open];
}

/** Two tasks, of which the second reads the first; resolves to those that ran. */
async function pipelineOf(flow: FlowDataStore, runId: string): Promise<string[]> {
  const ran: string[] = [];
  await flow.task({ runId, stepName: 'a', taskId: '0' }, () => {
    ran.push('a');
  });
  await flow.task({ runId, stepName: 'b', taskId: '0' }, async (task) => {
    ran.push('b');
    task.recordRead(await flow.getTaskDataStore(`${runId}/a/0`));
  });
  return ran;
}

function never(task: OpenTaskDataStore): void {
  throw new Error(`${task.pathspec} is run, and need not be`);
}
