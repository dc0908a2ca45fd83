import type { ValueIds } from './value-ids.ts';

type Rows = readonly (readonly unknown[])[];

/** A column by which rows are told apart. */
export interface RowKey {
  column: number;
  name: string;
}

const ID_NAME = /^(?:id|key|name|uuid)$|[_-]id$|[a-z]Id$/;
/** Both tables must have this share of the rows, by the column; more, if its name does not say that it is an id. */
const LEAST_SHARED = 0.5;
const LEAST_SHARED_UNNAMED = 0.9;
/** In short tables, any column may happen to have no value twice. */
const LEAST_ROWS_UNNAMED = 5;

/** The column that identifies rows in both tables: no value twice, and most values in both. Columns that are called ids go first. */
export function findKey(names: readonly string[], a: Rows, b: Rows, ids: ValueIds): RowKey | undefined {
  if (names.length < 2 || a.length === 0 || b.length === 0) return undefined;
  const smaller = Math.min(a.length, b.length);
  const columns = names.map((name, column) => ({ name, column, isNamed: ID_NAME.test(name) }));
  columns.sort((x, y) => Number(y.isNamed) - Number(x.isNamed));
  for (const { name, column, isNamed } of columns) {
    if (!isNamed && smaller < LEAST_ROWS_UNNAMED) continue;
    const valuesOfA = distinctValues(a, column, ids);
    const valuesOfB = valuesOfA && distinctValues(b, column, ids);
    if (!valuesOfA || !valuesOfB) continue;
    let shared = 0;
    for (const id of valuesOfA) if (valuesOfB.has(id)) shared += 1;
    if (shared >= smaller * (isNamed ? LEAST_SHARED : LEAST_SHARED_UNNAMED)) return { column, name };
  }
  return undefined;
}

/** The values of a column; `undefined` where one is there twice, or is no name or number of anything. */
function distinctValues(rows: Rows, column: number, ids: ValueIds): Set<number> | undefined {
  const values = new Set<number>();
  for (const row of rows) {
    const value = row[column];
    const canBeKey = typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value);
    if (!canBeKey) return undefined;
    const id = ids.of(value);
    if (values.has(id)) return undefined;
    values.add(id);
  }
  return values;
}
