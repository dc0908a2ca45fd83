import { type ArrowTable, isArrowTable } from './arrow-table.ts';
import { type Tabular, toTabular } from './tabular-value.ts';
import { bytesOf, isPlainObject, isScalar, isTypedArray } from './value-kind.ts';

type Rows = readonly (readonly unknown[])[];

/** A value that is a table, with its cells at hand. */
export interface TableView {
  /** The names of the columns; their numbers, where they have no names. */
  names: readonly string[];
  hasNames: boolean;
  rows: Rows;
  /** The types of the columns, where the value declares them. */
  types: ReadonlyMap<string, string>;
}

/**
 * The value as a table, if people would call it one: an Arrow table; a list of objects, or of lists, whose cells have no parts; or
 * an object of columns of equal length, at least one of them a typed array.
 */
export function toTableView(value: unknown): TableView | undefined {
  const tabular = asTabular(value);
  if (!tabular) return undefined;
  const isArrow = isArrowTable(value);
  const rows: (readonly unknown[])[] = [];
  for (const row of tabular.rows()) {
    if (!isArrow && !row.every(isScalar)) return undefined;
    rows.push(row);
  }
  const { header } = tabular;
  const names = header ?? (rows[0] ?? []).map((_, index) => String(index));
  if (new Set(names).size < names.length) return undefined;
  return { names, hasNames: header !== undefined, rows, types: isArrow ? columnTypes(value) : new Map() };
}

/** The value as rows, if it has the form of a table as {@link toTableView} says; its cells may have parts all the same. */
export function asTabular(value: unknown): Tabular | undefined {
  if (!isArrowTable(value) && !isRowList(value) && !isColumnObject(value)) return undefined;
  const tabular = toTabular(value);
  return typeof tabular === 'string' ? undefined : tabular;
}

function isRowList(value: unknown): value is readonly unknown[] {
  if (!Array.isArray(value)) return false;
  const [first] = value;
  return isPlainObject(first) || Array.isArray(first) || isTypedArray(first);
}

function isColumnObject(value: unknown): boolean {
  if (!isPlainObject(value)) return false;
  const columns = Object.values(value);
  const areLists = columns.every(
    (column) => Array.isArray(column) || isTypedArray(column) || bytesOf(column),
  );
  return areLists && columns.some(isTypedArray);
}

/** The types of the columns of an Arrow table. */
export function columnTypes({ schema }: ArrowTable): Map<string, string> {
  return new Map(schema.fields.map(({ name, type }) => [name, String(type)]));
}
