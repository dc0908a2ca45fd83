import { endAll } from './async/end-all.ts';
import { onUse } from './async/open-files.ts';
import type { ReadRule } from './attempts/attempt-reader.ts';
import { failOrReport } from './attempts/failing-attempts.ts';
import { DEFAULT_MAX_INLINE_BYTES } from './attempts/inline-value.ts';
import type { AttemptContext } from './attempts/open-attempt.ts';
import type { TaskCache, TaskCacheOptions } from './cache/task-cache.ts';
import { type CachedTask, defineCachedTask, type Widened } from './cached-tasks/cached-task.ts';
import { CachedTasks } from './cached-tasks/cached-tasks.ts';
import { withinTask } from './cached-tasks/current-task.ts';
import type { CachedTaskOptions } from './cached-tasks/options.ts';
import type { ByteCache } from './content/caches/byte-cache.ts';
import type { PlaceSettings } from './content/places/places.ts';
import { ContentAddressedStore, type SaveDataOptions, type SavedData } from './content-addressed-store.ts';
import { defaultStorageUri } from './default-storage.ts';
import { invalidArgument, throwIfAborted } from './errors.ts';
import type { OpenedTasks } from './flow/left-out.ts';
import { OpenTaskDataStore } from './flow/open-task-data-store.ts';
import { ResumedTasks, type RunTaskOptions } from './flow/resumed-tasks.ts';
import { listSummaries, Run, type RunSummary } from './flow/run.ts';
import { RUN_FILTER, type RunFilter } from './flow/run-selection.ts';
import { CREATE_RUN, type CreateRunOptions, RunWriter, type TaskSpec } from './flow/run-writer.ts';
import { TaskDataStore } from './flow/task-data-store.ts';
import {
  openSet,
  PREFETCH_OPTIONS,
  type PrefetchOptions,
  type TaskDataStoreSet,
} from './flow/task-data-store-set.ts';
import { TaskOpener } from './flow/task-opener.ts';
import { isByName, readRuleOf, TASK_SELECTION, type TaskSelection } from './flow/task-selection.ts';
import { checkFlowOptions, type FlowDataStoreOptions } from './flow-options.ts';
import { type LogChoice, validateLogChoice } from './format/log-names.ts';
import { DEFAULT_OWN_BYTES } from './format/own-values.ts';
import { parsePathspec } from './format/pathspec.ts';
import { type ScrubbedLog, scrubLogs } from './logs/log-scrubbing.ts';
import { checkOptionNames } from './options/option-names.ts';
import { checkOptions, FUNCTION, oneOf } from './options/option-table.ts';
import { checkPublish, type PublishOptions } from './published/publish-options.ts';
import type { PublishedVersion } from './published/published-version.ts';
import type { PublishedFilter, PublishedSummary, PublishedVersions } from './published/published-versions.ts';
import { Directories } from './references/directories.ts';
import { closeStatIndex } from './references/directory/stat-index.ts';
import { StandaloneKeeper } from './references/file-keeper.ts';
import { Files } from './references/files.ts';
import { Frames } from './references/frames.ts';
import type { CallOptions, DataStoreStorage } from './storage/contract.ts';
import { validateUserName } from './storage/names.ts';
import { openStorage } from './storage/open.ts';
import { SerializerRegistry } from './values/registry.ts';
import type { SerializerInfo } from './values/serializer.ts';

/** Most programs publish nothing. */
const published = onUse(() => import('./published/published-versions.ts'));

/** Opens the runs, tasks and content of one flow in one store. */
export class FlowDataStore implements AsyncDisposable {
  /** The flow's name. */
  readonly flowName: string;
  /** Content by its digest, for what belongs to no task. */
  readonly caStore: ContentAddressedStore;
  readonly #context: AttemptContext;
  readonly #ownsStorage: boolean;
  readonly #reader: TaskOpener;
  readonly #cachedTasks: CachedTasks;
  readonly #writer: RunWriter;
  readonly #resumed: ResumedTasks;
  readonly #files: Files;
  readonly #frames: Frames;
  readonly #directories: Directories;

  private constructor(
    flowName: string,
    context: AttemptContext,
    ownsStorage: boolean,
    cache: TaskCacheOptions | undefined,
  ) {
    this.flowName = flowName;
    this.caStore = context.content;
    this.#context = context;
    this.#ownsStorage = ownsStorage;
    this.#reader = new TaskOpener(flowName, context);
    this.#writer = new RunWriter(flowName, context);
    this.#resumed = new ResumedTasks(this.#reader, this.#writer);
    const keeper = new StandaloneKeeper(context.content);
    this.#files = new Files(keeper);
    this.#frames = new Frames(this.#files);
    this.#directories = new Directories(keeper);
    this.#cachedTasks = new CachedTasks(flowName, context, this.#writer, cache);
  }

