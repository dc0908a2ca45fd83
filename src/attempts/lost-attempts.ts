import { StowageError } from '../errors.ts';

/** `ATTEMPT_FENCED`: the attempt is another's, or nobody's, and its owner cannot close it any more. */
export function attemptFenced(pathspec: string, why: string): StowageError {
  return new StowageError(
    'ATTEMPT_FENCED',
    `Attempt ${pathspec} cannot be closed any more: ${why}. Its results were not kept; run the task again.`,
    { details: { pathspec } },
  );
}

/**
 * `CONTENT_LOST`: a collector took content of artifacts while nobody held it.
 *
 * @param pathspec - of the attempt that it was to be in
 * @param silent - the attempt before it, whose owner was silent
 */
export function contentLost(pathspec: string, silent: string, artifacts: readonly string[]): StowageError {
  return new StowageError(
    'CONTENT_LOST',
    `Attempt ${silent} was silent for so long that a collector gave up on it, and the content of ${artifacts.join(', ')} is gone since. Run the task again.`,
    { details: { pathspec, artifacts } },
  );
}
