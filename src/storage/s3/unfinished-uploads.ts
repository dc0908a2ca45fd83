import type {
  ListMultipartUploadsCommandOutput,
  ListPartsCommandOutput,
  MultipartUpload,
} from '@aws-sdk/client-s3';
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

/**
 * All uploads below the prefix that were begun before that time. MinIO answers for a prefix only if that is a whole key, and
 * else says that there are none; without a prefix it tells what was begun since it was started.
 */
export async function* findUploads(
  requests: S3Requests,
  keys: ObjectKeys,
  startedBeforeMs: number,
  options: CallOptions,
): AsyncGenerator<UnfinishedUpload, void> {
  const prefixes = requests.isAws || keys.prefix === '' ? [keys.prefix] : [keys.prefix, ''];
  for (const prefix of prefixes) {
    let isAny = false;
    for await (const { Key = '', UploadId = '', Initiated } of listUploads(requests, prefix, options)) {
      isAny = true;
      const name = Key.startsWith(keys.prefix) ? keys.nameOf(Key) : undefined;
      const startedAtMs = Initiated?.getTime() ?? Number.NaN;
      if (name !== undefined && startedAtMs < startedBeforeMs)
        yield { name, uploadId: UploadId, startedAtMs };
    }
    if (isAny) return;
  }
}

async function* listUploads(
  requests: S3Requests,
  Prefix: string,
  { signal }: CallOptions,
): AsyncGenerator<MultipartUpload, void> {
  const request = { operation: 'list the uploads', name: Prefix, signal };
  let KeyMarker: string | undefined;
  let UploadIdMarker: string | undefined;
  while (true) {
    const query = { Bucket: requests.bucket, Prefix, KeyMarker, UploadIdMarker };
    const answer: ListMultipartUploadsCommandOutput = await requests.send(
      request,
      (s3) => new s3.ListMultipartUploadsCommand(query),
    );
    yield* answer.Uploads ?? [];
    if (!answer.IsTruncated) return;
    KeyMarker = answer.NextKeyMarker;
    UploadIdMarker = answer.NextUploadIdMarker;
  }
}

/** What the parts of an upload take up, in bytes; 0 of one that is gone. */
export async function uploadedBytes(
  requests: S3Requests,
  keys: ObjectKeys,
  { name, uploadId }: Pick<UnfinishedUpload, 'name' | 'uploadId'>,
  { signal }: CallOptions,
): Promise<number> {
  const upload = { Bucket: requests.bucket, Key: keys.keyOf(name), UploadId: uploadId };
  const request = { operation: 'list the parts', name, signal };
  const isGone = (error: unknown): boolean => s3CodeOf(error) === 'NoSuchUpload';
  let bytes = 0;
  let PartNumberMarker: string | undefined;
  try {
    while (true) {
      const query = { ...upload, PartNumberMarker };
      const answer: ListPartsCommandOutput = await requests.send(
        request,
        (s3) => new s3.ListPartsCommand(query),
        isGone,
      );
      for (const { Size = 0 } of answer.Parts ?? []) bytes += Size;
      if (!answer.IsTruncated) return bytes;
      PartNumberMarker = answer.NextPartNumberMarker;
    }
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
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
