import { constants } from 'node:buffer';
import type { AttemptStatus, ReadAttempt } from '../attempts/attempt-reader.ts';
import { cloneJson } from '../attempts/inline-value.ts';
import type { Metadata } from '../attempts/metadata-parts.ts';
import type { AttemptSource } from '../attempts/pass-down.ts';
import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { LogName } from '../format/log-names.ts';
import { formatPathspec } from '../format/pathspec.ts';
import type { RecordedError } from '../format/session-files.ts';
import { listLogs, logSize, readLog } from '../logs/log-reader.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateLogName } from '../storage/names.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import { ArtifactValues, type PrefetchedBytes } from './artifact-values.ts';
import { ArtifactTooLarge, formatArtifact, type RecordOptions, shownNames } from './record-view.ts';
import { checkSchemas, type SchemaOutput, type StandardSchema, validateArtifact } from './standard-schema.ts';
import { TASK_BRAND } from './task-brand.ts';
import { checkNameList } from './task-selection.ts';

/** What the store knows of an artifact without loading it. */
export interface ArtifactInfo {
  name: string;
  /** What a person calls the value: `object`, `Float64Array`, ... */
  type: string;
  /** The id of the serializer that made its bytes. */
  encoding: string;
  /** BLAKE3-256 of the serialized bytes; equal values have equal keys. */
  key: string;
  /** Length of the serialized bytes. */
  bytes: number;
  /** What it takes up in the store, in bytes, whoever shares it; 0 for inline values, which are part of metadata.json. */
  storedBytes: number;
  /** Whether the value is kept in metadata.json itself. */
  inline: boolean;
  /** The id of the place that its content lies at, by `rawDataPath`; absent for what lies in the store itself. */
  place?: string;
}

/** How many artifacts of one call are fetched at once. */
const CONCURRENCY = 8;

const RECORD_OPTION_NAMES = ['names', 'maxValueBytes', 'showPrivate'];
/** Values beyond this many bytes are not loaded by `format`, unless told otherwise. */
const FORMAT_MAX_VALUE_BYTES = 1_000;

/** Where a task's artifacts come from: the attempt that was read, its store, and the rows of the artifacts asked for. */
export interface TaskSource extends AttemptSource {
  entries: ArtifactEntry[];
}

/** What writers need of a task that they take artifacts from; throws as `info` does. Set by the class: nothing of it is public. */
export let sourceOf: (task: TaskDataStore, names: readonly string[]) => TaskSource;

/** One attempt of a task, as readers see it. It never changes. */
export class TaskDataStore {
  readonly #content: ContentAddressedStore;
  readonly #read: ReadAttempt;
  readonly #values: ArtifactValues;
  #entriesByName: Map<string, ArtifactEntry> | undefined;

