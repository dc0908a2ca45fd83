import type { ProgressOptions } from '../async/progress.ts';
import type { ArtifactStreamOptions, Artifacts, SaveOptions } from '../attempts/artifact-input.ts';
import type { AttemptView } from '../attempts/attempt-view.ts';
import { checkDescribed } from '../attempts/attempt-view.ts';
import type { Metadata } from '../attempts/metadata-parts.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { artifactSubject, type SaveCall } from '../attempts/save-calls.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import type { LogChoice } from '../format/log-names.ts';
import type { ScrubbedLog } from '../logs/log-scrubbing.ts';
import type { LogStreams } from '../logs/log-streams.ts';
import type { SaveLogsOptions } from '../logs/log-writer.ts';
import { checkOptionNames } from '../options/option-names.ts';
import { checkOptions, PROGRESS_OPTIONS } from '../options/option-table.ts';
import { Directories } from '../references/directories.ts';
import { Files } from '../references/files.ts';
import { Frames } from '../references/frames.ts';
import type { Report, ReportOptions } from '../reports/report.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { Checkpoints } from '../trace/checkpoints.ts';
import { TaskRecords } from '../trace/task-records.ts';
import type { Traced } from '../trace/traces.ts';
import { agreedArtifacts, type MergeOptions } from './merge-artifacts.ts';
import { isTask, notTasks } from './task-brand.ts';
import { TaskDataStore } from './task-data-store.ts';
import { checkNameList } from './task-selection.ts';

/**
 * One attempt of a task while its owner works on it. Readers see nothing of it before {@link done} or {@link fail};
 * afterwards nothing changes.
 */
export class OpenTaskDataStore implements AsyncDisposable {
  readonly #attempt: OpenAttempt;
  #files: Files | undefined;
  #frames: Frames | undefined;
  #records: TaskRecords | undefined;
  #directories: Directories | undefined;

  static {
    refuseReading(OpenTaskDataStore.prototype);
  }

  /**
   * For use by {@link FlowDataStore}.
   *
   * @internal
   */
  constructor(attempt: OpenAttempt) {
    this.#attempt = attempt;
  }

  /** The flow's name. */
  get flowName(): string {
    return this.#attempt.path.flow;
  }

  /** The run's id. */
  get runId(): string {
    return this.#attempt.path.run;
  }

  /** The step's name. */
  get stepName(): string {
    return this.#attempt.path.step;
  }

  /** The task's id. */
  get taskId(): string {
    return this.#attempt.path.task;
  }

  /** The attempt's number, from 0. */
  get attempt(): number {
    return this.#attempt.number;
  }

  /** `run/step/task/attempt`. */
  get pathspec(): string {
    return this.#attempt.pathspec;
  }

  /** The name that its owner gave it, if any. */
  get label(): string | undefined {
    return this.#attempt.label;
  }

  /** The attempt was closed, by `done` or `fail`. */
  get isClosed(): boolean {
    return this.#attempt.isClosed;
  }

  /**
   * References to files of this attempt. What is saved here is kept while the attempt is open; after that, as long as artifacts of this
   * attempt, or of others, refer to it.
   */
  get files(): Files {
    this.#files ??= new Files(this.#attempt.fileKeeper);
    return this.#files;
  }

  /** References to data frames of this attempt, kept as {@link files} are. */
  get frames(): Frames {
    this.#frames ??= new Frames(this.files);
    return this.#frames;
  }

  /** References to directories of this attempt; what is saved here is kept as {@link files} are. */
  get directories(): Directories {
    this.#directories ??= new Directories(this.#attempt.fileKeeper);
    return this.#directories;
  }

