import { channel } from 'node:diagnostics_channel';
import { SerializerRegistry } from '../artifacts/registry.ts';
import { type ListedTask, listTasks } from '../attempts/attempt-files.ts';
import {
  type ReadAttempt,
  type ReadRule,
  readAttempt,
  readDoneAttempts,
  readTask,
} from '../attempts/attempt-reader.ts';
import {
  type AttemptContext,
  DEFAULT_MAX_INLINE_BYTES,
  type OpenAttempt,
  openAttempt,
} from '../attempts/open-attempt.ts';
import {
  parsePathspec,
  type TaskPath,
  validateAttemptNumber,
  validateTaskNames,
} from '../attempts/pathspec.ts';
import { createRunRecord, listRuns, readRunCreated, readRunFinished } from '../attempts/runs.ts';
import { BoundedMap } from '../content/bounded-map.ts';
import { ContentAddressedStore, type SavedData } from '../content/content-addressed-store.ts';
import { isStowageError, StowageError, throwIfAborted } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { openStorage } from '../storage/open.ts';
import { defaultStorageUri } from './default-storage.ts';
import {
  type CreateRunOptions,
  checkInline,
  checkOptions,
  checkRunDescription,
  checkStorage,
  type FlowDataStoreOptions,
  type TaskSpec,
} from './flow-options.ts';
import { OpenTaskDataStore } from './open-task-data-store.ts';
import { Run, type RunSummary, runNotFound, toSummary } from './run.ts';
import { TaskDataStore } from './task-data-store.ts';
import { checkNameList, type GetTasksOptions, readRuleOf } from './task-selection.ts';

/** How many runs are remembered as made. */
const KNOWN_RUNS = 10_000;
/** How many tasks are read at once. */
const CONCURRENCY = 32;

const closeFailed = channel('stowage:close-failed');

/** What users hold: the runs, tasks and content of one flow in one store. */
export class FlowDataStore implements AsyncDisposable {
  readonly flowName: string;
  /** Content by its digest, for what belongs to no task. */
  readonly caStore: ContentAddressedStore;
  readonly #context: AttemptContext;
  readonly #ownsStorage: boolean;
  readonly #knownRuns = new BoundedMap<string, true>(KNOWN_RUNS);

  private constructor(flowName: string, context: AttemptContext, ownsStorage: boolean) {
    this.flowName = flowName;
    this.caStore = context.content;
    this.#context = context;
    this.#ownsStorage = ownsStorage;
  }

  /**
   * Opens a flow in a store. Writes nothing: the store is made by the first save.
   *
   * @throws StowageError `INVALID_NAME` for the flow's name, `INVALID_ARGUMENT`, `UNKNOWN_STORAGE_SCHEME`.
   */
  static async open(options: FlowDataStoreOptions): Promise<FlowDataStore> {
    checkOptions(options);
    const {
      flowName,
      storage = defaultStorageUri(),
      serializers,
      maxInlineBytes,
      ...contentOptions
    } = options;
    validateUserName(flowName, 'flow name');
    throwIfAborted(options.signal);
    const isAddress = typeof storage === 'string' || storage instanceof URL;
    if (!isAddress) checkStorage(storage);
    const opened = isAddress ? await openStorage(storage) : storage;
    const context: AttemptContext = {
      content: new ContentAddressedStore(opened, contentOptions),
      registry: serializers ?? new SerializerRegistry(),
      maxInlineBytes: checkInline(maxInlineBytes ?? DEFAULT_MAX_INLINE_BYTES),
    };
    return new FlowDataStore(flowName, context, isAddress);
  }

  /** The storage beneath. */
  get storage(): DataStoreStorage {
    return this.caStore.storage;
  }

  /**
   * Runs `work` as an attempt of a task: done when it returns, failed when it throws. Resolves to what `work` returns,
   * and throws what it throws.
   *
   * @throws StowageError `ATTEMPT_EXISTS` before `work` is called, or what {@link OpenTaskDataStore.done} throws.
   */
  async task<T>(
    spec: TaskSpec,
    work: (task: OpenTaskDataStore) => T | Promise<T>,
    options: CallOptions = {},
  ): Promise<T> {
    if (typeof work !== 'function') {
      throw new StowageError(
        'INVALID_ARGUMENT',
        'task(spec, work) takes the function that does the work; to close the attempt by hand, use createTaskDataStore(spec).',
      );
    }
    const attempt = await this.#openAttempt(spec, options);
    try {
      const result = await work(new OpenTaskDataStore(attempt));
      if (!attempt.isClosed) await attempt.done(options);
      return result;
    } catch (error) {
      await failOrReport(attempt, error);
      throw error;
    }
  }

