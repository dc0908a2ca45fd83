import { beforeAll, describe, expect, it, vi } from 'vitest';
import * as ours from '../../src/index.ts';

/** The package once more, as two versions or installations of it have it. */
let theirs: typeof ours;
beforeAll(async () => {
  vi.resetModules();
  theirs = await import('../../src/index.ts');
  expect(theirs.StowageError).not.toBe(ours.StowageError);
});

class Point {
  readonly x: number;
  constructor(x: number) {
    this.x = x;
  }
}

async function saved(
  copy: typeof ours,
  storage: ours.DataStoreStorage,
  runId: string,
): Promise<ours.FlowDataStore> {
  const flow = await copy.FlowDataStore.open({ flowName: 'F', storage });
  await flow.task({ runId, stepName: 's', taskId: 't' }, (task) => task.saveArtifacts({ a: 1 }));
  return flow;
}

describe('two copies of the package in one process', () => {
  it('know the errors of each other, and nothing else as such', async () => {
    const flow = await theirs.FlowDataStore.open({ flowName: 'F', storage: new theirs.MemoryStorage() });
    const error = await flow.getTaskDataStore('r/s/t').catch((thrown: unknown) => thrown);
    expect(ours.isStowageError(error)).toBe(true);
    expect(ours.isStowageError(error, 'NO_SUCH_STORE')).toBe(true);
    expect(ours.isStowageError(error, 'ABORTED')).toBe(false);
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    for (const other of [new Error('x'), { code: 'ABORTED' }, 'ABORTED', null, undefined, revoked.proxy]) {
      expect(ours.isStowageError(other)).toBe(false);
    }
  });

  it('share storages: their errors are understood, retried and recovered from', async () => {
    let creates = 0;
    const faulty = new ours.FaultStorage(new ours.MemoryStorage(), (operation) => {
      if (operation !== 'create' || creates++ % 3 !== 0) return undefined;
      return { kind: 'before', error: new ours.StowageError('STORAGE_UNAVAILABLE', 'Once.') };
    });
    const storage = new theirs.RetryStorage(faulty, { sleep: async () => {} });
    await saved(ours, storage, 'r1');
    const flow = await saved(theirs, storage, 'r2');
    expect(await (await flow.getTaskDataStore('r1/s/t')).get('a')).toBe(1);
  });

  it('share serializers and classes, and refuse by the same words', async () => {
    const serializers = new theirs.SerializerRegistry();
    serializers.registerClass({
      name: 'Point',
      class: Point,
      toValue: ({ x }) => x,
      fromValue: (x: number) => new Point(x),
    });
    const flow = await ours.FlowDataStore.open({
      flowName: 'F',
      storage: new ours.MemoryStorage(),
      serializers,
    });
    const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: 't' });
    await expect(task.saveArtifacts({ f: [() => 1] })).rejects.toThrow(
      'Artifact "f" cannot be saved: f[0] is a function',
    );
    await task.saveArtifacts({ f: [new Point(7)] });
    await task.done();
    expect(await (await flow.getTaskDataStore('r/s/t')).get('f')).toEqual([new Point(7)]);
    const judge = flow.cachedTask({ name: 'j', version: '1', run: (input: object) => input });
    await expect(judge({ f: () => 1 })).rejects.toMatchObject({
      message: expect.stringContaining('input.f is a function'),
    });
  });

  it('tell why a task of the other copy cannot be cloned, and how it can', async () => {
    const storage = new ours.MemoryStorage();
    const flow = await saved(ours, storage, 'r1');
    const theirTask = await (await theirs.FlowDataStore.open({ flowName: 'F', storage })).getTaskDataStore(
      'r1/s/t',
    );
    const task = await flow.createTaskDataStore({ runId: 'r2', stepName: 's', taskId: 't' });
    const ways = [
      () => task.clone(theirTask),
      () => task.passdownPartial(theirTask, ['a']),
      () => task.mergeArtifacts([theirTask]),
      () => task.transferArtifacts(theirTask),
    ];
    for (const way of ways) {
      await expect(way()).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/F\/r1\/s\/t\/0, opened by another copy of this package/),
      });
    }
    await expect(task.clone({} as never)).rejects.toThrow(/takes a task that was opened for reading/);
    await task.fail(new Error('over'));
    await flow.task({ runId: 'r2', stepName: 's', taskId: 't' }, async (next) => next.recordRead(theirTask));
    expect((await flow.getTaskDataStore('r2/s/t')).readFrom).toEqual(['F/r1/s/t/0']);
  });
});