  /**
   * Saves values by name; of the same name the value of the latest call counts. None is named unless all could be
   * stored. A value that could not be saved has to be saved again, if only as `null`, before the attempt can be
   * done. The values of a record, a list or a Map are all validated and serialized before anything is written. Any
   * other iterable is taken one value at a time: each is serialized and written before the next is asked for, so
   * that one is in memory at once.
   *
   * @throws StowageError `UNSERIALIZABLE_ARTIFACT` with the path inside the value, `INVALID_NAME`,
   * `INVALID_ARGUMENT`, `ATTEMPT_CLOSED`, or a storage's error.
   */
  async saveArtifacts(artifacts: Artifacts, options: SaveOptions = {}): Promise<void> {
    await this.#attempt.saveArtifacts(artifacts, options);
  }

  /**
   * Saves bytes that come piece by piece, of any length, as an artifact, in bounded memory. It loads as a
   * `Uint8Array`; what is too large for that is read by `streamArtifact`.
   *
   * @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT` for pieces that are no bytes, and for a stream that was
   * read already, `ATTEMPT_CLOSED`; what the source throws.
   */
  async saveArtifactStream(
    name: string,
    source: AsyncIterable<Uint8Array>,
    options: ArtifactStreamOptions = {},
  ): Promise<void> {
    await this.#attempt.saveArtifactStream(name, source, options);
  }

  /**
   * Saves a file as {@link saveArtifactStream} does its bytes. It is read to know whether they are stored, and once
   * more where they are not.
   *
   * @internal
   */
  async saveArtifactFile(
    name: string,
    read: () => AsyncIterable<Uint8Array>,
    { signal, onProgress }: CallOptions & ProgressOptions,
  ): Promise<void> {
    await this.#attempt.saveArtifactStream(name, read(), { signal, onProgress }, read);
  }

  /**
   * Takes over all artifacts of another attempt of the same store, and notes it in `readFrom`. Nothing is copied:
   * four requests, however many there are.
   *
   * @throws StowageError `CONTENT_PURGED`, `CONTENT_NOT_FOUND`, `ATTEMPT_CLOSED`; `CONTENT_ERASED`, `ATTEMPT_DELETED`, `TASK_NOT_FOUND` for small
   * values that were erased or deleted since the task was opened; `INVALID_ARGUMENT` for a task of another store.
   */
  async clone(origin: TaskDataStore, options: CallOptions = {}): Promise<void> {
    const call = this.#attempt.beginTakeover();
    try {
      const view = TaskDataStore.viewOf(origin, 'clone');
      const names = view.names();
      expectAll(call, [view], names);
      checkOptionNames(options, 'clone');
      await this.#attempt.inherit(new Map([[view, names]]), options, call);
    } catch (error) {
      throw call.fail(error);
    }
  }

  /**
   * Takes over some artifacts of another attempt of the same store, as {@link clone} does.
   *
   * @throws StowageError `ARTIFACT_NOT_FOUND`, and as {@link clone}.
   */
  async passdownPartial(
    origin: TaskDataStore,
    names: readonly string[],
    options: CallOptions = {},
  ): Promise<void> {
    const call = this.#attempt.beginTakeover();
    try {
      const view = TaskDataStore.viewOf(origin, 'passdownPartial');
      checkNameList(names, 'The names to pass down');
      expectAll(call, [view], names);
      checkOptionNames(options, 'passdownPartial');
      await this.#attempt.inherit(new Map([[view, [...names]]]), options, call);
    } catch (error) {
      throw call.fail(error);
    }
  }

  /**
   * Takes over what several attempts agree on, for a step that joins a fan-out: every artifact whose value is the
   * same, by its digest, in all inputs that have it. What this attempt saved already is left as it is.
   *
   * @throws StowageError `ARTIFACT_CONFLICT` with `details.conflicts`, which attempts hold which key, by artifact:
   * save a value of your own first, or `exclude` it. `ARTIFACT_NOT_FOUND` for an included or excluded name that no input has;
   * `INVALID_ARGUMENT` for no tasks at all.
   */
  async mergeArtifacts(
    tasks: Iterable<TaskDataStore>,
    options: MergeOptions & CallOptions = {},
  ): Promise<void> {
    const call = this.#attempt.beginTakeover();
    try {
      if (typeof tasks !== 'object' || tasks === null || !(Symbol.iterator in tasks))
        throw notTasks('mergeArtifacts');
      const views = Array.from(tasks, (task) => TaskDataStore.viewOf(task, 'mergeArtifacts'));
      expectAll(call, views, []);
      checkOptionNames(options, 'mergeArtifacts', ['include', 'exclude']);
      views.forEach(checkDescribed);
      const isSaved = (name: string): boolean => this.#attempt.hasArtifact(name);
      const agreed = agreedArtifacts(views, options, isSaved);
      expectAll(call, views, [...agreed.values()].flat());
      await this.#attempt.inherit(agreed, options, call);
    } catch (error) {
      throw call.fail(error);
    }
  }

