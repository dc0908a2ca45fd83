import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { orAborted } from '../../../async/next-or-aborted.ts';
import { afterTurn } from '../../../async/turns.ts';
import {
  isError,
  isStowageError,
  messageOf,
  StowageError,
  type StowageErrorCode,
  throwIfAborted,
} from '../../../errors.ts';
import { goneError } from '../../checks.ts';
import type { CallOptions, SelectOptions, SqlRow, SqlStatement, StorageDatabase } from '../../contract.ts';
import type { SqlFault } from '../database.ts';
import { faultOf, isBusy, sqliteCodeOf } from './faults.ts';
import { loadSqlite, type SqliteConnection, type SqliteStatement } from './library.ts';
import { rowsOfSelect } from './sqlite-select.ts';

/** What a file is for, by which it is told from files of others. */
export interface SqliteKind {
  /** Stands in the header of each such file. */
  readonly applicationId: number;
  /** The version of the tables. */
  readonly version: number;
  /** Statements that make the tables. */
  readonly schema: readonly string[];
  /** Names it in errors: `the store`. */
  readonly noun: string;
  /** The code for a file of another program. */
  readonly foreign: StowageErrorCode;
  /** What to do with a file that is damaged: `restore it`. */
  readonly damaged: string;
  /** True if each commit is synced. Without it, a power failure may take the last ones, and leaves the file whole. */
  readonly isSynced: boolean;
}

/** The statements of one transaction. */
export interface SqliteTransaction {
  /** Gives the rows of a statement. */
  all(text: string, parameters?: readonly unknown[]): readonly SqlRow[];
  /** Gives the number of rows that a statement changed. */
  run(text: string, parameters: readonly unknown[]): number;
}

const BEGIN = 'begin immediate';
const COMMIT = 'commit';
/** Another process that holds the lock longer than so many milliseconds does not let it go. */
const BUSY_LIMIT_MS = 60_000;
const MAX_BUSY_WAIT_MS = 20;
/** `libsql` is asked for rows only where there are some. */
const GIVES_ROWS = /^\s*(select|with|values|explain|pragma)\b|\breturning\b/i;
/** So many statements are kept ready. */
const MAX_STATEMENTS = 64;

/**
 * A file of SQLite. Its calls hold up the event loop for as long as they take, but never while another process writes: that is waited for
 * here, with waits of random length. Each `read` and `write` gives the event loop a turn first, since many in a row would else hold up
 * timers and aborts until the last. Readers see the last commit (`journal_mode = WAL`).
 */
export class SqliteFile implements StorageDatabase {
  readonly type = 'sqlite';
  readonly address: string;
  readonly path: string;
  readonly #kind: SqliteKind;
  readonly #open: (options: { readOnly: boolean }) => SqliteConnection;
  #connection: SqliteConnection | undefined;
  /** Tells the file that is open from another one at its path. */
  #inode: bigint | undefined;
  #isReady = false;
  readonly #statements = new Map<string, SqliteStatement>();
  /** Writes of this process that wait for another one's, one after the other. */
  #writing: Promise<void> = Promise.resolve();
  #waiting = 0;

  private constructor(
    path: string,
    kind: SqliteKind,
    open: (options: { readOnly: boolean }) => SqliteConnection,
  ) {
    this.path = path;
    this.address = `sqlite:${pathToFileURL(path).href.slice('file:'.length)}`;
    this.#kind = kind;
    this.#open = open;
  }

  /** Loads the library; opens nothing. */
  static async load(path: string, kind: SqliteKind): Promise<SqliteFile> {
    const library = await loadSqlite();
    return new SqliteFile(path, kind, (options) => library.open(path, options));
  }

  async read({ text, parameters }: SqlStatement, { signal }: CallOptions = {}): Promise<readonly SqlRow[]> {
    await nextTurn();
    throwIfAborted(signal);
    return this.#told('read', () => this.query(text, parameters));
  }

