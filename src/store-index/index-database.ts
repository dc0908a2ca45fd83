import type { DatabaseType, SqlRow, SqlStatement, StorageDatabase } from '../storage/contract.ts';
import { type ColumnKind, TABLES, type TableName } from './schema.ts';

/**
 * The database of an index: the one that the store lies in, or a file of SQLite. Parameters are `$1`, `$2`, ...; names of tables need no
 * schema before them. `read` runs one statement; `write` runs a generator of statements as one transaction, which may be run again from
 * its beginning, and gives each `yield` the rows of its statement.
 */
export type IndexDatabase = StorageDatabase;

/** A part of a transaction: it yields statements, is given their rows, and ends with its result. */
export type IndexWork<T> = Generator<SqlStatement, T, readonly SqlRow[]>;

/** A row for a table, by the names of its columns. A column that is left out is null. */
export type IndexRow = Readonly<Record<string, string | number | null | undefined>>;

/** A text as both databases hold it: PostgreSQL takes no character 0, and neither takes half a surrogate pair. */
export function textOf(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}

/** The kinds of columns in PostgreSQL. */
const CASTS: Readonly<Record<ColumnKind, string>> = {
  text: 'text',
  whole: 'bigint',
  number: 'double precision',
};

function cellOf(row: IndexRow, column: string): string | number | null {
  const value = row[column] ?? null;
  return typeof value === 'string' ? textOf(value) : value;
}

/**
 * Writes rows to a table in the place of those that have their keys; in PostgreSQL by one statement for all. No two of them may have
 * one key.
 *
 * @returns the ids of attempts, in the order of `rows`; of other tables nothing
 */
export function* putRows(
  type: DatabaseType,
  name: TableName,
  rows: readonly IndexRow[],
): IndexWork<number[]> {
  if (rows.length === 0) return [];
  const { columns, key } = TABLES[name];
  const listed = columns.map((column) => column.name);
  const others = listed.filter((column) => !key.includes(column));
  const conflict =
    others.length === 0
      ? 'do nothing'
      : `do update set ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`;
  const end = `on conflict (${key.join(', ')}) ${conflict}`;
  const hasIds = name === 'attempts';
  if (type === 'sqlite') {
    const places = listed.map((_, at) => `$${at + 1}`).join(', ');
    const text = `insert into ${name} (${listed.join(', ')}) values (${places}) ${end}${hasIds ? ' returning id' : ''}`;
    const ids: number[] = [];
    for (const row of rows) {
      const [written] = yield { text, parameters: listed.map((column) => cellOf(row, column)) };
      if (hasIds) ids.push(Number(written?.id));
    }
    return ids;
  }
  const casts = columns.map(({ kind }, at) => `(v->>${at})::${CASTS[kind]}`).join(', ');
  const from = `select ${casts} from jsonb_array_elements($1::jsonb) with ordinality as given (v, at) order by at`;
  const returning = hasIds ? ` returning id, ${key.join(', ')}` : '';
  const text = `insert into ${name} (${listed.join(', ')}) ${from} ${end}${returning}`;
  const parameter = JSON.stringify(rows.map((row) => listed.map((column) => cellOf(row, column))));
  const written = yield { text, parameters: [parameter] };
  if (!hasIds) return [];
  const ids = new Map(written.map((row) => [keyOf(row, key), Number(row.id)]));
  return rows.map((row) => ids.get(keyOf(row, key)) as number);
}

/** A list as one parameter, to be compared as `column in (…)`. */
function inList(type: DatabaseType, parameter: string, kind: 'text' | 'whole'): string {
  if (type === 'sqlite') return `(select value from json_each(${parameter}))`;
  const value = kind === 'text' ? 'value' : 'value::bigint';
  return `(select ${value} from jsonb_array_elements_text(${parameter}::jsonb))`;
}

/**
 * True for a column that has a value of a list, which is one parameter. PostgreSQL is given it as an array, for which it uses the index:
 * of a list it guesses a length that makes it read all of a table that has just begun to fill.
 */
export function isInList(
  type: DatabaseType,
  column: string,
  parameter: string,
  kind: 'text' | 'whole',
): string {
  const list = inList(type, parameter, kind);
  return type === 'sqlite' ? `${column} in ${list}` : `${column} = any (array${list})`;
}

/**
 * True for rows of a table whose first columns are a key of a list, which is one parameter: a list of lists. PostgreSQL looks each key up
 * by itself, whatever it guesses of the table; SQLite does so anyway.
 *
 * @param columns - with which the key of the table begins
 * @param most - so many rows at most, in PostgreSQL. Default: all
 */
export function hasKeyInList(
  type: DatabaseType,
  table: TableName,
  columns: readonly string[],
  parameter: string,
  most?: number,
): string {
  if (type === 'sqlite') {
    const values = columns.map((_, at) => `json_extract(value, '$[${at}]')`);
    return `(${columns.join(', ')}) in (select ${values.join(', ')} from json_each(${parameter}))`;
  }
  const kinds = new Map(TABLES[table].columns.map(({ name, kind }) => [name, kind]));
  const values = columns.map(
    (column, at) => `(v->>${at})::${CASTS[kinds.get(column) ?? 'text']} as ${column}`,
  );
  const same = columns.map((column) => `t.${column} = g.${column}`).join(' and ');
  return `ctid = any (array(select found.ctid from (select ${values.join(', ')} from jsonb_array_elements(${parameter}::jsonb) as list (v)) g
    cross join lateral (select t.ctid from ${table} t where ${same} offset 0) found${most === undefined ? '' : ` limit ${most}`}))`;
}

/** The parameter for {@link isInList}, and of lists for {@link hasKeyInList}. */
export function listParameter(values: readonly (string | number | readonly (string | number)[])[]): string {
  return JSON.stringify(values);
}

function keyOf(row: IndexRow | SqlRow, key: readonly string[]): string {
  return key.map((column) => String(row[column])).join('\n');
}
