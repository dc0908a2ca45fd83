import type { StreamOptions } from '../content/content-writer.ts';
import { BEAT_INTERVAL_MS, Heartbeat } from '../content/heartbeat.ts';
import { WriterSession } from '../content/session.ts';
import type { SessionWriters } from '../content/session-writers.ts';
import { digestHex } from '../digest/blake3.ts';
import { invalidArgument, StowageError, throwIfAborted } from '../errors.ts';
import { attemptBase, attemptSubject } from '../format/attempt-files.ts';
import {
  type ArtifactTable,
  type CachedCall,
  type Description,
  encodeDescription,
  encodeTable,
  MAX_TABLE_BYTES,
} from '../format/description.ts';
import type { LogChoice } from '../format/log-names.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import { recordError } from '../format/recorded-error.ts';
import {
  closeSession,
  encodeAttempt,
  type Outcome,
  type RecordedError,
  thisOwner,
} from '../format/session-files.ts';
import type { SessionId } from '../format/session-id.ts';
import type { ScrubbedLog } from '../logs/log-scrubbing.ts';
import type { LogStreams } from '../logs/log-streams.ts';
import { LogWriter, type SaveLogsOptions } from '../logs/log-writer.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { ArtifactStreamOptions, Artifacts, SaveOptions } from './artifact-input.ts';
import type { AttemptContext } from './attempt-context.ts';
import { createAttempt } from './attempt-number.ts';
import { AttemptTable, artifactSubject, type TableRow, type TableWriter } from './attempt-table.ts';
import {
  encodeMetadataPart,
  type Metadata,
  metadataSubject,
  partSubject,
  toMetadata,
  writeMetadataPart,
} from './metadata-parts.ts';
import { namesIn, type SaveCall, SaveCalls, saveFailed } from './save-calls.ts';
import { failBeforeProcessEnds, leaveToItself } from './unhandled-rejections.ts';

/** A closed attempt, so that it cannot be taken for another one. */
export interface ClosedAttempt extends TaskPath {
  attempt: number;
  session: SessionId;
  /** BLAKE3-256 of its metadata.json. */
  metadataDigest: string;
}

/** How many attempts an attempt may record that it rests on. */
const MAX_READ_FROM = 50_000;

/** `ending`: done() waits for what was begun before it. */
type State = 'open' | 'ending' | 'closing' | 'closed';

