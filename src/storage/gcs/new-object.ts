import type { CheckedGcsOptions } from './options.ts';
import { metadataOf } from './resource.ts';

/** An object that is about to be written. */
export interface NewObject {
  key: string;
  contentType: string;
  /** The generation that it must replace; `0`: there must be none. Default: whatever is there. */
  ifGenerationMatch?: string | undefined;
  /** Left in its metadata, to know it again. */
  writeId?: string | undefined;
  /** What the service checks the bytes by. */
  crc32c?: string | undefined;
}

/**
 * What everybody may read would be cached for an hour unless it says otherwise, though it was overwritten since; and the
 * service, or a cache, might transform it.
 */
const CACHE_CONTROL = 'private, max-age=0, no-transform';

/** The metadata that an upload begins with, as JSON. */
export function metadataOfNew(object: NewObject, { storageClass }: CheckedGcsOptions): Buffer {
  const { key: name, contentType, crc32c, writeId } = object;
  const metadata = writeId === undefined ? undefined : metadataOf(writeId);
  const cacheControl = CACHE_CONTROL;
  return Buffer.from(JSON.stringify({ name, contentType, cacheControl, storageClass, crc32c, metadata }));
}

/** The parameters of an upload's URL. */
export function queryOfNew(
  { ifGenerationMatch }: NewObject,
  { kmsKeyName }: CheckedGcsOptions,
): Record<string, string | undefined> {
  return { ifGenerationMatch, kmsKeyName, fields: 'generation,size,crc32c' };
}
