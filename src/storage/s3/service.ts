import type { ObjectKeys } from '../object-store/object-keys.ts';
import type { ObjectService } from '../object-store/object-storage.ts';
import { TransferBudget } from '../object-store/transfer-budget.ts';
import { s3Uri } from './address.ts';
import { ConditionalWrites } from './conditional-writes.ts';
import { deleteObjects } from './deletes.ts';
import { S3Downloads } from './downloads.ts';
import { listObjects } from './listing.ts';
import { S3MultipartUploads } from './multipart.ts';
import type { CheckedS3Options } from './options.ts';
import { S3Puts } from './puts.ts';
import type { S3Requests } from './requests.ts';
import { S3Uploads } from './uploads.ts';

/** S3, as all object storages see it. */
export function s3Service(options: CheckedS3Options, keys: ObjectKeys, requests: S3Requests): ObjectService {
  const { partBytes, concurrency, singleWriter } = options;
  const newBudget = (): TransferBudget => new TransferBudget(partBytes * concurrency);
  const conditions = new ConditionalWrites(requests, keys, singleWriter);
  const downloads = new S3Downloads(requests, newBudget(), partBytes);
  const multipart = new S3MultipartUploads(requests, downloads, conditions, options, newBudget());
  const puts = new S3Puts(requests, downloads, conditions, options);
  const uploads = new S3Uploads(puts, multipart, downloads, conditions, partBytes);
  return {
    endpoint: requests.endpoint,
    keyOf: (name) => keys.keyOf(name),
    uriOf: (key) => s3Uri(requests.bucket, key),
    get: (target, more) => downloads.get(target, more),
    head: (target, more) => downloads.head(target, more),
    create: (target, body, more) => uploads.create(target, body, more),
    overwrite: (target, body, more) => puts.overwrite(target, body, more),
    list: (more) => listObjects(requests, keys, more),
    delete: (names, more) => deleteObjects(requests, keys, names, more),
    close: async () => {
      await uploads.close();
      requests.close();
    },
  };
}
