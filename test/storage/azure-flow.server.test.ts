import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { expectSame, noise, objectNames } from '../flow/fixtures.ts';
import { uncommittedBlocks, useAzurite } from '../servers/azure-containers.ts';

describe('a flow in a container', () => {
  const azurite = useAzurite();

  it('lives as it does anywhere', async () => {
    const place = await azurite.newPlace();
    const open = async () => {
      const storage = await AzureStorage.open({ ...place, prefix: 'team/flows.', partBytes: 1024 * 1024 });
      return FlowDataStore.open({
        flowName: 'Train',
        storage: new RetryStorage(new LimitStorage(storage, 64)),
      });
    };
    const [flow, other] = [await open(), await open()];
    const weights = noise(12 * 1024 * 1024);
    const small = noise(100_000, 3);
    const runId = '2026-01-31T12:34:56.789Z';

    await flow.task({ runId, stepName: 'fit', taskId: 'v1.' }, async (task) => {
      await task.saveArtifacts({ weights, small, metrics: { auc: 0.91 }, nothing: undefined });
      await task.saveMetadata({ duration: 120.5 });
      await task.saveLogs('task', { stdout: 'done in 2 min\n' });
    });
    // Azure would take "v1." for "v1".
    await other.task({ runId, stepName: 'fit', taskId: 'v1' }, async (task) => {
      await task.saveArtifacts({ weights, other: true });
    });
    const failing = flow.task({ runId, stepName: 'fit', taskId: '😀' }, () =>
      Promise.reject(new Error('no luck')),
    );
    await expect(failing).rejects.toThrow('no luck');

    const reader = await other.getTaskDataStore(`${runId}/fit/v1.`);
    expectSame(await reader.loadArtifacts(['weights', 'small', 'metrics', 'nothing']), {
      weights,
      small,
      metrics: { auc: 0.91 },
      nothing: undefined,
    });
    const twin = await flow.getTaskDataStore(`${runId}/fit/v1`);
    expectSame(await twin.loadArtifacts(['weights', 'other']), { weights, other: true });
    const tasks = await flow.getTaskDataStores({ runId, steps: ['fit'], allowNotDone: true });
    expect(tasks.map((task) => task.pathspec).sort()).toEqual(
      ['v1', 'v1.', '😀'].map((id) => `${runId}/fit/${id}/0`).sort(),
    );

    await other.task({ runId, stepName: 'clone', taskId: 'v1.' }, (copy) => copy.clone(reader));
    const clone = await flow.getTaskDataStore(`${runId}/clone/v1.`);
    expectSame(await clone.loadArtifacts(['weights', 'small']), { weights, small });

    // The second task's weights are the first one's, and the clone's as well.
    expect(await objectNames(other.storage, 'manifests/')).toHaveLength(1);
    expect(await uncommittedBlocks(place)).toEqual({});
    await flow.close();
    await other.close();
  });

  it('owns an attempt alone, of many that want it', async () => {
    const place = await azurite.newPlace();
    const flows = await Promise.all(
      Array.from({ length: 3 }, async () =>
        FlowDataStore.open({ flowName: 'Race', storage: new RetryStorage(await AzureStorage.open(place)) }),
      ),
    );
    const spec = { runId: 'r1', stepName: 'fit', taskId: '0', attempt: 0 };
    const opened = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) => (flows[i % 3] as FlowDataStore).createTaskDataStore(spec)),
    );
    const won = opened.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const result of opened) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ATTEMPT_EXISTS' });
    }
    await won[0]?.value.done();
    for (const flow of flows) await flow.close();
  });
});
