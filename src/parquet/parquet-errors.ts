import { isStowageError, messageOf, StowageError } from '../errors.ts';

/** `INVALID_PARQUET`: bytes that are no Parquet, or that contradict themselves. */
export function invalidParquet(shown: string, reason: string, cause?: unknown): StowageError {
  return new StowageError(
    'INVALID_PARQUET',
    `${shown} cannot be read as Parquet: ${reason}. Look whether it is whole, and a Parquet file.`,
    { details: { file: shown, reason }, cause },
  );
}

/** `UNSUPPORTED_COLUMN`: a column that cannot be written, or read. */
export function unsupportedColumn(
  column: string,
  reason: string,
  details: Record<string, unknown> = {},
): StowageError {
  return new StowageError('UNSUPPORTED_COLUMN', `Column "${column}" ${reason}`, {
    details: { column, ...details },
  });
}

/** Runs a step of the library on bytes that nobody vouches for: whatever it throws is said of the file. */
export function readingParquet<T>(shown: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ofFile(shown, error);
  }
}

/** As {@link readingParquet}, for a step that waits. */
export async function awaitingParquet<T>(shown: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ofFile(shown, error);
  }
}

function ofFile(shown: string, error: unknown): unknown {
  return isStowageError(error) ? error : invalidParquet(shown, messageOf(error), error);
}
