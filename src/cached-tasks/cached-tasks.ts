import { randomBytes } from 'node:crypto';
import { SingleFlight } from '../async/single-flight.ts';
import type { AttemptContext, OpenAttempt } from '../attempts/open-attempt.ts';
import { TaskCache, type TaskCacheOptions } from '../cache/task-cache.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { RunWriter, TaskSpec } from '../flow/run-writer.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SharedResult } from './result.ts';
import { CachedTaskWarnings } from './warnings.ts';

/** The state that the cached tasks of one flow store share. */
export class CachedTasks {
  readonly flowName: string;
  readonly context: AttemptContext;
  /** The calls under way, of all tasks: calls are identical by their keys. */
  readonly flights: SingleFlight<SharedResult> = new SingleFlight();
  readonly warnings: CachedTaskWarnings;
  readonly #writer: RunWriter;
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

  /** Opens the next attempt of a task. */
  open(spec: TaskSpec, options: CallOptions): Promise<OpenAttempt> {
    return this.#writer.open(spec, options);
  }

  /** Opens the first attempt of a task, without a listing; `undefined` where the task has some. As a rule it has none. */
  async openFirst(spec: TaskSpec, options: CallOptions): Promise<OpenAttempt | undefined> {
    try {
      return await this.#writer.open({ ...spec, attempt: 0 }, options);
    } catch (error) {
      if (isStowageError(error, 'ATTEMPT_EXISTS')) return undefined;
      throw error;
    }
  }

  /** The run of calls that are made outside any task: one per process and flow store. */
  get processRun(): string {
    this.#processRun ??= `${new Date().toISOString()}-${randomBytes(3).toString('hex')}`;
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

  /** Takes no further calls. */
  close(): void {
    this.#isClosed = true;
  }
}