  /**
   * Copies artifacts of an attempt of another store into this one: all, or those named. Content that this store has
   * is not copied; the rest goes through piece by piece, verified.
   *
   * @throws StowageError `ARTIFACT_NOT_FOUND`, `CONTENT_PURGED`, `CONTENT_DAMAGED`, `ATTEMPT_CLOSED`, and storage's
   * errors.
   */
  async transferArtifacts(
    origin: TaskDataStore,
    names?: readonly string[],
    options: CallOptions & ProgressOptions = {},
  ): Promise<void> {
    const call = this.#attempt.beginTakeover();
    try {
      const view = TaskDataStore.viewOf(origin, 'transferArtifacts');
      if (names !== undefined) checkNameList(names, 'The names to transfer');
      const taken = [...(names ?? view.names())];
      expectAll(call, [view], taken);
      checkOptions<ProgressOptions>(options, 'transferArtifacts', PROGRESS_OPTIONS);
      await this.#attempt.transfer(view, taken, options, call);
    } catch (error) {
      throw call.fail(error);
    }
  }

  /**
   * Keeps JSON about the attempt (durations, versions, counts). Written at once, so that a crash keeps it; later
   * calls replace members of the same name. A -0 is kept as 0.
   *
   * @throws StowageError `INVALID_ARGUMENT` for what JSON cannot hold (`undefined` among it), `ATTEMPT_CLOSED`.
   */
  async saveMetadata(metadata: Metadata, options: CallOptions = {}): Promise<void> {
    await this.#attempt.saveMetadata(metadata, options);
  }

  /**
   * Appends to the attempt's logs, at once. `source` tells who logs (`task`, `runtime`, ...); each of `streams` is
   * text, bytes, a stream of either (a child's `stdout`), or a file. The attempt is not closed before streams have
   * ended.
   *
   * @throws StowageError `INVALID_NAME` for a source or stream that is not `[A-Za-z0-9_-]{1,32}`,
   * `INVALID_ARGUMENT`, `ATTEMPT_CLOSED`.
   */
  async saveLogs(source: string, streams: LogStreams, options: SaveLogsOptions = {}): Promise<void> {
    await this.#attempt.saveLogs(source, streams, options);
  }

  /**
   * Takes out what logs say so far, and leaves a note of when: all logs, unless a source or a stream is named. What
   * is logged later stays.
   *
   * @throws StowageError `ATTEMPT_CLOSED` (`FlowDataStore.scrubLogs` scrubs then), `INVALID_NAME`; where something
   * could not be deleted, `STORAGE_NOT_PERMITTED` or `STORAGE_FAILED`, which name it.
   */
  async scrubLogs(options: LogChoice & CallOptions = {}): Promise<ScrubbedLog[]> {
    checkOptionNames(options, 'scrubLogs', ['source', 'stream']);
    const { signal, ...logs } = options;
    return this.#attempt.scrubLogs(logs, { signal });
  }

  /**
   * Opens a report: what people are to see of the task, kept with the attempt as one HTML file. It is written while the task runs, every few
   * seconds if something was added, and once more at the end; without its last version the attempt is not done. Called again by the same
   * name, it returns the same report.
   *
   * @throws StowageError `INVALID_NAME` for a name that is not `[A-Za-z0-9_-]{1,32}`, `INVALID_ARGUMENT`, `ATTEMPT_CLOSED`.
   */
  report(name: string, options: ReportOptions = {}): Report {
    return this.#attempt.report(name, options);
  }

