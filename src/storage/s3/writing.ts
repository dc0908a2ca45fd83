import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { StowageError } from '../../errors.ts';
import type { RepeatStep } from '../contract.ts';
import type { LinkedAbort } from '../object-store/linked-abort.ts';
import type { Target } from '../object-store/object-storage.ts';
import type { S3Downloads } from './downloads.ts';
import type { CheckedS3Options } from './options.ts';
import type { S3Request } from './requests.ts';
import { metadataOf, writeIdOf } from './version.ts';

/** An object that is being created. */
export interface Writing extends Target {
  contentType: string;
  /** Left in the metadata, to know the object again as one's own. */
  writeId: string;
  repeat: RepeatStep;
  /** Aborted by the caller, or by the end of the storage: every request ends with it. */
  call: LinkedAbort;
  /** Follows the call, and is aborted as well when a part fails: no further part is read or sent. */
  reading: LinkedAbort;
}

type WrittenObject = Pick<
  PutObjectCommandInput,
  'Bucket' | 'Key' | 'ContentType' | 'Metadata' | 'ServerSideEncryption' | 'SSEKMSKeyId' | 'StorageClass'
>;

export function requestOf({ name, call }: Writing): S3Request {
  return { operation: 'create', name, signal: call.signal };
}

/** What a request says of an object when its writing begins. */
export function objectOf(
  { key, contentType, writeId }: Pick<Writing, 'key' | 'contentType' | 'writeId'>,
  { bucket, serverSideEncryption, sseKmsKeyId, storageClass }: CheckedS3Options,
): WrittenObject {
  const encryption = serverSideEncryption ?? (sseKmsKeyId === undefined ? undefined : ('aws:kms' as const));
  return {
    Bucket: bucket,
    Key: key,
    ContentType: contentType,
    Metadata: metadataOf(writeId),
    ...(encryption !== undefined && { ServerSideEncryption: encryption }),
    ...(sseKmsKeyId !== undefined && { SSEKMSKeyId: sseKmsKeyId }),
    ...(storageClass !== undefined && { StorageClass: storageClass }),
  };
}

/** Repeats what creates an object; after a lost response "exists" may mean that it was this very write. */
export async function createOwn(
  writing: Writing,
  downloads: S3Downloads,
  create: () => Promise<boolean>,
): Promise<boolean> {
  const { repeat, call, writeId } = writing;
  let wasLost = false;
  const isCreated = await repeat(() =>
    create().catch((error: unknown) => {
      wasLost = true;
      throw error;
    }),
  );
  if (isCreated || !wasLost) return isCreated;
  const info = await repeat(() => downloads.head(writing, { signal: call.signal }));
  return info !== undefined && writeIdOf(info.version) === writeId;
}

export function preconditionFailed(name: string, ifMatch: string): StowageError {
  return new StowageError(
    'PRECONDITION_FAILED',
    `"${name}" is not at version ${ifMatch} any more; read it again before you replace it.`,
    { details: { name, ifMatch } },
  );
}
