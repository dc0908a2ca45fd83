import { mapBounded } from '../async/bounded-work.ts';
import { meterOf, type ProgressOptions } from '../async/progress.ts';
import type { AttemptStatus, ReadAttempt } from '../attempts/attempt-reader.ts';
import { AttemptView, type PrefetchedBytes } from '../attempts/attempt-view.ts';
import { cloneJson } from '../attempts/inline-value.ts';
import type { Metadata } from '../attempts/metadata-parts.ts';
import type { ContentStore } from '../content/content-store.ts';
import { READ_OPTIONS, type ReadOptions } from '../content/reading/content-reader.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { LogName } from '../format/log-names.ts';
import type { Owner, RecordedError } from '../format/session-files.ts';
import { findLog, type ListedLog, listLogs, loadLog, readLog } from '../logs/log-reader.ts';
import { checkOptionNames } from '../options/option-names.ts';
import { checkOptions, PROGRESS_OPTIONS } from '../options/option-table.ts';
import { describeReports, loadReport, type ReportInfo } from '../reports/report-reader.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { webStream } from '../streams/web-stream.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import { type ArtifactInfo, artifactInfo, isAtHand, isNothing, workOf } from './artifact-info.ts';
import { artifactPieces, loadArtifact } from './read-artifact.ts';
import { formatRecord, RECORD_OPTIONS, type RecordOptions, recordOf } from './record-view.ts';
import {
  checkSchemas,
  type SchemaOutput,
  type StandardSchema,
  validateArtifacts,
} from './standard-schema.ts';
import { isTask, notTasks, TASK_BRAND, taskOfAnotherCopy } from './task-brand.ts';
import { checkNameList } from './task-selection.ts';

/** So many artifacts of one call are fetched at once. */
const CONCURRENCY = 8;

/** One attempt of a task, as readers see it. It never changes. */
export class TaskDataStore {
  readonly #read: ReadAttempt;
  readonly #view: AttemptView;

  static {
    Object.defineProperty(TaskDataStore.prototype, TASK_BRAND, { value: true });
  }

  /**
   * For use by {@link FlowDataStore}.
   *
   * @internal
   */
  constructor(
    content: ContentStore,
    registry: SerializerRegistry,
    read: ReadAttempt,
    prefetched?: PrefetchedBytes,
  ) {
    this.#read = read;
    this.#view = new AttemptView(content, registry, read, prefetched);
  }

