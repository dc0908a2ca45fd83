import { StowageError } from '../errors.ts';
import { attemptSession, latestAttempt, listAttempts } from '../format/attempt-files.ts';
import { formatPathspec, type TaskPath, validateAttemptNumber } from '../format/pathspec.ts';
import { Session } from '../sessions/session.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { type AttemptContext, OpenAttempt } from './open-attempt.ts';

/** The next free number is looked for so often when others keep taking it. */
const OPEN_TRIES = 16;

/** The choice of an attempt to open, and where its content goes. */
export interface OpenAttemptOptions extends CallOptions {
  /** The attempt's number, from 0. Default: the next one that nobody has opened. */
  attempt?: number | undefined;
  /** The name that people have for it. Default: none. */
  label?: string | undefined;
  /** The address of the place that its content goes to. Default: the store itself. */
  rawDataPath?: string | undefined;
  /** `false` neither asks nor tells other processes which chunks its step has stored. Default `true`. */
  hints?: boolean | undefined;
}

/**
 * Step 1 of a task's life: creates attempt.json, so that two workers never own one attempt.
 *
 * @throws StowageError `ATTEMPT_EXISTS` where the given number is taken.
 */
export async function openAttempt(
  context: AttemptContext,
  path: TaskPath,
  options: OpenAttemptOptions,
): Promise<OpenAttempt> {
  const { storage } = context.content;
  const { label, hints = true, signal } = options;
  if (options.attempt !== undefined) validateAttemptNumber(options.attempt);
  for (let tries = 0; tries < OPEN_TRIES; tries++) {
    const number = options.attempt ?? (await nextNumber(storage, path, { signal }));
    const files = attemptSession(path, number);
    const session = await Session.open(context.content, hints ? files : { ...files, step: undefined }, {
      beatIntervalMs: context.beatIntervalMs,
      label,
      signal,
    });
    if (session) return new OpenAttempt(context, path, number, session, options.rawDataPath);
    if (options.attempt !== undefined) throw attemptExists(path, number);
  }
  throw attemptExists(path, undefined);
}

/** One LIST: the next number that nobody has opened. */
async function nextNumber(storage: DataStoreStorage, path: TaskPath, options: CallOptions): Promise<number> {
  const next = latestAttempt(await listAttempts(storage, path, options)) + 1;
  if (Number.isSafeInteger(next)) return next;
  const pathspec = formatPathspec(path);
  throw new StowageError(
    'ATTEMPT_EXISTS',
    `No number is left for an attempt of ${pathspec} of flow ${path.flow} after ${Number.MAX_SAFE_INTEGER}, which is taken. Run the task under another id, and see who took that number.`,
    { details: { flow: path.flow, pathspec } },
  );
}

/** `ATTEMPT_EXISTS`: a number is taken, or one after the other was. */
function attemptExists(path: TaskPath, number: number | undefined): StowageError {
  const pathspec = formatPathspec(path, number);
  const message =
    number === undefined
      ? `Others opened attempt after attempt of ${pathspec} of flow ${path.flow} just now; see who else works on this task.`
      : `Attempt ${pathspec} of flow ${path.flow} was opened before; somebody works on it, or did. Leave the number out to open the next one.`;
  return new StowageError('ATTEMPT_EXISTS', message, { details: { flow: path.flow, pathspec } });
}
