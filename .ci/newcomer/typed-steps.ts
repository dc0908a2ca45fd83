// Type-checked, with `strict` and all shipped declarations, against the installed package; never run.
import {
  type ArtifactInfo,
  type DataStoreStorage,
  FlowDataStore,
  isStowageError,
  type OpenTaskDataStore,
  openStorage,
  type StandardSchema,
  type StowageErrorCode,
  type TaskDataStore,
} from 'stowage';
import type { AzureStorage } from 'stowage/azure';
import type { GcsStorage } from 'stowage/gcs';
import type { S3Storage } from 'stowage/s3';
import { type ConformanceCase, storageConformance } from 'stowage/testing';

interface Metrics {
  auc: number;
}

declare const metricsSchema: StandardSchema<Metrics>;

export async function fit(runId: string): Promise<number> {
  await using flow = await FlowDataStore.open({ flowName: 'Typed', storage: 'memory:' });
  const auc: number = await flow.task(
    { runId, stepName: 'fit', taskId: '0' },
    async (task: OpenTaskDataStore) => {
      await task.saveArtifacts({ model: new Float64Array(10), metrics: { auc: 0.91 } });
      await task.saveMetadata({ seconds: 1.5 });
      return 0.91;
    },
  );

  const done: TaskDataStore = await flow.getTaskDataStore(`${runId}/fit/0`, { attempt: 'latestDone' });
  const { metrics } = await done.loadArtifacts<{ metrics: Metrics }>(['metrics']);
  const typed = await done.loadTyped({ metrics: metricsSchema });
  const info: ArtifactInfo = done.info('model');
  // @ts-expect-error A task that is done can only be read.
  done.saveArtifacts({ more: 1 });
  // @ts-expect-error There is no such option.
  await flow.getTaskDataStores({ runId, stepNames: ['fit'] });
  return auc + metrics.auc + typed.metrics.auc + info.bytes;
}

export function isGone(error: unknown): boolean {
  const code: StowageErrorCode = 'CONTENT_PURGED';
  return isStowageError(error, code, 'ATTEMPT_DELETED');
}

export const cases: readonly ConformanceCase[] = storageConformance();

export const buckets = async (
  storage: S3Storage | AzureStorage | GcsStorage,
): Promise<DataStoreStorage[]> => [
  storage,
  await openStorage('s3://bucket', { s3: { region: 'eu-central-1', storageClass: 'STANDARD_IA' } }),
];
