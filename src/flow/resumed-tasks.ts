import { BoundedMap } from '../async/bounded-map.ts';
import { mapBounded } from '../async/bounded-work.ts';
import { clockMs } from '../async/clock.ts';
import { delay } from '../async/in-time.ts';
import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { failOrReport } from '../attempts/failing-attempts.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { invalidArgument, isStowageError, type StowageError } from '../errors.ts';
import { latestAttempt, type TaskAttempts } from '../format/attempt-files.ts';
import { CACHED_TASK_ID } from '../format/cache-names.ts';
import { formatPathspec, parseAttemptName, type TaskPath } from '../format/pathspec.ts';
import type { CallOptions } from '../storage/contract.ts';
import { isNamed, type Resumption } from './resumed-run.ts';
import type { RunWriter, TaskSpec } from './run-writer.ts';
import { TaskDataStore } from './task-data-store.ts';
import type { TaskOpener } from './task-opener.ts';

/** Of so many attempts it is remembered what they were taken over from. */
const KNOWN_ATTEMPTS = 10_000;
/** So many attempts that a task read are looked at at once. */
const CONCURRENCY = 16;
/** Attempts that are open beside one that was taken over are waited for so long together. */
const PATIENCE_MS = 10_000;
const FIRST_WAIT_MS = 20;
const MAX_WAIT_MS = 1_000;
/** Content of a task was lost, or given up since the task was looked at. */
const LOST = ['CONTENT_NOT_FOUND', 'CONTENT_PURGED', 'CONTENT_ERASED', 'ATTEMPT_DELETED'] as const;

/** Options of `FlowDataStore.task`. */
export interface RunTaskOptions<T> extends CallOptions {
  /**
   * Gives what the task's function returned, from what the task saved; called in its place where the task is taken over from the run
   * that is resumed. Default: none, which is enough for functions that return nothing; without it, a task that was closed by hand, of which nobody
   * knows what it would have returned, gives `undefined`.
   */
  restore?: ((task: TaskDataStore) => NoInfer<T> | Promise<NoInfer<T>>) | undefined;
}

/** The names of a task that is asked for, and what its run resumes. */
interface Asked {
  runId: string;
  step: string;
  task: string;
  resumption: Resumption;
}

/**
 * A task that was asked for in a run that resumes another: taken over; or content of the attempt `of` it was lost, and `attempt` is there for
 * whoever runs it.
 */
export type Resumed =
  | { taken: TaskDataStore; lost?: never; of?: never; attempt?: never }
  | { taken?: never; lost: StowageError; of: string; attempt: OpenAttempt };

/** The latest attempt of a task in the run that resumes, which is closed. */
type Latest =
  /** It is done: what it was taken over from; `null` of one that ran. */
  | { attempt: number; origin: string | null; readFrom?: never }
  /** It failed: what it read. */
  | { attempt: number; origin?: never; readFrom: readonly string[] };

/** An attempt that was read, as the run that resumes has it, and what is to be looked at beneath it. */
interface ReadAs {
  pathspec: string;
  beneath?: readonly string[];
}

/** Takes over tasks of the runs that runs of a flow resume. Nothing of it concerns other runs. */
export class ResumedTasks {
  readonly #tasks: TaskOpener;
  readonly #writer: RunWriter;
  /** What attempts of runs that resume others were taken over from (`null`: they ran), which never changes, by their pathspecs. */
  readonly #origins = new BoundedMap<string, string | null>(KNOWN_ATTEMPTS);

  readonly #patienceMs: number;

  /** @param patienceMs - the time that open attempts are waited for */
  constructor(tasks: TaskOpener, writer: RunWriter, patienceMs: number = PATIENCE_MS) {
    this.#tasks = tasks;
    this.#writer = writer;
    this.#patienceMs = patienceMs;
  }

