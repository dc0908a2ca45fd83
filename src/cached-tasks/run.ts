import { channel } from 'node:diagnostics_channel';
import { mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { types } from 'node:util';
import { clockMs } from '../async/clock.ts';
import type { Deadline } from '../async/deadline.ts';
import { delay } from '../async/in-time.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import type { Lease } from '../cache/lease.ts';
import { invalidArgument, isStowageError, StowageError, thrownText } from '../errors.ts';
import type { CacheEntrySource } from '../format/cache-entry.ts';
import { taskIdOf } from '../format/cache-names.ts';
import { Directories } from '../references/directories.ts';
import { Frames } from '../references/frames.ts';
import { Checkpoints } from '../trace/checkpoints.ts';
import { untraced } from '../trace/untraced.ts';
import { withinTask } from './current-task.ts';
import type { Call, ChangedPart, TaskDefinition } from './define.ts';
import { findFinished, type LoadedResult } from './hits.ts';
import { type CachedTaskContext, isDelay } from './options.ts';
import { AttemptRecording } from './record.ts';
import { RecordedFiles } from './recorded-files.ts';
import { toSaved } from './saved-result.ts';

/** The time that the cache may still take of a run, and the lease under which it is. */
export interface RunOptions {
  deadline: Deadline;
  signal: AbortSignal;
  lease: Lease | undefined;
  /** An attempt of the same run may have come to the result, and nobody have stored it. */
  mayBeFinished: boolean;
  /** The attempt that an entry names, whether or not it counts. */
  seenSource: CacheEntrySource | undefined;
}

/** A run that came to a result. */
export interface RanCall<Output> {
  value: Output;
  durationMs: number;
  /** The attempt that is done, where it could be recorded. */
  attempt: OpenAttempt | undefined;
  /** `run/step/task/attempt` of the attempt, also where it is not done; absent without one. */
  recorded: string | undefined;
  /** The error that kept the result from being saved: the store failed, or the value is none that can be. */
  notSaved: { reason: 'unrecorded' | 'unsavable'; error: unknown } | undefined;
}

/** A run's result, or the one that turns out to have been there. */
export type Ran<Output> = RanCall<Output> | { finished: LoadedResult<Output> };

/** A work folder that could not be removed is no fault of the task's result. */
const folderLeft = channel('stowage:work-folder-left');

/** Runs the function of a task, each try as an attempt of its own, as often as its `retry` allows. */
export async function runCall<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  options: RunOptions,
): Promise<Ran<Output>> {
  const { attempts, when, delayMs } = definition.checked.retry;
  const replay: ReplayBound = {};
  for (let tries = 1; ; tries++) {
    try {
      return await runOnce(definition, call, tries - 1, options, replay);
    } catch (error) {
      if (options.signal.aborted || tries >= attempts || isOwnFault(error)) throw error;
      const ask = (what: string, question: () => unknown): unknown =>
        askOf(definition.name, what, question, error);
      if (!ask('retry.when', () => when(error))) throw error;
      refuseChanged(definition.name, call, error);
      const waitMs = typeof delayMs === 'function' ? ask('retry.delayMs', () => delayMs(tries)) : delayMs;
      if (!isDelay(waitMs)) {
        throw notTriedAgain(
          definition.name,
          `retry.delayMs returned ${String(waitMs)}, which is not a number of milliseconds`,
          error,
        );
      }
      await delay(waitMs, options.signal);
    }
  }
}

/** The first attempt whose traces a try may replay: of a call that asks for a new result, its own first one. */
interface ReplayBound {
  since?: number | undefined;
}

