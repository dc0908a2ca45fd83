import type { ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import type { CallOptions } from '../contract.ts';
import type { ObjectKeys } from '../object-store/object-keys.ts';
import { s3CodeOf } from './errors.ts';
import type { S3Requests } from './requests.ts';

/** An upload in parts that was begun and neither completed nor aborted. Its parts are invisible, but cost storage. */
export interface UnfinishedUpload {
  /** The object that it would have become. */
  name: string;
  uploadId: string;
  /** Milliseconds since 1970, by the server's clock. */
  startedAtMs: number;
}

/** All uploads below the prefix that were begun before that time. */
export async function* findUploads(
  requests: S3Requests,
  keys: ObjectKeys,
  startedBeforeMs: number,
  { signal }: CallOptions,
): AsyncGenerator<UnfinishedUpload, void> {
  const request = { operation: 'list the uploads', name: keys.prefix, signal };
  let KeyMarker: string | undefined;
  let UploadIdMarker: string | undefined;
  while (true) {
    const query = { Bucket: requests.bucket, Prefix: keys.prefix, KeyMarker, UploadIdMarker };
    const answer: ListMultipartUploadsCommandOutput = await requests.send(
      request,
      (s3) => new s3.ListMultipartUploadsCommand(query),
    );
    for (const { Key = '', UploadId = '', Initiated } of answer.Uploads ?? []) {
      const name = keys.nameOf(Key);
      const startedAtMs = Initiated?.getTime() ?? Number.NaN;
      if (name !== undefined && startedAtMs < startedBeforeMs)
        yield { name, uploadId: UploadId, startedAtMs };
    }
    if (!answer.IsTruncated) return;
    KeyMarker = answer.NextKeyMarker;
    UploadIdMarker = answer.NextUploadIdMarker;
  }
}

/** Aborts an upload and frees its parts. One that is gone already counts as aborted. */
export async function abortUpload(
  requests: S3Requests,
  keys: ObjectKeys,
  { name, uploadId }: Pick<UnfinishedUpload, 'name' | 'uploadId'>,
  { signal }: CallOptions,
): Promise<void> {
  const upload = { Bucket: requests.bucket, Key: keys.keyOf(name), UploadId: uploadId };
  const request = { operation: 'abort the upload', name, signal };
  const isGone = (error: unknown): boolean => s3CodeOf(error) === 'NoSuchUpload';
  try {
    await requests.send(request, (s3) => new s3.AbortMultipartUploadCommand(upload), isGone);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
