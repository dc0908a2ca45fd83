import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { SESSION_FILES } from '../../src/format/session-files.ts';
import { eraseFromStore } from '../../src/maintenance/erasure/erase-from-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test } from '../property.ts';
import {
  errorOf,
  expectSame,
  noise,
  objectNames,
  openFlow,
  openLocalFlow,
  readIncomplete,
  saveTask,
} from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'join', taskId: '0' };

/** Like a bucket: looking costs a request. */
class RemoteStorage extends StorageDecorator {
  override get capabilities(): DataStoreStorage['capabilities'] {
    return { ...super.capabilities, localReads: false };
  }
}

const FLOWS: [string, () => Promise<FlowDataStore>][] = [
  ['memory', () => openFlow()],
  [
    'a storage whose reads cost requests',
    () => openFlow({ storage: new RemoteStorage(new MemoryStorage()) }),
  ],
  ['a folder', async () => (await openLocalFlow()).flow],
];

const values = {
  small: { auc: 0.9 },
  text: 'x'.repeat(70_000),
  large: noise(400_000),
  floats: Float64Array.of(1, 2),
};

async function mark(flow: FlowDataStore, task: TaskDataStore, file: 'purged' | 'deleted'): Promise<void> {
  const { runId, stepName, taskId, attempt } = task;
  const base = `flows/Test/${runId}/${stepName}/${taskId}/${attempt}`;
  await flow.storage.create(base + SESSION_FILES[file], new Uint8Array());
}

/** The objects that hold a text. */
async function holds(storage: DataStoreStorage, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await objectNames(storage)) {
    const object = await storage.get(name);
    if (object && Buffer.from(object.body).includes(text)) found.push(name);
  }
  return found;
}

