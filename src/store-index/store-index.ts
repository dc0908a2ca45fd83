import { endAll } from '../async/end-all.ts';
import { onUse } from '../async/open-files.ts';
import { type ProgressOptions, withProgress } from '../async/progress.ts';
import type { OpenPlace } from '../content/places/places.ts';
import { invalidArgument, isStowageError, StowageError, throwIfAborted } from '../errors.ts';
import {
  checkGivenStore,
  type DecorateStorage,
  type GivenStore,
  type OpenedStore,
  openForMaintenance,
} from '../maintenance/opened-store.ts';
import {
  ANYTHING,
  checkOptions,
  FLAG,
  FUNCTION,
  type OptionTable,
  PROGRESS_OPTIONS,
  TEXT,
} from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { RetryOptions } from '../storage/retry-policy.ts';
import type { StoreView } from '../views/store-view.ts';
import type { CacheFigures } from './cache-figures.ts';
import type { CaughtUp } from './catch-up.ts';
import type { FindOptions, FoundAttempt } from './find.ts';
import type { IndexDatabase } from './index-database.ts';
import type { IndexFile } from './index-file.ts';
import type { IndexState } from './index-tables.ts';
import type { LineageLink, LineageOptions } from './lineage.ts';
import type { QueryOptions, QueryRow } from './query.ts';
import type { RunFigures } from './run-figures.ts';
import type { Usage, UsageOptions } from './usage.ts';

const parts = onUse(() => import('./parts.ts'));

/** Options of {@link StoreIndex.open}. */
export interface StoreIndexOptions extends CallOptions {
  /** The store: an address as `openStorage` takes it, or a storage, which stays open. */
  store: GivenStore;
  /**
   * The file of the index, for a store in a folder or a bucket; a store in a database has its index there. Default: a file by the store's
   * id in the user's folder of caches (`~/.cache/stowage/indexes`, or the folder that `STOWAGE_INDEXES` names).
   */
  path?: string | undefined;
  /** Opens the places elsewhere at which content of the store lies, as for a flow: a description with very many artifacts lies there too. */
  openPlace?: OpenPlace | undefined;
}

/** Options of {@link StoreIndex.catchUp}. */
export interface CatchUpOptions extends CallOptions, ProgressOptions {
  /** Lists the whole store, and so finds what changed in runs that had ended. Default `false`. */
  full?: boolean | undefined;
}

/** How an index stands. */
export interface IndexStatus {
  /** The address of its database; of a file `sqlite:///path`. */
  address: string;
  /** The file; absent where it lies in the store's own database. */
  path?: string;
  /** True once all of the store was in it. */
  isWhole: boolean;
  /** When it was caught up last: ISO 8601, by the clock of whoever did. Absent before. */
  caughtUpAt?: string;
  /** When the whole store was compared last. */
  fullAt?: string;
}

const OPEN: OptionTable<StoreIndexOptions> = { store: ANYTHING, path: TEXT, openPlace: FUNCTION };
const CATCH_UP: OptionTable<CatchUpOptions> = { full: FLAG, ...PROGRESS_OPTIONS };
const REBUILD: OptionTable<Omit<CatchUpOptions, 'full'>> = PROGRESS_OPTIONS;

/** What an open index is made of, which programs without one do not load. */
type Parts = typeof import('./parts.ts');

/** A catch-up of an index that others make anew begins again so often. */
const MAX_TRIES = 5;

/**
 * Tables of what a store holds, for questions that a listing cannot answer: runs, attempts, artifacts, metadata, lineage, entries of the
 * cache. It is made from the store and can be made anew at any time; the store does not need it. docs/index-schema.md has the tables.
 */
