import { createHash, randomBytes } from 'node:crypto';
import type { LinkedAbort } from '../../async/linked-abort.ts';
import type { RepeatStep } from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import type { AzureDownloads } from './downloads.ts';
import { azureCodeOf, statusOf } from './errors.ts';
import type { CheckedAzureOptions } from './options.ts';
import type { AzureRequest, AzureRequests } from './requests.ts';

/** The metadata in which a write leaves its own mark. */
const WRITE_ID = 'writeid';
const WRITE_ID_BYTES = 12;

/** A blob that is being created. */
export interface Writing extends Target {
  contentType: string;
  /** Left in the metadata, to know the blob again as one's own; and in the ids of its blocks. */
  writeId: string;
  repeat: RepeatStep;
  /** Aborted by the caller, or by the end of the storage: every request ends with it. */
  call: LinkedAbort;
  /** Follows the call, and is aborted as well when a block fails: no further one is read or sent. */
  reading: LinkedAbort;
}

/** What a request says of a blob beside its bytes. */
export interface WrittenBlob {
  blobHTTPHeaders: { blobContentType: string };
  metadata: Record<string, string>;
  tier?: string;
}

/** Marks a write. Always of one length: the ids of all blocks of a blob have to be, those of other writers too. */
export function newWriteId(): string {
  return randomBytes(WRITE_ID_BYTES).toString('hex');
}

export function requestOf({ name, call }: Writing): AzureRequest {
  return { operation: 'create', name, signal: call.signal };
}

export function writtenBlob(
  { contentType, writeId }: Pick<Writing, 'contentType' | 'writeId'>,
  { tier }: CheckedAzureOptions,
): WrittenBlob {
  return {
    blobHTTPHeaders: { blobContentType: contentType },
    metadata: { [WRITE_ID]: writeId },
    ...(tier !== undefined && { tier }),
  };
}

/** What the service compares with the bytes that arrive. */
export function checksumOf(bytes: Uint8Array): { transactionalContentMD5: Uint8Array } {
  return { transactionalContentMD5: createHash('md5').update(bytes).digest() };
}

/** Whether the blob there is now was left by this very write; `undefined` where there is none. */
export async function isOwn(writing: Writing, downloads: AzureDownloads): Promise<boolean | undefined> {
  const metadata = await downloads.metadata(writing, { signal: writing.call.signal });
  return metadata && metadata[WRITE_ID] === writing.writeId;
}

/** Sends what creates a blob with `If-None-Match: *`, and tells whether it did. */
export async function sendIfAbsent(
  writing: Writing,
  requests: AzureRequests,
  downloads: AzureDownloads,
  send: Parameters<AzureRequests['send']>[1],
): Promise<boolean> {
  const request = requestOf(writing);
  try {
    await requests.send(request, send, isConflict);
    return true;
  } catch (error) {
    if (isTaken(error)) return requests.mayRepeat && ((await isOwn(writing, downloads)) ?? false);
    // A lease, a policy or a blob of another kind is in the way: what is there may be a blob of this name, or not.
    if (isConflict(error) && (await downloads.head(writing, { signal: request.signal }))) return false;
    throw requests.errorOf(error, request);
  }
}

/** Whether Azure refused a write because of its condition; a lease gives 412 as well. */
export function isRefused(error: unknown): boolean {
  return azureCodeOf(error) === 'ConditionNotMet';
}

/**
 * Whether Azure says that the blob exists: 409 by what is documented and Azurite does, 412 by the general rule of
 * conditions, 403 to a SAS that may create blobs but not replace them.
 */
function isTaken(error: unknown): boolean {
  const code = azureCodeOf(error);
  return code === 'BlobAlreadyExists' || code === 'UnauthorizedBlobOverwrite' || isRefused(error);
}

/** Whether the blob may exist; blocks are gone once another write of the name has succeeded. */
function isConflict(error: unknown): boolean {
  const status = statusOf(error);
  return status === 409 || status === 412 || isTaken(error) || azureCodeOf(error) === 'InvalidBlockList';
}
