import type { ContentStore } from '../content/content-store.ts';
import type { LoadOptions, ReadOptions } from '../content/reading/content-reader.ts';
import { invalidArgument, isStowageError, StowageError, type StowageErrorCode } from '../errors.ts';
import type { ArtifactEntry, ArtifactTable } from '../format/description.ts';
import { formatPathspec } from '../format/pathspec.ts';
import { referenceReader } from '../references/read-reference.ts';
import type { CallOptions } from '../storage/contract.ts';
import { isBytes } from '../values/bytes-serializer.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { ReadAttempt } from './attempt-reader.ts';
import { cloneJson } from './inline-value.ts';
import { type GatheredValues, gatherValues } from './own-values.ts';

/** An attempt as its own description tells it, or whatever else names its rows, as an entry of the cache does. */
export interface AttemptFacts extends Pick<ReadAttempt, 'path' | 'attempt' | 'status' | 'purged' | 'erased'> {
  /** Absent for attempts that described nothing. */
  described?: { table: () => ArtifactTable };
}

/** Serialized bytes that were fetched before anybody asked, by key. They are not changed. */
export type PrefetchedBytes = ReadonlyMap<string, Uint8Array>;

/** Errors of one content, rather than of the store. */
export const CONTENT_FAULTS: readonly StowageErrorCode[] = [
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
  'CONTENT_TOO_LARGE',
  'RECORD_DAMAGED',
  'PLACE_NOT_FOUND',
  'PLACE_NOT_TRUSTED',
  'PLACE_UNREACHABLE',
  'PLACE_NOT_OURS',
];

/** How the bytes are read that references of a type stand for. */
const OPENED: ReadonlyMap<string, string> = new Map([
  ['FileRef', 'its own open()'],
  ['DirectoryRef', 'open() of one of its files (its own get or walk)'],
  ['DataFrameRef', 'open() of its file, or read its rows'],
]);

/** The artifacts of one attempt and their values, for everybody who reads them. */
export class AttemptView {
  /** The store that it lies in. */
  readonly content: ContentStore;
  readonly facts: AttemptFacts;
  readonly #registry: SerializerRegistry;
  readonly #prefetched: PrefetchedBytes | undefined;
  #entriesByName: Map<string, ArtifactEntry> | undefined;

  constructor(
    content: ContentStore,
    registry: SerializerRegistry,
    facts: AttemptFacts,
    prefetched?: PrefetchedBytes,
  ) {
    this.content = content;
    this.facts = facts;
    this.#registry = registry;
    this.#prefetched = prefetched;
  }

  get flow(): string {
    return this.facts.path.flow;
  }

  /** `run/step/task/attempt`. */
  get pathspec(): string {
    return formatPathspec(this.facts.path, this.facts.attempt);
  }

  /** `flow/run/step/task/attempt`, by which other attempts name it. */
  get fullPathspec(): string {
    return `${this.flow}/${this.pathspec}`;
  }

