import type { SerializerRegistry } from '../artifacts/registry.ts';
import type { SerializedArtifact } from '../artifacts/serializer.ts';
import type { JsonValue } from '../codec/json-value.ts';
import type { Compression } from '../codec/payload.ts';
import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import type { ContentRef } from '../content/content-ref.ts';
import type { ContentWriter } from '../content/content-writer.ts';
import { holdsBytes } from '../content/create-own.ts';
import {
  type ArtifactEntry,
  type ArtifactTable,
  type Description,
  encodeDescription,
  encodeTable,
  MAX_TABLE_BYTES,
} from '../content/description.ts';
import { BEAT_INTERVAL_MS, Heartbeat } from '../content/heartbeat.ts';
import { recordError } from '../content/recorded-error.ts';
import { WriterSession } from '../content/session.ts';
import {
  closeSession,
  encodeAttempt,
  type Outcome,
  type RecordedError,
  SESSION_FILES,
  thisOwner,
} from '../content/session-files.ts';
import { digestHex } from '../digest/blake3.ts';
import { StowageError, throwIfAborted } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { attemptBase, listAttempts } from './attempt-files.ts';
import { toInline } from './inline-value.ts';
import { type LogStreams, LogWriter } from './log-parts.ts';
import { encodeMetadataPart, type Metadata, toMetadata, writeMetadataPart } from './metadata-parts.ts';
import { formatPathspec, type TaskPath, validateAttemptNumber } from './pathspec.ts';

/** What attempts of one store share. */
export interface AttemptContext {
  content: ContentAddressedStore;
  registry: SerializerRegistry;
  /** Serialized values up to this many bytes are kept in metadata.json. */
  maxInlineBytes: number;
  /** How often an open attempt shows that it is alive, in milliseconds. */
  beatIntervalMs?: number | undefined;
}

/** How artifacts are saved. */
export interface SaveOptions extends CallOptions {
  /** How their content is compressed. Default: the store's setting. */
  compression?: Compression | undefined;
}

/** The default of {@link AttemptContext.maxInlineBytes}. */
export const DEFAULT_MAX_INLINE_BYTES: number = 16 * 1024;
/** All inline values of an attempt together stay below this. */
const MAX_INLINE_TOTAL_BYTES = 512 * 1024;
/** How many attempts an attempt may record that it rests on. */
const MAX_READ_FROM = 50_000;
/** How often the next free number is looked for when others keep taking it. */
const OPEN_TRIES = 16;

type State = 'open' | 'closing' | 'closed';

/** One attempt of a task, while its owner writes it. Nothing of it is visible to readers before it is closed. */
export class OpenAttempt {
  readonly path: TaskPath;
  readonly #context: AttemptContext;
  readonly #startedAt: string;
  #number: number;
  #session: WriterSession;
  #writer: ContentWriter;
  #heartbeat: Heartbeat;
  #logs: LogWriter;
  #state: State = 'open';
  #inlineBytes = 0;
  #metadataParts = 0;
  #metadataBytes = 0;
  readonly #metadata: Metadata = {};
  readonly #artifacts = new Map<string, { entry: ArtifactEntry; refs: readonly ContentRef[] }>();
  readonly #readFrom = new Set<string>();
  /** The description is fixed by the first try to close: a second try must write the same bytes. */
  #description: Uint8Array | undefined;

  constructor(
    context: AttemptContext,
    path: TaskPath,
    number: number,
    session: WriterSession,
    startedAt: string,
  ) {
    this.#context = context;
    this.path = path;
    this.#startedAt = startedAt;
    this.#number = number;
    this.#session = session;
    this.#writer = context.content.writer(session);
    this.#logs = new LogWriter(this.#storage, path, number);
    this.#heartbeat = this.#startHeartbeat();
  }

  /** The attempt's number; one more than it was opened with, if it had to be closed after a fence. */
  get number(): number {
    return this.#number;
  }