  /** On a connection of its own, which can only read. Gives the event loop a turn after each page, and can be aborted there. */
  async *select(
    statement: SqlStatement,
    { limit, first, signal }: SelectOptions,
  ): AsyncGenerator<readonly SqlRow[], void> {
    throwIfAborted(signal);
    if (!(await this.#told('read', () => this.exists()))) return first?.accept([]);
    const connection = this.#open({ readOnly: true });
    try {
      const rows = await this.#told('read', async () => {
        connection.exec('pragma query_only = on');
        connection.exec('begin');
        if (first) {
          const { text, parameters } = first.statement;
          first.accept(await this.#unlessBusy(() => connection.prepare(text).all(parameters) as SqlRow[]));
        }
        return rowsOfSelect(connection, statement, limit);
      });
      for (;;) {
        await nextTurn();
        throwIfAborted(signal);
        const page = await this.#told('read', async () => rows.next());
        if (page.done) return;
        yield page.value;
      }
    } finally {
      connection.close();
    }
  }

  async write<T>(
    work: () => Generator<SqlStatement, T, readonly SqlRow[]>,
    { signal }: CallOptions = {},
  ): Promise<T> {
    await nextTurn();
    return this.#told('write', () =>
      this.transact(undefined, ({ all }) => {
        throwIfAborted(signal);
        const statements = work();
        let next = statements.next();
        while (!next.done) next = statements.next(all(next.value.text, next.value.parameters));
        return next.value;
      }),
    );
  }