  /**
   * Takes over a task, or finds that it was taken over before. `undefined` where it is to be run: its run resumes none, the task is named to
   * be run again, ran in this run before, is not done in the other run, was given up there as a whole or in part, or read something there that was not taken over.
   * While an attempt of what it read is open beside one that was taken over, that is waited for, ten seconds in all.
   *
   * @param isRestored - the caller can tell what the task's function returned; without that, one that returned a value is refused
   * @throws StowageError `INVALID_ARGUMENT`, and as `RunWriter.open`
   */
  async takeOver(
    spec: TaskSpec,
    { isRestored, signal }: CallOptions & { isRestored: boolean },
  ): Promise<Resumed | undefined> {
    const options = { signal };
    const resumption = await this.#writer.resumptionOf(spec, options);
    if (!resumption) return undefined;
    const asked: Asked = { runId: spec.runId, step: spec.stepName, task: spec.taskId, resumption };
    if (isNamed(resumption, asked)) return undefined;
    const here = this.#path(asked, asked.runId);
    const latest = await this.#latest(here, await this.#attemptsOf(here, options), options);
    if (latest?.origin === null) return undefined;
    const isStanding = latest?.origin && (spec.attempt === undefined || spec.attempt === latest.attempt);
    if (isStanding) {
      const read = await this.#tasks.open(formatPathspec(here, latest.attempt), {}, options);
      if (isKept(read)) return { taken: this.#restorable(read, isRestored) };
    }
    const old = await this.#tasks.find(formatPathspec(this.#path(asked, resumption.run)), {}, options);
    // Of which content was lost when it was to be taken over is run.
    if (!old || !isKept(old) || latest?.readFrom?.includes(nameOf(old))) return undefined;
    const readFrom = await this.#readsTakenOver(old, asked, options);
    if (!readFrom) return undefined;
    return this.#clone(this.#restorable(old, isRestored), old, readFrom, spec, options);
  }

  /**
   * Takes over a task as {@link takeOver} does, for whoever opens attempts by hand.
   *
   * @throws StowageError `CONTENT_NOT_FOUND` and the like where content of it was lost or given up meanwhile: the attempt is failed, and says what it
   * was to take over, so that the next call finds the task to be run
   */
  async takeOverByHand(spec: TaskSpec, options: CallOptions): Promise<TaskDataStore | undefined> {
    const resumed = await this.takeOver(spec, { ...options, isRestored: true });
    if (!resumed?.lost) return resumed?.taken;
    resumed.attempt.recordRead(resumed.of);
    await failOrReport(resumed.attempt, resumed.lost);
    throw resumed.lost;
  }

  /** @throws StowageError `INVALID_ARGUMENT` for a task whose function returned a value, or may have, which nobody has */
  #restorable(read: ReadAttempt, isRestored: boolean): TaskDataStore {
    const task = this.#tasks.toStore(read);
    if (isRestored || !read.described?.returned) return task;
    throw invalidArgument(
      `Task ${task.pathspec} of flow ${task.flowName} is done, and to be taken over without being run; but its function returned a value, or may have where it closed its attempt itself, and values that functions return are not kept. Tell what it returned from what the task saved, task(spec, work, { restore: (task) => task.get('name') }), or name its step in rerun where the run is created.`,
      { flow: task.flowName, pathspec: task.pathspec },
    );
  }

