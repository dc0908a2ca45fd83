import { constants } from 'node:buffer';
import type { SerializerRegistry } from '../artifacts/registry.ts';
import type { AttemptStatus, ReadAttempt } from '../attempts/attempt-reader.ts';
import { cloneJson } from '../attempts/inline-value.ts';
import { type LogName, listLogs, readLog } from '../attempts/log-parts.ts';
import type { Metadata } from '../attempts/metadata-parts.ts';
import { formatPathspec } from '../attempts/pathspec.ts';
import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import type { ArtifactEntry } from '../content/description.ts';
import type { RecordedError } from '../content/session-files.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateLogName } from '../storage/names.ts';
import { type SchemaOutput, type StandardSchema, validateArtifact } from './standard-schema.ts';
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
}

/** How many artifacts of one call are fetched at once. */
const CONCURRENCY = 8;

/** One attempt of a task, as readers see it. It never changes. */
export class TaskDataStore {
  readonly #content: ContentAddressedStore;
  readonly #registry: SerializerRegistry;
  readonly #read: ReadAttempt;
  #entriesByName: Map<string, ArtifactEntry> | undefined;

  /** For use by {@link FlowDataStore}. */
  constructor(content: ContentAddressedStore, registry: SerializerRegistry, read: ReadAttempt) {
    this.#content = content;
    this.#registry = registry;
    this.#read = read;
  }

  get flowName(): string {
    return this.#read.path.flow;
  }

  get runId(): string {
    return this.#read.path.run;
  }

  get stepName(): string {
    return this.#read.path.step;
  }

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

  get status(): AttemptStatus {
    return this.#read.status;
  }

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
    checkNameList(names, 'The names to load');
    const entries = names.map((name) => this.#entry(name));
    const values: [string, unknown][] = new Array(entries.length);
    const fetched: number[] = [];
    entries.forEach((entry, index) => {
      if (entry.content) fetched.push(index);
      else values[index] = [entry.name, this.#inlineValue(entry)];
    });
    for (let start = 0; start < fetched.length; start += CONCURRENCY) {
      await Promise.all(
        fetched.slice(start, start + CONCURRENCY).map(async (index) => {
          const entry = entries[index] as ArtifactEntry;
          values[index] = [entry.name, await this.#fetchValue(entry, options)];
        }),
      );
    }
    return Object.fromEntries(values) as T;
  }

  /** Loads one artifact. */
  async get<T = unknown>(name: string, options: CallOptions = {}): Promise<T> {
    const entry = this.#entry(name);
    return (entry.content ? await this.#fetchValue(entry, options) : this.#inlineValue(entry)) as T;
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
    const values = await this.loadArtifacts<Record<string, unknown>>(Object.keys(schemas), options);
    const typed: [string, unknown][] = [];
    for (const [name, schema] of Object.entries(schemas)) {
      typed.push([name, await validateArtifact(name, values[name], schema)]);
    }
    return Object.fromEntries(typed) as { -readonly [Name in keyof Schemas]: SchemaOutput<Schemas[Name]> };
  }

  /** Loads all artifacts, one after the other, so that only one is in memory at a time. */
  async *artifacts(options: CallOptions = {}): AsyncGenerator<{ name: string; value: unknown }> {
    for (const name of this.names()) yield { name, value: await this.get(name, options) };
  }

  /** The serialized bytes of an artifact, piece by piece, verified: for what is too large for memory. */
  async *streamArtifact(name: string, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    const entry = this.#entry(name);
    if (entry.content) {
      this.#ensureKept(entry);
      yield* this.#content.reader.stream(entry.content, options);
    } else {
      yield this.#inlineBytes(entry);
    }
  }

  /** What was said of the attempt by `saveMetadata`. */
  async loadMetadata(): Promise<Metadata> {
    return cloneJson(this.#read.metadata) as Metadata;
  }

  /** The logs there are, with their lengths in bytes. */
  async logs(options: CallOptions = {}): Promise<(LogName & { bytes: number })[]> {
    const logs = await listLogs(this.#content.storage, this.#read.path, this.attempt, options);
    return logs.map(({ source, stream, bytes }) => ({ source, stream, bytes }));
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

  #inlineValue(entry: ArtifactEntry): unknown {
    const inline = entry.inline as NonNullable<ArtifactEntry['inline']>;
    if ('json' in inline) return cloneJson(inline.json);
    return this.#registry.deserialize(entry.name, entry, this.#inlineBytes(entry));
  }

  #inlineBytes({ name, encoding, inline }: ArtifactEntry): Uint8Array {
    if (inline && 'base64' in inline) return Uint8Array.from(Buffer.from(inline.base64, 'base64'));
    return this.#registry.serialize(name, (inline as { json: unknown }).json, { serializer: encoding }).bytes;
  }

  async #fetchValue(entry: ArtifactEntry, options: CallOptions): Promise<unknown> {
    this.#ensureKept(entry);
    const bytes = await this.#load(entry, options);
    return this.#registry.deserialize(entry.name, entry, bytes);
  }

  async #load(entry: ArtifactEntry, options: CallOptions): Promise<Uint8Array> {
    try {
      return await this.#content.reader.load(entry.content as NonNullable<ArtifactEntry['content']>, options);
    } catch (error) {
      if (!isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_DAMAGED', 'CONTENT_TOO_LARGE')) throw error;
      const details = {
        ...error.details,
        flow: this.flowName,
        pathspec: this.pathspec,
        artifact: entry.name,
      };
      throw new StowageError(error.code, `Artifact ${entry.name} of ${this.pathspec}: ${error.message}`, {
        details,
        cause: error,
      });
    }
  }

  #ensureKept(entry: ArtifactEntry): void {
    if (!this.#read.purged) return;
    const details = { flow: this.flowName, pathspec: this.pathspec, artifact: entry.name, key: entry.key };
    throw new StowageError(
      'CONTENT_PURGED',
      `The content of artifact ${entry.name} of ${this.pathspec} was given up by retention; its history and its small values remain. Run the task again to have it back.`,
      { details },
    );
  }
}

function tooLongForText(source: string, stream: string): StowageError {
  return new StowageError(
    'CONTENT_TOO_LARGE',
    `The log ${source}.${stream} is longer than a text can be; read it by streamLogs.`,
    { details: { source, stream } },
  );
}
