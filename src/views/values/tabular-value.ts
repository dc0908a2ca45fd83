import { arrowCells, isArrowTable } from './arrow-table.ts';
import { bytesOf, isPlainObject } from './value-kind.ts';

/** A value that is a table. */
export interface Tabular {
  /** The names of the columns; absent where the rows have none. */
  header?: readonly string[];
  rowCount: number;
  /** The rows from number `start` on (default 0), made as they are asked for, each with a cell for every column. */
  rows(start?: number): Iterable<readonly unknown[]>;
}

type Row = Readonly<Record<string, unknown>>;
type List = ArrayLike<unknown>;

/** The name of the column of a value that is a single one. */
const ONLY_COLUMN = 'value';

/** The value as a table, or why it is none: an end to the sentence `it is ...`. */
export function toTabular(value: unknown): Tabular | string {
  if (isArrowTable(value)) {
    const header = value.schema.fields.map(({ name }) => name);
    return { header, rowCount: value.numRows, rows: (start) => arrowCells(value, start) };
  }
  if (Array.isArray(value)) return fromArray(value);
  if (bytesOf(value)) return 'bytes';
  if (isList(value)) return fromColumns([[ONLY_COLUMN, value]]);
  if (value instanceof Map) return fromColumns([...value]);
  if (isPlainObject(value)) return fromColumns(Object.entries(value));
  if (value instanceof Set) return 'a Set';
  return typeof value === 'string' ? 'text' : 'a single value';
}

/** Rows that are objects, lists, or single values; all of one kind. */
function fromArray(rows: readonly unknown[]): Tabular | string {
  const kind = kindOf(rows[0]);
  const other = rows.findIndex((row) => kindOf(row) !== kind);
  if (other !== -1)
    return `a list of different kinds: item 0 is ${kind}, and item ${other} ${kindOf(rows[other])}`;
  if (rows.length === 0) return { rowCount: 0, rows: () => [] };
  if (kind === 'an object') return fromObjects(rows as readonly Row[]);
  if (kind === 'a list') return fromLists(rows as readonly List[]);
  return fromColumns([[ONLY_COLUMN, rows]]);
}

function fromObjects(rows: readonly Row[]): Tabular {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  const header = [...names];
  return {
    header,
    rowCount: rows.length,
    *rows(start = 0) {
      for (let at = start; at < rows.length; at++) {
        const row = rows[at] as Row;
        yield header.map((name) => (Object.hasOwn(row, name) ? row[name] : undefined));
      }
    },
  };
}

/** Without a header, which the first row may be; short rows are filled up. */
function fromLists(rows: readonly List[]): Tabular {
  const width = rows.reduce((widest, { length }) => Math.max(widest, length), 0);
  return {
    rowCount: rows.length,
    *rows(start = 0) {
      for (let at = start; at < rows.length; at++)
        yield Array.from({ length: width }, (_, index) => (rows[at] as List)[index]);
    },
  };
}

function fromColumns(columns: readonly (readonly [unknown, unknown])[]): Tabular | string {
  const header: string[] = [];
  const lists: List[] = [];
  for (const [name, list] of columns) {
    if (typeof name !== 'string') return 'a Map whose keys are no names of columns';
    if (!isList(list)) return `an object whose member ${name} is no column`;
    const [first] = lists;
    if (first && list.length !== first.length) {
      return `an object of columns of different lengths: ${header[0]} has ${first.length} values, ${name} ${list.length}`;
    }
    header.push(name);
    lists.push(list);
  }
  const [first] = lists;
  if (!first) return 'an object without columns';
  return {
    header,
    rowCount: first.length,
    *rows(start = 0) {
      for (let row = start; row < first.length; row++) yield lists.map((list) => list[row]);
    },
  };
}

function kindOf(row: unknown): string {
  if (isPlainObject(row)) return 'an object';
  return isList(row) && bytesOf(row) === undefined ? 'a list' : 'a single value';
}

/** Arrays, and typed arrays of any kind. */
function isList(value: unknown): value is List {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