  /**
   * The attempt of a task that a user passed, for those who take artifacts from it.
   *
   * @internal
   * @throws StowageError `INVALID_ARGUMENT` for anything but a task opened for reading by this copy of the package
   */
  static viewOf(task: unknown, method: string): AttemptView {
    if (typeof task === 'object' && task !== null && #view in task) return task.#view;
    throw isTask(task) ? taskOfAnotherCopy(task, method) : notTasks(method);
  }

  /** The flow's name. */
  get flowName(): string {
    return this.#read.path.flow;
  }

  /** The run's id. */
  get runId(): string {
    return this.#read.path.run;
  }

  /** The step's name. */
  get stepName(): string {
    return this.#read.path.step;
  }

  /** The task's id. */
  get taskId(): string {
    return this.#read.path.task;
  }

  /** The attempt's number, from 0. */
  get attempt(): number {
    return this.#read.attempt;
  }

  /** `run/step/task/attempt`. */
  get pathspec(): string {
    return this.#view.pathspec;
  }

  /** The name that its owner gave it, if any. */
  get label(): string | undefined {
    return this.#read.label;
  }

  /** The state that the attempt has reached. */
  get status(): AttemptStatus {
    return this.#read.status;
  }

  /** The attempt is done. */
  get isDone(): boolean {
    return this.status === 'done';
  }

  /** The time at which the attempt was opened, by its owner's clock. */
  get startedAt(): Date {
    return new Date(this.#read.startedAt);
  }

  /** The time at which it was closed, by its owner's clock; absent while it is open. */
  get closedAt(): Date | undefined {
    return this.#read.closedAt === undefined ? undefined : new Date(this.#read.closedAt);
  }

  /** The error of an attempt that failed. */
  get error(): RecordedError | undefined {
    return this.#read.done?.error;
  }

  /** The process that opened the attempt; told of one that is open, or was given up. */
  get owner(): Owner | undefined {
    return this.#read.opened?.owner;
  }

  /** Pathspecs of the attempts whose results this one rests on. */
  get readFrom(): readonly string[] {
    return this.#read.described?.readFrom ?? [];
  }

  /**
   * The attempt that this one was taken over from, in place of being run, since its run resumes another: `flow/run/step/task/attempt`.
   * `undefined` of one that ran.
   */
  get takenOver(): string | undefined {
    return this.#read.described?.takenOver;
  }

  /** The names of the artifacts, in the order in which they were saved. */
  names(): string[] {
    return this.#view.names();
  }

  /** Tells of an artifact of this name. */
  has(name: string): boolean {
    return this.#view.has(name);
  }

  /** Describes an artifact without loading it; throws `ARTIFACT_NOT_FOUND`. */
  info(name: string): ArtifactInfo {
    return artifactInfo(this.#view.entry(name));
  }

  /**
   * Loads artifacts by name, all of them without names. Each is verified.
   *
   * @throws StowageError `ARTIFACT_NOT_FOUND` (naming those there are), `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`,
   * `CONTENT_PURGED`, `CONTENT_ERASED`, `UNDECODABLE_ARTIFACT`, `UNKNOWN_ENCODING`.
   */
  async loadArtifacts<T extends object = Record<string, unknown>>(
    names: readonly (keyof NoInfer<T> & string)[] = this.names() as (keyof T & string)[],
    options: CallOptions & ProgressOptions = {},
  ): Promise<NoInfer<T>> {
    checkOptions<ProgressOptions>(options, 'loadArtifacts', PROGRESS_OPTIONS);
    checkNameList(names, 'The names to load');
    const entries = names.map((name) => this.#view.entry(name));
    const { signal, onProgress } = options;
    const progress = meterOf(onProgress, 'loadArtifacts');
    progress?.expect(workOf(entries));
    const loading = { signal, progress };
    try {
      const fetched: { entry: ArtifactEntry; index: number }[] = [];
      const values = entries.map((entry, index) => {
        if (isAtHand(entry)) return this.#view.load(entry, loading);
        fetched.push({ entry, index });
        return undefined;
      });
      const gathered = await this.#view.gather(
        fetched.map(({ entry }) => entry),
        { signal },
      );
      await mapBounded(fetched, CONCURRENCY, async ({ entry, index }) => {
        values[index] = await this.#view.fetch(entry, loading, gathered);
      });
      progress?.succeed();
      return byName(entries, values) as T;
    } finally {
      progress?.stop();
    }
  }

  /** Loads one artifact; throws as {@link loadArtifacts}. */
  async get<T = unknown>(name: string, options: CallOptions & ProgressOptions = {}): Promise<T> {
    checkOptions<ProgressOptions>(options, 'get', PROGRESS_OPTIONS);
    return (await loadArtifact(this.#view, this.#view.entry(name), 'get', options)) as T;
  }

  /**
   * Loads artifacts and validates each by a Standard Schema (zod, valibot, arktype, ...), whose output is returned.
   *
   * @throws StowageError `ARTIFACT_INVALID` with the paths at fault, or as {@link loadArtifacts}.
   */
  async loadTyped<Schemas extends Readonly<Record<string, StandardSchema>>>(
    schemas: Schemas,
    options: CallOptions & ProgressOptions = {},
  ): Promise<{ -readonly [Name in keyof Schemas]: SchemaOutput<Schemas[Name]> }> {
    checkOptions<ProgressOptions>(options, 'loadTyped', PROGRESS_OPTIONS);
    checkSchemas(schemas);
    const values = await this.loadArtifacts<Record<string, unknown>>(Object.keys(schemas), options);
    return validateArtifacts(values, schemas);
  }

  /** Loads artifacts one after the other, so that only one is in memory at a time: all, or those named. */
  async *artifacts(
    options: CallOptions & { names?: readonly string[] | undefined } = {},
  ): AsyncGenerator<{ name: string; value: unknown }> {
    checkOptionNames(options, 'artifacts', ['names']);
    const { names = this.names(), signal } = options;
    checkNameList(names, 'The names to load');
    for (const name of names) yield { name, value: await this.get(name, { signal }) };
  }

  /**
   * Reads the serialized bytes of an artifact, or a range of them, piece by piece, verified: for what is too large for memory. A range
   * fetches only the chunks that it touches.
   */
  async *streamArtifact(
    name: string,
    options: ReadOptions & ProgressOptions = {},
  ): AsyncGenerator<Uint8Array> {
    checkOptions<ReadOptions & ProgressOptions>(options, 'streamArtifact', READ_OPTIONS);
    yield* artifactPieces(this.#view, this.#view.entry(name), 'streamArtifact', options);
  }

  /**
   * Opens an artifact that is bytes (`Uint8Array`, `Buffer`, `ArrayBuffer`, `DataView`, or saved as a stream) as a web stream of bytes,
   * whole or a range of it: for `Response`, `pipeTo`, BYOB readers, `Readable.fromWeb`. It reads as it is asked, and nothing before;
   * each piece is verified before it is given. Cancelling it, or aborting `signal`, ends the reading.
   *
   * The stream fails with what {@link streamArtifact} throws.
   *
   * @throws StowageError `ARTIFACT_NOT_FOUND`, `ARTIFACT_NOT_BYTES`, `INVALID_ARGUMENT`
   */
  open(name: string, options: ReadOptions & ProgressOptions = {}): ReadableStream<Uint8Array> {
    checkOptions<ReadOptions & ProgressOptions>(options, 'open', READ_OPTIONS);
    const entry = this.#view.entry(name);
    this.#view.ensureBytes(entry);
    return webStream(
      ({ signal }) => artifactPieces(this.#view, entry, 'open', { ...options, signal }),
      options,
    );
  }

  /** Tells an artifact that is `null` or `undefined`; nothing is loaded. Throws `ARTIFACT_NOT_FOUND`. */
  isNone(name: string): boolean {
    return isNothing(this.#view.entry(name));
  }

  /** The keys of artifacts, in the order of `names`; see {@link ArtifactInfo}. Throws `ARTIFACT_NOT_FOUND`. */
  keysForArtifacts(names: readonly string[] = this.names()): string[] {
    checkNameList(names, 'The names');
    return names.map((name) => this.#view.entry(name).key);
  }

  /** The sizes of artifacts, in bytes: serialized, and stored (see {@link ArtifactInfo}). Throws `ARTIFACT_NOT_FOUND`. */
  artifactSizes(
    names: readonly string[] = this.names(),
  ): Record<string, { bytes: number; storedBytes: number }> {
    checkNameList(names, 'The names');
    return Object.fromEntries(
      names.map((name) => {
        const { bytes, storedBytes } = this.info(name);
        return [name, { bytes, storedBytes }];
      }),
    );
  }

  /**
   * The artifacts as a record, for people: without private ones, whose names begin with `_`, unless those are
   * named, and with an {@link ArtifactTooLarge} in place of every value beyond `maxValueBytes`, which is not
   * loaded.
   */
  async toRecord(options: RecordOptions & CallOptions = {}): Promise<Record<string, unknown>> {
    checkOptions<RecordOptions>(options, 'toRecord', RECORD_OPTIONS);
    return recordOf(this, options);
  }

  /**
   * The artifacts as text, for people: a line each with its size, type and value, cut where it is long; what has
   * more lines, as an error's stack has, is indented. Nothing in it can command a terminal. Options as {@link
   * toRecord}.
   */
  async format(options: RecordOptions & CallOptions = {}): Promise<string> {
    checkOptions<RecordOptions>(options, 'format', RECORD_OPTIONS);
    return formatRecord(this, options);
  }

  /** The metadata of the attempt, kept by `saveMetadata`. */
  async loadMetadata(): Promise<Metadata> {
    return cloneJson(this.#read.metadata) as Metadata;
  }

  /** The logs there are, with their lengths in bytes. */
  async logs(options: CallOptions = {}): Promise<(LogName & { bytes: number })[]> {
    checkOptionNames(options, 'logs');
    const logs = await listLogs(this.#storage, this.#read.path, this.attempt, options);
    return logs.map(({ source, stream, bytes }) => ({ source, stream, bytes }));
  }

  /** The length of a log, in bytes; 0 where nothing was logged. `stream` is `stdout` unless given. */
  async logSize(source: string, stream = 'stdout', options: CallOptions = {}): Promise<number> {
    checkOptionNames(options, 'logSize');
    return (await this.#findLog({ source, stream }, options))?.bytes ?? 0;
  }

  /** A log as text; `''` where nothing was logged. `stream` is `stdout` unless given. */
  async loadLogs(source: string, stream = 'stdout', options: CallOptions = {}): Promise<string> {
    checkOptionNames(options, 'loadLogs');
    const log = await this.#findLog({ source, stream }, options);
    return log ? loadLog(this.#storage, log, options) : '';
  }

  /** A log as it was written, part by part. */
  async *streamLogs(
    source: string,
    stream = 'stdout',
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array> {
    checkOptionNames(options, 'streamLogs');
    const log = await this.#findLog({ source, stream }, options);
    if (log) yield* readLog(this.#storage, log.parts, options);
  }

  /**
   * The reports of the attempt, each with its URI: the last version, or, of an attempt that is open or was given up, the latest. One GET each; a LIST and a
   * GET more each where nothing describes the attempt.
   *
   * @throws StowageError `RECORD_DAMAGED`
   */
  async reports(options: CallOptions = {}): Promise<ReportInfo[]> {
    checkOptionNames(options, 'reports');
    return describeReports(this.#view.content, this.#read, options);
  }

  /**
   * A report as the HTML file that it is, verified.
   *
   * @throws StowageError `REPORT_NOT_FOUND` (naming those there are), `CONTENT_PURGED`, `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`;
   * `UNSUPPORTED_FORMAT` for what is no report
   */
  async loadReport(name: string, options: CallOptions = {}): Promise<Uint8Array> {
    checkOptionNames(options, 'loadReport');
    return loadReport(this.#view.content, this.#read, name, options);
  }

  #findLog(name: LogName, options: CallOptions): Promise<ListedLog | undefined> {
    return findLog(this.#storage, this.#read.path, this.attempt, name, options);
  }

  get #storage(): DataStoreStorage {
    return this.#view.content.storage;
  }
}

/** An object of more names is kept by V8 as a hash table in any case. */
const MANY_NAMES = 64;

/** The values of artifacts by their names, as `Object.fromEntries` has them, in a third of its time. */
function byName(entries: readonly { name: string }[], values: readonly unknown[]): Record<string, unknown> {
  const loaded: Record<string, unknown> = entries.length > MANY_NAMES ? hashTable() : {};
  for (const [index, { name }] of entries.entries()) {
    const value = values[index];
    if (name !== '__proto__') loaded[name] = value;
    else Object.defineProperty(loaded, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return loaded;
}

/** An object without a name, and without a hidden class for each that comes, as it is after another than its last name was deleted. */
function hashTable(): Record<string, unknown> {
  const table: Record<string, unknown> = { first: undefined, last: undefined };
  delete table.first;
  delete table.last;
  return table;
}