  /**
   * Opens an attempt of a task for writing; the caller closes it by `done()` or `fail()`.
   *
   * @throws StowageError `ATTEMPT_EXISTS` where the given number is taken; `INVALID_NAME`.
   */
  async createTaskDataStore(spec: TaskSpec, options: CallOptions = {}): Promise<OpenTaskDataStore> {
    return new OpenTaskDataStore(await this.#openAttempt(spec, options));
  }

  /**
   * Opens one task for reading, by `run/step/task` or `run/step/task/attempt`. Three requests.
   *
   * @throws StowageError `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND` (naming those there are), `ATTEMPT_NOT_DONE`,
   * `ATTEMPT_DELETED`, `RECORD_DAMAGED`, `NO_SUCH_STORE`.
   */
  async getTaskDataStore(pathspec: string, options: ReadRule & CallOptions = {}): Promise<TaskDataStore> {
    const { attempt, ...names } = parsePathspec(pathspec);
    if (attempt !== undefined && options.attempt !== undefined && options.attempt !== attempt) {
      throw new StowageError(
        'INVALID_ARGUMENT',
        `The pathspec asks for attempt ${attempt}, the options for ${String(options.attempt)}; give one of them.`,
      );
    }
    const rule = readRuleOf(attempt === undefined ? options : { ...options, attempt });
    const { signal } = options;
    await this.caStore.prepareToRead({ signal });
    const path = { flow: this.flowName, ...names };
    return this.#toStore(await readTask(this.storage, this.caStore.reader, path, rule, { signal }));
  }

  /**
   * Opens the tasks of a run for reading, in the order of their names. Tasks that the rules do not let be read
   * (not done, deleted, without the attempt asked for) are left out. One LIST, and two requests a task.
   *
   * @throws StowageError `RUN_NOT_FOUND`, `RECORD_DAMAGED`, `NO_SUCH_STORE`.
   */
  async getTaskDataStores(options: GetTasksOptions & CallOptions): Promise<TaskDataStore[]> {
    const { runId, steps, includePrior = false, signal } = options;
    const run = validateUserName(runId, 'run id');
    const rule = readRuleOf(options);
    if (steps !== undefined) checkNameList(steps, 'steps');
    await this.caStore.prepareToRead({ signal });
    const tasks: ListedTask[] = [];
    for (const step of steps ? new Set(steps) : [undefined]) {
      if (step !== undefined) validateUserName(step, 'step name');
      for await (const task of listTasks(this.storage, { flow: this.flowName, run, step }, { signal }))
        tasks.push(task);
    }
    if (tasks.length === 0) await this.#requireRun(run, { signal });
    const stores: TaskDataStore[] = [];
    for (let start = 0; start < tasks.length; start += CONCURRENCY) {
      const slice = tasks.slice(start, start + CONCURRENCY);
      const read = await Promise.all(
        slice.map((task) => this.#readListed(task, rule, includePrior, { signal })),
      );
      for (const attempts of read) for (const attempt of attempts) stores.push(this.#toStore(attempt));
    }
    return stores;
  }

  /**
   * Makes a run with tags, parameters and parents. Not needed for plain runs: the first task makes its run.
   *
   * @throws StowageError `RUN_EXISTS`, `INVALID_NAME`
   */
  async createRun(options: CreateRunOptions = {}): Promise<Run> {
    const { runId = new Date().toISOString(), tags = [], parameters = {}, parents = [], signal } = options;
    const run = validateUserName(runId, 'run id');
    const description = checkRunDescription({ tags, parameters, parents });
    await this.caStore.prepareToWrite({ signal });
    if (!(await createRunRecord(this.storage, this.flowName, run, description, { signal }))) {
      throw new StowageError(
        'RUN_EXISTS',
        `Flow ${this.flowName} has a run ${run} already. Choose another id, or open it with run(${JSON.stringify(run)}).`,
        { details: { flow: this.flowName, run } },
      );
    }
    this.#knownRuns.set(run, true);
    return new Run(this, run);
  }

  /** A run by its id; whether it exists shows when it is asked for something. */
  run(runId: string): Run {
    return new Run(this, validateUserName(runId, 'run id'));
  }

  /** The flow's runs, newest first by the store's clock. One LIST. */
  async runs(options: CallOptions = {}): Promise<RunSummary[]> {
    await this.caStore.prepareToRead(options);
    const listed = await listRuns(this.storage, this.flowName, options);
    return listed.map((run) => toSummary(this, run));
  }

  /**
   * The newest run that was finished as done, or the newest at all with `status: 'any'`; `undefined` without one.
   */
  async latestRun(options: CallOptions & { status?: 'done' | 'any' } = {}): Promise<Run | undefined> {
    const { status = 'done', signal } = options;
    for (const { run, isFinished } of await this.runs({ signal })) {
      if (status === 'any') return run;
      if (!isFinished) continue;
      const finished = await readRunFinished(this.storage, this.flowName, run.runId, { signal });
      if (finished?.status === 'done') return run;
    }
    return undefined;
  }

  /** Saves contents as plain objects that any tool opens at their URI; see {@link ContentAddressedStore.saveData}. */
  async saveData(
    files: Parameters<ContentAddressedStore['saveData']>[0],
    options: CallOptions = {},
  ): Promise<SavedData[]> {
    return this.caStore.saveData(files, options);
  }

  /** Loads contents by their keys; see {@link ContentAddressedStore.loadBlobs}. */
  loadData(
    keys: Parameters<ContentAddressedStore['loadBlobs']>[0],
    options: CallOptions = {},
  ): ReturnType<ContentAddressedStore['loadBlobs']> {
    return this.caStore.loadBlobs(keys, options);
  }

  /** Closes the storage, unless the caller passed it in. */
  async close(): Promise<void> {
    if (this.#ownsStorage) await this.storage.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #openAttempt(spec: TaskSpec, { signal }: CallOptions): Promise<OpenAttempt> {
    if (typeof spec !== 'object' || spec === null) {
      throw new StowageError(
        'INVALID_ARGUMENT',
        'A task is named by an object: { runId, stepName, taskId }.',
      );
    }
    const path = this.#path(spec);
    if (spec.attempt !== undefined) validateAttemptNumber(spec.attempt);
    await this.caStore.prepareToWrite({ signal });
    await this.#ensureRun(path.run, { signal });
    return openAttempt(this.#context, path, { attempt: spec.attempt, signal });
  }

  #path({ runId, stepName, taskId }: TaskSpec): TaskPath {
    return { flow: this.flowName, ...validateTaskNames({ run: runId, step: stepName, task: taskId }) };
  }

  #toStore(read: ReadAttempt): TaskDataStore {
    return new TaskDataStore(this.caStore, this.#context.registry, read);
  }

  /** The first opener of a run in a process creates created.json if absent. */
  async #ensureRun(run: string, options: CallOptions): Promise<void> {
    if (this.#knownRuns.get(run)) return;
    await createRunRecord(
      this.storage,
      this.flowName,
      run,
      { tags: [], parameters: {}, parents: [] },
      options,
    );
    this.#knownRuns.set(run, true);
  }

  async #requireRun(run: string, options: CallOptions): Promise<void> {
    if (!(await readRunCreated(this.storage, this.flowName, run, options)))
      throw runNotFound(this.flowName, run);
  }

  async #readListed(
    { path, attempts }: ListedTask,
    rule: ReadRule,
    includePrior: boolean,
    options: CallOptions,
  ): Promise<ReadAttempt[]> {
    const { reader } = this.caStore;
    if (includePrior) return readDoneAttempts(this.storage, reader, path, attempts, options);
    try {
      return [await readAttempt(this.storage, reader, path, attempts, rule, options)];
    } catch (error) {
      if (isStowageError(error, 'ATTEMPT_NOT_FOUND', 'ATTEMPT_NOT_DONE', 'ATTEMPT_DELETED')) return [];
      throw error;
    }
  }
}

/**
 * The user's error is what is thrown. If it could not be recorded, the channel `stowage:close-failed` tells; the attempt stays
 * open then, without signs of life, since nobody is left to close it.
 */
async function failOrReport(attempt: OpenAttempt, error: unknown): Promise<void> {
  if (attempt.isClosed) return;
  try {
    await attempt.fail(error);
  } catch (failure) {
    await attempt.letGo();
    closeFailed.publish({ pathspec: attempt.pathspec, error, failure });
  }
}
