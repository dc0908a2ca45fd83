import { attemptSession } from '../format/attempt-files.ts';
import { type TaskPath, validateAttemptNumber } from '../format/pathspec.ts';
import { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { AttemptContext } from './attempt-context.ts';
import { attemptExists, nextNumber } from './attempt-number.ts';
import { OpenAttempt } from './open-attempt.ts';

/** How often the next free number is looked for when others keep taking it. */
const OPEN_TRIES = 16;

/** Which attempt to open. */
export interface OpenAttemptOptions extends CallOptions {
  /** The attempt's number, from 0. Default: the next one that nobody has opened. */
  attempt?: number | undefined;
  /** The address of the place that its content goes to. Default: the store itself. */
  rawDataPath?: string | undefined;
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
  const { signal } = options;
  if (options.attempt !== undefined) validateAttemptNumber(options.attempt);
  for (let tries = 0; tries < OPEN_TRIES; tries++) {
    const number = options.attempt ?? (await nextNumber(storage, path, { signal }));
    const session = await Session.open(context.content, attemptSession(path, number), {
      beatIntervalMs: context.beatIntervalMs,
      signal,
    });
    if (session) return new OpenAttempt(context, path, number, session, options.rawDataPath);
    if (options.attempt !== undefined) throw attemptExists(path, number);
  }
  throw attemptExists(path, undefined);
}
