import { BoundedMap } from '../async/bounded-map.ts';
import { SingleFlight } from '../async/single-flight.ts';
import type { AttemptContext, OpenAttempt } from '../attempts/open-attempt.ts';
import { TaskCache, type TaskCacheOptions } from '../cache/task-cache.ts';
import { nodeCrypto } from '../digest/node-crypto.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { RunWriter, TaskSpec } from '../flow/run-writer.ts';
import type { CacheEntrySource } from '../format/cache-entry.ts';
import { formatPathspec } from '../format/pathspec.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SharedResult } from './result.ts';
import { CachedTaskWarnings } from './warnings.ts';

/** The names of an attempt, as the entry of its result has them. */
type AttemptNames = Pick<CacheEntrySource, 'flow' | 'run' | 'step' | 'task' | 'attempt'>;

/** The ends of so many tasks' attempts are remembered. */
const KNOWN_ATTEMPTS = 10_000;

/** The state that the cached tasks of one flow store share. */
export class CachedTasks {
  readonly flowName: string;
  readonly context: AttemptContext;
  /** The calls under way, of all tasks: calls are identical by their keys. */
  readonly flights: SingleFlight<SharedResult> = new SingleFlight();
  readonly warnings: CachedTaskWarnings;
  readonly #writer: RunWriter;
  /** The latest attempts that this process has ended, by `run/step/task`. */
  readonly #ended = new BoundedMap<string, { number: number; isUnstored: boolean }>(KNOWN_ATTEMPTS);
  readonly #cacheOptions: TaskCacheOptions | undefined;
  #cache: TaskCache | undefined;
  #processRun: string | undefined;
  #isClosed = false;

  constructor(
    flowName: string,
    context: AttemptContext,
    writer: RunWriter,
    cacheOptions: TaskCacheOptions | undefined,
  ) {
    this.flowName = flowName;
    this.context = context;
    this.warnings = new CachedTaskWarnings(flowName);
    this.#writer = writer;
    this.#cacheOptions = cacheOptions;
    if (cacheOptions !== undefined) this.#cache = new TaskCache(context.content, cacheOptions);
  }

  /** Made on first use unless options were given, so that a flow without cached tasks needs no valid `STOWAGE_CACHE_KEY`. */
  get cache(): TaskCache {
    this.#cache ??= new TaskCache(this.context.content, this.#cacheOptions);
    return this.#cache;
  }

  /** Opens the next attempt of a task. One LIST of all that it has. */
  open(spec: TaskSpec, options: CallOptions): Promise<OpenAttempt> {
    return this.#writer.open(spec, { hints: false, ...options });
  }

  /**
   * Opens the attempt after the latest one that is known, without a listing: a call that runs again and again would list all earlier ones
   * each time. `undefined` where somebody has opened more.
   *
   * @param seen - the result of some attempt that was seen, maybe of this task
   */
  async openAfter(
    seen: AttemptNames | undefined,
    spec: TaskSpec,
    options: CallOptions,
  ): Promise<OpenAttempt | undefined> {
    const path = pathOf(spec);
    const isOurs = seen?.flow === this.flowName && formatPathspec(seen) === path;
    const latest = Math.max(isOurs ? seen.attempt : -1, this.#ended.get(path)?.number ?? -1);
    try {
      return await this.#writer.open({ ...spec, attempt: latest + 1 }, { hints: false, ...options });
    } catch (error) {
      if (isStowageError(error, 'ATTEMPT_EXISTS')) return undefined;
      throw error;
    }
  }

  /** Notes an attempt of this process that has ended. `isUnstored`: it came to a result, and no entry names it yet. */
  noteEnded({ path, number }: OpenAttempt, isUnstored: boolean): void {
    this.#ended.set(formatPathspec(path), { number, isUnstored });
  }

  /** Knows a task whose latest attempt of this process came to a result that was not stored. */
  hasUnstored(spec: TaskSpec): boolean {
    return this.#ended.get(pathOf(spec))?.isUnstored ?? false;
  }

  /** The run of calls that are made outside any task: one per process and flow store. */
  get processRun(): string {
    this.#processRun ??= `${new Date().toISOString()}-${nodeCrypto().randomBytes(3).toString('hex')}`;
    return this.#processRun;
  }

  /** @throws StowageError `STORAGE_CLOSED` once the flow was closed: a call would run, and not be recorded. */
  ensureOpen(task: string): void {
    if (!this.#isClosed) return;
    throw new StowageError(
      'STORAGE_CLOSED',
      `Task "${task}" was called after its flow had been closed. Await all calls before close().`,
      { details: { task, flow: this.flowName } },
    );
  }

  /** Takes no further calls, and writes which entries were a hit. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#cache?.close();
  }
}

function pathOf({ runId, stepName, taskId }: TaskSpec): string {
  return formatPathspec({ run: runId, step: stepName, task: taskId });
}