export class StoreIndex implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #opened: OpenedStore;
  readonly #storeId: string;
  readonly #file: IndexFile | undefined;
  readonly #database: IndexDatabase;

  private constructor(
    parts: Parts,
    opened: OpenedStore,
    storeId: string,
    file: IndexFile | undefined,
    database: IndexDatabase,
  ) {
    this.#parts = parts;
    this.#opened = opened;
    this.#storeId = storeId;
    this.#file = file;
    this.#database = database;
  }

  /**
   * Opens the index of a store. Makes none: that is done by {@link catchUp}.
   *
   * @throws StowageError `NO_SUCH_STORE`, `NOT_A_STORE`; `INVALID_ARGUMENT` for a `path` where the index lies in the store's database;
   * `STORAGE_UNSUPPORTED` where there is no SQLite for a file
   */
  static open(options: StoreIndexOptions): Promise<StoreIndex> {
    return StoreIndex.openDecorated(options);
  }

  /**
   * Opens an index as {@link open} does, and uses what it opens as `decorate` gives it, with these retries.
   *
   * @internal
   */
  static async openDecorated(
    options: StoreIndexOptions,
    decorate?: DecorateStorage,
    retry?: RetryOptions,
  ): Promise<StoreIndex> {
    checkOptions(options, 'StoreIndex.open', OPEN);
    const { store, path, openPlace, signal } = options;
    checkGivenStore(store, 'StoreIndex.open');
    throwIfAborted(signal);
    const loaded = await parts();
    const opened = await openForMaintenance({ store, openPlace }, decorate, { retry });
    try {
      const storeId = await opened.content.storeId({ signal });
      const { database } = opened.storage;
      if (database && path !== undefined) throw noPath(database.address);
      const file = database ? undefined : await loaded.IndexFile.load(path, storeId);
      return new StoreIndex(loaded, opened, storeId, file, database ?? (file as IndexFile).database);
    } catch (error) {
      await opened.close().catch(() => {}); // why it cannot be opened is what is told
      throw error;
    }
  }

  /** Tells how the index stands; `undefined` where there is none yet. */
  async status({ signal }: CallOptions = {}): Promise<IndexStatus | undefined> {
    const state = await this.#parts.readState(this.#database, { signal });
    if (!state) return undefined;
    const { isWhole, caughtUpAtMs, fullAtMs } = state;
    return {
      address: this.#database.address,
      ...(this.#file ? { path: this.#file.path } : {}),
      isWhole,
      ...(caughtUpAtMs === undefined ? {} : { caughtUpAt: new Date(caughtUpAtMs).toISOString() }),
      ...(fullAtMs === undefined ? {} : { fullAt: new Date(fullAtMs).toISOString() }),
    };
  }

  /**
   * Brings the index to where the store is, and makes it where there is none. What one that was interrupted has written stays, and is gone
   * on from. Several processes may do it at once. A file of an index that is damaged is made anew.
   *
   * @throws StowageError `INVALID_ARGUMENT` for a file of another store, or of another program; `UNSUPPORTED_FORMAT` for one of a newer
   * release; `ABORTED`, and what the storage throws
   */
  async catchUp(options: CatchUpOptions = {}): Promise<CaughtUp> {
    checkOptions(options, 'catchUp', CATCH_UP);
    return this.#catchUp(options, 'catchUp', false);
  }

  /** Makes the index anew from nothing. */
  async rebuild(options: Omit<CatchUpOptions, 'full'> = {}): Promise<CaughtUp> {
    checkOptions(options, 'rebuild', REBUILD);
    return this.#catchUp({ ...options, full: true }, 'rebuild', true);
  }

  /**
   * Finds attempts by what the index has of them, as it was caught up last. See {@link FindOptions}.
   *
   * @throws StowageError `INVALID_ARGUMENT`, at once; `INDEX_NOT_READY`
   */
  find(options: FindOptions = {}): AsyncGenerator<FoundAttempt> {
    return this.#asked((database) => this.#parts.findAttempts(database, options), options);
  }

  /**
   * Tells what an attempt or a content was made from, and who used it, through results of cached tasks as well. A hit leaves a link where it
   * was called within a task, or recorded (`recordHit`).
   *
   * @param of - `flow/run/step/task`, with or without an attempt, or the key of a content
   * @throws StowageError as {@link find}; `INVALID_PATHSPEC`; `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`, `CONTENT_NOT_FOUND`
   */
  lineage(of: string, options: LineageOptions = {}): AsyncGenerator<LineageLink> {
    return this.#asked((database) => this.#parts.lineageOf(database, of, options), options);
  }

  /** Counts stored bytes of artifacts, own and shared. See {@link Usage}. @throws StowageError as {@link find} */
  usage(options: UsageOptions = {}): AsyncGenerator<Usage> {
    return this.#asked((database) => this.#parts.usageOf(database, options), options);
  }

  /**
   * Tells of runs what they saved, what of it was new, and which results of cached tasks they had. See {@link RunFigures}.
   *
   * @throws StowageError as {@link find}
   */
  figures(
    runs: readonly { flow: string; run: string }[],
    options: CallOptions = {},
  ): AsyncGenerator<RunFigures> {
    return this.#asked((database) => this.#parts.figuresOf(database, runs, options), options);
  }

  /**
   * Tells of cached tasks, by name, how often their results were found, and the time that saved. See {@link CacheFigures}.
   *
   * @throws StowageError as {@link find}
   */
  cacheFigures(options: CallOptions = {}): AsyncGenerator<CacheFigures> {
    return this.#asked((database) => this.#parts.cacheFiguresOf(database, options), options);
  }

  /**
   * Answers a statement in SQL on the tables of the index, as it was caught up last; docs/index-schema.md has them. It changes nothing: what is no single
   * statement that reads is refused. SQLite computes a row without a pause, and cannot be aborted meanwhile.
   *
   * @param sql - one `SELECT`, also with `WITH` before it, or `VALUES`; parameters are `$1`, `$2`, ...
   * @throws StowageError as {@link find}; `INVALID_ARGUMENT` with the words of the database for a statement that it refuses; `STORAGE_FAILED`
   * where a server gives its time up
   */
  query(sql: string, options: QueryOptions = {}): AsyncGenerator<QueryRow> {
    return this.#asked((database) => this.#parts.queryRows(database, sql, options), options);
  }

  /** Closes what it opened. */
  close(): Promise<void> {
    const { database } = this.#file ?? {};
    return endAll([...(database ? [() => database.close()] : []), () => this.#opened.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #catchUp(
    { full = false, signal, onProgress }: CatchUpOptions,
    call: string,
    anew: boolean,
  ): Promise<CaughtUp> {
    return withProgress(onProgress, call, async (progress) => {
      const view: StoreView = this.#opened.view({
        signal: signal ?? new AbortController().signal,
        // Its row says so; what ails the store ends the catch-up, and is no word on one record.
        unreadable: (error) => {
          if (!this.#parts.isOfSubject(error)) throw error;
        },
        progress: () => {},
      });
      let isAnew = anew;
      for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
        try {
          const state = await this.#prepare(isAnew, { signal });
          isAnew = false;
          const listed = new this.#parts.ListedChanges(this.#opened.storage, this.#database);
          const source = this.#file ? listed : new this.#parts.DatabaseChanges(this.#database, listed);
          return await new this.#parts.CatchUp(this.#database, view, state, { full, progress }).run(source);
        } catch (error) {
          if (!(error instanceof this.#parts.IndexMoved) && !(await this.#isRemade(error))) throw error;
        }
      }
      throw this.#parts.movedTooOften(this.#database.address);
    });
  }

  /** An answer of several pages is of one index: one that is made anew between them ends it. */
  #asked<T>(ask: (database: IndexDatabase) => AsyncGenerator<T>, { signal }: CallOptions): AsyncGenerator<T> {
    let build = '';
    const database: IndexDatabase = {
      type: this.#database.type,
      address: this.#database.address,
      read: async (statement, options) => {
        const rows = await this.#database.read(statement, options);
        if (!(await this.#parts.isBuild(this.#database, build, options)))
          throw this.#notReady('It is made anew');
        return rows;
      },
      select: (statement, options) =>
        this.#database.select(statement, {
          ...options,
          first: {
            statement: { text: 'select build from stowage_index' },
            accept: ([row]) => {
              if (row?.build !== build) throw this.#notReady('It is made anew');
            },
          },
        }),
      write: (work, options) => this.#database.write(work, options),
    };
    const answers = ask(database); // refuses bad options at once
    return this.#told(answers, async () => {
      build = await this.#readyBuild({ signal });
    });
  }

  async *#told<T>(answers: AsyncGenerator<T>, prepare: () => Promise<void>): AsyncGenerator<T> {
    await prepare();
    yield* answers;
  }

  /** @throws StowageError `INDEX_NOT_READY`; `INVALID_ARGUMENT` for the index of another store */
  async #readyBuild(options: CallOptions): Promise<string> {
    const state = await this.#parts.readState(this.#database, options);
    if (state && state.storeId !== this.#storeId)
      throw this.#parts.ofAnotherStore(this.#database.address, state.storeId, this.#storeId);
    if (!state) throw this.#notReady('There is no index yet');
    if (!state.isWhole) throw this.#notReady('Not all of the store is in the index yet');
    return state.build;
  }

  #notReady(what: string): StowageError {
    const { address } = this.#database;
    return new StowageError('INDEX_NOT_READY', `${what} (${address}); make it by catchUp().`, {
      details: { address },
    });
  }

  #prepare(anew: boolean, options: CallOptions): Promise<IndexState> {
    throwIfAborted(options.signal);
    this.#file?.makeFolder();
    return this.#parts.prepareTables(this.#database, this.#storeId, { anew, ...options });
  }

  /** Makes way for a new file where the old one is damaged, or was removed: an index is no loss. */
  async #isRemade(error: unknown): Promise<boolean> {
    if (!this.#file || !isStowageError(error)) return false;
    const { path, cause } = error.details as { path?: unknown; cause?: unknown };
    const isDamaged = path === this.#file.path && DAMAGE.test(String(cause));
    if (isDamaged) return this.#file.discard();
    if (error.code !== 'STORE_GONE' || error.details.uri !== this.#database.address) return false;
    await this.#file.database.close();
    return true;
  }
}

/** Codes of SQLite for a file that is none of its own, is damaged, or ends too early. */
const DAMAGE = /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/;

function noPath(address: string): StowageError {
  return invalidArgument(
    `The index of a store in a database lies there (${address}), and in no file: leave path (--index) out.`,
    { address },
  );
}
