import { channel } from 'node:diagnostics_channel';
import type { OpenAttempt } from './open-attempt.ts';

const closeFailed = channel('stowage:close-failed');

/**
 * The user's error is what is thrown. If it could not be recorded, the channel `stowage:close-failed` tells; the attempt stays
 * open then, without signs of life, since nobody is left to close it.
 */
export async function failOrReport(attempt: OpenAttempt, error: unknown): Promise<void> {
  if (attempt.isClosed) return;
  try {
    await attempt.fail(error);
  } catch (failure) {
    await attempt.letGo();
    closeFailed.publish({ pathspec: attempt.pathspec, error, failure });
  }
}
