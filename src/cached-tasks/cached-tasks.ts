import { randomBytes } from 'node:crypto';
import { SingleFlight } from '../async/single-flight.ts';
import { TaskCache, type TaskCacheOptions } from '../cache/task-cache.ts';
import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import { TaskDataStore } from '../flow/task-data-store.ts';
import { TaskOpener } from '../flow/task-opener.ts';
import type { TaskSpec } from '../flow-options.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import { type CachedTask, toCachedTask } from './cached-task.ts';
import type { CachedTaskHost } from './cached-task-host.ts';
import type { CachedTaskOptions } from './cached-task-options.ts';
import type { Provenance, SharedResult } from './result.ts';
import { TaskDefinition } from './task-definition.ts';
import { CachedTaskWarnings } from './warnings.ts';

/** What a flow gives its cached tasks. */
export interface CachedTasksOptions {
  flow: object;
  flowName: string;
  content: ContentAddressedStore;
  registry: SerializerRegistry;
  openAttempt: (spec: TaskSpec, options: CallOptions) => Promise<OpenTaskDataStore>;
  cache: TaskCacheOptions | undefined;
}

/** The cached tasks of one flow in one store. */
export class CachedTasks implements CachedTaskHost {
  readonly flow: object;
  readonly flowName: string;
  readonly content: ContentAddressedStore;
  readonly registry: SerializerRegistry;
  /** Shared by all tasks of the flow: what makes calls identical is their key. */
  readonly flights: SingleFlight<SharedResult> = new SingleFlight();
  readonly warnings: CachedTaskWarnings;
  readonly #openAttempt: CachedTasksOptions['openAttempt'];
  readonly #cacheOptions: TaskCacheOptions | undefined;
  #cache: TaskCache | undefined;
  #processRun: string | undefined;
  #isClosed = false;

  constructor({ flow, flowName, content, registry, openAttempt, cache }: CachedTasksOptions) {
    this.flow = flow;
    this.flowName = flowName;
    this.warnings = new CachedTaskWarnings(flowName);
    this.content = content;
    this.registry = registry;
    this.#openAttempt = openAttempt;
    this.#cacheOptions = cache;
    if (cache !== undefined) this.#cache = new TaskCache(content, cache);
  }

  /** Without options made when it is first asked for: whoever has no cached task needs no valid `STOWAGE_CACHE_KEY`. */
  get cache(): TaskCache {
    this.#cache ??= new TaskCache(this.content, this.#cacheOptions);
    return this.#cache;
  }

  define<CallInput, Input, Result, Output>(
    options: CachedTaskOptions<CallInput, Input, Result, Output>,
  ): CachedTask<CallInput, Output> {
    return toCachedTask(
      new TaskDefinition(this, options as CachedTaskOptions<unknown, Input, unknown, Output>),
    );
  }

  async openFirst(spec: TaskSpec, options: CallOptions): Promise<OpenTaskDataStore | undefined> {
    try {
      return await this.#openAttempt({ ...spec, attempt: 0 }, options);
    } catch (error) {
      if (isStowageError(error, 'ATTEMPT_EXISTS')) return undefined;
      throw error;
    }
  }

  openNext(spec: TaskSpec, options: CallOptions): Promise<OpenTaskDataStore> {
    return this.#openAttempt(spec, options);
  }

  ensureOpen(task: string): void {
    if (!this.#isClosed) return;
    throw new StowageError(
      'STORAGE_CLOSED',
      `Task "${task}" was called after its flow had been closed. Await all calls before close().`,
      { details: { task, flow: this.flowName } },
    );
  }

  /** No further call is taken. */
  close(): void {
    this.#isClosed = true;
  }

  processRun(): string {
    this.#processRun ??= `${new Date().toISOString()}-${randomBytes(3).toString('hex')}`;
    return this.#processRun;
  }

  async openSource(
    { flowName, pathspec, metadataDigest }: Provenance,
    options: CallOptions,
  ): Promise<TaskDataStore> {
    const read = await new TaskOpener(flowName, this.content).open(pathspec, {}, options);
    // An entry may be signed, attempts are not: what was planted in its place is not to be recorded as the result.
    if (read.done?.metadataDigest !== metadataDigest) throw notTheSource(flowName, pathspec);
    return new TaskDataStore(this.content, this.registry, read);
  }
}

function notTheSource(flowName: string, pathspec: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${pathspec} of flow ${flowName} is not the attempt that its cache entry names, so that the hit is not recorded: its metadata.json is another one. Somebody replaced it; evict the entry.`,
    { details: { flow: flowName, pathspec } },
  );
}
