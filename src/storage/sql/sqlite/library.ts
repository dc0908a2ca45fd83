import { StowageError } from '../../../errors.ts';

/** A value that SQLite takes and gives: `null`, a number, a text, bytes. */
export type SqliteValue = unknown;

/** A statement, as all libraries have it. */
export interface SqliteStatement {
  all(...parameters: SqliteValue[]): unknown[];
  /** The first row. */
  get(...parameters: SqliteValue[]): unknown;
  run(...parameters: SqliteValue[]): { changes: number | bigint };
}

/** A connection, as all libraries have it. */
export interface SqliteConnection {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

/** A library that holds SQLite. */
export interface SqliteLibrary {
  /** `node:sqlite` or `libsql`. */
  readonly name: string;
  /** Opens a file, which is made if there is none, without waiting for locks. */
  open(path: string, options: { readOnly: boolean }): SqliteConnection;
}

interface NodeSqlite {
  DatabaseSync: new (path: string, options?: { readOnly?: boolean; timeout?: number }) => SqliteConnection;
}

interface Libsql {
  default: new (path: string, options?: { readonly?: boolean; timeout?: number }) => SqliteConnection;
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
      open: (path, { readOnly }) => new own.DatabaseSync(path, { readOnly, timeout: 0 }),
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
    open: (path, { readOnly }) => new Database(path, { readonly: readOnly, timeout: 0 }),
  };
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