describe.each(FLOWS)('on %s', (_, open) => {
  it('an inline value that was erased since its task was opened is not passed on, and others are', async () => {
    const flow = await open();
    await saveTask(flow, { secret: 's3cret', other: 1, large: noise(100_000) });
    const origin = await flow.getTaskDataStore('r1/fit/0');
    const target = 'Test/r1/fit/0/secret';
    const erased = await eraseFromStore({ store: flow.storage, target, reason: 'consent withdrawn' });
    expect(erased.outcome).toBe('complete');
    const failing = await flow.createTaskDataStore({ ...spec, taskId: 'fails' });
    const error = await errorOf(failing.passdownPartial(origin, ['secret', 'large']), 'CONTENT_ERASED');
    expect(error.message).toContain('consent withdrawn');
    await failing.fail(error);
    await flow.task(spec, (task) => task.passdownPartial(origin, ['other', 'large']));
    const taken = await flow.getTaskDataStore('r1/join/0');
    expect(await taken.loadArtifacts()).toEqual({ other: 1, large: noise(100_000) });
    expect(await holds(flow.storage, 's3cret')).toEqual([]);
    await errorOf(flow.publish('secret', { task: origin, artifact: 'secret' }), 'CONTENT_ERASED');
    expect(await holds(flow.storage, 's3cret')).toEqual([]);
  });

  it('an inline value of a task that was deleted since it was opened is not passed on', async () => {
    const flow = await open();
    const origin = await flow.getTaskDataStore(await saveTask(flow, { x: 1 }));
    await mark(flow, origin, 'deleted');
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.clone(origin), 'ATTEMPT_DELETED');
    expect((await readIncomplete(flow, task)).names()).toEqual([]);
  });

  it('clone takes over all artifacts, writes no content, and notes where they are from', async () => {
    const flow = await open();
    const origin = await flow.getTaskDataStore(await saveTask(flow, values));
    const before = (await objectNames(flow.storage)).filter((name) => /^(data|manifests|packs)/.test(name));
    await flow.task(spec, (task) => task.clone(origin));
    const after = (await objectNames(flow.storage)).filter((name) => /^(data|manifests|packs)/.test(name));
    expect(after).toEqual(before);
    const clone = await flow.getTaskDataStore('r1/join/0');
    expectSame(await clone.loadArtifacts(), values);
    expect(clone.keysForArtifacts()).toEqual(origin.keysForArtifacts());
    expect(clone.readFrom).toEqual(['Test/r1/fit/0/0']);
  });

  it('passdownPartial takes over those named, beside what is saved', async () => {
    const flow = await open();
    const origin = await flow.getTaskDataStore(await saveTask(flow, values));
    await flow.task(spec, async (task) => {
      await task.saveArtifacts({ own: 1, text: 'replaced' });
      await task.passdownPartial(origin, ['large', 'text', 'large']);
    });
    const joined = await flow.getTaskDataStore('r1/join/0');
    expectSame(await joined.loadArtifacts(), { own: 1, text: values.text, large: values.large });
  });

  it('a later value replaces one that was taken over', async () => {
    const flow = await open();
    const origin = await flow.getTaskDataStore(await saveTask(flow, values));
    await flow.task(spec, async (task) => {
      await task.clone(origin);
      await task.saveArtifacts({ large: 'mine' });
    });
    expect(await (await flow.getTaskDataStore('r1/join/0')).get('large')).toBe('mine');
  });

  it('unknown names name nothing', async () => {
    const flow = await open();
    const origin = await flow.getTaskDataStore(await saveTask(flow, values));
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.passdownPartial(origin, ['large', 'larg']), 'ARTIFACT_NOT_FOUND');
    expect((await readIncomplete(flow, task)).names()).toEqual([]);
  });

  it('content that retention gave up since is not taken over', async () => {
    const flow = await open();
    const origin = await flow.getTaskDataStore(await saveTask(flow, values));
    await mark(flow, origin, 'purged');
    for (const name of await objectNames(flow.storage, 'data/')) await flow.storage.delete([name]);
    // A process that did not write it: what one wrote itself is there until a collector says otherwise.
    const other = await openFlow({ storage: flow.storage });
    const task = await other.createTaskDataStore(spec);
    const error = await errorOf(task.clone(origin), 'CONTENT_NOT_FOUND');
    expect(error.details.artifact).toBe('text');
    const reopened = await flow.getTaskDataStore('r1/fit/0');
    await errorOf(task.clone(reopened), 'CONTENT_PURGED');
    await task.passdownPartial(reopened, ['small']); // it is in the description itself
    await task.done();
    expect((await flow.getTaskDataStore('r1/join/0')).names()).toEqual(['small']);
  });

  it('of an attempt that is open nothing is taken over, nor of oneself', async () => {
    const flow = await open();
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ a: 1 });
    const itself = await flow.getTaskDataStore('r1/join/0', { allowNotDone: true });
    for (const call of [
      () => task.clone(itself),
      () => task.passdownPartial(itself, []),
      () => task.mergeArtifacts([itself]),
      () => task.transferArtifacts(itself),
    ])
      await errorOf(call, 'ATTEMPT_NOT_DONE');
    expect((await readIncomplete(flow, task)).readFrom).toEqual([]);
  });

  it('of an attempt that failed is taken over what it had saved', async () => {
    const flow = await open();
    const failing = flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts(values);
      throw new Error('after all');
    });
    await failing.catch(() => {});
    const origin = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    await flow.task(spec, (task) => task.clone(origin));
    expectSame(await (await flow.getTaskDataStore('r1/join/0')).loadArtifacts(), values);
  });

  it('transferArtifacts copies from another store what this one does not have', async () => {
    const there = await openFlow({ flowName: 'There' });
    const origin = await there.getTaskDataStore(await saveTask(there, values));
    const flow = await open();
    await saveTask(flow, { same: values.large });
    const packs = await objectNames(flow.storage, 'packs/');
    await flow.task(spec, (task) => task.transferArtifacts(origin));
    await flow.task({ ...spec, taskId: '1' }, (task) => task.transferArtifacts(origin, ['floats']));
    const transferred = await flow.getTaskDataStore('r1/join/0');
    expectSame(await transferred.loadArtifacts(), values);
    expect(transferred.keysForArtifacts()).toEqual(origin.keysForArtifacts());
    expect(await objectNames(flow.storage, 'packs/')).toEqual(packs);
    expect((await flow.getTaskDataStore('r1/join/1')).names()).toEqual(['floats']);
  });

  it('what lies in another store is not passed down by name', async () => {
    const there = await openFlow();
    const origin = await there.getTaskDataStore(await saveTask(there, values));
    const flow = await open();
    const task = await flow.createTaskDataStore(spec);
    const error = await errorOf(task.clone(origin), 'INVALID_ARGUMENT');
    expect(error.message).toContain('transferArtifacts');
    await errorOf(task.mergeArtifacts([origin]), 'INVALID_ARGUMENT');
    await readIncomplete(flow, task);
  });
});

