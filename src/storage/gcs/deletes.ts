import { isStowageError } from '../../errors.ts';
import type { ObjectKeys } from '../bucket/keys.ts';
import type { CallOptions, DeleteFailure } from '../contract.ts';
import type { GcsCall, GcsRequests } from './requests.ts';

/** How many of a call's names are deleted at a time. Each takes a request of its own. */
const AT_A_TIME = 32;

/** Deletes objects side by side, and tells which are not confirmed gone. */
export async function deleteObjects(
  requests: GcsRequests,
  keys: ObjectKeys,
  names: readonly string[],
  { signal }: CallOptions,
): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  const waiting = [...new Set(names)].values();
  const work = async (): Promise<void> => {
    for (const name of waiting) {
      try {
        await deleteObject(requests, keys.keyOf(name), { operation: 'delete', name, signal });
      } catch (error) {
        if (isStowageError(error, 'ABORTED', 'STORAGE_CLOSED')) throw error;
        failures.push({ name, error: error as Error });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return failures;
}

/** Deletes one object, or only that generation of it. An object that is not there counts as deleted. */
export async function deleteObject(
  requests: GcsRequests,
  key: string,
  call: GcsCall,
  generation?: string,
): Promise<void> {
  const url = requests.objectUrl(key);
  const answer = await requests.send({ ...call, method: 'DELETE', url, query: { generation } }, [404]);
  answer.body.resume();
  if (answer.status === 404) await requests.ensureBucket(call);
}
