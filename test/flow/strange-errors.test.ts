import { join } from 'node:path';
import { types } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isError, isStowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { STRANGE_ERRORS } from '../strange-errors.ts';
import { noise, openFlow, saveTask, scratchFolder } from './fixtures.ts';

/** What a promise is rejected with, in a list, since what is thrown may be `undefined`; an empty one where it resolves. */
async function rejection(work: () => unknown): Promise<unknown[]> {
  try {
    await work();
    return [];
  } catch (error) {
    return [error];
  }
}

/** The user's own error, or one of Stowage: nothing that came of looking at it. */
function expectTyped(rejected: readonly unknown[], thrown: unknown): void {
  expect(rejected.length).toBe(1);
  expect(Object.is(rejected[0], thrown) || isStowageError(rejected[0])).toBe(true);
}

async function statusOf(flow: FlowDataStore, pathspec: string): Promise<string> {
  return (await flow.getTaskDataStore(pathspec, { allowNotDone: true })).status;
}

describe.each(STRANGE_ERRORS)('a strange error, %s,', (_, thrown) => {
  const fail = (): never => {
    throw thrown;
  };

  it('fails the attempt and the run whose work threw it, and is what the caller gets', async () => {
    const flow = await openFlow();
    const spec = { runId: 'r', stepName: 's', taskId: '0' };
    for (const work of [fail, () => Promise.reject(thrown)]) {
      const [rejected] = await rejection(() => flow.task(spec, work));
      expect(Object.is(rejected, thrown)).toBe(true);
      expect(await statusOf(flow, 'r/s/0')).toBe('failed');
    }
    await (await flow.createTaskDataStore(spec)).fail(thrown);
    expect(await statusOf(flow, 'r/s/0')).toBe('failed');
    await flow.run('r').finish('failed', { error: thrown });
    expect((await flow.run('r').info()).status).toBe('failed');
    if (isError(thrown)) {
      const run = await flow.createRun({ runId: 'r2' });
      await run.finish('failed', thrown);
      expect((await run.info()).status).toBe('failed');
    }
  });

  it('of a source is told as it is, or in an error of ours, and of an attempt aborted by it', async () => {
    const storage = await LocalStorage.open(join(scratchFolder(), 'store'), { fsync: false });
    for (const flow of [await openFlow(), await openFlow({ storage })]) {
      const spec = { runId: 'r', stepName: 's', taskId: '0' };
      async function* source() {
        yield noise(300_000);
        fail();
      }
      async function* values() {
        yield ['a', noise(300_000)] as const;
        fail();
      }
      const task = await flow.createTaskDataStore(spec);
      expectTyped(await rejection(() => task.saveArtifactStream('stream', source())), thrown);
      expectTyped(await rejection(() => task.saveArtifacts(values())), thrown);
      expectTyped(await rejection(() => task.saveLogs('task', { out: source() })), thrown);
      expectTyped(await rejection(() => flow.caStore.saveBlobs([source()])), thrown);
      expectTyped(await rejection(() => flow.saveData([{ name: 'x', data: source() }])), thrown);
      await task.fail(thrown);
      const controller = new AbortController();
      const { signal } = controller;
      const aborted = await rejection(() => flow.task(spec, () => controller.abort(thrown), { signal }));
      expectTyped(aborted, thrown);
      expect(await statusOf(flow, 'r/s/0')).toBe('failed');
    }
  });

  it('of a cached task, its schema or its rule of retries fails the call and its attempt', async () => {
    const flow = await openFlow();
    const schema = { '~standard': { version: 1, vendor: 'test', validate: fail } } as const;
    const first = (): never => {
      throw new Error('first');
    };
    const retry = { attempts: 2, delayMs: 0 };
    const tasks = [
      flow.cachedTask({ name: 'run', version: '1', run: fail }),
      flow.cachedTask({ name: 'again', version: '1', retry: { ...retry, when: () => true }, run: fail }),
      flow.cachedTask({ name: 'asked', version: '1', retry: { ...retry, when: fail }, run: first }),
      flow.cachedTask({ name: 'out', version: '1', interfaceVersion: '1', output: schema, run: () => 1 }),
    ];
    for (const task of tasks) expectTyped(await rejection(() => task(undefined, { runId: 'r' })), thrown);
    const attempts = await flow.getTaskDataStores({ runId: 'r', allowNotDone: true, includePrior: true });
    expect(attempts.map(({ status }) => status)).toEqual(new Array(5).fill('failed'));
  });

  it('of a serializer is an error of ours', async () => {
    const serializers = new SerializerRegistry();
    let isFailing = false;
    const failing = <T>(value: T): T => (isFailing ? fail() : value);
    serializers.register({
      id: 'dates',
      priority: 500,
      accepts: (value) => failing(types.isDate(value)),
      prepare: async () => {
        failing(1);
      },
      serialize: () => failing({ type: 'Date', bytes: Uint8Array.of(1) }),
      deserialize: () => failing(new Date(0)),
    });
    const flow = await openFlow({ serializers });
    const when = new Date(0);
    isFailing = true;
    expectTyped(await rejection(() => saveTask(flow, { when })), undefined);
    isFailing = false;
    const pathspec = await saveTask(flow, { when });
    const task = await flow.getTaskDataStore(pathspec);
    isFailing = true;
    expectTyped(await rejection(() => task.get('when')), undefined);
  });
});
