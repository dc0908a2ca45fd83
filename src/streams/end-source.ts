import { inTime } from '../async/in-time.ts';
import { isWebStream } from './read-once.ts';

/** The time that a user's source has for cleaning up before what called for it goes on. */
export const MAX_CLEANUP_MS = 2_000;

/**
 * Ends a user's source of which no more is read, and waits until it has cleaned up, for two seconds at most. A web stream is not waited
 * for: one branch of `tee()` would be cancelled only with the other.
 *
 * @param end - ends it, as `return` of its iterator does
 * @throws what `end` throws in that time
 */
export async function endSource(source: object, end: () => unknown): Promise<void> {
  const ending = new Promise((resolve) => resolve(end()));
  if (isWebStream(source)) ending.catch(() => {});
  else await inTime(ending, MAX_CLEANUP_MS, undefined);
}
