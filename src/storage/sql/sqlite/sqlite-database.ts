import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { isError, isStowageError, StowageError } from '../../../errors.ts';
import { goneError } from '../../checks.ts';
import type { NewObject, Row, SqlDatabase, SqlFault, SqlWords } from '../database.ts';
import { loadSqlite, type SqliteConnection, type SqliteStatement } from './library.ts';

/** Stands in the header of each file of ours: `Stow`. */
const APPLICATION_ID = 0x53_74_6f_77;
/** The version of the tables. */
const SCHEMA_VERSION = 1;

/** `id` is never used again, also not after a delete. What is overwritten is a new row, and so gets a new one. */
const SCHEMA = `
  create table stowage_objects (
    id integer primary key autoincrement,
    name text not null unique,
    body blob not null,
    modified integer not null
  ) strict;
  pragma application_id = ${APPLICATION_ID};
  pragma user_version = ${SCHEMA_VERSION};
`;

const NOW = "cast(round((julianday('now') - 2440587.5) * 86400000) as integer)";
const BEGIN = 'begin immediate';
const COMMIT = 'commit';
const CREATE = `insert into stowage_objects (name, body, modified) values ($1, $2, ${NOW}) on conflict (name) do nothing`;
const REPLACE = `insert or replace into stowage_objects (name, body, modified) values ($1, $2, ${NOW}) returning id`;
const REPLACE_IF = `insert or replace into stowage_objects (name, body, modified)
  select $1, $2, ${NOW} where exists (select 1 from stowage_objects where name = $1 and id = $3) returning id`;
const DELETE = 'delete from stowage_objects where name = $1';

const WORDS: SqlWords = {
  position: (text, part) => `instr(${text}, ${part})`,
  bytes: (offset, length) => `substr(body, ${offset} + 1, ${length})`,
  length: 'length(body)',
};

/** Another process that holds the lock longer than so many milliseconds does not let it go. */
const BUSY_LIMIT_MS = 60_000;
const MAX_BUSY_WAIT_MS = 20;

/**
 * A file of SQLite. Its calls hold up the event loop for as long as they take, but never while another process writes: that is waited for
 * here, with waits of random length. Commits are synced (`synchronous = FULL`), readers see the last commit (`journal_mode = WAL`).
 */
export class SqliteDatabase implements SqlDatabase {
  readonly type = 'sqlite';
  readonly localReads = true;
  readonly words: SqlWords = WORDS;
  readonly address: string;
  readonly path: string;
  readonly #open: (options: { readOnly: boolean }) => SqliteConnection;
  #connection: SqliteConnection | undefined;
  /** Tells the file that is open from another one at its path. */
  #inode: bigint | undefined;
  #isReady = false;
  readonly #statements = new Map<string, SqliteStatement>();
  /** Writes of this process, one after the other. */
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(path: string, open: (options: { readOnly: boolean }) => SqliteConnection) {
    this.path = path;
    this.address = `sqlite:${pathToFileURL(path).href.slice('file:'.length)}`;
    this.#open = open;
  }

  /** Loads the library; opens nothing. */
  static async load(path: string): Promise<SqliteDatabase> {
    const library = await loadSqlite();
    return new SqliteDatabase(path, (options) => library.open(path, options));
  }

