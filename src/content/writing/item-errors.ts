import { isStowageError, StowageError } from '../../errors.ts';

/**
 * The error of one content of a list. One of Stowage tells which, by its place from 0: in its message, and as `details.index`. That of a
 * caller's own stream, and `ABORTED`, stay as they are, and so does one that tells it already.
 */
export function ofItem(error: unknown, index: number | undefined): unknown {
  if (index === undefined || !isStowageError(error) || error.code === 'ABORTED') return error;
  const { code, message, details } = error;
  if (details.index !== undefined) return error;
  return new StowageError(code, `Content ${index} of the list: ${message}`, {
    details: { ...details, index },
    cause: error,
  });
}
