import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { LinkedAbort } from '../../async/linked-abort.ts';
import type { RepeatStep } from '../contract.ts';
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

/** Whether the object there is now was left by this very write; `undefined` where there is none. */
export async function isOwn(writing: Writing, downloads: S3Downloads): Promise<boolean | undefined> {
  const info = await downloads.head(writing, { signal: writing.call.signal });
  return info && writeIdOf(info.version) === writing.writeId;
}