  /**
   * Opens a flow in a store. Writes nothing: the store is made by the first save.
   *
   * @throws StowageError `INVALID_NAME` for the flow's name, `INVALID_ARGUMENT`, `UNKNOWN_STORAGE_SCHEME`.
   */
  static async open(options: FlowDataStoreOptions): Promise<FlowDataStore> {
    const flow = await FlowDataStore.openAround(options, {});
    if (flow.storage.type !== 'postgres' || options.rawDataPath !== undefined) return flow;
    await flow.close();
    throw invalidArgument(
      'A database of PostgreSQL keeps records and small values; say where content is to go: { rawDataPath: "s3://bucket/prefix" }, or a folder that all machines share.',
    );
  }

  /**
   * Opens a flow as {@link open} does. `around` tells by which address its storage was opened, and decorates the storages of places.
   *
   * @internal
   */
  static async openAround(options: FlowDataStoreOptions, around: PlaceSettings): Promise<FlowDataStore> {
    checkFlowOptions(options);
    const {
      flowName,
      storage = defaultStorageUri(),
      serializers,
      maxInlineBytes = DEFAULT_MAX_INLINE_BYTES,
      ownBytes = DEFAULT_OWN_BYTES,
      cache,
      ...contentOptions
    } = options;
    validateUserName(flowName, 'flow name');
    throwIfAborted(options.signal);
    const isAddress = typeof storage === 'string' || storage instanceof URL;
    const opened = isAddress ? await openStorage(storage) : storage;
    const context: AttemptContext = {
      content: new ContentAddressedStore(opened, contentOptions, {
        ...around,
        ...(isAddress ? { home: String(storage) } : {}),
      }),
      registry: serializers ?? new SerializerRegistry(),
      maxInlineBytes,
      ownBytes,
    };
    return new FlowDataStore(flowName, context, isAddress, cache);
  }

  /** The storage beneath. */
  get storage(): DataStoreStorage {
    return this.caStore.storage;
  }

  /** The store's address, in the form other tools of its storage understand. */
  get datastoreRoot(): string {
    return this.storage.uri('stowage.json').slice(0, -'/stowage.json'.length);
  }

  /** The kind of storage beneath: `local`, `memory`, ... */
  get type(): string {
    return this.storage.type;
  }

