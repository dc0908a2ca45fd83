import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { StowageError } from '../errors.ts';
import type { NewCacheEntry } from '../format/cache-entry.ts';
import { formatPathspec } from '../format/pathspec.ts';

/**
 * What an entry says of the result of an attempt: whose it is, and its rows.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the attempt is not done, since failures are never cached, or where its content was given up.
 */
export function resultOf(read: ReadAttempt): Pick<NewCacheEntry, 'source' | 'table'> {
  const { path, attempt, status, done, described, purged, erased } = read;
  if (status !== 'done' || !described || done?.metadataDigest === undefined || purged || erased) {
    const pathspec = formatPathspec(path, attempt);
    throw new StowageError(
      'INVALID_ARGUMENT',
      `${pathspec} of flow ${path.flow} is ${status === 'done' ? 'done, but some of it was given up' : status}; only the results of attempts that are done, and whole, are cached.`,
      { details: { flow: path.flow, pathspec, status } },
    );
  }
  const { flow, run, step, task } = path;
  const { session, metadataDigest } = done;
  return {
    source: { flow, run, step, task, attempt, session, metadataDigest },
    table: described.table(),
  };
}
