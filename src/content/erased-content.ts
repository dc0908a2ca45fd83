import { isStowageError, StowageError } from '../errors.ts';
import {
  decodeErasedContent,
  erasedContentPrefix,
  MAX_ERASURE_BYTES,
  parseErasedContentName,
} from '../format/erasure-records.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/**
 * Yields what `pieces` yields. A content that is missing because it was erased is `CONTENT_ERASED`, with the reason: one LIST more, and one
 * GET, once something is missing.
 */
export async function* tellingErased<T>(
  storage: DataStoreStorage,
  pieces: AsyncIterable<T>,
  options: CallOptions,
): AsyncGenerator<T, void> {
  try {
    yield* pieces;
  } catch (error) {
    throw (await erasedError(storage, error, options)) ?? error;
  }
}

async function erasedError(
  storage: DataStoreStorage,
  error: unknown,
  { signal }: CallOptions,
): Promise<StowageError | undefined> {
  if (!isStowageError(error, 'CONTENT_NOT_FOUND') || typeof error.details.key !== 'string') return undefined;
  const prefix = erasedContentPrefix(error.details.key);
  for await (const page of storage.list({ prefix, limit: 1, signal })) {
    for (const { name } of page.objects) {
      const subject = parseErasedContentName(name);
      const object = subject && (await storage.get(name, { signal, maxBytes: MAX_ERASURE_BYTES }));
      if (!object) continue;
      const { key, reason } = decodeErasedContent(object.body, storage.uri(name), subject);
      const message = `Content ${key} was erased: ${reason}`;
      return new StowageError('CONTENT_ERASED', message, { details: error.details, cause: error });
    }
  }
  return undefined;
}
