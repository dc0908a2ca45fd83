import { inspect } from 'node:util';
import type { ProgressOptions } from '../async/progress.ts';
import { AttemptView, CONTENT_FAULTS } from '../attempts/attempt-view.ts';
import { cloneJson } from '../attempts/inline-value.ts';
import { jsonText } from '../codec/json-text.ts';
import type { ContentStore } from '../content/content-store.ts';
import { READ_OPTIONS, type ReadOptions } from '../content/reading/content-reader.ts';
import { digestHex } from '../digest/blake3.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { type ArtifactInfo, artifactInfo } from '../flow/artifact-info.ts';
import { artifactPieces, loadArtifact } from '../flow/read-artifact.ts';
import { type SchemaOutput, type StandardSchema, validateArtifact } from '../flow/standard-schema.ts';
import type { ContentKey } from '../format/content-names.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { Owner } from '../format/session-files.ts';
import { checkOptions, PROGRESS_OPTIONS } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { webStream } from '../streams/web-stream.ts';
import { CACHE_DIGEST } from '../values/cache-digest.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { ReadVersion } from './read-version.ts';

/** What a published version says of itself, for JSON. */
export interface PublishedVersionJson {
  name: string;
  version: number;
  artifact: string;
  source: string;
  publishedAt: string;
  description?: string;
  attributes: Record<string, JsonValue>;
}

/**
 * A version of a value under a name. It never changes, and is kept until it is withdrawn, whatever becomes of the run that it is of.
 *
 * As a value in the input of a cached task it counts in the key by the digest of its value, whatever its name and number.
 */
export class PublishedVersion {
  readonly #read: ReadVersion;
  readonly #view: AttemptView;