describe('what is passed down costs', () => {
  it('four requests, however many artifacts there are', async () => {
    const count = new CountStorage(new RemoteStorage(new MemoryStorage()));
    const flow = await openFlow({ storage: count });
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`a${i}`, noise(70_000, i + 1)]));
    const path = await saveTask(flow, many);
    const origin = await flow.getTaskDataStore(path);
    const task = await flow.createTaskDataStore(spec);
    count.reset();
    await task.clone(origin);
    expect(count.snapshot().requests).toBe(4);
    await task.done();
  });

  it('a look at each where a collector is at work', async () => {
    const storage = new RemoteStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    const origin = await flow.getTaskDataStore(await saveTask(flow, values));
    const [copy] = await objectNames(storage, 'data/');
    const { encodeCollectionVersion, collectionVersionName } = await import(
      '../../src/format/collection-records.ts'
    );
    const condemned = [{ place: '', kind: 'copy' as const, name: copy as string }];
    const version = { version: 1, state: 'proposed' as const, session: 'x'.repeat(26), condemned, lists: [] };
    await storage.create(collectionVersionName(1), encodeCollectionVersion(version));
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.clone(origin), 'CONTENT_NOT_FOUND');
    await task.passdownPartial(origin, ['large']);
    await task.done();
  });
});