  /**
   * Runs `work` as an attempt of a task: done when it returns, failed when it throws. Resolves to what `work` returns,
   * and throws what it throws. In a run that resumes another, `work` is not called for a task that is taken over from there (see
   * {@link CreateRunOptions.resume}); the result is that of `restore` then, or nothing where `work` returned nothing.
   *
   * @throws StowageError `ATTEMPT_EXISTS` before `work` is called, or what {@link OpenTaskDataStore.done} throws; `INVALID_ARGUMENT` for a
   * task that would be taken over, and whose function returned a value, without `restore`.
   */
  async task<T>(
    spec: TaskSpec,
    work: (task: OpenTaskDataStore) => T | Promise<T>,
    options: RunTaskOptions<T> = {},
  ): Promise<T> {
    if (typeof work !== 'function') {
      throw invalidArgument(
        'task(spec, work) takes the function that does the work; to close the attempt by hand, use createTaskDataStore(spec).',
      );
    }
    checkOptions<RunTaskOptions<T>>(options, 'task', { restore: FUNCTION });
    const { restore, signal } = options;
    const resumed = await this.#resumed.takeOver(spec, { isRestored: restore !== undefined, signal });
    // Without `restore` its function returned nothing, or this was refused.
    if (resumed?.taken) return restore ? restore(resumed.taken) : (undefined as T);
    const attempt = resumed?.attempt ?? (await this.#writer.open(spec, { signal }));
    // Also of a function that closes its attempt itself, before anybody knows what it returns.
    attempt.returns = true;
    const within = { tasks: this.#cachedTasks, runId: attempt.path.run, attempt, key: undefined };
    try {
      const result = await withinTask(within, () => work(new OpenTaskDataStore(attempt)));
      attempt.returns = result !== undefined;
      if (!attempt.isClosed) await attempt.done({ signal });
      return result;
    } catch (error) {
      await failOrReport(attempt, error);
      throw error;
    }
  }

  /**
   * Wraps a function so that equal calls return the stored result, across runs, processes and machines. A miss runs the function as
   * an attempt of a task, `<run>/<name>/<key>`, within the run of the task that calls it, else within one of this process.
   *
   * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`
   */
  cachedTask<
    Input,
    Result extends OutputInput | Widened<OutputInput>,
    CallInput = Input,
    Output = Awaited<Result>,
    OutputInput = unknown,
  >(
    options: CachedTaskOptions<CallInput, Input, Result, Output, OutputInput>,
  ): CachedTask<CallInput, Output> {
    return defineCachedTask(this.#cachedTasks, options);
  }

  /**
   * References to files, for what belongs to no task: what is saved here is kept until `caStore.release(file.session)`. A task has
   * files of its own.
   */
  get files(): Files {
    return this.#files;
  }

  /** References to data frames, for what belongs to no task, likewise. A task has frames of its own. */
  get frames(): Frames {
    return this.#frames;
  }

  /** References to directories; what is saved here is kept as {@link files} are. */
  get directories(): Directories {
    return this.#directories;
  }

  /** The results of cached tasks by their keys, for engines of one's own. */
  get cache(): TaskCache {
    return this.#cachedTasks.cache;
  }

  /**
   * Takes over a task from the run that its run resumes, as {@link task} does, for engines that open and close attempts themselves. Resolves to the
   * task, done in this run. `undefined` where it is to be run, by {@link createTaskDataStore}, which never takes over: its run resumes
   * none, the task is not done there, or was given up, or it is to be run again, or rests on something that is, or content of it was lost when it
   * was asked for last.
   *
   * @throws StowageError `CONTENT_NOT_FOUND` where content of it is lost: the attempt is failed, and the next call gives `undefined`;
   * `ATTEMPT_EXISTS` where the given number is taken; `INVALID_NAME`.
   */
  async takeOverTask(spec: TaskSpec, options: CallOptions = {}): Promise<TaskDataStore | undefined> {
    checkOptionNames(options, 'takeOverTask');
    const { signal } = options;
    return this.#resumed.takeOverByHand(spec, { signal });
  }

  /**
   * Opens an attempt of a task for writing; the caller closes it by `done()` or `fail()`.
   *
   * @throws StowageError `ATTEMPT_EXISTS` where the given number is taken; `INVALID_NAME`.
   */
  async createTaskDataStore(spec: TaskSpec, options: CallOptions = {}): Promise<OpenTaskDataStore> {
    checkOptionNames(options, 'createTaskDataStore');
    return new OpenTaskDataStore(await this.#writer.open(spec, options));
  }

  /**
   * Opens one task for reading, by `run/step/task` or `run/step/task/attempt`. Three requests.
   *
   * @throws StowageError `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND` (naming those there are), `ATTEMPT_NOT_DONE`,
   * `ATTEMPT_DELETED`, `RECORD_DAMAGED`, `NO_SUCH_STORE`.
   */
  async getTaskDataStore(pathspec: string, options: ReadRule & CallOptions = {}): Promise<TaskDataStore> {
    checkOptionNames(options, 'getTaskDataStore', ['attempt', 'allowNotDone']);
    const { signal } = options;
    const rule = readRuleOf(options);
    parsePathspec(pathspec);
    await this.caStore.prepareToRead({ signal });
    return this.#reader.toStore(await this.#reader.open(pathspec, rule, { signal }));
  }

  /**
   * Opens one task for reading if it is done: by default its latest attempt, by `attempt` another. `undefined` for whatever is not there,
   * or not done: no store yet, no such run, task or attempt, or one that is open, failed, given up or deleted. Three requests.
   *
   * @throws StowageError `INVALID_PATHSPEC`, `INVALID_NAME`, `INVALID_ARGUMENT`, `RECORD_DAMAGED`, and storage's errors
   */
  async findTask(
    pathspec: string,
    options: Pick<ReadRule, 'attempt'> & CallOptions = {},
  ): Promise<TaskDataStore | undefined> {
    checkOptionNames(options, 'findTask', ['attempt']);
    const { signal } = options;
    const found = await this.#reader.find(pathspec, readRuleOf(options), { signal });
    return found && this.#reader.toStore(found);
  }

  /**
   * Opens many tasks for reading. Those of a run, or of some of its steps, come in the order of their names; tasks that the rules
   * do not let be read (not done, deleted, without the attempt asked for) are left out: `leftOut` of the result names each, and why;
   * with `require: 'all'` they are an error. One LIST, and two requests a task. A store that is not there yet has no tasks. Tasks
   * by name come in the order of `pathspecs`, and one that cannot be read is an error, as in {@link getTaskDataStore}.
   * A description is checked against its digest at once, and parsed when something that it tells is first asked for.
   *
   * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `RECORD_DAMAGED`; `ATTEMPT_NOT_DONE` where all are required; by name also
   * `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`, `ATTEMPT_NOT_DONE`, `ATTEMPT_DELETED`, `INVALID_PATHSPEC`, `NO_SUCH_STORE`.
   */
  async getTaskDataStores(selection: TaskSelection & CallOptions): Promise<OpenedTasks> {
    checkOptions(selection, 'getTaskDataStores', TASK_SELECTION);
    return this.#reader.stores(selection);
  }

  /**
   * Opens many tasks at once, as {@link getTaskDataStores} does, and fetches the artifacts named by `prefetch`, each content once
   * however many tasks share it, so that loading them later costs no request.
   *
   * @throws StowageError as {@link getTaskDataStores}; `ARTIFACT_NOT_FOUND` for a name in `prefetch` that none of the tasks has
   */
  async getTaskDataStoreSet(
    selection: TaskSelection & PrefetchOptions & CallOptions,
  ): Promise<TaskDataStoreSet> {
    checkOptions(selection, 'getTaskDataStoreSet', { ...TASK_SELECTION, ...PREFETCH_OPTIONS });
    isByName(selection); // or neither: refused before anything is read
    const { signal } = selection;
    const { registry, content } = this.#context;
    return openSet(() => this.#reader.select(selection), content, registry, selection, {
      signal,
    });
  }

  /**
   * Makes a run with tags, parameters and parents, and keeps the code that makes it. Not needed for plain runs: the first task makes its run.
   * Where the code cannot be kept, no run is made.
   *
   * @throws StowageError `RUN_EXISTS`, `INVALID_NAME`, `INVALID_ARGUMENT`; for what it resumes `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`,
   * `NO_SUCH_STORE`; for its code as {@link Directories.fromLocal}
   */
  async createRun(options: CreateRunOptions = {}): Promise<Run> {
    checkOptions<CreateRunOptions>(options, 'createRun', CREATE_RUN);
    return new Run(this.#reader, await this.#writer.create(options));
  }

  /** A run by its id; whether it exists shows when it is asked for something. */
  run(runId: string): Run {
    return new Run(this.#reader, validateUserName(runId, 'run id'));
  }

  /**
   * The flow's runs, newest first: all, or those that a filter lets through. Their order is that of their creation, by their creators'
   * clocks, in copies of the store too. A store that is not there yet has none. One LIST; tags and statuses cost further requests, see {@link RunFilter}. A run whose record cannot be
   * read ends no listing: where a filter asks for it, the run is listed with its `problem`.
   */
  async runs(options: RunFilter & CallOptions = {}): Promise<RunSummary[]> {
    checkOptions<RunFilter & CallOptions>(options, 'runs', RUN_FILTER);
    const { signal, ...filter } = options;
    return listSummaries(this.#reader, filter, { signal });
  }

  /**
   * The newest run that was finished as done, or the newest at all with `status: 'any'`; with `tags` the newest that has all of
   * them. `undefined` without one, and where there is no store yet.
   *
   * @throws StowageError `RECORD_DAMAGED` and the like, where a newer run may be the one, and its record cannot be read
   */
  async latestRun(
    options: CallOptions & Pick<RunFilter, 'tags'> & { status?: 'done' | 'any' } = {},
  ): Promise<Run | undefined> {
    checkOptions(options, 'latestRun', { status: oneOf('done', 'any'), tags: RUN_FILTER.tags });
    const { status = 'done', tags, signal } = options;
    const filter: RunFilter = { tags, status: status === 'any' ? undefined : status, limit: 1 };
    const [latest] = await listSummaries(this.#reader, filter, { signal });
    if (latest?.problem) throw latest.problem;
    return latest?.run;
  }

  /**
   * Publishes an artifact of a task that is done, under a name of the whole store, as the version behind the newest. It is kept until it is
   * withdrawn, whatever becomes of its run. Nothing is copied but small values that a bucket keeps with their task. After a failure of the storage
   * the version may be there all the same, so that to publish again may make a second one; pass `version` to be told.
   *
   * @throws StowageError `PUBLISHED_EXISTS` for a `version` that was published or withdrawn before, `INVALID_ARGUMENT` for one that is not
   * the next; `ATTEMPT_NOT_DONE`, `ARTIFACT_NOT_FOUND`, `CONTENT_PURGED`, `CONTENT_ERASED`, `CONTENT_NOT_FOUND`; `INVALID_NAME`; for a
   * pathspec as {@link getTaskDataStore}
   */
  async publish(name: string, options: PublishOptions & CallOptions): Promise<PublishedVersion> {
    const checked = checkPublish(name, options);
    const { task, signal } = options;
    const opened = typeof task === 'string' ? await this.getTaskDataStore(task, { signal }) : task;
    const origin = TaskDataStore.viewOf(opened, 'publish');
    return (await this.#published()).publish(origin, checked, { signal });
  }

  /**
   * A published version by its name and number; by default the newest that was not withdrawn. Four requests.
   *
   * @throws StowageError `PUBLISHED_NOT_FOUND`, `PUBLISHED_WITHDRAWN`, `NO_SUCH_STORE`, `RECORD_DAMAGED`, `INVALID_NAME`
   */
  async getPublished(
    name: string,
    version: number | 'latest' = 'latest',
    options: CallOptions = {},
  ): Promise<PublishedVersion> {
    checkOptionNames(options, 'getPublished');
    return (await this.#published()).get(name, version, options);
  }

  /**
   * The published versions of the store: of a `name` all, newest first; else the latest of each name. A store that is not there yet has
   * none. One LIST, and three GETs for each. A version whose records cannot be read is listed with its `problem`.
   */
  async listPublished(options: PublishedFilter & CallOptions = {}): Promise<PublishedSummary[]> {
    return (await this.#published()).list(options);
  }

  /**
   * Withdraws a published version for good: it is marked, and then what it keeps is given up. `latest` is the one before it, and its number
   * is never used again. Idempotent.
   *
   * @throws StowageError `PUBLISHED_NOT_FOUND`, `NO_SUCH_STORE`, `INVALID_NAME`, `RECORD_DAMAGED`
   */
  async withdrawPublished(name: string, version: number, options: CallOptions = {}): Promise<void> {
    checkOptionNames(options, 'withdrawPublished');
    await (await this.#published()).withdraw(name, version, options);
  }

  async #published(): Promise<PublishedVersions> {
    const { PublishedVersions } = await published();
    return new PublishedVersions(this.caStore, this.#context.registry);
  }

  /** The serializers that values are saved by, in the order in which they are tried, and why one cannot be used. */
  async serializers(): Promise<SerializerInfo[]> {
    return this.#context.registry.describe();
  }

  /**
   * Keeps contents that are loaded whole in a cache, and looks there first; `undefined` for none. For all flows opened on the same
   * {@link caStore} only. What a cache returns is verified, and its failures cost speed only.
   */
  setBlobCache(cache: ByteCache | undefined): void {
    this.caStore.setBlobCache(cache);
  }

  /** Keeps descriptions of closed attempts in a cache, so that opening one again costs one request; `undefined` for none. */
  setMetadataCache(cache: ByteCache | undefined): void {
    this.#reader.useMetadataCache(cache);
  }

  /**
   * Takes what logs say out of a closed attempt, for good: only a note of when remains. All logs, unless a source or a stream is
   * named. The one thing about a closed attempt that can change. Idempotent; an attempt that is still open is scrubbed by its owner.
   *
   * @throws StowageError `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`, `ATTEMPT_NOT_DONE`; where something could not be deleted, the
   * storage's error, which names it.
   */
  async scrubLogs(pathspec: string, options: LogChoice & CallOptions = {}): Promise<ScrubbedLog[]> {
    checkOptionNames(options, 'scrubLogs', ['source', 'stream']);
    const { signal, ...logs } = options;
    validateLogChoice(logs);
    await this.caStore.prepareToRead({ signal });
    const { path, attempt } = await this.#reader.closedAttempt(pathspec, { signal });
    return scrubLogs(this.storage, path, attempt, logs, { signal });
  }

  /** Saves contents as plain objects that any tool opens at their URI; see {@link ContentAddressedStore.saveData}. */
  async saveData(
    files: Parameters<ContentAddressedStore['saveData']>[0],
    options: SaveDataOptions = {},
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

  /**
   * Closes the storage, unless the caller passed it in, and those of other places that were opened. Saves that are under way there
   * end with `STORAGE_CLOSED`.
   *
   * @throws what a storage throws that cannot be closed, once all others are; of several a StowageError `STORAGE_FAILED`, whose cause is an
   * `AggregateError` of all
   */
  async close(): Promise<void> {
    await endAll([
      () => this.#cachedTasks.close(),
      () => this.#ownsStorage && this.caStore.endSaves(),
      () => closeStatIndex(this.caStore),
      () => this.caStore.close(),
      () => this.#ownsStorage && this.storage.close(),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