  static {
    Object.defineProperty(TaskDataStore.prototype, TASK_BRAND, { value: true });
    sourceOf = (task, names) => ({
      content: task.#content,
      read: task.#read,
      entries: [...new Set(names)].map((name) => task.#entry(name)),
    });
  }

  /**
   * For use by {@link FlowDataStore}.
   *
   * @internal
   */
  constructor(
    content: ContentAddressedStore,
    registry: SerializerRegistry,
    read: ReadAttempt,
    prefetched?: PrefetchedBytes,
  ) {
    this.#content = content;
    this.#read = read;
    this.#values = new ArtifactValues(content, registry, read, prefetched);
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
    return formatPathspec(this.#read.path, this.attempt);
  }

  /** How far the attempt got. */
  get status(): AttemptStatus {
    return this.#read.status;
  }

  /** Whether the attempt is done. */
  get isDone(): boolean {
    return this.status === 'done';
  }

  /** When the attempt was opened, by its owner's clock. */
  get startedAt(): Date {
    return new Date(this.#read.startedAt);
  }

  /** When it was closed, by its owner's clock; absent while it is open. */
  get closedAt(): Date | undefined {
    return this.#read.closedAt === undefined ? undefined : new Date(this.#read.closedAt);
  }

  /** The error of an attempt that failed. */
  get error(): RecordedError | undefined {
    return this.#read.done?.error;
  }

  /** Pathspecs of the attempts whose results this one rests on. */
  get readFrom(): readonly string[] {
    return this.#read.described?.readFrom ?? [];
  }

  /** The names of the artifacts, in the order in which they were saved. */
  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Whether there is an artifact of this name. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** What is known of an artifact without loading it; throws `ARTIFACT_NOT_FOUND`. */
  info(name: string): ArtifactInfo {
    const { type, encoding, key, bytes, content } = this.#entry(name);
    return {
      name,
      type,
      encoding,
      key,
      bytes,
      storedBytes: content?.storedBytes ?? 0,
      inline: content === undefined,
      ...(content?.place === undefined ? {} : { place: content.place }),
    };
  }

  /**
   * Loads artifacts by name, all of them without names. Each is verified.
   *
   * @throws StowageError `ARTIFACT_NOT_FOUND` (naming those there are), `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`,
   * `CONTENT_PURGED`, `CONTENT_ERASED`, `UNDECODABLE_ARTIFACT`, `UNKNOWN_ENCODING`.
   */
  async loadArtifacts<T extends object = Record<string, unknown>>(
    names: readonly (keyof NoInfer<T> & string)[] = this.names() as (keyof T & string)[],
    options: CallOptions = {},
  ): Promise<NoInfer<T>> {
    checkOptionNames(options, 'loadArtifacts');
    checkNameList(names, 'The names to load');
    const entries = names.map((name) => this.#entry(name));
    const values: [string, unknown][] = new Array(entries.length);
    const fetched: number[] = [];
    entries.forEach((entry, index) => {
      if (entry.inline && 'json' in entry.inline)
        values[index] = [entry.name, this.#values.load(entry, options)];
      else fetched.push(index);
    });
    for (let start = 0; start < fetched.length; start += CONCURRENCY) {
      await Promise.all(
        fetched.slice(start, start + CONCURRENCY).map(async (index) => {
          const entry = entries[index] as ArtifactEntry;
          values[index] = [entry.name, await this.#values.load(entry, options)];
        }),
      );
    }
    return Object.fromEntries(values) as T;
  }

  /** Loads one artifact; throws as {@link loadArtifacts}. */
  async get<T = unknown>(name: string, options: CallOptions = {}): Promise<T> {
    checkOptionNames(options, 'get');
    return (await this.#values.load(this.#entry(name), options)) as T;
  }

  /**
   * Loads artifacts and validates each by a Standard Schema (zod, valibot, arktype, ...), whose output is returned.
   *
   * @throws StowageError `ARTIFACT_INVALID` with the paths at fault, or as {@link loadArtifacts}.
   */
  async loadTyped<Schemas extends Readonly<Record<string, StandardSchema>>>(
    schemas: Schemas,
    options: CallOptions = {},
  ): Promise<{ -readonly [Name in keyof Schemas]: SchemaOutput<Schemas[Name]> }> {
    checkOptionNames(options, 'loadTyped');
    checkSchemas(schemas);
    const values = await this.loadArtifacts<Record<string, unknown>>(Object.keys(schemas), options);
    const typed: [string, unknown][] = [];
    for (const [name, schema] of Object.entries(schemas)) {
      typed.push([name, await validateArtifact(name, values[name], schema)]);
    }
    return Object.fromEntries(typed) as { -readonly [Name in keyof Schemas]: SchemaOutput<Schemas[Name]> };
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

  /** The serialized bytes of an artifact, piece by piece, verified: for what is too large for memory. */
  async *streamArtifact(name: string, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    checkOptionNames(options, 'streamArtifact');
    yield* this.#values.stream(this.#entry(name), options);
  }

  /** Whether an artifact is `null` or `undefined`; nothing is loaded. Throws `ARTIFACT_NOT_FOUND`. */
  isNone(name: string): boolean {
    const { encoding, type, bytes, inline } = this.#entry(name);
    if (inline && 'json' in inline) return inline.json === null;
    // By its length as well: a class may have been registered under either name.
    const isNothing = (type === 'null' && bytes === 1) || (type === 'undefined' && bytes === 3);
    return encoding === 'msgpack' && isNothing;
  }

  /** The keys of artifacts, in the order of `names`: BLAKE3-256 of their serialized bytes, in hexadecimal. Throws `ARTIFACT_NOT_FOUND`. */
  keysForArtifacts(names: readonly string[] = this.names()): string[] {
    checkNameList(names, 'The names');
    return names.map((name) => this.#entry(name).key);
  }

  /** How large artifacts are, in bytes: serialized, and stored (see {@link ArtifactInfo}). Throws `ARTIFACT_NOT_FOUND`. */
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
   * The artifacts as a record, for people: without private ones, whose names begin with `_`, unless those are named, and with an
   * {@link ArtifactTooLarge} in place of every value beyond `maxValueBytes`, which is not loaded.
   */
  async toRecord(options: RecordOptions & CallOptions = {}): Promise<Record<string, unknown>> {
    checkOptionNames(options, 'toRecord', RECORD_OPTION_NAMES);
    const { names = this.names(), maxValueBytes = Number.POSITIVE_INFINITY, signal } = options;
    checkNameList(names, 'The names');
    const shown = shownNames(names, options).map((name) => this.info(name));
    const loaded = await this.loadArtifacts<Record<string, unknown>>(
      shown.filter(({ bytes }) => bytes <= maxValueBytes).map(({ name }) => name),
      { signal },
    );
    return Object.fromEntries(
      shown.map(({ name, type, bytes }) => [
        name,
        bytes <= maxValueBytes ? loaded[name] : new ArtifactTooLarge(name, type, bytes),
      ]),
    );
  }

  /**
   * The artifacts as text, for people: a line each with its size, type and value, cut where it is long; what has more lines, as an
   * error's stack has, is indented. Nothing in it can command a terminal. Options as {@link toRecord}.
   */
  async format(options: RecordOptions & CallOptions = {}): Promise<string> {
    checkOptionNames(options, 'format', RECORD_OPTION_NAMES);
    const { maxValueBytes = FORMAT_MAX_VALUE_BYTES } = options;
    const record = await this.toRecord({ ...options, maxValueBytes });
    return Object.entries(record)
      .map(([name, value]) => formatArtifact(this.info(name), value))
      .join('\n');
  }

  /** What was said of the attempt by `saveMetadata`. */
  async loadMetadata(): Promise<Metadata> {
    return cloneJson(this.#read.metadata) as Metadata;
  }

  /** The logs there are, with their lengths in bytes. */
  async logs(options: CallOptions = {}): Promise<(LogName & { bytes: number })[]> {
    checkOptionNames(options, 'logs');
    const logs = await listLogs(this.#content.storage, this.#read.path, this.attempt, options);
    return logs.map(({ source, stream, bytes }) => ({ source, stream, bytes }));
  }

  /** How long a log is, in bytes; 0 where nothing was logged. `stream` is `stdout` unless given. */
  async logSize(source: string, stream = 'stdout', options: CallOptions = {}): Promise<number> {
    checkOptionNames(options, 'logSize');
    validateLogName(source, 'log source');
    validateLogName(stream, 'log stream');
    return logSize(this.#content.storage, this.#read.path, this.attempt, { source, stream }, options);
  }

  /** A log as text; `''` where nothing was logged. `stream` is `stdout` unless given. */
  async loadLogs(source: string, stream = 'stdout', options: CallOptions = {}): Promise<string> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of this.streamLogs(source, stream, options)) {
      bytes += piece.length;
      if (bytes > constants.MAX_STRING_LENGTH) throw tooLongForText(source, stream);
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  }

  /** A log as it was written, part by part. */
  async *streamLogs(
    source: string,
    stream = 'stdout',
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array> {
    checkOptionNames(options, 'streamLogs');
    validateLogName(source, 'log source');
    validateLogName(stream, 'log stream');
    const logs = await listLogs(this.#content.storage, this.#read.path, this.attempt, options);
    const log = logs.find((candidate) => candidate.source === source && candidate.stream === stream);
    if (log) yield* readLog(this.#content.storage, log.parts, options);
  }

  get #entries(): Map<string, ArtifactEntry> {
    this.#entriesByName ??= new Map(
      this.#read.described?.table().artifacts.map((entry) => [entry.name, entry]),
    );
    return this.#entriesByName;
  }

  #entry(name: string): ArtifactEntry {
    // A list of one name would else be told that there is no artifact of the name that there is.
    if (typeof name !== 'string') {
      throw invalidArgument('An artifact is named by a string; for several, loadArtifacts takes a list.');
    }
    const entry = this.#entries.get(name);
    if (entry) return entry;
    const details = { flow: this.flowName, pathspec: this.pathspec, artifact: name, existing: this.names() };
    if (this.#read.erased?.artifacts.includes(name)) {
      throw new StowageError(
        'CONTENT_ERASED',
        `Artifact ${name} of ${this.pathspec} was erased: ${this.#read.erased.reason}`,
        { details },
      );
    }
    throw new StowageError('ARTIFACT_NOT_FOUND', this.#explainMissing(name), { details });
  }

  #explainMissing(name: string): string {
    const where = `Attempt ${this.pathspec} of flow ${this.flowName}`;
    if (!this.#read.described)
      return `${where} has no artifact ${name}: it is ${this.status} and described nothing.`;
    const names = this.names();
    return `${where} has no artifact ${name}; it has ${names.length === 0 ? 'none' : names.slice(0, 20).join(', ')}.`;
  }
}

function tooLongForText(source: string, stream: string): StowageError {
  return new StowageError(
    'CONTENT_TOO_LARGE',
    `The log ${source}.${stream} is longer than a text can be; read it by streamLogs.`,
    { details: { source, stream } },
  );
}
