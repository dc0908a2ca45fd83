import { isStowageError } from '../../errors.ts';
import type { CallOptions, DeleteFailure } from '../contract.ts';
import type { BlobNames } from './blob-names.ts';
import { isMissing } from './downloads.ts';
import type { AzureRequests } from './requests.ts';

/** How many blobs are deleted at a time. Azure's batches take only 256, and count each as a request as well. */
const MAX_CONCURRENT_DELETES = 32;

/** Deletes objects, several at a time, and tells which are not confirmed gone. */
export async function deleteObjects(
  requests: AzureRequests,
  names: BlobNames,
  objects: readonly string[],
  { signal }: CallOptions,
): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  const waiting = [...objects].reverse();
  const work = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      try {
        await deleteBlob(requests, name, names.blobNameOf(name), signal);
      } catch (error) {
        if (isStowageError(error, 'ABORTED', 'STORAGE_CLOSED')) throw error;
        failures.push({ name, error: error as Error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT_DELETES, objects.length) }, work));
  return failures;
}

async function deleteBlob(
  requests: AzureRequests,
  name: string,
  blobName: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    const request = { operation: 'delete', name, signal };
    await requests.send(
      request,
      (container, call) => container.getBlobClient(blobName).delete(call),
      isMissing,
    );
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
