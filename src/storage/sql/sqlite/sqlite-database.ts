import type { StorageDatabase } from '../../contract.ts';
import type { NewObject, Row, SqlDatabase, SqlFault, SqlWords } from '../database.ts';
import { SqliteFile, type SqliteKind } from './sqlite-file.ts';

/** `id` is never used again, also not after a delete. What is overwritten is a new row, and so gets a new one. */
const STORE: SqliteKind = {
  applicationId: 0x53_74_6f_77, // `Stow`
  version: 1,
  schema: [
    `create table stowage_objects (
      id integer primary key autoincrement,
      name text not null unique,
      body blob not null,
      modified integer not null
    ) strict`,
  ],
  noun: 'the store',
  foreign: 'NOT_A_STORE',
  damaged: 'restore it from a copy of the store',
  isSynced: true,
};

const NOW = "cast(round((julianday('now') - 2440587.5) * 86400000) as integer)";
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

/** The objects of a store in a file of SQLite. */
export class SqliteDatabase implements SqlDatabase {
  readonly type = 'sqlite';
  readonly localReads = true;
  readonly words: SqlWords = WORDS;
  readonly #file: SqliteFile;

  private constructor(file: SqliteFile) {
    this.#file = file;
  }

  /** Loads the library; opens nothing. */
  static async load(path: string): Promise<SqliteDatabase> {
    return new SqliteDatabase(await SqliteFile.load(path, STORE));
  }

  get address(): string {
    return this.#file.address;
  }

  get path(): string {
    return this.#file.path;
  }

  get tables(): StorageDatabase {
    return this.#file;
  }

  read(
    statement: string,
    parameters: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Row[]> {
    return this.#file.query(statement, parameters, signal);
  }

  first(
    statement: string,
    parameters: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<readonly unknown[] | undefined> {
    return this.#file.first(statement, parameters, signal);
  }

  async create(objects: readonly NewObject[]): Promise<ReadonlySet<string>> {
    return this.#file.transact(objects.length, ({ run }) => {
      const created = new Set<string>();
      for (const { name, body } of objects) if (run(CREATE, [name, body]) > 0) created.add(name);
      return created;
    });
  }

  async overwrite({ name, body }: NewObject, ifMatch: string | undefined): Promise<string | undefined> {
    return this.#file.transact(1, ({ all }) => {
      const [row] =
        ifMatch === undefined ? all(REPLACE, [name, body]) : all(REPLACE_IF, [name, body, Number(ifMatch)]);
      return row && String(row.id);
    });
  }

  async delete(names: readonly string[]): Promise<void> {
    if (!(await this.#file.exists())) return;
    await this.#file.transact(names.length, ({ run }) => {
      for (const name of names) run(DELETE, [name]);
    });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  classify(error: unknown): SqlFault | undefined {
    return this.#file.classify(error);
  }
}
