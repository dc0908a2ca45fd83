import { SingleFlight } from '../async/single-flight.ts';
import type { StreamOptions } from '../content/writing/content-writer.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { digestHex } from '../digest/blake3.ts';
import { invalidArgument, type StowageError, throwIfAborted } from '../errors.ts';
import { attemptSession, attemptSubject } from '../format/attempt-files.ts';
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
import type { RecordedError } from '../format/session-files.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { ScrubbedLog } from '../logs/log-scrubbing.ts';
import type { LogStreams } from '../logs/log-streams.ts';
import { LogWriter, type SaveLogsOptions } from '../logs/log-writer.ts';
import { checkOptionNames } from '../options/option-names.ts';
import { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { ArtifactStreamOptions, Artifacts, SaveOptions } from './artifact-input.ts';
import type { ValueSettings } from './artifact-staging.ts';
import { AttemptTable } from './attempt-table.ts';
import { AttemptView } from './attempt-view.ts';
import { leaveToItself } from './failing-attempts.ts';
import { noteEnded, noteOpen } from './forgotten-attempts.ts';
import { inheritArtifacts } from './inherit-artifacts.ts';
import { attemptFenced, contentLost } from './lost-attempts.ts';
import { type Metadata, MetadataWriter } from './metadata-parts.ts';
import { artifactSubject, metadataSubject, namesIn, type SaveCall, SaveCalls } from './save-calls.ts';
import type { TableRow } from './stored-values.ts';
import { transferArtifacts } from './transfer-artifacts.ts';

/** The settings that attempts of one store share. */
export interface AttemptContext extends ValueSettings {
  content: ContentAddressedStore;
  /** The interval of the heartbeat, in milliseconds. Default: ten minutes. */
  beatIntervalMs?: number | undefined;
}

/** A closed attempt, so that it cannot be taken for another one. */
export interface ClosedAttempt extends TaskPath {
  attempt: number;
  session: SessionId;
  /** BLAKE3-256 of its metadata.json. */
  metadataDigest: string;
}

/** The outcomes that an owner closes an attempt with. */
type Ending = 'done' | 'failed';

/** An attempt may record so many attempts that it rests on. */
const MAX_READ_FROM = 50_000;

/**
 * One attempt of a task, while its owner writes it. Nothing of it is visible to readers before it is closed. What
 * takes long is staged; it is committed at once, where the attempt may still have it.
 */
export class OpenAttempt {
  readonly path: TaskPath;
  readonly #context: AttemptContext;
  #number: number;
  /** The attempt whose objects hold the values of the rows. */
  #valuesOf: number;
  #session: Session;
  readonly #calls: SaveCalls;
  readonly #table: AttemptTable;
  readonly #metadata: MetadataWriter;
  readonly #logs: LogWriter;
  readonly #readFrom = new Set<string>();
  #cached: CachedCall | undefined;
  /** The description is fixed by the first try to close: a second try must write the same bytes. */
  #description: Uint8Array | undefined;
  /** The outcome that the attempt was closed with, once it is. */
  #ending: Ending | undefined;
  /** After a fence: the new session has yet to find again what the artifacts rest on. */
  #mustRevalidate = false;
  readonly #lost = new Set<string>();
  /** The attempt that is to be opened after a fence, or was perhaps, and its session. */
  #next: { number: number; id: SessionId } | undefined;
  /** Calls that close the attempt beside each other take these steps once. */
  readonly #flights = new SingleFlight<void>();

  constructor(
    context: AttemptContext,
    path: TaskPath,
    number: number,
    session: Session,
    rawDataPath?: string,
  ) {
    this.#context = context;
    this.path = path;
    this.#number = number;
    this.#valuesOf = number;
    this.#session = session;
    this.#calls = new SaveCalls(this);
    this.#table = new AttemptTable(context, rawDataPath);
    this.#metadata = new MetadataWriter(context.content.storage, path, number);
    this.#logs = new LogWriter(context.content.storage, path, number);
    noteOpen(this.#calls, this);
  }

  /** The attempt's number; one more than it was opened with, if it had to be closed after a fence. */
  get number(): number {
    return this.#number;
  }

  get pathspec(): string {
    return formatPathspec(this.path, this.#number);
  }

  get label(): string | undefined {
    return this.#session.label;
  }

  get isClosed(): boolean {
    return this.#calls.isClosed;
  }

  get isOpen(): boolean {
    return this.#calls.isOpen;
  }

  /**
   * The closed attempt as entries of the cache name it, and its rows but for those `omitted`.
   * `undefined` before it is closed.
   */
  closedAs(omitted: ReadonlySet<string>): { source: ClosedAttempt; table: ArtifactTable } | undefined {
    if (!this.isClosed || !this.#description) return undefined;
    const [session, metadataDigest] = [this.#session.id, digestHex(this.#description)];
    const source = { ...this.path, attempt: this.#number, session, metadataDigest };
    return { source, table: this.#table.toTable(omitted) };
  }

  /** Validates and serializes all values, then writes their content, and only then names them. */
  async saveArtifacts(artifacts: Artifacts, options: SaveOptions = {}): Promise<void> {
    const call = this.#calls.begin('artifacts');
    try {
      this.#commit(await this.#table.stage(artifacts, this.#session, options, call), call);
    } catch (error) {
      throw call.fail(error);
    }
  }

  /** Saves bytes that come piece by piece; few ones as if they had been in memory, so that they may be kept inline. */
  async saveArtifactStream(
    name: string,
    source: AsyncIterable<Uint8Array>,
    options: ArtifactStreamOptions = {},
    again?: StreamOptions['again'],
  ): Promise<void> {
    const call = this.#calls.begin('artifacts');
    try {
      this.#commit(await this.#table.stageStream(name, source, this.#session, options, call, again), call);
    } catch (error) {
      throw call.fail(error);
    }
  }

  /** Begins a call that takes over artifacts of other attempts: by {@link inherit} or {@link transfer}. */
  beginTakeover(): SaveCall {
    return this.#calls.begin('artifacts');
  }

  /** Names artifacts of attempts of the same store, and notes that this one rests on them. */
  async inherit(
    taken: ReadonlyMap<AttemptView, readonly string[]>,
    options: CallOptions,
    call: SaveCall,
  ): Promise<void> {
    const { storing } = this.#table;
    const rows = await inheritArtifacts(this.#context.content, taken, this.#session, storing, options);
    call.ensureMayCommit();
    for (const origin of call.origins) this.#addReadFrom(origin);
    this.#table.adopt(rows, call);
    call.succeed();
  }

  /** Copies artifacts of an attempt of another store. */
  async transfer(
    origin: AttemptView,
    names: readonly string[],
    options: CallOptions,
    call: SaveCall,
  ): Promise<void> {
    const rows = await transferArtifacts(origin, names, this.#session, this.#table.storing, options);
    call.ensureMayCommit();
    this.#table.adopt(rows, call);
    call.succeed();
  }

  /** Tells of an artifact of this name, or of a call that has not ended and is to save one. */
  hasArtifact(name: string): boolean {
    return this.#table.has(name) || this.#calls.isUnderWay(artifactSubject(name));
  }

  /** Goes on without an artifact that could not be saved. */
  forgoArtifact(name: string): void {
    this.#calls.forgo(artifactSubject(name));
  }

  /** Writes metadata at once, beside the attempt, and once more in its description. */
  async saveMetadata(metadata: Metadata, options: CallOptions = {}): Promise<void> {
    const call = this.#calls.begin('metadata');
    try {
      call.expect(namesIn(metadata).map(metadataSubject));
      checkOptionNames(options, 'saveMetadata');
      const written = await this.#metadata.write(metadata, options);
      for (const [name, value] of Object.entries(written))
        if (call.take(metadataSubject(name))) this.#metadata.merged[name] = value;
      call.succeed();
    } catch (error) {
      throw call.fail(error);
    }
  }

  async saveLogs(source: string, streams: LogStreams, options: SaveLogsOptions = {}): Promise<void> {
    const call = this.#calls.begin('logs');
    try {
      call.expect(namesIn(streams).map((stream) => `log ${String(source)}/${stream}`));
      await this.#logs.append(source, streams, options);
      call.succeed();
    } catch (error) {
      throw call.fail(error);
    }
  }

  /** Takes out what logs say so far, and leaves a note. Can be done again, also once the attempt is closed. */
  async scrubLogs(choice: LogChoice, options: CallOptions = {}): Promise<ScrubbedLog[]> {
    this.#calls.ensureOpen('scrub logs');
    const call = this.#calls.begin('logs');
    try {
      return await this.#logs.scrub(choice, options);
    } finally {
      call.end();
    }
  }

  /** Notes that this attempt's results rest on another attempt's. */
  recordRead(pathspec: string): void {
    this.#calls.ensureOpen('record what was read');
    this.#addReadFrom(pathspec);
  }

  /** Closes the attempt as done: now readers see it. `cached` is the call whose result it is to be. */
  async done({ cached, ...options }: CallOptions & { cached?: CachedCall | undefined } = {}): Promise<void> {
    this.#cached = cached;
    await this.#close('done', undefined, options);
  }

  /** Closes the attempt as failed, with the error that ended it. Its artifacts are read by `allowNotDone`. */
  async fail(error: unknown, options: CallOptions = {}): Promise<void> {
    await this.#close('failed', recordError(error), options);
  }

  /** Ends the heartbeat: nobody will close the attempt, and a collector may give up on it. */
  async abandon(): Promise<void> {
    leaveToItself(this);
    noteEnded(this.#calls);
    await this.#session.abandon();
  }

  #commit(staged: readonly TableRow[], call: SaveCall): void {
    call.ensureMayCommit();
    this.#table.commit(staged, call);
    call.succeed();
  }

  #addReadFrom(pathspec: string): void {
    if (this.#readFrom.size >= MAX_READ_FROM) {
      throw invalidArgument(
        `An attempt records at most ${MAX_READ_FROM} attempts that it rests on; save a longer list as an artifact.`,
      );
    }
    this.#readFrom.add(pathspec);
  }

  async #close(outcome: Ending, error: RecordedError | undefined, options: CallOptions): Promise<void> {
    if (this.isClosed) this.#calls.ensureOpen(`close it as ${outcome}`);
    throwIfAborted(options.signal);
    if (outcome === 'done') await this.#calls.finish(options);
    else this.#logs.stopStreams(); // saves and streams may have no end now, and are not waited for
    this.#calls.stop();
    await this.#calls.settled(['metadata', 'logs'], options);
    do {
      const session = this.#session;
      if (this.#mustRevalidate) await this.#revalidate(options);
      if (outcome === 'done' && this.#lost.size > 0) return this.#closeWithLoss(options);
      const description = await this.#describe(session, options);
      const ending = { outcome, ...(error ? { error } : {}) };
      const standing = description && (await session.close(description, ending, options));
      if (standing && standing.session !== session.id) throw this.#fenced('somebody else closed it');
      if (session !== this.#session) continue; // another call got past a fence meanwhile
      if (standing?.outcome === 'abandoned') await this.#getPast(outcome, options);
      else this.#settle(standing?.outcome ?? outcome);
    } while (!this.#isClosedAs(outcome));
  }

  /** Tells that the attempt is closed, by this call or one beside it; throws `ATTEMPT_CLOSED` where that closed it otherwise. */
  #isClosedAs(outcome: Ending): boolean {
    if (this.isClosed && this.#ending !== outcome) this.#calls.ensureOpen(`close it as ${outcome}`);
    return this.isClosed;
  }

  /**
   * Opens the next attempt, which is to be closed in place of one that a collector gave up on, since it heard nothing for a day. As a
   * failure that is as good as closed, unless the next attempt was begun to be opened: nobody else will close that.
   */
  async #getPast(outcome: Ending, options: CallOptions): Promise<void> {
    if (outcome === 'failed' && !this.#next) return this.#settle(outcome);
    if (this.#isClosedAs(outcome)) return;
    try {
      await this.#openNext(options);
    } catch (fence) {
      if (outcome === 'done' || !this.isClosed) throw fence; // a failed attempt may be another's from then on
    }
  }

  #settle(ending: Ending): void {
    this.#ending ??= ending;
    this.#calls.close();
    leaveToItself(this);
    noteEnded(this.#calls);
  }

  /**
   * Carries this attempt's work over to the next attempt, after a fence: what the new session relies on has to be
   * pinned and checked by the writer's protocol like anything else that others wrote. Logs stay where they were
   * written. Calls beside each other do so once; one after a lost answer writes the same bytes, and knows them as its own.
   */
  #openNext({ signal }: CallOptions): Promise<void> {
    const number = this.#number + 1;
    if (this.#next?.number !== number) this.#next = { number, id: newSessionId() };
    const { id } = this.#next;
    const { content, beatIntervalMs } = this.#context;
    const open = async (flight: AbortSignal): Promise<void> => {
      const { startedAt, label } = this.#session;
      const opening = { id, startedAt, label, beatIntervalMs, signal: flight };
      const session = await Session.open(content, attemptSession(this.path, number), opening);
      if (!session)
        throw this.#fenced(`a collector gave up on it, and somebody else opened attempt ${number}`);
      if (number !== this.#number + 1) return session.abandon(); // this was aborted, and another call was faster
      this.#number = number;
      this.#session = session;
      this.#next = undefined;
      this.#description = undefined;
      this.#mustRevalidate = true;
    };
    return this.#flights.run(`open ${number}`, open, { signal });
  }

  #revalidate({ signal }: CallOptions): Promise<void> {
    const [session, number] = [this.#session, this.#number];
    const { content, registry } = this.#context;
    const facts = { path: this.path, attempt: this.#valuesOf, status: 'abandoned' as const, purged: false };
    const former = new AttemptView(content, registry, facts);
    const revalidate = async (flight: AbortSignal): Promise<void> => {
      const lost = await this.#table.revalidate(former, session, { signal: flight });
      this.#valuesOf = number;
      for (const name of lost) this.#lost.add(name);
      if (session === this.#session) this.#mustRevalidate = false;
    };
    return this.#flights.run(`revalidate ${session.id}`, revalidate, { signal });
  }

  /** The description of this attempt for `session`, the same for all calls that close it; `undefined` once that is not its own any more. */
  async #describe(session: Session, { signal }: CallOptions): Promise<Uint8Array | undefined> {
    if (session === this.#session && !this.#description) {
      const table = this.#table.toTable();
      const described = encodeDescription(this.#descriptionWith(table));
      if (described.length <= MAX_TABLE_BYTES) this.#description = described;
      else
        await this.#flights.run(`describe ${session.id}`, (flight) => this.#move(table, flight), { signal });
    }
    return session === this.#session ? this.#description : undefined;
  }

  /** Makes a large table a content, which the description names. It is metadata, and stays in the store itself. */
  async #move(table: ArtifactTable, signal: AbortSignal): Promise<void> {
    const session = this.#session;
    const [moved] = await session.put([{ bytes: encodeTable(table) }], { signal });
    const description = encodeDescription(this.#descriptionWith(moved as NonNullable<typeof moved>));
    if (session === this.#session) this.#description ??= description;
  }

  /** An attempt whose content is gone is never done, however often it is asked. */
  async #closeWithLoss(options: CallOptions): Promise<never> {
    const error = contentLost(this.pathspec, formatPathspec(this.path, this.#number - 1), [...this.#lost]);
    if (!this.isClosed) await this.#close('failed', recordError(error), options);
    throw error;
  }

  #fenced(why: string): StowageError {
    this.#settle('failed');
    return attemptFenced(this.pathspec, why);
  }

  #descriptionWith(table: Description['table']): Description {
    return {
      session: this.#session.id,
      subject: attemptSubject(this.path, this.#number),
      startedAt: this.#session.startedAt,
      label: this.#session.label,
      table,
      values: this.#table.ownObjects(),
      metadata: this.#metadata.merged,
      readFrom: [...this.#readFrom],
      cached: this.#cached,
    };
  }
}
