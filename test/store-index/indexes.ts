import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DataStoreStorage, SqlRow, SqlStatement, StorageDatabase } from '../../src/storage/contract.ts';
import { loadSqlite } from '../../src/storage/sql/sqlite/library.ts';
import { OF_ATTEMPTS, TABLE_NAMES } from '../../src/store-index/schema.ts';
import { StoreIndex, type StoreIndexOptions } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { scratchFolder } from '../flow/fixtures.ts';

/** The index of a store, in a file of its own unless a path is given; closed after the test. */
export async function openIndex(
  options: StoreIndexOptions & { path?: string },
): Promise<{ index: StoreIndex; path: string }> {
  const path = options.path ?? join(scratchFolder(), 'index.db');
  const index = await StoreIndex.open({ ...options, path });
  afterThisTest(() => index.close());
  return { index, path };
}

/** All rows of a file of an index, by table, without what differs between two that say the same: ids, times of catching up, what a listing showed. */
export async function rowsOf(path: string): Promise<Record<string, string[]>> {
  const connection = (await loadSqlite()).open(path, { readOnly: true });
  try {
    return await rowsBy((text) => connection.prepare(text).all() as Record<string, unknown>[]);
  } finally {
    connection.close();
  }
}

/** As {@link rowsOf}, of an index that lies in the database of its store. */
export function rowsIn(storage: DataStoreStorage): Promise<Record<string, string[]>> {
  return rowsBy((text) => (storage.database as StorageDatabase).read({ text }));
}

async function rowsBy(
  read: (text: string) => readonly SqlRow[] | Promise<readonly SqlRow[]>,
): Promise<Record<string, string[]>> {
  const rows: Record<string, string[]> = {};
  for (const table of TABLE_NAMES) {
    if (table === 'stowage_index') continue;
    const from = OF_ATTEMPTS.includes(table)
      ? `select a.flow as of_flow, a.run as of_run, a.step as of_step, a.task as of_task, a.attempt as of_attempt, t.* from ${table} t left join attempts a on a.id = t.attempt_id`
      : `select * from ${table}`;
    const found = await read(from);
    rows[table] = found.map(({ id: _, attempt_id: __, seen: ___, ...row }) => JSON.stringify(row)).sort();
  }
  return rows;
}

/** The rows of one statement on a file of an index. */
export async function select(path: string, statement: string): Promise<Record<string, unknown>[]> {
  const connection = (await loadSqlite()).open(path, { readOnly: true });
  try {
    return connection.prepare(statement).all() as Record<string, unknown>[];
  } finally {
    connection.close();
  }
}

/** The steps of SQLite's plan of a statement. */
export async function planOf(database: StorageDatabase, text: string): Promise<string[]> {
  const parameters = Array.from(new Set(text.match(/\$\d+/g)), () => '[]');
  const rows = await database.read({ text: `explain query plan ${text}`, parameters });
  return rows.map(({ detail }) => String(detail));
}

/** The steps of SQLite's plans of statements that go through all of a table, each with its statement; lists and what has one row are none. */
export async function scansOf(
  database: StorageDatabase,
  statements: readonly SqlStatement[],
): Promise<string[]> {
  const scans: string[] = [];
  for (const text of new Set(statements.map((statement) => statement.text)))
    for (const step of await planOf(database, text))
      if (/^SCAN /.test(step) && !SMALL.test(step)) scans.push(`${step}: ${text}`);
  return scans;
}

const SMALL = /^SCAN (CONSTANT ROW|json_each|stowage_index|stowage_gone|sqlite_sequence|sqlite_master)\b/;

/** The names of the files of a folder. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder).sort();
}

/** Keeps the statements that are run from now on. */
export function recordStatements(database: StorageDatabase): SqlStatement[] {
  const statements: SqlStatement[] = [];
  const read = database.read.bind(database);
  const write = database.write.bind(database);
  database.read = (statement, options) => {
    statements.push(statement);
    return read(statement, options);
  };
  database.write = (work, options) =>
    write(function* () {
      const working = work();
      let next = working.next();
      while (!next.done) {
        statements.push(next.value);
        next = working.next(yield next.value);
      }
      return next.value;
    }, options);
  return statements;
}
