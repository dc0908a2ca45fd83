import { SingleFlight } from '../async/single-flight.ts';
import type { ContentStore } from '../content/content-store.ts';
import { digestHex } from '../digest/blake3.ts';
import { type StowageError, throwIfAborted } from '../errors.ts';
import { attemptSession, attemptSubject } from '../format/attempt-files.ts';
import {
  type ArtifactTable,
  type Description,
  encodeDescription,
  encodeTable,
  MAX_TABLE_BYTES,
} from '../format/description.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import { recordError } from '../format/recorded-error.ts';
import type { RecordedError } from '../format/session-files.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { AttemptReports } from '../reports/attempt-reports.ts';
import { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { AttemptTable } from './attempt-table.ts';
import { AttemptView } from './attempt-view.ts';
import { attemptFenced, contentLost } from './lost-attempts.ts';
import { type SaveCalls, WRITTEN_AT_ONCE } from './save-calls.ts';

/** The settings by which attempts are closed. */
export interface ClosingContext {
  content: ContentStore;
  registry: SerializerRegistry;
  /** The interval of the heartbeat, in milliseconds. Default: ten minutes. */
  beatIntervalMs?: number | undefined;
}

/** An attempt, as far as its closing needs it. */
export interface Closable {
  readonly path: TaskPath;
  readonly calls: SaveCalls;
  readonly table: AttemptTable;
  readonly reports: AttemptReports;
  /** Ends the streams of its logs, which may have no end of their own. */
  stopStreams(): void;
  /** Reads the members of its description that stand beside the table. */
  told(): Pick<Description, 'metadata' | 'readFrom' | 'cached' | 'takenOver' | 'returned'>;
  /** Is called once it is closed. */
  ended(): void;
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

/**
 * The session of an open attempt, until a DONE closes it. After a fence it is the session of the next attempt, which takes the work
 * over. Closing can be tried again, and by several calls at once: all write the same bytes, once.
 */
export class AttemptClosing {
  readonly #context: ClosingContext;
  readonly #attempt: Closable;
  #number: number;
  /** The attempt whose objects hold the values of the rows. */
  #valuesOf: number;
  #session: Session;
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

  constructor(context: ClosingContext, attempt: Closable, number: number, session: Session) {
    this.#context = context;
    this.#attempt = attempt;
    this.#number = number;
    this.#valuesOf = number;
    this.#session = session;
  }

  /** The attempt's number; one more than it was opened with, if it had to be closed after a fence. */
  get number(): number {
    return this.#number;
  }

  get session(): Session {
    return this.#session;
  }

  /** The closed attempt, and its rows but for those `omitted`; `undefined` before it is closed. */
  closedAs(omitted: ReadonlySet<string>): { source: ClosedAttempt; table: ArtifactTable } | undefined {
    const { calls, path, table } = this.#attempt;
    if (!calls.isClosed || !this.#description) return undefined;
    const [session, metadataDigest] = [this.#session.id, digestHex(this.#description)];
    const source = { attempt: this.#number, session, metadataDigest, ...path };
    return { source, table: table.toTable(omitted) };
  }

  /** @throws StowageError `ATTEMPT_CLOSED`, `ATTEMPT_FENCED`, `CONTENT_LOST`, `ABORTED`, and what the storage throws */
  async close(outcome: Ending, error: RecordedError | undefined, options: CallOptions): Promise<void> {
    const { calls } = this.#attempt;
    if (calls.isClosed) calls.ensureOpen(`close it as ${outcome}`);
    throwIfAborted(options.signal);
    if (outcome === 'done') await calls.finish(options);
    else this.#attempt.stopStreams(); // saves and streams may have no end now, and are not waited for
    calls.stop();
    this.#attempt.reports.stop();
    await calls.settled(WRITTEN_AT_ONCE, options);
    do {
      const session = this.#session;
      if (this.#mustRevalidate) await this.#revalidate(options);
      if (outcome === 'done' && this.#lost.size > 0) return this.#closeWithLoss(options);
      if (!this.#description && !this.#attempt.reports.isEmpty)
        await this.#finishReports(session, outcome, options);
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
    const { calls } = this.#attempt;
    if (calls.isClosed && this.#ending !== outcome) calls.ensureOpen(`close it as ${outcome}`);
    return calls.isClosed;
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
      // A failed attempt may be another's from then on.
      if (outcome === 'done' || !this.#attempt.calls.isClosed) throw fence;
    }
  }

  #settle(ending: Ending): void {
    this.#ending ??= ending;
    this.#attempt.calls.close();
    this.#attempt.ended();
  }

  /**
   * Carries this attempt's work over to the next attempt, after a fence (model: `go on as n + 1`): what the new session relies on has to be
   * pinned and checked by the writer's protocol like anything else that others wrote. Logs stay where they were
   * written. Calls beside each other do so once; one after a lost answer writes the same bytes, and knows them as its own.
   */
  #openNext({ signal }: CallOptions): Promise<void> {
    const number = this.#number + 1;
    if (this.#next?.number !== number) this.#next = { number, id: newSessionId() };
    const { id } = this.#next;
    const { content, beatIntervalMs } = this.#context;
    const open = async ({ signal: flight }: CallOptions): Promise<void> => {
      const { startedAt, label } = this.#session;
      const opening = { id, startedAt, label, beatIntervalMs, signal: flight };
      const session = await Session.open(content, attemptSession(this.#attempt.path, number), opening);
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
    const { path, table } = this.#attempt;
    const facts = { path, attempt: this.#valuesOf, status: 'abandoned' as const, purged: false };
    const former = new AttemptView(content, registry, facts);
    const revalidate = async ({ signal: flight }: CallOptions): Promise<void> => {
      const lost = await table.revalidate(former, session, { signal: flight });
      this.#valuesOf = number;
      for (const name of lost) this.#lost.add(name);
      if (session === this.#session) this.#mustRevalidate = false;
    };
    return this.#flights.run(`revalidate ${session.id}`, revalidate, { signal });
  }

  /**
   * Writes the last versions of reports. Without one of them an attempt is not done; one that failed has the version that was written
   * before, if there is one.
   */
  async #finishReports(session: Session, outcome: Ending, { signal }: CallOptions): Promise<void> {
    const { reports } = this.#attempt;
    const finish = (flight: CallOptions): Promise<void> => reports.finish(session, { signal: flight.signal });
    try {
      await this.#flights.run(`report ${session.id}`, finish, { signal });
    } catch (error) {
      if (outcome === 'done' || signal?.aborted) throw error;
      reports.tellFailed(error);
    }
  }

  /** The description of this attempt for `session`, the same for all calls that close it; `undefined` once that is not its own any more. */
  async #describe(session: Session, { signal }: CallOptions): Promise<Uint8Array | undefined> {
    if (session === this.#session && !this.#description) {
      const table = this.#attempt.table.toTable();
      const described = encodeDescription(this.#descriptionWith(table));
      if (described.length <= MAX_TABLE_BYTES) this.#description = described;
      else
        await this.#flights.run(`describe ${session.id}`, (flight) => this.#move(table, flight.signal), {
          signal,
        });
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
    const { calls, path } = this.#attempt;
    const [pathspec, silent] = [this.#number, this.#number - 1].map((number) => formatPathspec(path, number));
    const error = contentLost(pathspec as string, silent as string, [...this.#lost]);
    if (!calls.isClosed) await this.close('failed', recordError(error), options);
    throw error;
  }

  #fenced(why: string): StowageError {
    this.#settle('failed');
    return attemptFenced(formatPathspec(this.#attempt.path, this.#number), why);
  }

  #descriptionWith(table: Description['table']): Description {
    const { id, startedAt, label } = this.#session;
    const subject = attemptSubject(this.#attempt.path, this.#number);
    const values = this.#attempt.table.ownObjects();
    const reports = this.#attempt.reports.entries(this.#session);
    return { session: id, subject, startedAt, label, table, values, reports, ...this.#attempt.told() };
  }
}
