import { randomBytes } from 'node:crypto';

/** The user metadata in which a write leaves its own mark. */
const WRITE_ID = 'write-id';
const VERSION = /^(?:([0-9a-f]{24}):)?(.*)$/s;

/**
 * Marks a write. It tells apart two writes of the same bytes, whose ETags are the same, and tells a writer whose response
 * was lost that the object is its own.
 */
export function newWriteId(): string {
  return randomBytes(12).toString('hex');
}

export function metadataOf(writeId: string): Record<string, string> {
  return { [WRITE_ID]: writeId };
}

/** The version of an object: its ETag, and before it the mark of its write, if it has one. */
export function versionOf(
  etag: string | undefined,
  metadata: Readonly<Record<string, string>> | string | undefined,
): string {
  const writeId = typeof metadata === 'string' ? metadata : metadata?.[WRITE_ID];
  return writeId ? `${writeId}:${etag ?? ''}` : (etag ?? '');
}

/** The mark in a version, if the write left one. */
export function writeIdOf(version: string): string | undefined {
  return VERSION.exec(version)?.[1];
}

/** The ETag in a version, which is all that S3 itself compares. */
export function etagOf(version: string): string {
  return VERSION.exec(version)?.[2] ?? '';
}
