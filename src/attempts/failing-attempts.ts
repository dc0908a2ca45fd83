import { channel } from 'node:diagnostics_channel';
import { inTime } from '../async/in-time.ts';
import type { TaskPath } from '../format/pathspec.ts';

/** The end of the process is put off by so much at most, for attempts to be closed. */
const MAX_DELAY_MS = 5_000;
/** Marks the listeners of every copy of this package in the process. */
const OURS = Symbol.for('stowage.fails-attempts');

const closeFailed = channel('stowage:close-failed');

/** An attempt that can be closed as failed. */
export interface Failable {
  readonly path: TaskPath;
  readonly pathspec: string;
  readonly isClosed: boolean;
  fail(error: unknown): Promise<void>;
  abandon(): Promise<void>;
}

/** Open attempts with a save that failed: the process may be about to die of it. */
const incomplete = new Set<Failable>();
/** The rejections that nobody handled, of which the process is about to end. */
const reasons = new Set<unknown>();

/**
 * Closes `attempt` as failed, unless it is closed. Never throws, because the user's error is what is to be thrown:
 * if it could not be recorded, the channel `stowage:close-failed` tells. The attempt stays open then, without a
 * heartbeat, since nobody is left to close it.
 */
export async function failOrReport(attempt: Failable, error: unknown): Promise<void> {
  if (attempt.isClosed) return;
  try {
    await attempt.fail(error);
  } catch (failure) {
    await attempt.abandon();
    closeFailed.publish({ pathspec: attempt.pathspec, error, failure });
  }
}

/**
 * Fails `attempt` before the process dies of a rejection that nobody handles. A save that failed and was not
 * awaited is such a rejection, or, inside of `forEach(async ...)`, becomes one. Where somebody listens to
 * `unhandledRejection`, nothing is done: the process lives on, and `done()` tells.
 */
export function failBeforeProcessEnds(attempt: Failable): void {
  if (incomplete.size === 0) process.on('unhandledRejection', onUnhandled);
  incomplete.add(attempt);
}

/** Leaves `attempt` alone: it was closed, or abandoned. */
export function leaveToItself(attempt: Failable): void {
  if (incomplete.delete(attempt) && incomplete.size === 0 && reasons.size === 0) stopListening();
}

function onUnhandled(reason: unknown): void {
  if (!isOursAlone()) return;
  const isEnding = reasons.size > 0;
  reasons.add(reason);
  if (isEnding) return;
  void failAll(reason).finally(() => {
    incomplete.clear();
    stopListening();
    // Once more, with nobody listening: Node.js ends the process as it would have, or as it was told to.
    for (const each of reasons) void Promise.reject(each);
    reasons.clear();
  });
}

async function failAll(error: unknown): Promise<void> {
  const failing = [...incomplete].map((attempt) => failOrReport(attempt, error));
  await inTime(Promise.all(failing), MAX_DELAY_MS, undefined);
}

function isOursAlone(): boolean {
  return process.listeners('unhandledRejection').every((listener) => OURS in listener);
}

function stopListening(): void {
  process.off('unhandledRejection', onUnhandled);
}

Object.defineProperty(onUnhandled, OURS, { value: true });
