import type { ObjectKeys } from '../bucket/keys.ts';
import { TransferBudget } from '../bucket/transfers.ts';
import type { ObjectService } from '../object-store/object-storage.ts';
import { gcsUri } from './address.ts';
import { ConditionalWrites } from './conditional-writes.ts';
import { deleteObjects } from './deletes.ts';
import { GcsDownloads } from './downloads.ts';
import { listObjects } from './listing.ts';
import type { CheckedGcsOptions } from './options.ts';
import type { GcsRequests } from './requests.ts';
import { GcsUploads } from './uploads.ts';

/** Cloud Storage, as all object storages see it. */
export function gcsService(
  options: CheckedGcsOptions,
  keys: ObjectKeys,
  requests: GcsRequests,
): ObjectService {
  const { partBytes, concurrency } = options;
  const newBudget = (): TransferBudget => new TransferBudget(partBytes * concurrency);
  const conditions = new ConditionalWrites(requests, keys, options);
  const downloads = new GcsDownloads(requests, newBudget(), partBytes);
  const uploads = new GcsUploads(requests, { downloads, conditions, budget: newBudget(), options });
  return {
    endpoint: requests.endpoint,
    keyOf: (name) => keys.keyOf(name),
    uriOf: (key) => gcsUri(requests.bucket, key),
    get: (target, more) => downloads.get(target, more),
    head: (target, more) => downloads.head(target, more),
    create: (target, body, more) => uploads.create(target, body, more),
    overwrite: (target, body, more) => uploads.overwrite(target, body, more),
    list: (more) => listObjects(requests, keys, more),
    delete: (names, more) => deleteObjects(requests, keys, names, more),
    close: async () => {
      await uploads.close();
      requests.close();
    },
  };
}