/** One attempt of a task, while its owner writes it. Nothing of it is visible to readers before it is closed. */
export class OpenAttempt {
  readonly path: TaskPath;
  readonly #context: AttemptContext;
  readonly #startedAt: string;
  #number: number;
  #session: WriterSession;
  #writers: SessionWriters;
  readonly #rawDataPath: string | undefined;
  #heartbeat: Heartbeat;
  readonly #logs: LogWriter;
  readonly #table: AttemptTable;
  #state: State = 'open';
  #metadataParts = 0;
  #metadataBytes = 0;
  readonly #metadata: Metadata = {};
  readonly #readFrom = new Set<string>();
  #cached: CachedCall | undefined;
  readonly #calls = new SaveCalls(() => {
    if (!this.isClosed) failBeforeProcessEnds(this);
  });
  /** The description is fixed by the first try to close: a second try must write the same bytes. */
  #description: Uint8Array | undefined;
  /** After a fence: the new session has yet to find again what the artifacts rest on. */
  #mustRelyAgain = false;
  readonly #lost = new Set<string>();

  constructor(
    context: AttemptContext,
    path: TaskPath,
    number: number,
    session: WriterSession,
    startedAt: string,
    rawDataPath?: string,
  ) {
    this.#context = context;
    this.#rawDataPath = rawDataPath;
    this.path = path;
    this.#startedAt = startedAt;
    this.#number = number;
    this.#session = session;
    this.#writers = context.content.writers(session);
    this.#logs = new LogWriter(this.#storage, path, number);
    this.#table = new AttemptTable(context.registry, context.maxInlineBytes);
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

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /**
   * What the attempt was closed with, for whoever names its result elsewhere: rows but for those `omitted`; `undefined` before
   * it is closed.
   */
  closedAs(omitted: ReadonlySet<string>): { source: ClosedAttempt; table: ArtifactTable } | undefined {
    if (!this.isClosed || !this.#description) return undefined;
    const [session, metadataDigest] = [this.#session.id, digestHex(this.#description)];
    const source = { ...this.path, attempt: this.#number, session, metadataDigest };
    return { source, table: this.#table.toTable(omitted) };
  }

  /** Validates and serializes all values, then writes their content, and only then names them. */
  async saveArtifacts(artifacts: Artifacts, options: SaveOptions = {}): Promise<void> {
    await this.#save('artifacts', (call) => this.#table.save(artifacts, this.#target, options, call));
  }

  /** Saves bytes that come piece by piece; few ones as if they had been in memory, so that they may be kept inline. */
  async saveArtifactStream(
    name: string,
    source: AsyncIterable<Uint8Array>,
    options: ArtifactStreamOptions = {},
    again?: StreamOptions['again'],
  ): Promise<void> {
    await this.#save('artifacts', (call) =>
      this.#table.saveStream(name, source, this.#target, options, call, again),
    );
  }

  /** Names rows whose content `takeOver` finds, or writes, under this attempt's session, and the attempts that they rest on. */
  async adoptArtifacts(
    takeOver: (call: SaveCall, target: TableWriter) => Promise<readonly TableRow[]>,
    restsOn: 'origins' | 'nothing' = 'nothing',
  ): Promise<void> {
    await this.#save('artifacts', async (call) => {
      const rows = await takeOver(call, this.#target);
      await this.#table.adopt(rows, call, () => {
        if (restsOn === 'origins') for (const origin of call.origins) this.#addReadFrom(origin);
      });
    });
  }

  /** Whether there is an artifact of this name, or is to be one by a call that has not ended. */
  hasArtifact(name: string): boolean {
    return this.#table.has(name) || this.#calls.isUnderWay(artifactSubject(name));
  }

  /** Goes on without an artifact that could not be saved. */
  forgoArtifact(name: string): void {
    this.#calls.forgo(artifactSubject(name));
  }

  /** Writes metadata at once, beside the attempt, and once more in its description. */
  async saveMetadata(metadata: Metadata, options: CallOptions = {}): Promise<void> {
    await this.#save('metadata', async (call) => {
      call.expect(namesIn(metadata).map(metadataSubject));
      checkOptionNames(options, 'saveMetadata');
      const part = toMetadata(metadata);
      const sequence = this.#metadataParts;
      const subject = partSubject(this.path, this.#number, sequence);
      const record = encodeMetadataPart(part, this.#metadataBytes, subject);
      this.#metadataParts += 1;
      this.#metadataBytes += record.length;
      await writeMetadataPart(this.#storage, this.path, this.#number, sequence, record, options);
      for (const [name, value] of Object.entries(part)) {
        if (call.take(metadataSubject(name))) this.#metadata[name] = value;
      }
    });
  }

  async saveLogs(source: string, streams: LogStreams, options: SaveLogsOptions = {}): Promise<void> {
    await this.#save('logs', async (call) => {
      call.expect(namesIn(streams).map((stream) => `log ${String(source)}/${stream}`));
      checkOptionNames(options, 'saveLogs', ['flushMs']);
      await this.#logs.append(source, streams, options);
    });
  }

  /** Takes out what logs say so far, and leaves a note. What fails of it can be done again once the attempt is closed. */
  async scrubLogs(choice: LogChoice, options: CallOptions = {}): Promise<ScrubbedLog[]> {
    this.#ensureOpen('scrub logs');
    return this.#calls.waitFor('logs', () => this.#logs.scrub(choice, options));
  }

  /** Notes that this attempt's results rest on another attempt's. */
  recordRead(pathspec: string): void {
    this.#ensureOpen('record what was read');
    this.#addReadFrom(pathspec);
  }

  #addReadFrom(pathspec: string): void {
    if (this.#readFrom.size >= MAX_READ_FROM) {
      throw invalidArgument(
        `An attempt records at most ${MAX_READ_FROM} attempts that it rests on; save a longer list as an artifact.`,
      );
    }
    this.#readFrom.add(pathspec);
  }

  /** Closes the attempt as done: now readers see it. `cached` says whose result it is to be. */
  async done({ cached, ...options }: CallOptions & { cached?: CachedCall | undefined } = {}): Promise<void> {
    this.#cached = cached;
    await this.#close('done', undefined, options);
  }

  /** Closes the attempt as failed, with the error that ended it. What it saved stays readable to those who ask for unfinished work. */
  async fail(error: unknown, options: CallOptions = {}): Promise<void> {
    await this.#close('failed', recordError(error), options);
  }

  /** Shows no more signs of life: nobody will close the attempt, and a collector may give up on it. */
  async letGo(): Promise<void> {
    leaveToItself(this);
    await this.#heartbeat.stop();
  }

  get #target(): TableWriter {
    return { writers: this.#writers, rawDataPath: this.#rawDataPath };
  }

  get #storage(): DataStoreStorage {
    return this.#context.content.storage;
  }

  #startHeartbeat(): Heartbeat {
    return new Heartbeat(this.#storage, this.#session.id, this.#context.beatIntervalMs ?? BEAT_INTERVAL_MS);
  }

  /**
   * A call that saves something. What was begun before done() may go on while done() waits for it; what begins then is refused,
   * and counts as failed, since done() has not decided yet. After a try to close the attempt it is no part of it.
   */
  async #save(
    kind: 'artifacts' | 'metadata' | 'logs',
    work: (call: SaveCall) => Promise<void>,
  ): Promise<void> {
    const what = `save ${kind}`;
    const isInTime = this.#state === 'open';
    if (!isInTime && this.#state !== 'ending') this.#ensureOpen(what);
    const ensureOpen = (): void => {
      if (!isInTime || this.#state !== 'ending') this.#ensureOpen(what);
    };
    await this.#calls.run(kind, ensureOpen, work);
  }

  #ensureOpen(what: string): void {
    if (this.#state === 'open') return;
    const attempt = `attempt ${this.pathspec} of flow ${this.path.flow}`;
    const why =
      this.#state === 'closed'
        ? `${attempt} is closed, and a closed attempt never changes. Open a new attempt; if this belongs to that one, await it before it is closed.`
        : `${attempt} is being closed: await what belongs to it before that. If closing failed, call done() again, or fail().`;
    throw new StowageError('ATTEMPT_CLOSED', `Cannot ${what}: ${why}`, {
      details: { pathspec: this.pathspec, flow: this.path.flow },
    });
  }

  async #close(outcome: Outcome, error: RecordedError | undefined, options: CallOptions): Promise<void> {
    if (this.isClosed) this.#ensureOpen(`close it as ${outcome}`);
    throwIfAborted(options.signal);
    if (outcome === 'done') {
      // A save that nobody awaited is part of the attempt all the same: done without it would be done with a part of its results.
      // Not after a try to close it: what its description names may be fixed then.
      if (this.#state === 'open') this.#state = 'ending';
      await this.#calls.settled(['artifacts', 'metadata', 'logs'], options);
      const unsaved = this.#calls.unsaved();
      if (unsaved) {
        if (this.#state === 'ending') this.#state = 'open'; // so that it can be saved again
        throw saveFailed(this.path.flow, this.pathspec, unsaved);
      }
    } else {
      // Whoever gives up does not wait for saves and streams, which may have no end now.
      this.#logs.stopStreams();
    }
    if (!this.isClosed) this.#state = 'closing';
    await this.#calls.settled(['metadata', 'logs'], options);
    if (this.#mustRelyAgain) await this.#relyAgain(options);
    if (outcome === 'done' && this.#lost.size > 0) return this.#closeWithLoss(options);
    this.#description ??= await this.#describe(options);
    const { id } = this.#session;
    const closedAt = new Date().toISOString();
    const done = { outcome, session: id, closedAt, ...(error ? { error } : {}) };
    const base = attemptBase(this.path, this.#number);
    await this.#writers.persistElsewhere(options);
    const subject = attemptSubject(this.path, this.#number);
    const standing = await closeSession(this.#storage, base, subject, this.#description, done, options);
    if (standing && standing.session !== id) throw await this.#fenced('somebody else closed it');
    // A collector that heard nothing for a day gave up on this attempt. As a failure that is as good as closed.
    if (standing?.outcome === 'abandoned' && outcome === 'done') {
      await this.#openNext(options);
      return this.#close('done', undefined, options);
    }
    await this.#settle();
    // Another call of ours had closed it otherwise: one whose answer was lost, or one beside this.
    if (standing && standing.outcome !== 'abandoned' && standing.outcome !== outcome)
      this.#ensureOpen(`close it as ${outcome}`);
  }

  async #settle(): Promise<void> {
    this.#state = 'closed';
    leaveToItself(this);
    await this.#heartbeat.stop();
  }

  /**
   * Carries this attempt's work over to the next attempt, after a fence: what the new session relies on has to be pinned and
   * checked by the writer's protocol like anything else that others wrote. Logs stay where they were written.
   */
  async #openNext(options: CallOptions): Promise<void> {
    const next = this.#number + 1;
    const session = new WriterSession(this.#storage);
    const record = encodeAttempt(
      { session: session.id, startedAt: this.#startedAt, owner: thisOwner(), pins: [] },
      attemptSubject(this.path, next),
    );
    if (!(await createAttempt(this.#storage, this.path, next, record, options))) {
      throw await this.#fenced(`a collector gave up on it, and attempt ${next} was opened by somebody else`);
    }
    await this.#heartbeat.stop();
    this.#number = next;
    this.#session = session;
    this.#writers = this.#context.content.writers(session);
    this.#heartbeat = this.#startHeartbeat();
    this.#description = undefined;
    this.#mustRelyAgain = true;
  }

  async #relyAgain(options: CallOptions): Promise<void> {
    for (const name of await this.#table.relyAgain(this.#target, options)) this.#lost.add(name);
    this.#mustRelyAgain = false;
  }

  /** An attempt whose content is gone is never done, however often it is asked. */
  async #closeWithLoss(options: CallOptions): Promise<never> {
    const artifacts = [...this.#lost];
    const error = new StowageError(
      'CONTENT_LOST',
      `Attempt ${formatPathspec(this.path, this.#number - 1)} was silent for so long that a collector gave up on it, and the content of ${artifacts.join(', ')} is gone since. Run the task again.`,
      { details: { pathspec: this.pathspec, artifacts } },
    );
    await this.#close('failed', recordError(error), options);
    throw error;
  }

  async #fenced(why: string): Promise<StowageError> {
    await this.#settle();
    return new StowageError(
      'ATTEMPT_FENCED',
      `Attempt ${this.pathspec} cannot be closed any more: ${why}. Its results were not kept; run the task again.`,
      { details: { pathspec: this.pathspec } },
    );
  }

  async #describe(options: CallOptions): Promise<Uint8Array> {
    const table = this.#table.toTable();
    const described = encodeDescription(this.#descriptionWith(table));
    if (described.length <= MAX_TABLE_BYTES) return described;
    // It is metadata, and stays in the store itself.
    const writer = await this.#writers.at();
    const [moved] = await writer.saveAll([{ bytes: encodeTable(table) }], options);
    return encodeDescription(this.#descriptionWith(moved as NonNullable<typeof moved>));
  }

  #descriptionWith(table: Description['table']): Description {
    return {
      session: this.#session.id,
      subject: attemptSubject(this.path, this.#number),
      startedAt: this.#startedAt,
      table,
      metadata: this.#metadata,
      readFrom: [...this.#readFrom],
      cached: this.#cached,
    };
  }
}