  get pathspec(): string {
    return formatPathspec(this.path, this.#number);
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Validates and serializes all values, then writes their content, and only then names them. */
  async saveArtifacts(
    artifacts: Readonly<Record<string, unknown>>,
    options: SaveOptions = {},
  ): Promise<void> {
    this.#ensureOpen('save artifacts');
    throwIfAborted(options.signal);
    const serialized = serializeAll(this.#context.registry, artifacts);
    const rows = new Map<string, { entry: ArtifactEntry; refs: readonly ContentRef[] }>();
    const large: [string, SerializedArtifact][] = [];
    let inlineBytes = 0;
    for (const [name, value] of serialized) {
      const { length } = value.bytes;
      if (
        length > this.#context.maxInlineBytes ||
        this.#inlineBytes + inlineBytes + length > MAX_INLINE_TOTAL_BYTES
      ) {
        large.push([name, value]);
        continue;
      }
      inlineBytes += length;
      const entry = { ...describe(name, value), key: digestHex(value.bytes), inline: toInline(value) };
      rows.set(name, { entry, refs: value.refs });
    }
    if (large.length > 0) await this.#saveContents(large, rows, options);
    this.#ensureOpen('save artifacts');
    this.#inlineBytes += inlineBytes;
    for (const [name] of serialized) {
      const row = rows.get(name);
      if (row) this.#artifacts.set(name, row);
    }
  }

  /** Writes metadata at once, beside the attempt, and once more in its description. */
  async saveMetadata(metadata: Metadata, options: CallOptions = {}): Promise<void> {
    this.#ensureOpen('save metadata');
    const part = toMetadata(metadata);
    const record = encodeMetadataPart(part, this.#metadataBytes);
    this.#metadataBytes += record.length;
    const sequence = this.#metadataParts++;
    await writeMetadataPart(this.#storage, this.path, this.#number, sequence, record, options);
    Object.assign(this.#metadata, part);
  }

  async saveLogs(source: string, streams: LogStreams, options: CallOptions = {}): Promise<void> {
    this.#ensureOpen('save logs');
    await this.#logs.append(source, streams, options);
  }

  /** Notes that this attempt's results rest on another attempt's. */
  recordRead(pathspec: string): void {
    this.#ensureOpen('record what was read');
    if (this.#readFrom.size >= MAX_READ_FROM) {
      throw new StowageError(
        'INVALID_ARGUMENT',
        `An attempt records at most ${MAX_READ_FROM} attempts that it rests on; save a longer list as an artifact.`,
      );
    }
    this.#readFrom.add(pathspec);
  }

  /** Closes the attempt as done: now readers see it. */
  async done(options: CallOptions = {}): Promise<void> {
    await this.#close('done', undefined, options);
  }

  /** Closes the attempt as failed, with the error that ended it. What it saved stays readable to those who ask for unfinished work. */
  async fail(error: unknown, options: CallOptions = {}): Promise<void> {
    await this.#close('failed', recordError(error), options);
  }

  get #storage(): DataStoreStorage {
    return this.#context.content.storage;
  }

  get #base(): string {
    return attemptBase(this.path, this.#number);
  }

  #startHeartbeat(): Heartbeat {
    return new Heartbeat(this.#storage, this.#session.id, this.#context.beatIntervalMs ?? BEAT_INTERVAL_MS);
  }

  #ensureOpen(what: string): void {
    if (this.#state === 'open') return;
    throw new StowageError(
      'ATTEMPT_CLOSED',
      `Cannot ${what}: attempt ${this.pathspec} of flow ${this.path.flow} is closed, and a closed attempt never changes. Open a new attempt.`,
      { details: { pathspec: this.pathspec, flow: this.path.flow } },
    );
  }

  async #saveContents(
    values: readonly [string, SerializedArtifact][],
    rows: Map<string, { entry: ArtifactEntry; refs: readonly ContentRef[] }>,
    { compression, signal }: SaveOptions,
  ): Promise<void> {
    const refs = values.flatMap(([, value]) => value.refs);
    await this.#session.pin(refs, { signal });
    const inputs = values.map(([, { bytes, elementBytes }]) => ({ bytes, elementBytes, compression }));
    const contents = await this.#writer.saveAll(inputs, { signal });
    values.forEach(([name, value], index) => {
      const content = contents[index] as (typeof contents)[number];
      rows.set(name, { entry: { ...describe(name, value), key: content.key, content }, refs: value.refs });
    });
  }

  async #close(outcome: Outcome, error: RecordedError | undefined, options: CallOptions): Promise<void> {
    if (this.#state === 'closed')
      this.#ensureOpen(outcome === 'done' ? 'close it as done' : 'close it as failed');
    throwIfAborted(options.signal);
    this.#state = 'closing';
    this.#description ??= await this.#describe(options);
    const done = {
      outcome,
      session: this.#session.id,
      closedAt: new Date().toISOString(),
      ...(error ? { error } : {}),
    };
    const standing = await closeSession(this.#storage, this.#base, this.#description, done, options);
    if (standing) {
      if (standing.session !== this.#session.id) throw fenced(this.pathspec, 'somebody else closed it');
      // A collector that heard nothing for a day gave up on this attempt. As a failure that is as good as closed.
      if (standing.outcome === 'abandoned' && outcome === 'done') return this.#closeAsNext(options);
      // An earlier try of ours had closed it after all, though its answer was lost.
      if (standing.outcome === 'done' && outcome === 'failed') {
        this.#state = 'closed';
        this.#ensureOpen('close it as failed');
      }
    }
    this.#state = 'closed';
    await this.#heartbeat.stop();
  }

  /**
   * Closes this attempt's work as the next attempt, after a fence: what the new session relies on is pinned and checked by
   * the writer's protocol like anything else that others wrote.
   */
  async #closeAsNext(options: CallOptions): Promise<void> {
    const before = this.pathspec;
    const session = new WriterSession(this.#storage);
    const next = this.#number + 1;
    const record = encodeAttempt(
      { session: session.id, startedAt: this.#startedAt, owner: thisOwner(), pins: [] },
      { ...this.path, attempt: next },
    );
    const opened = await createAttempt(this.#storage, this.path, next, record, options);
    if (!opened)
      throw fenced(before, `a collector gave up on it, and attempt ${next} was opened by somebody else`);
    await this.#heartbeat.stop();
    this.#number = next;
    this.#session = session;
    this.#writer = this.#context.content.writer(session);
    this.#heartbeat = this.#startHeartbeat();
    this.#description = undefined;
    const lost = await this.#relyAgain(options);
    if (lost.length === 0) return this.#close('done', undefined, options);
    const error = new StowageError(
      'CONTENT_LOST',
      `Attempt ${before} was silent for so long that a collector gave up on it, and the content of ${lost.join(', ')} is gone since. Run the task again.`,
      { details: { pathspec: before, artifacts: lost } },
    );
    await this.#close('failed', recordError(error), options);
    throw error;
  }

  /** Finds every content again that the artifacts rest on; those that are gone are left out and named. */
  async #relyAgain(options: CallOptions): Promise<string[]> {
    const lost: string[] = [];
    for (const [name, { entry, refs }] of this.#artifacts) {
      await this.#session.pin(refs, options);
      if (!entry.content) continue;
      const content = await this.#writer.rely(entry.content, options);
      if (content) this.#artifacts.set(name, { entry: { ...entry, content }, refs });
      else lost.push(name);
    }
    for (const name of lost) this.#artifacts.delete(name);
    return lost;
  }

  async #describe(options: CallOptions): Promise<Uint8Array> {
    const rows = [...this.#artifacts.values()];
    const refs = new Map(rows.flatMap((row) => row.refs).map((ref) => [JSON.stringify(ref), ref]));
    const table: ArtifactTable = { artifacts: rows.map((row) => row.entry), refs: [...refs.values()] };
    const described = encodeDescription(this.#descriptionWith(table));
    if (described.length <= MAX_TABLE_BYTES) return described;
    const [moved] = await this.#writer.saveAll([{ bytes: encodeTable(table) }], options);
    return encodeDescription(this.#descriptionWith(moved as NonNullable<typeof moved>));
  }

  #descriptionWith(table: Description['table']): Description {
    return {
      session: this.#session.id,
      subject: { ...this.path, attempt: this.#number } as Record<string, JsonValue>,
      startedAt: this.#startedAt,
      table,
      metadata: this.#metadata,
      readFrom: [...this.#readFrom],
    };
  }
}

/** Which attempt to open. */
export interface OpenAttemptOptions extends CallOptions {
  /** The attempt's number, from 0. Default: the next one that nobody has opened. */
  attempt?: number | undefined;
}

/**
 * Step 1 of a task's life: creates attempt.json, so that two workers never own one attempt.
 *
 * @throws StowageError `ATTEMPT_EXISTS` where the given number is taken.
 */
export async function openAttempt(
  context: AttemptContext,
  path: TaskPath,
  options: OpenAttemptOptions,
): Promise<OpenAttempt> {
  const { storage } = context.content;
  const { signal } = options;
  if (options.attempt !== undefined) validateAttemptNumber(options.attempt);
  for (let tries = 0; tries < OPEN_TRIES; tries++) {
    const number = options.attempt ?? (await nextNumber(storage, path, { signal }));
    const session = new WriterSession(storage);
    const startedAt = new Date().toISOString();
    const record = encodeAttempt(
      { session: session.id, startedAt, owner: thisOwner(), pins: [] },
      { ...path, attempt: number },
    );
    if (await createAttempt(storage, path, number, record, { signal })) {
      return new OpenAttempt(context, path, number, session, startedAt);
    }
    if (options.attempt !== undefined) throw exists(path, number);
  }
  throw exists(path, undefined);
}

async function createAttempt(
  storage: DataStoreStorage,
  path: TaskPath,
  number: number,
  record: Uint8Array,
  { signal }: CallOptions,
): Promise<boolean> {
  const name = attemptBase(path, number) + SESSION_FILES.attempt;
  if (await storage.create(name, record, { signal, durability: 'deferred' })) return true;
  return holdsBytes(storage, name, record, signal);
}

async function nextNumber(storage: DataStoreStorage, path: TaskPath, options: CallOptions): Promise<number> {
  const attempts = await listAttempts(storage, path, options);
  return Math.max(-1, ...attempts.keys()) + 1;
}

function serializeAll(
  registry: SerializerRegistry,
  artifacts: Readonly<Record<string, unknown>>,
): [string, SerializedArtifact][] {
  if (typeof artifacts !== 'object' || artifacts === null || Array.isArray(artifacts)) {
    throw new StowageError(
      'INVALID_ARGUMENT',
      'Artifacts are saved by name: pass an object such as { model, metrics }.',
    );
  }
  return Object.keys(artifacts).map((name) => {
    validateUserName(name, 'artifact name');
    return [name, registry.serialize(name, artifacts[name])];
  });
}

function describe(
  name: string,
  { type, encoding, info, bytes }: SerializedArtifact,
): Pick<ArtifactEntry, 'name' | 'type' | 'encoding' | 'info' | 'bytes'> {
  const shared = { name, type, encoding, bytes: bytes.length };
  return info === undefined ? shared : { ...shared, info: info as Record<string, JsonValue> };
}

function exists(path: TaskPath, number: number | undefined): StowageError {
  const pathspec = formatPathspec(path, number);
  const message =
    number === undefined
      ? `Others opened attempt after attempt of ${pathspec} of flow ${path.flow} just now; see who else works on this task.`
      : `Attempt ${pathspec} of flow ${path.flow} was opened before; somebody works on it, or did. Leave the number out to open the next one.`;
  return new StowageError('ATTEMPT_EXISTS', message, { details: { flow: path.flow, pathspec } });
}

function fenced(pathspec: string, why: string): StowageError {
  return new StowageError(
    'ATTEMPT_FENCED',
    `Attempt ${pathspec} cannot be closed any more: ${why}. Its results were not kept; run the task again.`,
    { details: { pathspec } },
  );
}
