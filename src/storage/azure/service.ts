import { TransferBudget } from '../bucket/transfers.ts';
import type { ObjectService } from '../object-store/object-storage.ts';
import { blobUri } from './address.ts';
import type { BlobNames } from './blob-names.ts';
import { AzureBlocks } from './blocks.ts';
import { deleteObjects } from './deletes.ts';
import { AzureDownloads } from './downloads.ts';
import { listObjects } from './listing.ts';
import type { CheckedAzureOptions } from './options.ts';
import { AzurePuts } from './puts.ts';
import type { AzureRequests } from './requests.ts';
import { AzureUploads } from './uploads.ts';

/** Azure, as all object storages see it. The key of an object is the name of its blob. */
export function azureService(
  options: CheckedAzureOptions,
  names: BlobNames,
  requests: AzureRequests,
): ObjectService {
  const { partBytes, concurrency } = options;
  const newBudget = (): TransferBudget => new TransferBudget(partBytes * concurrency);
  const downloads = new AzureDownloads(requests, newBudget(), partBytes);
  const puts = new AzurePuts(requests, downloads, options);
  const blocks = new AzureBlocks(requests, downloads, options, newBudget());
  const uploads = new AzureUploads(puts, blocks, downloads, partBytes);
  return {
    endpoint: requests.endpoint,
    keyOf: (name) => names.blobNameOf(name),
    uriOf: (key) => blobUri(requests.containerUrl, key),
    get: (target, more) => downloads.get(target, more),
    head: (target, more) => downloads.head(target, more),
    create: (target, body, more) => uploads.create(target, body, more),
    overwrite: (target, body, more) => puts.overwrite(target, body, more),
    list: (more) => listObjects(requests, names, more),
    delete: (objects, more) => deleteObjects(requests, names, objects, more),
    close: async () => {
      await uploads.close();
      requests.close();
    },
  };
}
