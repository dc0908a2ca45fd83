import { pathToFileURL } from 'node:url';
import { StowageError } from '../../../errors.ts';

/** A value that SQLite takes and gives: `null`, a number, a text, bytes. */
export type SqliteValue = unknown;

/** A statement that is ready to run. */
export interface SqliteStatement {
  /** Gives the rows, by the names of their columns. */
  all(parameters?: readonly SqliteValue[]): unknown[];
  /** Gives the values of the first row, in the order of the columns. */
  first(parameters: readonly SqliteValue[]): SqliteValue[] | undefined;
  /** Gives the number of rows that it changed. */
  run(parameters: readonly SqliteValue[]): number;
  /**
   * Makes rows as they are asked for, with all whole numbers as `bigint`, none of which loses digits. No row is to be asked for behind the
   * last. Parameters go by their names, without the `$` before them. The statement is not used for anything else.
   */
  iterate(parameters: Readonly<Record<string, SqliteValue>>): Iterable<unknown>;
}

/** An open file. */
export interface SqliteConnection {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

/** A library that holds SQLite. */
export interface SqliteLibrary {
  /** `node:sqlite` or `libsql`. */
  readonly name: string;
  /** Opens a file, which is made if there is none, without waiting for locks. */
  open(path: string, options: { readOnly: boolean }): SqliteConnection;
}

interface NodeStatement {
  all(...parameters: readonly SqliteValue[]): unknown[];
  get(...parameters: readonly SqliteValue[]): object | undefined;
  run(...parameters: readonly SqliteValue[]): { changes: number | bigint };
  iterate(parameters: Readonly<Record<string, SqliteValue>>): Iterable<unknown>;
  setReadBigInts(on: boolean): void;
}

interface NodeSqlite {
  DatabaseSync: new (
    path: string,
    options?: { readOnly?: boolean; timeout?: number },
  ) => Opened<NodeStatement>;
}

interface LibsqlStatement {
  all(parameters: readonly SqliteValue[]): unknown[];
  get(parameters: readonly SqliteValue[]): unknown;
  run(parameters: readonly SqliteValue[]): { changes: number };
  iterate(parameters: Readonly<Record<string, SqliteValue>>): Iterable<unknown>;
  safeIntegers(on: boolean): unknown;
  /** Rows are arrays from then on, or objects. */
  raw(isRaw: boolean): unknown;
}

interface Libsql {
  default: new (path: string, options?: { timeout?: number }) => Opened<LibsqlStatement>;
}

/** A connection as the libraries have it. */
interface Opened<Statement> {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): unknown;
}

let library: Promise<SqliteLibrary> | undefined;

/**
 * Node's own SQLite, from 22.13 on, or the package `libsql`. Two libraries on one file in one process undo each other's locks
 * (https://sqlite.org/howtocorrupt.html, 2.2.1), so that one is taken for the whole process.
 *
 * @throws StowageError `STORAGE_UNSUPPORTED` where there is neither
 */
export function loadSqlite(): Promise<SqliteLibrary> {
  library ??= find();
  return library;
}

async function find(): Promise<SqliteLibrary> {
  const own = ofNode();
  if (own) {
    return {
      name: 'node:sqlite',
      open: (path, { readOnly }) => {
        const opened = new own.DatabaseSync(path, { readOnly, timeout: 0 });
        return connectionOf(opened, (statement) => new StatementOfNode(statement));
      },
    };
  }
  let libsql: Libsql;
  try {
    libsql = (await import('libsql' as string)) as Libsql;
  } catch (cause) {
    library = undefined;
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      `A store in a file of SQLite needs Node.js from 22.13 on, which has SQLite, or the package libsql, which cannot be loaded here: npm install libsql.`,
      { details: { package: 'libsql' }, cause },
    );
  }
  const Database = libsql.default;
  return {
    name: 'libsql',
    open: (path, { readOnly }) => {
      // It has no option for that, and hands a URL to SQLite (https://www.sqlite.org/uri.html).
      const opened = new Database(readOnly ? `${pathToFileURL(path).href}?mode=ro` : path, { timeout: 0 });
      return connectionOf(opened, (statement) => new StatementOfLibsql(statement));
    },
  };
}

function connectionOf<Statement>(
  opened: Opened<Statement>,
  statementOf: (statement: Statement) => SqliteStatement,
): SqliteConnection {
  return {
    exec: (sql) => void opened.exec(sql),
    prepare: (sql) => statementOf(opened.prepare(sql)),
    close: () => void opened.close(),
  };
}

class StatementOfNode implements SqliteStatement {
  readonly #statement: NodeStatement;

  constructor(statement: NodeStatement) {
    this.#statement = statement;
  }

  all(parameters: readonly SqliteValue[] = []): unknown[] {
    return this.#statement.all(...parameters);
  }

  first(parameters: readonly SqliteValue[]): SqliteValue[] | undefined {
    const row = this.#statement.get(...parameters);
    return row && Object.values(row);
  }

  run(parameters: readonly SqliteValue[]): number {
    return Number(this.#statement.run(...parameters).changes);
  }

  iterate(parameters: Readonly<Record<string, SqliteValue>>): Iterable<unknown> {
    this.#statement.setReadBigInts(true);
    return this.#statement.iterate(parameters);
  }
}

/** It takes parameters as an array for less than one by one, and gives a row as an array for less than by names. */
class StatementOfLibsql implements SqliteStatement {
  readonly #statement: LibsqlStatement;
  #isRaw = false;

  constructor(statement: LibsqlStatement) {
    this.#statement = statement;
  }

  all(parameters: readonly SqliteValue[] = []): unknown[] {
    this.#giveRaw(false);
    return this.#statement.all(parameters);
  }

  first(parameters: readonly SqliteValue[]): SqliteValue[] | undefined {
    this.#giveRaw(true);
    return this.#statement.get(parameters) as SqliteValue[] | undefined;
  }

  run(parameters: readonly SqliteValue[]): number {
    return this.#statement.run(parameters).changes;
  }

  iterate(parameters: Readonly<Record<string, SqliteValue>>): Iterable<unknown> {
    this.#giveRaw(false);
    this.#statement.safeIntegers(true);
    return this.#statement.iterate(parameters);
  }

  #giveRaw(isRaw: boolean): void {
    if (this.#isRaw === isRaw) return;
    this.#statement.raw(isRaw);
    this.#isRaw = isRaw;
  }
}

/** `undefined` before Node.js 22.13. Node says once that it is experimental, below 24.15: that is ours to know. */
function ofNode(): NodeSqlite | undefined {
  if (typeof process.getBuiltinModule !== 'function') return undefined;
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).includes('SQLite is an experimental feature')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof emitWarning;
  try {
    return process.getBuiltinModule('node:sqlite') as NodeSqlite | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