async function runOnce<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  number: number,
  options: RunOptions,
  replay: ReplayBound,
): Promise<Ran<Output>> {
  const { tasks, name } = definition;
  const { deadline, signal } = options;
  const { key } = call.brief;
  const { runId, label } = call;
  const spec = { runId, stepName: name, taskId: taskIdOf(key), label };
  let finished: LoadedResult<Output> | undefined;
  const open = async (inner: { signal: AbortSignal }): Promise<OpenAttempt | undefined> => {
    const isSought = options.mayBeFinished && number === 0;
    const next =
      isSought && tasks.hasUnstored(spec)
        ? undefined
        : await tasks.openAfter(options.seenSource, spec, inner);
    if (next) return next;
    if (isSought && !call.changed()) finished = await findFinished(definition, call, options, inner.signal);
    return finished ? undefined : tasks.open(spec, inner);
  };
  const recording = new AttemptRecording(name, tasks.context.content, deadline, signal);
  if (call.mode !== 'readonly') await recording.begin(open, definition.recordedInput(call.input));
  if (finished) return { finished };
  if (call.mode === 'refresh') replay.since ??= recording.attempt?.number;
  const within = { tasks, runId: call.runId, attempt: recording.attempt, key };
  const fail = async (error: unknown): Promise<string | undefined> => {
    const failed = await recording.fail(error);
    if (failed) tasks.noteEnded(failed, false);
    return failed?.pathspec;
  };
  try {
    // Looking, waiting and recording took their time.
    const changed = (await call.changedBeside()) ?? call.changed();
    if (changed) throw changedMeanwhile(name, changed);
    const { returned, durationMs } = await withinTask(within, () =>
      timed((context) => definition.run(call.input, context), recording, number, signal, replay),
    );
    const changedUnder = await call.changedBeside();
    if (changedUnder) throw changedUnderRun(name, changedUnder);
    const { value: saved, form, unsavable } = await toSaved(name, tasks.context, returned);
    // Before it is parsed: what is stored is what the function returned, and parsing may change it in place.
    if (form) await recording.saveOutput(form);
    const value = await definition.parseOutput(saved);
    if (unsavable) {
      // Of an attempt that is done, what it made can be read: this one is to tell why there is nothing.
      const recorded = await fail(unsavable);
      const notSaved = { reason: 'unsavable' as const, error: unsavable };
      return { value, durationMs, attempt: undefined, recorded, notSaved };
    }
    const attempt = await recording.done(call.isStored ? { key, durationMs } : undefined);
    if (attempt) tasks.noteEnded(attempt, call.isStored);
    const { failure } = recording;
    const notSaved = failure && { reason: 'unrecorded' as const, ...failure };
    return { value, durationMs, attempt, recorded: attempt?.pathspec, notSaved };
  } catch (error) {
    await fail(error);
    throw error;
  }
}

/** Runs one try of a task's function with a context of its own; resolves with how long it ran, in whole milliseconds. */
async function timed<T>(
  work: (context: CachedTaskContext) => T | Promise<T>,
  recording: AttemptRecording,
  number: number,
  signal: AbortSignal,
  replay: ReplayBound,
): Promise<{ returned: T; durationMs: number }> {
  const folder = new WorkFolder();
  const files = new RecordedFiles(recording);
  const records = recording.records(replay);
  const context = RunContext.of(folder, {
    log: (...values) => recording.log(...values),
    signal,
    attempt: number,
    pathspec: recording.attempt?.pathspec,
    files,
    frames: new Frames(files),
    report: (name, options) => recording.report(name, options),
    trace: (name, fn) => (records ? records.traces.trace(name, fn) : untraced(name, fn)),
    checkpoint: records?.checkpoints ?? new Checkpoints(undefined),
    directories: new Directories(recording.fileKeeper),
  });
  const beganMs = clockMs();
  const sinceThen = (): number => Math.round(clockMs() - beganMs);
  try {
    const working = work(context);
    // Without anything to wait for it has ended: what has this thread until we go on is not its time.
    const endedMs = isThenable(working) ? undefined : sinceThen();
    const returned = await working;
    return { returned, durationMs: endedMs ?? sinceThen() };
  } finally {
    await folder.remove();
  }
}

/**
 * A context whose `workDir` is asked for late. All contexts share one getter: that of a literal is kept by the literal's hidden class, and with
 * it all that it can see, until the whole memory is looked through.
 */