  /** Runs one statement, and throws as the library does. No rows where there is no file, or no table in it yet. */
  query(text: string, parameters: readonly unknown[] = [], signal?: AbortSignal): Promise<readonly SqlRow[]> {
    return this.#unlessBusy(() => {
      const connection = this.#toRead();
      return connection ? this.#all(connection, text, parameters) : [];
    }, signal);
  }

  /** The values of the first row of what {@link query} gives, in the order of its columns, for less. */
  first(
    text: string,
    parameters: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<readonly unknown[] | undefined> {
    return this.#unlessBusy(() => {
      const connection = this.#toRead();
      return connection && this.#statement(connection, text).first(parameters);
    }, signal);
  }

  /**
   * One transaction, which throws as the library does. What others hold is waited for outside of it.
   *
   * @param statements - how many it has, if that is known: a single one is a transaction by itself
   */
  transact<T>(statements: number | undefined, work: (transaction: SqliteTransaction) => T): Promise<T> {
    const once = (): T => {
      const connection = this.#toWrite();
      const transaction: SqliteTransaction = {
        all: (text, parameters = []) => this.#all(connection, text, parameters),
        run: (text, parameters) => this.#statement(connection, text).run(parameters),
      };
      if (statements === 1) return work(transaction);
      this.#statement(connection, BEGIN).run([]);
      try {
        const result = work(transaction);
        this.#statement(connection, COMMIT).run([]);
        return result;
      } catch (error) {
        rollBack(connection);
        throw error;
      }
    };
    try {
      if (this.#waiting === 0) return Promise.resolve(afterTurn(once()));
    } catch (error) {
      if (!isBusy(error)) return Promise.reject(error);
    }
    this.#waiting += 1;
    const written = this.#writing.then(() => this.#unlessBusy(once));
    const end = (): void => {
      this.#waiting -= 1;
    };
    this.#writing = written.then(end, end);
    return written;
  }

  /** True if there is a file with tables. @throws StowageError for one of another program or a newer release */
  async exists(): Promise<boolean> {
    return this.#unlessBusy(() => this.#toRead() !== undefined);
  }

  /** Closes the connection. A later call opens it anew. */
  async close(): Promise<void> {
    await this.#writing;
    this.#statements.clear();
    this.#connection?.close();
    this.#connection = undefined;
    this.#isReady = false;
  }

  /** The meaning of an error that the library gave; `undefined` for one that is none. */
  classify(error: unknown): SqlFault | undefined {
    if (!isError(error)) return undefined;
    return faultOf(sqliteCodeOf(error));
  }

  async #told<T>(operation: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const code = !isStowageError(error) && isError(error) ? sqliteCodeOf(error) : undefined;
      // Without a code of the file, it is what the statement has wrong.
      if (code === undefined || code === 'SQLITE_ERROR') throw error;
      const { noun, foreign, damaged } = this.#kind;
      const {
        code: meaning,
        what,
        remedy,
      } = { ...faultOf(code), ...FAULTS_OF_KIND[code]?.(noun, foreign, damaged) };
      throw new StowageError(
        meaning,
        `Cannot ${operation} ${noun} in ${this.address}: ${what} (${messageOf(error)}); ${remedy}.`,
        { details: { operation, path: this.path, cause: code }, cause: error },
      );
    }
  }

  /** Does `work` at once. What another process holds is waited for, until `signal` is aborted. */
  #unlessBusy<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    try {
      return Promise.resolve(afterTurn(work()));
    } catch (error) {
      return isBusy(error) ? orAborted(() => this.#whenFree(work), signal) : Promise.reject(error);
    }
  }

  async #whenFree<T>(work: () => T): Promise<T> {
    const endMs = performance.now() + BUSY_LIMIT_MS;
    for (let waitMs = 1; ; waitMs = Math.min(2 * waitMs, MAX_BUSY_WAIT_MS)) {
      await sleep(Math.random() * waitMs);
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || performance.now() > endMs) throw error;
      }
    }
  }

  /** `undefined` where there is no file, or no table in it yet. */
  #toRead(): SqliteConnection | undefined {
    if (this.#isReady) return this.#connection;
    if (!this.#connection && !existsSync(this.path)) return undefined;
    const connection = this.#connect();
    this.#isReady = this.#isOurs(connection);
    return this.#isReady ? connection : undefined;
  }

  #toWrite(): SqliteConnection {
    const connection = this.#connect();
    // What is written to a file that was removed, nobody finds again.
    if (this.#inode !== inodeOf(this.path)) throw goneError(this.address);
    if (this.#isReady) return connection;
    if (!this.#isOurs(connection)) {
      connection.exec('pragma journal_mode = wal');
      connection.exec('begin immediate');
      try {
        if (!this.#isOurs(connection)) this.#make(connection); // nobody was faster
        connection.exec('commit');
      } catch (error) {
        rollBack(connection);
        throw error;
      }
    }
    this.#isReady = true;
    return connection;
  }

  #make(connection: SqliteConnection): void {
    const { schema, applicationId, version } = this.#kind;
    for (const statement of schema) connection.exec(statement);
    connection.exec(`pragma application_id = ${applicationId}`);
    connection.exec(`pragma user_version = ${version}`);
  }

  #connect(): SqliteConnection {
    if (this.#connection) return this.#connection;
    let connection: SqliteConnection;
    try {
      connection = this.#open({ readOnly: false });
      connection.exec(`pragma synchronous = ${this.#kind.isSynced ? 'full' : 'normal'}`);
      this.#inode = inodeOf(this.path);
    } catch (error) {
      if (isBusy(error) || existsSync(dirname(this.path))) throw error;
      throw new StowageError(
        'STORAGE_FAILED',
        `There is no folder ${dirname(this.path)} for the database ${this.address}; make it first.`,
        { details: { path: this.path }, cause: error },
      );
    }
    this.#connection = connection;
    return connection;
  }

  /** True for a database that holds our tables, false for an empty one. @throws StowageError for one of another program or a newer release */
  #isOurs(connection: SqliteConnection): boolean {
    const [told] = connection
      .prepare(
        'select application_id, user_version, (select count(*) from sqlite_master) as tables from pragma_application_id, pragma_user_version',
      )
      .all() as SqlRow[];
    if (Number(told?.tables) === 0) return false;
    const { applicationId, version, noun, foreign } = this.#kind;
    if (told?.application_id !== applicationId) {
      throw new StowageError(
        foreign,
        `${this.address} is a database of another program; give ${noun} a file of its own.`,
        { details: { path: this.path } },
      );
    }
    if (Number(told.user_version) > version) {
      throw new StowageError(
        'UNSUPPORTED_FORMAT',
        `${this.address} was made by a newer release of Stowage (tables of version ${told.user_version}); install that.`,
        { details: { path: this.path, version: told.user_version } },
      );
    }
    return true;
  }

  #all(connection: SqliteConnection, text: string, parameters: readonly unknown[]): readonly SqlRow[] {
    const statement = this.#statement(connection, text);
    if (GIVES_ROWS.test(text)) return statement.all(parameters) as SqlRow[];
    statement.run(parameters);
    return [];
  }

  #statement(connection: SqliteConnection, text: string): SqliteStatement {
    let statement = this.#statements.get(text);
    if (!statement) {
      if (this.#statements.size > MAX_STATEMENTS) this.#statements.clear();
      statement = connection.prepare(text.replaceAll(/\$(\d)/g, '?$1'));
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

/** What the kind of the file says of an error. */
const FAULTS_OF_KIND: Readonly<
  Record<string, (noun: string, foreign: StowageErrorCode, damaged: string) => Partial<SqlFault>>
> = {
  SQLITE_NOTADB: (noun, code) => ({ code, remedy: `give ${noun} a file of its own` }),
  SQLITE_CORRUPT: (_noun, _code, remedy) => ({ remedy }),
};

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function rollBack(connection: SqliteConnection): void {
  try {
    connection.exec('rollback');
  } catch {} // SQLite has rolled back by itself
}