  async read(statement: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
    return this.#unlessBusy(() => {
      const connection = this.#toRead();
      return connection ? this.#all(connection, statement, parameters) : [];
    });
  }

  async readOne(statement: string, parameters: readonly unknown[]): Promise<Row | undefined> {
    return this.#unlessBusy(() => {
      const connection = this.#toRead();
      return connection && (this.#statement(connection, statement).get(...parameters) as Row | undefined);
    });
  }

  async create(objects: readonly NewObject[]): Promise<ReadonlySet<string>> {
    return this.#write(objects.length, (connection) => {
      const created = new Set<string>();
      for (const { name, body } of objects)
        if (Number(this.#statement(connection, CREATE).run(name, body).changes) > 0) created.add(name);
      return created;
    });
  }

  async overwrite({ name, body }: NewObject, ifMatch: string | undefined): Promise<string | undefined> {
    return this.#write(1, (connection) => {
      const [row] =
        ifMatch === undefined
          ? this.#all(connection, REPLACE, [name, body])
          : this.#all(connection, REPLACE_IF, [name, body, Number(ifMatch)]);
      return row && String(row.id);
    });
  }

  async delete(names: readonly string[]): Promise<void> {
    if (this.#toRead() === undefined) return;
    await this.#write(names.length, (connection) => {
      for (const name of names) this.#statement(connection, DELETE).run(name);
    });
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => {});
    this.#statements.clear();
    this.#connection?.close();
    this.#connection = undefined;
  }

  classify(error: unknown): SqlFault | undefined {
    if (!isError(error)) return undefined;
    return faultOf(codeOf(error));
  }

  /**
   * One transaction of so many statements, a single one of which is a transaction by itself. What others hold is waited for outside of it.
   */
  #write<T>(statements: number, work: (connection: SqliteConnection) => T): Promise<T> {
    const write = (): Promise<T> =>
      this.#unlessBusy(() => {
        const connection = this.#toWrite();
        if (statements === 1) return work(connection);
        this.#statement(connection, BEGIN).run();
        try {
          const result = work(connection);
          this.#statement(connection, COMMIT).run();
          return result;
        } catch (error) {
          rollBack(connection);
          throw error;
        }
      });
    const writing = this.#writing.then(write, write);
    this.#writing = writing;
    return writing;
  }

  async #unlessBusy<T>(work: () => T): Promise<T> {
    const endMs = performance.now() + BUSY_LIMIT_MS;
    for (let waitMs = 1; ; waitMs = Math.min(2 * waitMs, MAX_BUSY_WAIT_MS)) {
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || performance.now() > endMs) throw error;
      }
      await sleep(Math.random() * waitMs);
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
        if (!this.#isOurs(connection)) connection.exec(SCHEMA); // nobody was faster
        connection.exec('commit');
      } catch (error) {
        rollBack(connection);
        throw error;
      }
    }
    this.#isReady = true;
    return connection;
  }

  #connect(): SqliteConnection {
    if (this.#connection) return this.#connection;
    let connection: SqliteConnection;
    try {
      connection = this.#open({ readOnly: false });
      connection.exec('pragma synchronous = full');
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

  /** True for a database that holds our table, false for an empty one. @throws StowageError for one of another program or a newer release */
  #isOurs(connection: SqliteConnection): boolean {
    const [told] = connection
      .prepare(
        'select application_id, user_version, (select count(*) from sqlite_master) as tables from pragma_application_id, pragma_user_version',
      )
      .all() as Row[];
    if (Number(told?.tables) === 0) return false;
    if (told?.application_id !== APPLICATION_ID) {
      throw new StowageError(
        'NOT_A_STORE',
        `${this.address} is a database of another program; give the store a file of its own.`,
        { details: { path: this.path } },
      );
    }
    if (Number(told.user_version) > SCHEMA_VERSION) {
      throw new StowageError(
        'UNSUPPORTED_FORMAT',
        `${this.address} was made by a newer release of Stowage (tables of version ${told.user_version}); install that.`,
        { details: { path: this.path, version: told.user_version } },
      );
    }
    return true;
  }

  #all(connection: SqliteConnection, statement: string, parameters: readonly unknown[]): readonly Row[] {
    return this.#statement(connection, statement).all(...parameters) as Row[];
  }

  #statement(connection: SqliteConnection, text: string): SqliteStatement {
    let statement = this.#statements.get(text);
    if (!statement) {
      if (this.#statements.size > 64) this.#statements.clear();
      statement = connection.prepare(text.replaceAll(/\$(\d)/g, '?$1'));
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function rollBack(connection: SqliteConnection): void {
  try {
    connection.exec('rollback');
  } catch {} // SQLite has rolled back by itself
}

function isBusy(error: unknown): boolean {
  return !isStowageError(error) && isError(error) && /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error) ?? '');
}

/** `libsql` tells the name of the code, `node:sqlite` its number. */
function codeOf(error: Error): string | undefined {
  const { code, errcode } = error as Error & { code?: unknown; errcode?: unknown };
  if (typeof errcode === 'number') return NAMES[errcode & 0xff];
  return typeof code === 'string' ? code : undefined;
}

const NAMES: Readonly<Record<number, string>> = {
  3: 'SQLITE_PERM',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
};

const FAULTS: readonly (readonly [code: string, fault: SqlFault])[] = [
  [
    'SQLITE_BUSY',
    { code: 'STORAGE_UNAVAILABLE', what: 'another process holds the database', remedy: 'try again' },
  ],
  [
    'SQLITE_LOCKED',
    { code: 'STORAGE_UNAVAILABLE', what: 'another call holds the database', remedy: 'try again' },
  ],
  [
    'SQLITE_READONLY',
    {
      code: 'STORAGE_NOT_PERMITTED',
      what: 'it may only be read',
      remedy: 'have the file, and its folder, writable by this user',
    },
  ],
  [
    'SQLITE_PERM',
    { code: 'STORAGE_NOT_PERMITTED', what: 'this user may not', remedy: 'see the rights of the file' },
  ],
  [
    'SQLITE_CANTOPEN',
    {
      code: 'STORAGE_NOT_PERMITTED',
      what: 'the file cannot be opened',
      remedy: 'see that its folder is there, and that this user may read and write both',
    },
  ],
  ['SQLITE_FULL', { code: 'STORAGE_FULL', what: 'there is no room', remedy: 'make room, and try again' }],
  [
    'SQLITE_CORRUPT',
    { code: 'STORAGE_FAILED', what: 'the file is damaged', remedy: 'restore it from a copy of the store' },
  ],
  [
    'SQLITE_NOTADB',
    { code: 'NOT_A_STORE', what: 'the file is no database', remedy: 'give the store a file of its own' },
  ],
  ['SQLITE_IOERR', { code: 'STORAGE_FAILED', what: 'the disk failed', remedy: 'look at the disk' }],
];

function faultOf(code: string | undefined): SqlFault {
  const known = FAULTS.find(([name]) => code?.startsWith(name));
  return known?.[1] ?? { code: 'STORAGE_FAILED', what: 'SQLite failed', remedy: 'see its words' };
}