  async #clone(
    origin: TaskDataStore,
    { described, metadata, label }: ReadAttempt,
    readFrom: readonly string[],
    spec: TaskSpec,
    options: CallOptions,
  ): Promise<Resumed> {
    const view = TaskDataStore.viewOf(origin, 'task');
    const attempt = await this.#writer.open({ ...spec, label: spec.label ?? label }, options);
    try {
      const returned = described?.returned === true;
      await attempt.takeOver({ view, metadata, readFrom, returned }, options);
    } catch (error) {
      if (isStowageError(error, ...LOST)) return { lost: error, of: view.fullPathspec, attempt };
      await failOrReport(attempt, error);
      throw error;
    }
    try {
      await attempt.done(options);
    } catch (error) {
      await failOrReport(attempt, error);
      throw error;
    }
    this.#origins.set(attempt.pathspec, view.fullPathspec);
    return { taken: this.#tasks.toStore(await this.#tasks.open(attempt.pathspec, {}, options)) };
  }

  async #attemptsOf(path: TaskPath, options: CallOptions): Promise<TaskAttempts> {
    const [attempts] = await this.#tasks.attemptsOf([path], options);
    return attempts as TaskAttempts;
  }

  /** The latest of attempts in the run that resumes, if it is closed and was not given up. Two requests for one that is not remembered. */
  async #latest(path: TaskPath, attempts: TaskAttempts, options: CallOptions): Promise<Latest | undefined> {
    const attempt = latestAttempt(attempts);
    const files = attempts.get(attempt);
    if (!files?.has('done') || files.has('deleted')) return undefined;
    const pathspec = formatPathspec(path, attempt);
    const known = this.#origins.get(pathspec);
    if (known !== undefined) return { attempt, origin: known };
    const read = await this.#tasks.findAmong(path, attempts, { attempt, allowNotDone: true }, options);
    if (!read) return undefined;
    if (read.status !== 'done') return { attempt, readFrom: read.described?.readFrom ?? [] };
    const origin = read.described?.takenOver ?? null;
    this.#origins.set(pathspec, origin);
    return { attempt, origin };
  }

  /**
   * What a task of the run that is resumed read, as it is in the run that resumes it; `undefined` if something of it was not taken over, so that the
   * task would hold results of another run than the one it is part of. The attempts of cached calls, which no caller asks for by name,
   * count as taken over where all that they read does.
   */
  async #readsTakenOver(
    { path, attempt, described }: ReadAttempt,
    asked: Asked,
    options: CallOptions,
  ): Promise<string[] | undefined> {
    const own = described?.readFrom ?? [];
    const readFrom: string[] = [];
    const seen = new Set<string>(own);
    const endsAtMs = clockMs() + this.#patienceMs;
    let wave: readonly string[] = own;
    while (wave.length > 0) {
      const found = await this.#readsAs(wave, asked, endsAtMs, options);
      if (!found) return undefined;
      if (wave === own) readFrom.push(...found.map(({ pathspec }) => pathspec));
      wave = found.flatMap(({ beneath = [] }) => beneath).filter((one) => !seen.has(one) && seen.add(one));
    }
    return [...readFrom, nameOf({ path, attempt })];
  }

  /** Attempts that were read, as the run that resumes has them; `undefined` if one of them is not, or is to be run again. */
  async #readsAs(
    pathspecs: readonly string[],
    asked: Asked,
    endsAtMs: number,
    options: CallOptions,
  ): Promise<ReadAs[] | undefined> {
    const { runId, resumption } = asked;
    const ofResumed: { pathspec: string; path: TaskPath }[] = [];
    for (const pathspec of pathspecs) {
      const read = parseAttemptName(pathspec);
      if (read?.flow !== this.#tasks.flow) continue;
      const isOfResumed = read.run === resumption.run;
      // A hit of the cache may lie in any run.
      if ((isOfResumed || CACHED_TASK_ID.test(read.task)) && isNamed(resumption, read)) return undefined;
      if (isOfResumed) ofResumed.push({ pathspec, path: this.#path(read, runId) });
    }
    const paths = ofResumed.map(({ path }) => path);
    const listed = await this.#tasks.attemptsOf(paths, options);
    const here = new Map(
      ofResumed.map(({ pathspec, path }, index) => [
        pathspec,
        { path, attempts: listed[index] as TaskAttempts },
      ]),
    );
    const found = await mapBounded(pathspecs, CONCURRENCY, async (pathspec) => {
      const task = here.get(pathspec);
      return task ? this.#readAs(pathspec, task, endsAtMs, options) : { pathspec };
    });
    return found.includes(undefined) ? undefined : (found as ReadAs[]);
  }

  /** An attempt of the run that is resumed, as the run that resumes has it at `path`, and what is to be looked at beneath it. */
  async #readAs(
    pathspec: string,
    { path, attempts: listed }: { path: TaskPath; attempts: TaskAttempts },
    endsAtMs: number,
    options: CallOptions,
  ): Promise<ReadAs | undefined> {
    const attempts = await this.#settled(pathspec, path, listed, endsAtMs, options);
    const latest = await this.#latest(path, attempts, options);
    if (latest?.origin === pathspec) return { pathspec: nameOf({ path, attempt: latest.attempt }) };
    if (!CACHED_TASK_ID.test(path.task)) return undefined;
    const call = await this.#tasks.find(pathspec.slice(path.flow.length + 1), {}, options);
    return call?.described?.cached ? { pathspec, beneath: call.described.readFrom } : undefined;
  }

  /**
   * The attempts of a task that was taken over from `origin`. While a later one is open, that is waited for, until `endsAtMs` of the clock of
   * `performance`: another process takes the task over as well, which is done soon, or somebody runs it again.
   */
  async #settled(
    origin: string,
    path: TaskPath,
    listed: TaskAttempts,
    endsAtMs: number,
    options: CallOptions,
  ): Promise<TaskAttempts> {
    let attempts = listed;
    for (let waitMs = FIRST_WAIT_MS; isOpen(attempts); waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
      const closed = new Map([...attempts].filter(([, files]) => files.has('done')));
      if ((await this.#latest(path, closed, options))?.origin !== origin) return attempts;
      if (clockMs() + waitMs > endsAtMs) return attempts;
      await delay(waitMs, options.signal);
      attempts = await this.#attemptsOf(path, options);
    }
    return attempts;
  }

  #path({ step, task }: { step: string; task: string }, run: string): TaskPath {
    return { flow: this.#tasks.flow, run, step, task };
  }
}

/** Nothing of it was given up by retention or an erasure. */
function isKept({ purged, erased }: ReadAttempt): boolean {
  return !purged && !erased?.artifacts.length;
}

/** The latest attempt is neither closed nor given up. */
function isOpen(attempts: TaskAttempts): boolean {
  const files = attempts.get(latestAttempt(attempts));
  return files !== undefined && !files.has('done') && !files.has('deleted');
}

/** `<flow>/<run>/<step>/<task>/<n>` */
function nameOf({ path, attempt }: Pick<ReadAttempt, 'path' | 'attempt'>): string {
  return `${path.flow}/${formatPathspec(path, attempt)}`;
}