  /** The names of the artifacts, in the order in which they were saved. */
  names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /**
   * The row of an artifact.
   *
   * @throws StowageError `ARTIFACT_NOT_FOUND` (naming those there are), `CONTENT_ERASED`, `INVALID_ARGUMENT`
   */
  entry(name: string): ArtifactEntry {
    // A list of one name would else be told that there is no artifact of the name that there is.
    if (typeof name !== 'string') {
      throw invalidArgument('An artifact is named by a string; for several, loadArtifacts takes a list.');
    }
    const entry = this.#entries.get(name);
    if (entry) return entry;
    const { pathspec, flow } = this;
    const { erased } = this.facts;
    const details = { flow, pathspec, artifact: name, existing: this.names() };
    if (erased?.artifacts.includes(name)) {
      const message = `Artifact ${name} of ${pathspec} was erased: ${erased.reason}`;
      throw new StowageError('CONTENT_ERASED', message, { details });
    }
    throw new StowageError('ARTIFACT_NOT_FOUND', this.#explainMissing(name), { details });
  }

  /** Loads a value; without a promise where nothing is waited for, which a thousand small values feel. */
  load(entry: ArtifactEntry, options: LoadOptions): unknown | Promise<unknown> {
    if (entry.inline && 'json' in entry.inline) {
      countLoaded(entry, options);
      return cloneJson(entry.inline.json);
    }
    return this.fetch(entry, options);
  }

  /** Loads a value as {@link load} does, always with a promise; from `gathered` where {@link gather} has it. */
  async fetch(entry: ArtifactEntry, options: LoadOptions, gathered?: GatheredValues): Promise<unknown> {
    const loading = this.#registry.prepareToLoad(entry);
    if (loading) await loading;
    const { key } = entry;
    if (entry.inline) {
      countLoaded(entry, options);
      return this.#deserialize(entry, this.#inlineBytes(entry));
    }
    this.#ensureKept(entry);
    let bytes: Uint8Array;
    try {
      // A copy: values share the memory of their bytes, and whoever loads one may change it.
      const prefetched = this.#prefetched?.get(key)?.slice();
      if (!prefetched && entry.content) {
        bytes = await this.content.reader.load(entry.content, options);
        options.progress?.itemDone();
      } else {
        bytes = prefetched ?? (await this.ownBytes(entry, options, gathered));
        countLoaded(entry, options);
      }
    } catch (error) {
      throw this.#naming(entry, error);
    }
    return this.#deserialize(entry, bytes);
  }

  /**
   * Reads the values of rows that lie in the attempt's own objects, by as few requests as they take. What cannot be had is thrown once
   * it is fetched.
   */
  async gather(entries: readonly ArtifactEntry[], options: CallOptions): Promise<GatheredValues> {
    return gatherValues(this.content, this.facts, entries, options, this.#prefetched);
  }

  /** The serialized bytes, or a range of them, piece by piece, verified. */
  async *stream(entry: ArtifactEntry, options: ReadOptions): AsyncGenerator<Uint8Array> {
    if (!entry.inline) this.#ensureKept(entry);
    if (entry.content) {
      yield* this.content.reader.stream(entry.content, options);
      return;
    }
    const bytes = entry.inline ? this.#inlineBytes(entry) : await this.ownBytes(entry, options);
    const { offset = 0, length = bytes.length } = options.range ?? {};
    const part = bytes.subarray(offset, offset + length);
    if (part.length > 0) yield part;
  }

  /**
   * Refuses an artifact whose value is not its bytes.
   *
   * @throws StowageError `ARTIFACT_NOT_BYTES`
   */
  ensureBytes(entry: ArtifactEntry): void {
    if (isBytes(entry)) return;
    const { name, type, encoding } = entry;
    const opened = OPENED.get(type);
    const how = opened
      ? `load the reference by get, and call ${opened}.`
      : `load it by get, or read its bytes as ${encoding} wrote them by streamArtifact.`;
    throw new StowageError(
      'ARTIFACT_NOT_BYTES',
      `Artifact ${name} of ${this.pathspec} is not bytes, but a value of type ${type}: ${how}`,
      { details: { ...this.#where(entry), type, encoding } },
    );
  }

  /** The serialized bytes of a row that lies in the attempt's own objects, verified; the caller owns them. */
  async ownBytes(
    entry: ArtifactEntry,
    { signal }: CallOptions,
    gathered?: GatheredValues,
  ): Promise<Uint8Array> {
    const bytes = (gathered ?? (await this.gather([entry], { signal }))).get(entry.key);
    if (bytes instanceof Uint8Array) return gathered ? bytes.slice() : bytes; // rows may be of one key
    throw bytes;
  }

  #deserialize(entry: ArtifactEntry, bytes: Uint8Array): unknown {
    const { name, refs } = entry;
    return this.#registry.deserialize(name, entry, bytes, referenceReader(this.content, refs));
  }

  get #entries(): Map<string, ArtifactEntry> {
    this.#entriesByName ??= new Map(
      this.facts.described?.table().artifacts.map((entry) => [entry.name, entry]),
    );
    return this.#entriesByName;
  }

  #inlineBytes(entry: ArtifactEntry): Uint8Array {
    const { name, encoding, inline } = entry;
    if (inline && 'base64' in inline) return Uint8Array.from(Buffer.from(inline.base64, 'base64'));
    this.#registry.checkKnown(name, entry);
    return this.#registry.serialize(name, (inline as { json: unknown }).json, { serializer: encoding }).bytes;
  }

  /** The error of a content that cannot be read, with the artifact that has it. */
  #naming(entry: ArtifactEntry, error: unknown): unknown {
    if (!isStowageError(error, ...CONTENT_FAULTS)) return error;
    return new StowageError(error.code, `Artifact ${entry.name} of ${this.pathspec}: ${error.message}`, {
      details: { ...error.details, ...this.#where(entry) },
      cause: error,
    });
  }

  #ensureKept(entry: ArtifactEntry): void {
    if (!this.facts.purged) return;
    throw new StowageError(
      'CONTENT_PURGED',
      `The content of artifact ${entry.name} of ${this.pathspec} was given up by retention; its history and its small values remain. Run the task again to have it back.`,
      { details: { ...this.#where(entry), key: entry.key } },
    );
  }

  #where({ name }: ArtifactEntry): { flow: string; pathspec: string; artifact: string } {
    return { flow: this.flow, pathspec: this.pathspec, artifact: name };
  }

  #explainMissing(name: string): string {
    const where = `Attempt ${this.pathspec} of flow ${this.flow}`;
    if (!this.facts.described)
      return `${where} has no artifact ${name}: it is ${this.facts.status} and described nothing.`;
    const names = this.names();
    return `${where} has no artifact ${name}; it has ${names.length === 0 ? 'none' : names.slice(0, 20).join(', ')}.`;
  }
}

/** Counts a value that was at hand, or came whole. */
function countLoaded({ bytes }: ArtifactEntry, { progress }: LoadOptions): void {
  progress?.add(bytes);
  progress?.itemDone();
}

/**
 * Refuses an attempt that is open, or was given up: what it has saved is not known.
 *
 * @throws StowageError `ATTEMPT_NOT_DONE`
 */
export function checkDescribed({ facts: { status }, fullPathspec, flow, pathspec }: AttemptView): void {
  if (status === 'done' || status === 'failed') return;
  throw new StowageError(
    'ATTEMPT_NOT_DONE',
    `Attempt ${fullPathspec} is ${status}, so that it has no artifacts to take over; take those of one that is done.`,
    { details: { flow, pathspec, status } },
  );
}
