import { onUse } from '../async/open-files.ts';
import { type ProgressOptions, withProgress } from '../async/progress.ts';
import { checkRawDataPath, type RawDataPathOptions } from '../content/places/raw-data-path.ts';
import type { StreamOptions } from '../content/writing/content-writer.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import type { ContentRef } from '../format/content-ref.ts';
import type { ArtifactTable, CachedCall } from '../format/description.ts';
import type { LogChoice } from '../format/log-names.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import { recordError } from '../format/recorded-error.ts';
import type { ScrubbedLog } from '../logs/log-scrubbing.ts';
import type { LogStreams } from '../logs/log-streams.ts';
import { LogWriter, type SaveLogsOptions } from '../logs/log-writer.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { FileKeeper, Keeping, Kept } from '../references/file-keeper.ts';
import { AttemptReports } from '../reports/attempt-reports.ts';
import type { Report, ReportOptions } from '../reports/report.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { ArtifactStreamOptions, Artifacts, SaveOptions } from './artifact-input.ts';
import type { ValueSettings } from './artifact-staging.ts';
import { AttemptClosing, type Closable, type ClosedAttempt } from './attempt-closing.ts';
import { AttemptTable, whileOpen } from './attempt-table.ts';
import type { AttemptView } from './attempt-view.ts';
import { BesideRecord } from './beside-record.ts';
import { leaveToItself } from './failing-attempts.ts';
import { noteEnded, noteOpen } from './forgotten-attempts.ts';
import { inheritArtifacts } from './inherit-artifacts.ts';
import { type Metadata, MetadataWriter } from './metadata-parts.ts';
import { ReadAttempts } from './read-attempts.ts';
import { artifactSubject, metadataSubject, namesIn, type SaveCall, SaveCalls } from './save-calls.ts';
import type { TableRow } from './stored-values.ts';

const transfers = onUse(() => import('./transfer-artifacts.ts'));

/** The settings that attempts of one store share. */
export interface AttemptContext extends ValueSettings {
  content: ContentAddressedStore;
  /** The interval of the heartbeat, in milliseconds. Default: ten minutes. */
  beatIntervalMs?: number | undefined;
  /** The least time between two versions of a report, in milliseconds. Default: five seconds. */
  reportRenewMs?: number | undefined;
}

/** What an attempt takes over as a whole, beside the artifacts of `view`. */
export interface Takeover {
  view: AttemptView;
  /** The user's metadata of that attempt. */
  metadata: Metadata;
  /** The attempts that the result rests on. */
  readFrom: readonly string[];
  /** True where the function of the task returned a value, or may have. */
  returned: boolean;
}

/**
 * One attempt of a task, while its owner writes it. Nothing of it is visible to readers before it is closed. What
 * takes long is staged; it is committed at once, where the attempt may still have it.
 */
export class OpenAttempt {
  readonly path: TaskPath;
  readonly #context: AttemptContext;
  readonly #calls: SaveCalls;
  readonly #table: AttemptTable;
  readonly #metadata: MetadataWriter;
  readonly #logs: LogWriter;
  readonly #reports: AttemptReports;
  readonly #readFrom = new ReadAttempts();
  #cached: CachedCall | undefined;
  #takenOver: string | undefined;
  /** True where the function of the task returned a value, or may still. It is written where the attempt is done. */
  returns = false;
  readonly #closing: AttemptClosing;

