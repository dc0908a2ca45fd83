import { mapBounded } from '../../async/bounded-work.ts';
import { isStowageError } from '../../errors.ts';
import type { CallOptions, DeleteFailure } from '../contract.ts';
import { type BucketCalls, Refused } from './calls.ts';
import type { BucketDriver } from './driver.ts';
import { UNCONFIRMED } from './errors.ts';

type Batch = readonly (readonly [key: string, name: string])[];

/** Deletes objects, as many with each request as the service takes. Returns those of which no answer confirms that they are gone. */
export async function deleteObjects(
  driver: BucketDriver,
  calls: BucketCalls,
  names: readonly string[],
  { signal }: CallOptions,
): Promise<DeleteFailure[]> {
  const { deleteKeys, deletesAtATime } = driver.limits;
  const failures: DeleteFailure[] = [];
  const nameOfKey = new Map<string, string>();
  for (const name of names) {
    try {
      nameOfKey.set(driver.keys.keyOf(name), name);
    } catch (error) {
      failures.push({ name, error: error as Error });
    }
  }
  const work = (batch: Batch): Promise<DeleteFailure[]> =>
    deleteBatch(driver, calls, batch, signal).catch((error: unknown) => {
      if (isStowageError(error, 'ABORTED', 'STORAGE_CLOSED')) throw error;
      return batch.map(([, name]) => ({ name, error: error as Error }));
    });
  const ofBatches = await mapBounded(batchesOf([...nameOfKey], deleteKeys), deletesAtATime, work);
  return failures.concat(...ofBatches);
}

function* batchesOf<T>(items: readonly T[], size: number): Generator<readonly T[], void> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size);
}

async function deleteBatch(
  driver: BucketDriver,
  calls: BucketCalls,
  batch: Batch,
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const keys = batch.map(([key]) => key);
  const request = { operation: 'delete', name: batch[0]?.[1] ?? '', signal };
  const isMissingDone = keys.length === 1 ? (['missing'] as const) : [];
  const answer = await calls.send(request, (call) => driver.deleteMany(keys, call), ...isMissingDone);
  if (answer instanceof Refused) return [];
  const deleted = new Set(answer.deleted);
  const failed = new Map(Array.from(answer.failed ?? [], ({ key, failure }) => [key, failure]));
  return batch.flatMap(([key, name]): DeleteFailure[] => {
    const failure = failed.get(key) ?? { meaning: UNCONFIRMED, about: 'nothing is said of it' };
    if (deleted.has(key) && !failed.has(key)) return [];
    return [{ name, error: calls.errorOfFailure(failure, { operation: 'delete', name }) }];
  });
}
