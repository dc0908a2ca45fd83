import { beforeEach, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { errorOf, noise, objectNames } from '../flow/fixtures.ts';
import { describeOnFakeGcs, type GcsPlace } from '../servers/gcs-buckets.ts';

describeOnFakeGcs('a flow', (server) => {
  let place: GcsPlace;
  const storages: DataStoreStorage[] = [];
  const open = async (): Promise<FlowDataStore> => {
    const gcs = await GcsStorage.open({ ...place, prefix: 'team/store', partBytes: 262_144 });
    const storage = new RetryStorage(new LimitStorage(gcs, 64));
    storages.push(storage);
    return FlowDataStore.open({ flowName: 'Train', storage });
  };
  beforeEach(async () => {
    place = await server.newPlace();
    return () => Promise.all(storages.splice(0).map((storage) => storage.close()));
  });

  it('lives its whole life in a bucket, for several processes', async () => {
    const [writer, other, reader] = [await open(), await open(), await open()];
    const weights = noise(3_000_000);
    const run = await writer.createRun({ runId: 'r1', tags: ['nightly'] });
    expect(run.runId).toBe('r1');

    // Two that want one attempt: one has it.
    const spec = { runId: 'r1', stepName: 'fit', taskId: '0', attempt: 0 };
    const opened = await Promise.allSettled([
      writer.createTaskDataStore(spec),
      other.createTaskDataStore(spec),
    ]);
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const task = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))[0];
    if (!task) throw new Error('nobody opened the attempt');

    await task.saveArtifacts({ weights, same: weights.slice(), metrics: { auc: 0.91 }, nothing: null });
    await task.saveMetadata({ duration: 120.5 });
    await task.saveLogs('task', { stdout: 'done in 2 min\n' });
    await errorOf(reader.getTaskDataStore('r1/fit/0'), 'ATTEMPT_NOT_DONE');
    await task.done();

    const read = await reader.getTaskDataStore('r1/fit/0');
    const loaded = await read.loadArtifacts<{ weights: Uint8Array; same: Uint8Array }>(['weights', 'same']);
    expect(Buffer.compare(loaded.weights, weights)).toBe(0);
    expect(Buffer.compare(loaded.same, weights)).toBe(0);
    expect(await read.get('metrics')).toEqual({ auc: 0.91 });
    expect(await read.get('nothing')).toBeNull();

    // Equal content is stored once, whoever saves it.
    const before = await storedBytes(storages[0] as DataStoreStorage);
    expect(before).toBeLessThan(1.1 * weights.length);
    await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        other.task({ runId: 'r1', stepName: 'again', taskId: `${i}` }, (again) =>
          again.saveArtifacts({ weights: weights.slice() }),
        ),
      ),
    );
    expect((await storedBytes(storages[0] as DataStoreStorage)) - before).toBeLessThan(100_000);

    const beforeClone = await storedBytes(storages[0] as DataStoreStorage);
    await other.task({ runId: 'r1', stepName: 'clone', taskId: '0' }, (copy) => copy.clone(read));
    const clone = await reader.getTaskDataStore('r1/clone/0');
    const cloned = await clone.loadArtifacts<{ weights: Uint8Array; metrics: object }>([
      'weights',
      'metrics',
    ]);
    expect(Buffer.compare(cloned.weights, weights)).toBe(0);
    expect((await storedBytes(storages[0] as DataStoreStorage)) - beforeClone).toBeLessThan(10_000);

    // A failed attempt, and the next one.
    const flaky = { runId: 'r1', stepName: 'flaky', taskId: '0' };
    const failing = other.task(flaky, () => Promise.reject(new Error('out of luck')));
    await expect(failing).rejects.toThrow('out of luck');
    await other.task(flaky, (again) => again.saveArtifacts({ answer: 42 }));
    const tasks = await reader.getTaskDataStores({ runId: 'r1' });
    expect(tasks.map(({ stepName }) => stepName).sort()).toEqual([
      ...Array(5).fill('again'),
      'clone',
      'fit',
      'flaky',
    ]);
    expect(await reader.latestRun()).toBeUndefined();
    await run.finish();
    expect((await reader.latestRun())?.runId).toBe('r1');
    await errorOf(reader.getTaskDataStore('r1/fit/1'), 'TASK_NOT_FOUND');
  });

  it('streams content in and out', async () => {
    const flow = await open();
    const content = noise(5_000_000, 3);
    async function* stream() {
      for (let at = 0; at < content.length; at += 77_777) yield content.subarray(at, at + 77_777);
    }
    const [saved] = await flow.caStore.saveBlobs([stream()]);
    const other = await open();
    for await (const { blob } of other.caStore.loadBlobs([saved?.key ?? ''])) {
      expect(Buffer.compare(blob, content)).toBe(0);
    }
    expect((await objectNames(storages[0] as DataStoreStorage)).length).toBeGreaterThan(2);
  });
});

async function storedBytes(storage: DataStoreStorage): Promise<number> {
  let bytes = 0;
  for await (const { objects } of storage.list({ prefix: '', details: true })) {
    for (const object of objects) bytes += object.bytes ?? 0;
  }
  return bytes;
}