describe('mergeArtifacts', () => {
  it('refuses no tasks, and names to leave out that none has: what was meant would be merged in silence', async () => {
    const flow = await openFlow();
    const origin = await flow.getTaskDataStore(await saveTask(flow, { loss: 1, x: 2 }, { stepName: 'load' }));
    const refusing = await flow.createTaskDataStore(spec);
    await errorOf(refusing.mergeArtifacts([]), 'INVALID_ARGUMENT');
    const merging = refusing.mergeArtifacts([origin], { exclude: ['lsos', 'x'] });
    const { details, message } = await errorOf(merging, 'ARTIFACT_NOT_FOUND');
    expect([details.artifacts, message]).toEqual([['lsos'], expect.stringContaining('names in exclude')]);
    await refusing.fail(new Error('nothing to merge'));
    await flow.task(spec, (task) => task.mergeArtifacts([origin], { exclude: ['x'] }));
    expect((await flow.getTaskDataStore('r1/join/0')).names()).toEqual(['loss']);
  });

  const inputsOf = async (
    flow: FlowDataStore,
    tasks: Record<string, unknown>[],
  ): Promise<TaskDataStore[]> => {
    await Promise.all(tasks.map((artifacts, i) => saveTask(flow, artifacts, { taskId: String(i) })));
    return Promise.all(tasks.map((_, i) => flow.getTaskDataStore(`r1/fit/${i}`)));
  };

  const value = fc.constantFrom(1, 2, 'text', noise(20_000));
  const task = fc.dictionary(fc.constantFrom('a', 'b', 'c'), value);
  test.prop([fc.array(task, { minLength: 1, maxLength: 4 })], { numRuns: 60 })(
    'takes what all inputs that have it agree on, and tells all that they do not',
    async (tasks) => {
      const flow = await openFlow();
      const inputs = await inputsOf(flow, tasks);
      const names = [...new Set(tasks.flatMap((artifacts) => Object.keys(artifacts)))];
      const conflicting = names.filter(
        (name) => new Set(tasks.filter((found) => name in found).map((found) => found[name])).size > 1,
      );
      const joined = await flow.createTaskDataStore(spec);
      if (conflicting.length > 0) {
        const error = await errorOf(joined.mergeArtifacts(inputs), 'ARTIFACT_CONFLICT');
        expect(Object.keys(error.details.conflicts as object).sort()).toEqual([...conflicting].sort());
      }
      await joined.mergeArtifacts(inputs, { exclude: conflicting });
      await joined.done();
      const merged = await flow.getTaskDataStore('r1/join/0');
      expectSame(
        await merged.loadArtifacts(),
        Object.fromEntries(
          names
            .filter((name) => !conflicting.includes(name))
            .map((name) => [name, tasks.find((t) => name in t)?.[name]]),
        ),
      );
      expect(merged.readFrom).toEqual(inputs.map((input) => `Test/${input.pathspec}`));
    },
  );

  it('leaves what was saved already, conflict or not', async () => {
    const flow = await openFlow();
    const inputs = await inputsOf(flow, [
      { loss: 1, model: 'm' },
      { loss: 2, model: 'm' },
    ]);
    await flow.task(spec, async (task) => {
      await task.saveArtifacts({ loss: 1.5 });
      await task.mergeArtifacts(inputs);
    });
    expect(await (await flow.getTaskDataStore('r1/join/0')).loadArtifacts()).toEqual({
      loss: 1.5,
      model: 'm',
    });
  });

  it('tells which attempts hold which value, and names nothing', async () => {
    const flow = await openFlow();
    const inputs = await inputsOf(flow, [
      { loss: 1, ok: 1 },
      { loss: 2, ok: 1 },
      { loss: 1, ok: 1 },
    ]);
    const task = await flow.createTaskDataStore(spec);
    const error = await errorOf(task.mergeArtifacts(inputs), 'ARTIFACT_CONFLICT');
    expect(Object.values((error.details.conflicts as Record<string, object>).loss as object)).toEqual([
      ['Test/r1/fit/0/0', 'Test/r1/fit/2/0'],
      ['Test/r1/fit/1/0'],
    ]);
    expect((await readIncomplete(flow, task)).names()).toEqual([]);
  });

  it('tells apart equal bytes of different types', async () => {
    const flow = await openFlow();
    const inputs = await inputsOf(flow, [{ x: Uint8Array.of(104, 105) }, { x: 'hi' }]);
    const task = await flow.createTaskDataStore(spec);
    const error = await errorOf(task.mergeArtifacts(inputs), 'ARTIFACT_CONFLICT');
    expect(Object.keys((error.details.conflicts as Record<string, object>).x as object)).toHaveLength(2);
    await readIncomplete(flow, task);
  });

  it('include takes those only, and tells which no input has', async () => {
    const flow = await openFlow();
    const inputs = await inputsOf(flow, [
      { a: 1, b: 2 },
      { a: 1, b: 3 },
    ]);
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.mergeArtifacts(inputs, { include: ['a', 'z'] }), 'ARTIFACT_NOT_FOUND');
    await errorOf(task.mergeArtifacts(inputs, { include: ['a'], exclude: ['b'] }), 'INVALID_ARGUMENT');
    await task.mergeArtifacts(inputs, { include: ['a'] });
    await task.done();
    expect((await flow.getTaskDataStore('r1/join/0')).names()).toEqual(['a']);
  });
});
