import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import type { AttemptRecording } from './attempt-recording.ts';
import { WorkFolder } from './work-folder.ts';

/** What a cached task's function gets beside its input. */
export interface CachedTaskContext {
  /** Adds a line to the log of the attempt, formatted as `console.log` does. Never waits, never throws. */
  readonly log: (...values: unknown[]) => void;
  /** Aborted when the caller, and everybody who waits for the same call, was. */
  readonly signal: AbortSignal;
  /** Which try of this call it is, from 0; see `retry`. */
  readonly attempt: number;
  /** The attempt that is recorded, `run/step/task/attempt`; `undefined` where the store could not be written. */
  readonly pathspec: string | undefined;
  /** An empty folder of this try's own, removed when it ends. Made when it is first asked for. */
  readonly workDir: string;
  /** Keeps files with the attempt. */
  readonly files: CachedTaskFiles;
}

/** Files that a cached task keeps beside its output. */
export interface CachedTaskFiles {
  /**
   * Saves a file as an artifact of the attempt, streamed, whatever its size. It is no part of the cached value; it is read from the
   * attempt that the result's `provenance` names. It takes as long as the storage allows: `cacheTimeoutMs` does not count what the
   * function itself does. A store that fails costs the record, and no error;
   * so does a file that could not be read, unless another one is saved by its name.
   *
   * @throws StowageError `INVALID_NAME`; `INVALID_ARGUMENT` for a file that cannot be read.
   */
  save(name: string, path: string): Promise<void>;
}

/** A work folder that could not be removed is no fault of the task's result. */
const folderLeft = channel('stowage:work-folder-left');

/** What a function returned, and how long it ran, in whole milliseconds. */
export interface Returned<T> {
  returned: T;
  durationMs: number;
}

/** Runs one try of a task's function, with a context of its own. */
export async function runTry<T>(
  work: (context: CachedTaskContext) => T | Promise<T>,
  { recording, attempt, signal }: { recording: AttemptRecording; attempt: number; signal: AbortSignal },
): Promise<Returned<T>> {
  const folder = new WorkFolder();
  const context: CachedTaskContext = {
    log: (...values) => recording.log(...values),
    signal,
    attempt,
    pathspec: recording.pathspec,
    get workDir() {
      return folder.path;
    },
    files: { save: (name, path) => recording.saveFile(name, path) },
  };
  const beganMs = performance.now();
  const sinceThen = (): number => Math.round(performance.now() - beganMs);
  try {
    const working = work(context);
    // Without anything to wait for it has ended: what has this thread until we go on is not its time.
    const endedMs = isThenable(working) ? undefined : sinceThen();
    const returned = await working;
    return { returned, durationMs: endedMs ?? sinceThen() };
  } finally {
    await folder.remove().catch((error: unknown) => folderLeft.publish({ path: folder.path, error }));
  }
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
