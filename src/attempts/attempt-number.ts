import { StowageError } from '../errors.ts';
import { latestAttempt, listAttempts } from '../format/attempt-files.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** One LIST: the next number that nobody has opened. */
export async function nextNumber(
  storage: DataStoreStorage,
  path: TaskPath,
  options: CallOptions,
): Promise<number> {
  const next = latestAttempt(await listAttempts(storage, path, options)) + 1;
  if (Number.isSafeInteger(next)) return next;
  const pathspec = formatPathspec(path);
  throw new StowageError(
    'ATTEMPT_EXISTS',
    `No number is left for an attempt of ${pathspec} of flow ${path.flow} after ${Number.MAX_SAFE_INTEGER}, which is taken. Run the task under another id, and see who took that number.`,
    { details: { flow: path.flow, pathspec } },
  );
}

/** That a number, or one after the other, is taken. */
export function attemptExists(path: TaskPath, number: number | undefined): StowageError {
  const pathspec = formatPathspec(path, number);
  const message =
    number === undefined
      ? `Others opened attempt after attempt of ${pathspec} of flow ${path.flow} just now; see who else works on this task.`
      : `Attempt ${pathspec} of flow ${path.flow} was opened before; somebody works on it, or did. Leave the number out to open the next one.`;
  return new StowageError('ATTEMPT_EXISTS', message, { details: { flow: path.flow, pathspec } });
}
