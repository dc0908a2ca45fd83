import { createHash } from 'node:crypto';
import { isStowageError, type StowageError } from '../../errors.ts';
import type { CallOptions, DeleteFailure } from '../contract.ts';
import type { ObjectKeys } from '../object-store/object-keys.ts';
import { errorOfCode } from './errors.ts';
import type { S3Requests } from './requests.ts';

/** The most keys that one request deletes. */
const MAX_KEYS = 1000;

/** Deletes objects, many with each request, and tells which are not confirmed gone. */
export async function deleteObjects(
  requests: S3Requests,
  keys: ObjectKeys,
  names: readonly string[],
  options: CallOptions,
): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  const nameOfKey = new Map<string, string>();
  for (const name of names) {
    try {
      nameOfKey.set(keys.keyOf(name), name);
    } catch (error) {
      failures.push({ name, error: error as StowageError });
    }
  }
  const batches = batchesOf([...nameOfKey.keys()]);
  for (const batch of batches) {
    const name = nameOfKey.get(batch[0] as string) as string;
    const request = { operation: 'delete', name, signal: options.signal };
    try {
      const failed = await deleteBatch(requests, batch, request);
      failures.push(...failed.map(({ key, error }) => ({ name: nameOfKey.get(key) ?? key, error })));
    } catch (error) {
      if (isStowageError(error, 'ABORTED', 'STORAGE_CLOSED')) throw error;
      failures.push(...batch.map((key) => ({ name: nameOfKey.get(key) as string, error: error as Error })));
    }
  }
  return failures;
}

function batchesOf(keys: readonly string[]): string[][] {
  const batches: string[][] = [];
  for (let i = 0; i < keys.length; i += MAX_KEYS) batches.push(keys.slice(i, i + MAX_KEYS));
  return batches;
}

async function deleteBatch(
  requests: S3Requests,
  batch: readonly string[],
  request: { operation: string; name: string; signal?: AbortSignal | undefined },
): Promise<{ key: string; error: Error }[]> {
  const { bucket: Bucket, place } = requests;
  const [only = ''] = batch;
  if (batch.length === 1) {
    await requests.send(request, (s3) => new s3.DeleteObjectCommand({ Bucket, Key: only }));
    return [];
  }
  const Delete = { Objects: batch.map((Key) => ({ Key })), Quiet: true };
  const answer = await requests.send(request, (s3) => {
    const command = new s3.DeleteObjectsCommand({ Bucket, Delete });
    return requests.isAws ? command : withMd5(command);
  });
  return (answer.Errors ?? []).map(({ Key = '', Code = '', Message = '' }) => ({
    key: Key,
    error: errorOfCode(Code, Message, { operation: request.operation, name: Key, place }),
  }));
}

/** S3 wants a checksum with this request; the SDK sends a CRC32, and servers that are older than it know only `Content-MD5`. */
function withMd5<Command extends { middlewareStack: { add: (middleware: never, options: never) => void } }>(
  command: Command,
): Command {
  type Next = (args: { request: { body: string; headers: Record<string, string> } }) => unknown;
  const addMd5 =
    (next: Next): Next =>
    (args) => {
      args.request.headers['content-md5'] = createHash('md5').update(args.request.body).digest('base64');
      return next(args);
    };
  const options = { step: 'build', priority: 'low', name: 'stowageContentMd5' };
  command.middlewareStack.add(addMd5 as never, options as never);
  return command;
}