  static {
    // By symbols that are not JavaScript's own, which no declaration file can name.
    const methods = {
      [CACHE_DIGEST](this: PublishedVersion): string {
        return digestText(this.#entry());
      },
      [inspect.custom](this: PublishedVersion, _depth: number, options: object): string {
        return `PublishedVersion ${inspect(this.toJSON(), options)}`;
      },
    };
    for (const symbol of Object.getOwnPropertySymbols(methods))
      Object.defineProperty(PublishedVersion.prototype, symbol, {
        value: methods[symbol as keyof typeof methods],
      });
  }

  /**
   * For use by `FlowDataStore`.
   *
   * @internal
   */
  constructor(content: ContentStore, registry: SerializerRegistry, read: ReadVersion) {
    this.#read = read;
    const { source, table, erased } = read;
    const facts = { ...source, status: 'done', purged: false, described: { table: () => table } } as const;
    this.#view = new AttemptView(content, registry, erased ? { ...facts, erased } : facts);
  }

  /** The name that it is published under, one of the whole store. */
  get name(): string {
    return this.#read.name;
  }

  /** Its number, from 1 on. */
  get version(): number {
    return this.#read.version;
  }

  /** The name of the artifact. */
  get artifact(): string {
    return this.#read.artifact;
  }

  /** The attempt that the artifact is of, `flow/run/step/task/attempt`. It may be gone since. */
  get source(): string {
    return this.#view.fullPathspec;
  }

  /** When it was published, by the publisher's clock. */
  get publishedAt(): Date {
    return new Date(this.#read.publishedAt);
  }

  /** The process that published it. */
  get publishedBy(): Owner {
    return { ...this.#read.owner };
  }

  /** What it is, for people; absent where nobody said. */
  get description(): string | undefined {
    return this.#read.description;
  }

  /** What its publisher said of it, for programs. */
  get attributes(): Record<string, JsonValue> {
    return cloneJson(this.#read.attributes) as Record<string, JsonValue>;
  }

  /** The reason of an erasure that took its value. Absent of one that has it. */
  get erased(): string | undefined {
    return this.#read.erased?.artifacts.includes(this.artifact) ? this.#read.erased.reason : undefined;
  }

  /** Describes the value without loading it; throws `CONTENT_ERASED`. */
  get info(): ArtifactInfo {
    return artifactInfo(this.#entry());
  }

  /** The digest of the serialized value; throws `CONTENT_ERASED`. */
  get key(): ContentKey {
    return this.#entry().key;
  }

  /**
   * Loads the value, verified: of the type that it was saved as, references in it included.
   *
   * @throws StowageError `CONTENT_ERASED`, `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`, `UNDECODABLE_ARTIFACT`, `UNKNOWN_ENCODING`
   */
  async load<T = unknown>(options: CallOptions & ProgressOptions = {}): Promise<T> {
    checkOptions<ProgressOptions>(options, 'load', PROGRESS_OPTIONS);
    const entry = this.#entry();
    try {
      return (await loadArtifact(this.#view, entry, 'load', options)) as T;
    } catch (error) {
      throw this.#named(error);
    }
  }

  /**
   * Loads the value and validates it by a Standard Schema (zod, valibot, arktype, ...), whose output is returned.
   *
   * @throws StowageError `ARTIFACT_INVALID` with the paths at fault, or as {@link load}
   */
  async loadTyped<Schema extends StandardSchema>(
    schema: Schema,
    options: CallOptions & ProgressOptions = {},
  ): Promise<SchemaOutput<Schema>> {
    checkOptions<ProgressOptions>(options, 'loadTyped', PROGRESS_OPTIONS);
    return (await validateArtifact(this.artifact, await this.load(options), schema)) as SchemaOutput<Schema>;
  }

  /**
   * Reads the serialized bytes, or a range of them, piece by piece, verified: for what is too large for memory. A range fetches only the
   * chunks that it touches.
   */
  async *stream(options: ReadOptions & ProgressOptions = {}): AsyncGenerator<Uint8Array> {
    checkOptions<ReadOptions & ProgressOptions>(options, 'stream', READ_OPTIONS);
    yield* this.#pieces(this.#entry(), 'stream', options);
  }

  /**
   * Opens a value that is bytes as a web stream of bytes, whole or a range of it, as `TaskDataStore.open` does.
   *
   * @throws StowageError `ARTIFACT_NOT_BYTES`, `CONTENT_ERASED`, `INVALID_ARGUMENT`
   */
  open(options: ReadOptions & ProgressOptions = {}): ReadableStream<Uint8Array> {
    checkOptions<ReadOptions & ProgressOptions>(options, 'open', READ_OPTIONS);
    const entry = this.#entry();
    this.#view.ensureBytes(entry);
    return webStream(({ signal }) => this.#pieces(entry, 'open', { ...options, signal }), options);
  }

  /** Its name, its number and what is said of it: `JSON.stringify` tells this. */
  toJSON(): PublishedVersionJson {
    const { name, version, artifact, source, description, attributes } = this;
    const { publishedAt } = this.#read;
    const told = description === undefined ? {} : { description };
    return { name, version, artifact, source, publishedAt, ...told, attributes };
  }

  async *#pieces(
    entry: ArtifactEntry,
    call: string,
    options: ReadOptions & ProgressOptions,
  ): AsyncGenerator<Uint8Array> {
    try {
      yield* artifactPieces(this.#view, entry, call, options);
    } catch (error) {
      throw this.#named(error);
    }
  }

  #entry(): ArtifactEntry {
    try {
      return this.#view.entry(this.artifact);
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** The error of a value that cannot be had, with the version that has it. */
  #named(error: unknown): unknown {
    if (!isStowageError(error, ...CONTENT_FAULTS, 'CONTENT_ERASED', 'ARTIFACT_NOT_FOUND')) return error;
    const { name, version } = this;
    const advice =
      error.code === 'CONTENT_ERASED' ? " Withdraw the version, so that 'latest' is the one before it." : '';
    return new StowageError(error.code, `Version ${version} of ${name}: ${error.message}${advice}`, {
      details: { ...error.details, name, version },
      cause: error,
    });
  }
}

/** Equal for equal values only: bytes mean another value in another encoding. */
function digestText({ type, encoding, info, key }: ArtifactEntry): string {
  return `published:${digestHex(Buffer.from(jsonText([type, encoding, info ?? null, key])))}`;
}