class RunContext {
  static readonly #workDir: PropertyDescriptor = {
    get(this: RunContext) {
      return this.#folder.path;
    },
    enumerable: true,
  };
  readonly #folder: WorkFolder;

  private constructor(folder: WorkFolder) {
    this.#folder = folder;
  }

  static of(folder: WorkFolder, members: Omit<CachedTaskContext, 'workDir'>): CachedTaskContext {
    const context = Object.assign(new RunContext(folder), members);
    return Object.defineProperty(context, 'workDir', RunContext.#workDir) as RunContext & CachedTaskContext;
  }
}

/** A folder of its own for one try of a task: made when its path is first asked for, removed with all that is in it. */
class WorkFolder {
  #path: string | undefined;
  #isRemoved = false;

  /**
   * Its absolute path, beneath the system's folder for temporary files.
   *
   * @throws StowageError `INVALID_ARGUMENT` where it would be made when the try has ended: nobody would remove it.
   */
  get path(): string {
    if (this.#isRemoved && this.#path === undefined)
      throw invalidArgument(
        'The try of the task has ended, and its work folder with it. Await in the function whatever uses ctx.workDir.',
      );
    this.#path ??= mkdtempSync(join(realpathSync(tmpdir()), 'stowage-work-'));
    return this.#path;
  }

  /** Removes it, if there is one. The channel `stowage:work-folder-left` tells why it could not be. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    const path = this.#path;
    if (path === undefined) return;
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      folderLeft.publish({ path, error });
    }
  }
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** An error that comes out the same however often the task is tried. */
function isOwnFault(error: unknown): boolean {
  const isChanged = isStowageError(error, 'INVALID_ARGUMENT') && error.details.changed !== undefined;
  return isChanged || isStowageError(error, 'OUTPUT_INVALID', 'UNSERIALIZABLE_ARTIFACT');
}

/** The result would be that of another input, configuration or code than the key's. */
function changedMeanwhile(task: string, changed: ChangedPart): StowageError {
  return invalidArgument(
    `The ${changed} of task "${task}" was changed before the task could run with it. ${LEAVE_IT[changed]}`,
    { task, changed },
  );
}

/** Nobody can tell which of both the result is of. */
function changedUnderRun(task: string, changed: ChangedPart): StowageError {
  return invalidArgument(
    `The ${changed} of task "${task}" was changed while the task ran, so that its result belongs to neither of both and is not kept. ${LEAVE_IT[changed]}`,
    { task, changed },
  );
}

const LEAVE_IT: Readonly<Record<ChangedPart, string>> = {
  input: 'Pass each call an object of its own, and leave it as it is until the call has ended.',
  config:
    'Leave it as it is while calls are under way; what is to differ from call to call belongs into the input.',
  code: 'Leave the files and tasks of `dependsOn` as they are while calls are under way, and call it again.',
};

/** Refuses another try with another input: it would come to a result of that one. */
function refuseChanged(task: string, call: Call, cause: unknown): void {
  const changed = call.changed();
  if (!changed) return;
  const [what, remedy] =
    changed === 'input'
      ? ['it changed its input', 'Have it work on a copy.']
      : ['its config was changed', LEAVE_IT.config];
  throw notTriedAgain(task, what, cause, ` ${remedy}`);
}

/** Asks the caller's own function about a failed try. A promise would count as a yes, whatever it comes to. */
function askOf(task: string, what: string, question: () => unknown, cause: unknown): unknown {
  let answer: unknown;
  try {
    answer = question();
  } catch (fault) {
    throw notTriedAgain(task, `${what} threw ${thrownText(fault)}`, cause);
  }
  if (types.isPromise(answer)) {
    answer.catch(() => {}); // nobody else awaits it
    throw notTriedAgain(task, `${what} returned a promise, and has to answer at once`, cause);
  }
  return answer;
}

/** The task's own error is what counts: it is the cause. */
function notTriedAgain(task: string, why: string, cause: unknown, remedy = ''): StowageError {
  return new StowageError(
    'INVALID_ARGUMENT',
    `Task "${task}" failed and cannot be tried again, because ${why}.${remedy}`,
    { details: { task }, cause },
  );
}
