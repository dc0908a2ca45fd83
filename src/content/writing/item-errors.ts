import { isStowageError, StowageError } from '../../errors.ts';

/**
 * Does work on one content of a list. An error of Stowage tells which, by its place from 0: in its message, and as `details.index`. That
 * of a caller's own stream, and `ABORTED`, stay as they are.
 */
export async function ofItem<T>(index: number | undefined, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (index === undefined || !isStowageError(error) || error.code === 'ABORTED') throw error;
    const { code, message, details } = error;
    throw new StowageError(code, `Content ${index} of the list: ${message}`, {
      details: { ...details, index },
      cause: error,
    });
  }
}