  /**
   * Wraps a function so that its calls are not repeated when the task is retried. Each call records what it returned, or an error whose
   * `recoverable` is `false`, durably before it returns: one create, up to 64 KiB. A later attempt of the task replays what attempts
   * before it recorded, behind the latest that is done. Calls are told apart by `name`, the source of `fn` (comments and layout aside, and not what
   * it closes over), and arguments; equal calls are interchangeable. An async iterable passes through while it is recorded, and is
   * recorded once it ends or its consumer breaks off.
   *
   * @throws StowageError `INVALID_NAME`; `INVALID_ARGUMENT` for a function whose source cannot be seen. Calls: what `fn` throws,
   * `UNKEYABLE_VALUE` for arguments, `UNSERIALIZABLE_ARTIFACT` for results, `TRACE_DIVERGED`, `ATTEMPT_CLOSED`, or a storage's error.
   */
  trace<Args extends unknown[], R>(
    name: string,
    fn: (...args: Args) => R,
    options: CallOptions = {},
  ): Traced<Args, R> {
    return this.#recorded().traces.trace(name, fn, options);
  }

  /** States to go on from, kept for the next attempt of the task: `save` and `load`. */
  get checkpoint(): Checkpoints {
    return this.#recorded().checkpoints;
  }

  #recorded(): TaskRecords {
    this.#records ??= new TaskRecords(this.#attempt);
    return this.#records;
  }

  /** Notes that this attempt's results rest on those of `task`, for its provenance. */
  recordRead(task: TaskDataStore): void {
    if (!isTask(task)) throw notTasks('recordRead');
    this.#attempt.recordRead(`${task.flowName}/${task.pathspec}`);
  }

  /**
   * Closes the attempt as done. Everything it saved is durable before it becomes visible. What was begun before,
   * awaited or not, is waited for. With a save that failed, and whose names no later call saved, the attempt is not
   * done, and stays open for them.
   *
   * @throws StowageError `SAVE_FAILED`, with what the save failed by as its cause; `ATTEMPT_CLOSED`,
   * `ATTEMPT_FENCED` or `CONTENT_LOST` where a collector gave up on it meanwhile.
   */
  async done(options: CallOptions = {}): Promise<void> {
    checkOptionNames(options, 'done');
    await this.#attempt.done(options);
  }

  /**
   * Closes the attempt as failed, and keeps the error: name, message, stack, causes, and its `recoverable` if it
   * has one. Saves of artifacts that are still under way are not waited for, and throw `ATTEMPT_CLOSED`: streams at
   * their next piece, and nothing of them stays.
   */
  async fail(error: unknown, options: CallOptions = {}): Promise<void> {
    checkOptionNames(options, 'fail');
    await this.#attempt.fail(error, options);
  }

  /** Fails the attempt unless it was closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isClosed) return;
    await this.fail(
      new StowageError(
        'ATTEMPT_NOT_DONE',
        `Attempt ${this.pathspec} was disposed of before it was closed; call done() when its work is complete.`,
      ),
    );
  }
}

/** Lets the calls of readers, which the types leave out, say how to read. */
function refuseReading(writer: OpenTaskDataStore): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(TaskDataStore.prototype))) {
    if (typeof value !== 'function' || name in writer) continue;
    const refuse = function (this: OpenTaskDataStore): never {
      throw invalidArgument(
        `${name}() is for tasks opened for reading, and ${this.pathspec} is being written: nothing of it can be read before done(). Open it then by flow.getTaskDataStore(${JSON.stringify(this.pathspec)}).`,
        { flow: this.flowName, pathspec: this.pathspec },
      );
    };
    Object.defineProperty(writer, name, { value: refuse, configurable: true, writable: true });
  }
}

/** Notes what a call is to take over from where. */
function expectAll(call: SaveCall, origins: readonly AttemptView[], names: readonly string[]): void {
  call.expect(
    names.map(artifactSubject),
    origins.map(({ fullPathspec }) => fullPathspec),
  );
}
