import { BoundedMap } from '../async/bounded-map.ts';
import { mapBounded } from '../async/bounded-work.ts';
import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { failOrReport } from '../attempts/failing-attempts.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { invalidArgument, isStowageError, type StowageError } from '../errors.ts';
import { latestAttempt, listAttempts } from '../format/attempt-files.ts';
import { CACHED_TASK_ID } from '../format/cache-names.ts';
import { formatPathspec, parseAttemptName } from '../format/pathspec.ts';
import type { CallOptions } from '../storage/contract.ts';
import { isNamed, type Resumption } from './resumed-run.ts';
import type { RunWriter, TaskSpec } from './run-writer.ts';
import { TaskDataStore } from './task-data-store.ts';
import type { TaskOpener } from './task-opener.ts';

/** Of so many attempts it is remembered what they were taken over from. */
const KNOWN_ATTEMPTS = 10_000;
/** So many attempts that a task read are looked at at once. */
const CONCURRENCY = 16;

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

/** A task that was asked for in a run that resumes another: taken over, or its content was lost, and the attempt is there for whoever runs it. */
export type Resumed =
  | { taken: TaskDataStore; lost?: never; attempt?: never }
  | { taken?: never; lost: StowageError; attempt: OpenAttempt };

/** Takes over tasks of the runs that runs of a flow resume. Nothing of it concerns other runs. */
export class ResumedTasks {
  readonly #tasks: TaskOpener;
  readonly #writer: RunWriter;
  /** What attempts of runs that resume others were taken over from (`null`: they ran), which never changes, by their pathspecs. */
  readonly #origins = new BoundedMap<string, string | null>(KNOWN_ATTEMPTS);

  constructor(tasks: TaskOpener, writer: RunWriter) {
    this.#tasks = tasks;
    this.#writer = writer;
  }

  /**
   * Takes over a task, or finds that it was taken over before. `undefined` where it is to be run: its run resumes none, the task is named to
   * be run again, ran in this run before, is not done in the other run, was given up there as a whole or in part, or read something there that was not taken over.
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
    const latest = await this.#latest(asked, options);
    const isStanding = latest && (spec.attempt === undefined || spec.attempt === latest.attempt);
    if (latest?.origin === null) return undefined;
    if (isStanding && latest.origin !== undefined) {
      const read = await this.#tasks.open(formatPathspec(pathIn(asked), latest.attempt), {}, options);
      if (!read.purged) return { taken: this.#restorable(read, isRestored) };
    }
    const old = await this.#tasks.find(formatPathspec(pathIn(asked, resumption.run)), {}, options);
    if (!old || old.purged || (old.erased?.artifacts.length ?? 0) > 0) return undefined;
    const readFrom = await this.#readsTakenOver(old, asked, options);
    if (!readFrom) return undefined;
    return this.#clone(this.#restorable(old, isRestored), old, readFrom, spec, options);
  }

  /** @throws StowageError `INVALID_ARGUMENT` for a task whose function returned a value, which nobody has */
  #restorable(read: ReadAttempt, isRestored: boolean): TaskDataStore {
    const task = this.#tasks.toStore(read);
    if (isRestored || !read.described?.returned) return task;
    throw invalidArgument(
      `Task ${task.pathspec} of flow ${task.flowName} is done, and to be taken over without being run; but its function returned a value, and values that functions return are not kept. Tell what it returned from what the task saved, task(spec, work, { restore: (task) => task.get('name') }), or name its step in rerun where the run is created.`,
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
      if (isStowageError(error, 'CONTENT_NOT_FOUND')) return { lost: error, attempt };
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

  /**
   * The latest attempt of a task in the run that resumes, if it is done, and what it was taken over from; `null` for nothing. One LIST, and two
   * requests for what is not remembered.
   */
  async #latest(
    asked: Asked,
    options: CallOptions,
  ): Promise<{ attempt: number; origin: string | null } | undefined> {
    const path = pathIn(asked);
    const attempts = await listAttempts(
      this.#tasks.content.storage,
      { flow: this.#tasks.flow, ...path },
      options,
    );
    const attempt = latestAttempt(attempts);
    const files = attempts.get(attempt);
    if (!files?.has('done') || files.has('deleted')) return undefined;
    const pathspec = formatPathspec(path, attempt);
    const known = this.#origins.get(pathspec);
    if (known !== undefined) return { attempt, origin: known };
    const read = await this.#tasks.find(pathspec, {}, options);
    if (!read) return undefined;
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
    let wave: readonly string[] = own;
    while (wave.length > 0) {
      const found = await mapBounded(wave, CONCURRENCY, (pathspec) => this.#readAs(pathspec, asked, options));
      if (found.includes(undefined)) return undefined;
      if (wave === own) readFrom.push(...found.map((one) => one?.pathspec as string));
      wave = found.flatMap((one) => one?.beneath ?? []).filter((one) => !seen.has(one) && seen.add(one));
    }
    return [...readFrom, `${path.flow}/${formatPathspec(path, attempt)}`];
  }

  /** An attempt that was read, as the run that resumes has it, and what is to be looked at beneath it. */
  async #readAs(
    pathspec: string,
    asked: Asked,
    options: CallOptions,
  ): Promise<{ pathspec: string; beneath?: readonly string[] } | undefined> {
    const { flow } = this.#tasks;
    const { runId, resumption } = asked;
    const read = parseAttemptName(pathspec);
    if (read?.flow !== flow) return { pathspec };
    const isOfResumed = read.run === resumption.run;
    // A hit of the cache may lie in any run.
    if ((isOfResumed || CACHED_TASK_ID.test(read.task)) && isNamed(resumption, read)) return undefined;
    if (!isOfResumed) return { pathspec };
    const { step, task } = read;
    const latest = await this.#latest({ runId, step, task, resumption }, options);
    if (latest?.origin === pathspec)
      return { pathspec: `${flow}/${formatPathspec({ run: runId, step, task }, latest.attempt)}` };
    if (!CACHED_TASK_ID.test(task)) return undefined;
    const call = await this.#tasks.find(pathspec.slice(flow.length + 1), {}, options);
    return call?.described?.cached ? { pathspec, beneath: call.described.readFrom } : undefined;
  }
}

/** The task in its run, or in another. */
function pathIn({ runId, step, task }: Asked, run = runId): { run: string; step: string; task: string } {
  return { run, step, task };
}
