import { channel } from 'node:diagnostics_channel';

const closeFailed = channel('stowage:close-failed');

/** An attempt that can be closed as failed. */
export interface Failable {
  readonly isClosed: boolean;
  readonly pathspec: string;
  fail(error: unknown): Promise<void>;
  letGo(): Promise<void>;
}

/**
 * The user's error is what is thrown. If it could not be recorded, the channel `stowage:close-failed` tells; the attempt stays
 * open then, without signs of life, since nobody is left to close it.
 */
export async function failOrReport(attempt: Failable, error: unknown): Promise<void> {
  if (attempt.isClosed) return;
  try {
    await attempt.fail(error);
  } catch (failure) {
    await attempt.letGo();
    closeFailed.publish({ pathspec: attempt.pathspec, error, failure });
  }
}