  constructor(
    context: AttemptContext,
    path: TaskPath,
    number: number,
    session: Session,
    rawDataPath?: string,
  ) {
    this.#context = context;
    this.path = path;
    this.#calls = new SaveCalls(this);
    this.#table = new AttemptTable(context, rawDataPath);
    this.#metadata = new MetadataWriter(context.content.storage, path, number);
    this.#logs = new LogWriter(context.content.storage, path, number);
    const { storage } = context.content;
    this.#reports = new AttemptReports(this, { storage, rawDataPath, renewMs: context.reportRenewMs });
    this.#closing = new AttemptClosing(context, this.#closable(), number, session);
    noteOpen(this.#calls, this);
  }

  /** The attempt's number; one more than it was opened with, if it had to be closed after a fence. */
  get number(): number {
    return this.#closing.number;
  }

  get pathspec(): string {
    return formatPathspec(this.path, this.number);
  }

  get label(): string | undefined {
    return this.session.label;
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
    return this.#closing.closedAs(omitted);
  }

  /** Validates and serializes all values, then writes their content, and only then names them. */
  async saveArtifacts(artifacts: Artifacts, options: SaveOptions = {}): Promise<void> {
    const call = this.#calls.begin('artifacts');
    try {
      this.#commit(await this.#table.stage(artifacts, this.session, options, call), call);
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
      this.#commit(await this.#table.stageStream(name, source, this.session, options, call, again), call);
    } catch (error) {
      throw call.fail(error);
    }
  }

  /** Keeps contents of files while the attempt is open, and later as long as artifacts refer to them. */
  get fileKeeper(): FileKeeper {
    const store = this.#context.content;
    return {
      store,
      keep: async (options, save) => ({ result: await this.#keep(options, save), session: undefined }),
    };
  }

  /** Nobody waits for it but its caller: what cannot be referenced yet is part of nothing. */
  async #keep<T>(
    { signal, rawDataPath }: CallOptions & RawDataPathOptions,
    save: (keeping: Keeping) => Promise<Kept<T>>,
  ): Promise<T> {
    const call = this.#calls.begin('artifacts');
    call.end();
    call.ensureMayCommit();
    const session = this.session;
    const address = checkRawDataPath(rawDataPath) ?? this.#table.storing.address;
    const place = await session.locate(address, { signal });
    const { result } = await save({ session, place, signal, guard: (pieces) => whileOpen(pieces, call) });
    call.ensureMayCommit();
    return result;
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
    const rows = await inheritArtifacts(this.#context.content, taken, this.session, storing, options);
    call.ensureMayCommit();
    for (const origin of call.origins) this.#readFrom.add(origin);
    this.#table.adopt(rows, call);
    call.succeed();
  }

  /**
   * Takes over the result of an attempt of the same store: its artifacts, metadata, and what it rests on. Looks at each content. Where that fails, nothing of it
   * is part of this attempt, which may go on by itself.
   *
   * @throws StowageError as {@link inheritArtifacts}
   */
  async takeOver({ view, metadata, readFrom, returned }: Takeover, options: CallOptions): Promise<void> {
    const call = this.#calls.begin('artifacts');
    try {
      const names = view.names();
      call.expect(names.map(artifactSubject));
      const { storing } = this.#table;
      const taken = new Map([[view, names]]);
      const rows = await inheritArtifacts(this.#context.content, taken, this.session, storing, {
        ...options,
        looks: true,
      });
      call.ensureMayCommit();
      this.#table.adopt(rows, call);
      this.#readFrom.adopt(readFrom);
      Object.assign(this.#metadata.merged, metadata);
      this.#takenOver = view.fullPathspec;
      this.returns = returned;
      call.succeed();
    } catch (error) {
      call.end();
      throw error;
    }
  }

  /** Copies artifacts of an attempt of another store. */
  async transfer(
    origin: AttemptView,
    names: readonly string[],
    { signal, onProgress }: CallOptions & ProgressOptions,
    call: SaveCall,
  ): Promise<void> {
    await withProgress(onProgress, 'transferArtifacts', async (progress) => {
      const { transferArtifacts } = await transfers();
      const options = { signal, progress };
      const rows = await transferArtifacts(origin, names, this.session, this.#table.storing, options);
      call.ensureMayCommit();
      this.#table.adopt(rows, call);
      call.succeed();
    });
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

  /**
   * Opens a report, which is written as the attempt goes on.
   *
   * @param isGivenUp - what is added then is of no use, and no error
   */
  report(name: string, options: ReportOptions = {}, isGivenUp: () => boolean = () => false): Report {
    const ensureOpen = (): void => {
      if (!isGivenUp()) this.#calls.ensureOpen('add to a report');
    };
    ensureOpen();
    return this.#reports.open(name, options, ensureOpen);
  }

  /**
   * Writes a record beside the description, named by `write` under the number and the session that the attempt has now. Neither `done()` nor
   * `fail()` closes it before the record is there.
   *
   * @throws StowageError `ATTEMPT_CLOSED`, and what `write` throws
   */
  async writeBeside<T>(
    kind: 'traces' | 'checkpoints',
    write: (beside: BesideRecord) => Promise<T>,
  ): Promise<T> {
    const call = this.#calls.begin(kind);
    try {
      call.ensureMayCommit();
      return await write(
        new BesideRecord(this.#context, this.path, this.number, this.session, this.#table.storing.address),
      );
    } finally {
      call.end();
    }
  }

  /** @throws StowageError `ATTEMPT_CLOSED` where it is closed, or is being closed */
  ensureOpen(what: string): void {
    this.#calls.ensureOpen(what);
  }

  /** Relies on what references of earlier attempts point at; resolves to those that point at nothing whole. */
  async relyOnRefs(refs: readonly ContentRef[], options: CallOptions): Promise<ContentRef[]> {
    return this.session.relyOnRefs(refs, options);
  }

  /** The settings that it shares with the others of its store. */
  get context(): AttemptContext {
    return this.#context;
  }

  /** Notes that this attempt's results rest on another attempt's. */
  recordRead(pathspec: string): void {
    this.#calls.ensureOpen('record what was read');
    this.#readFrom.add(pathspec);
  }

  /** Closes the attempt as done: now readers see it. `cached` is the call whose result it is to be. */
  async done({ cached, ...options }: CallOptions & { cached?: CachedCall | undefined } = {}): Promise<void> {
    this.#cached = cached;
    await this.#closing.close('done', undefined, options);
  }

  /** Closes the attempt as failed, with the error that ended it. Its artifacts are read by `allowNotDone`. */
  async fail(error: unknown, options: CallOptions = {}): Promise<void> {
    this.returns = false;
    await this.#closing.close('failed', recordError(error), options);
  }

  /** Ends the heartbeat: nobody will close the attempt, and a collector may give up on it. */
  async abandon(): Promise<void> {
    this.#reports.stop();
    this.#leave();
    await this.session.abandon();
  }

  /** After a fence it is that of the next attempt. */
  get session(): Session {
    return this.#closing.session;
  }

  #closable(): Closable {
    return {
      path: this.path,
      calls: this.#calls,
      table: this.#table,
      reports: this.#reports,
      stopStreams: () => this.#logs.stopStreams(),
      told: () => ({
        metadata: this.#metadata.merged,
        readFrom: this.#readFrom.pathspecs,
        cached: this.#cached,
        takenOver: this.#takenOver,
        returned: this.returns || undefined,
      }),
      ended: () => this.#leave(),
    };
  }

  /** Nobody has to close it any more. */
  #leave(): void {
    leaveToItself(this);
    noteEnded(this.#calls);
  }

  #commit(staged: readonly TableRow[], call: SaveCall): void {
    call.ensureMayCommit();
    this.#table.commit(staged, call);
    call.succeed();
  }
}
