import { types } from 'node:util';
import type { StowageError } from '../errors.ts';
import { checkColumnName, type FrameColumn, type FrameColumnType, MAX_NESTING } from './frame-columns.ts';
import { unsupportedColumn } from './parquet-errors.ts';
import { type FrameRow, isPlainObject, isTypedArray } from './row-values.ts';

const ELEMENTS: Readonly<Record<string, FrameColumnType['type']>> = {
  Int8Array: 'int8',
  Int16Array: 'int16',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
  Uint16Array: 'uint16',
  Uint32Array: 'uint32',
  BigUint64Array: 'uint64',
  Float32Array: 'float32',
  Float64Array: 'float64',
};

/** The type of the elements of an array of numbers, by the name of its class. */
export function elementType(array: unknown): FrameColumnType | undefined {
  const name = (array as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? '';
  const type = ELEMENTS[name];
  return type && ({ type } as FrameColumnType);
}

/**
 * The columns of rows, in the order in which they come up: numbers are `float64`, bigints `int64`, dates timestamps in milliseconds, byte
 * arrays `binary`; arrays, plain objects and `Map`s are lists, structs and maps. All can be null.
 *
 * @throws StowageError `UNSUPPORTED_COLUMN` for other values, and for values of several types in one column
 */
export function inferColumns(rows: readonly FrameRow[]): FrameColumn[] {
  const known = new Map<string, FrameColumnType | undefined>();
  for (const [index, row] of rows.entries()) {
    for (const name of Object.keys(row)) {
      checkColumnName(name, name);
      known.set(name, merged({ column: name, row: index }, known.get(name), row[name], 0));
    }
  }
  return [...known].map(([name, type]) => ({ name, nullable: true, ...(type ?? NOTHING) }));
}

/** The type of a column's values. Throws as {@link inferColumns}. */
export function inferType(name: string, values: Iterable<unknown>): FrameColumnType {
  let type: FrameColumnType | undefined;
  let row = 0;
  for (const value of values) type = merged({ column: name, row: row++ }, type, value, 0);
  return type ?? NOTHING;
}

const NOTHING: FrameColumnType = { type: 'null' };

/** Where a value stands. */
interface Cell {
  column: string;
  row: number;
}

/** The type of what was seen before, and of a value beside it. */
function merged(
  cell: Cell,
  before: FrameColumnType | undefined,
  value: unknown,
  depth: number,
): FrameColumnType | undefined {
  if (value === null || value === undefined) return before;
  if (depth > MAX_NESTING) throw misfit(cell, `is nested deeper than ${MAX_NESTING} levels, or a circle`, '');
  const type = typeName(value);
  if (type === undefined)
    throw misfit(
      cell,
      'holds something that no type has',
      'Rows hold numbers, bigints, booleans, text, dates, bytes, arrays, plain objects and Maps; convert it.',
    );
  if (before && before.type !== 'null' && before.type !== type)
    throw misfit(cell, `holds both ${before.type} and ${type}`, 'Make them one type, or give a `schema`.');
  const same = before as FrameColumnType | undefined;
  if (type === 'list') {
    const known = same?.type === 'list' ? innerType(same.element) : undefined;
    const own = Array.isArray(value) ? undefined : elementType(value);
    if (own) return list(own);
    let element = known;
    for (const item of value as unknown[]) element = merged(cell, element, item, depth + 1);
    return list(element);
  }
  if (type === 'map') {
    let key = same?.type === 'map' ? innerType(same.key) : undefined;
    let item = same?.type === 'map' ? innerType(same.value) : undefined;
    for (const [k, v] of value as Map<unknown, unknown>) {
      key = merged(cell, key, k, depth + 1);
      item = merged(cell, item, v, depth + 1);
    }
    return {
      type,
      key: { name: 'key', nullable: false, ...(key ?? NOTHING) },
      value: { name: 'value', nullable: true, ...(item ?? NOTHING) },
    };
  }
  if (type === 'struct') {
    const fields = new Map(
      same?.type === 'struct' ? same.fields.map((field) => [field.name, innerType(field)]) : [],
    );
    for (const [name, item] of Object.entries(value as object)) {
      checkColumnName(name, `${cell.column}.${name}`);
      fields.set(name, merged(cell, fields.get(name), item, depth + 1));
    }
    if (fields.size === 0)
      throw misfit(cell, 'holds an object without properties, for which there is no type', '');
    return {
      type,
      fields: [...fields].map(([name, field]) => ({ name, nullable: true, ...(field ?? NOTHING) })),
    };
  }
  if (type === 'timestamp') return { type, unit: 'ms', utc: true };
  return { type } as FrameColumnType;
}

function misfit({ column, row }: Cell, what: string, remedy: string): StowageError {
  return unsupportedColumn(column, `${what}: in row ${row}. ${remedy}`.trimEnd(), { row });
}

function list(element: FrameColumnType | undefined): FrameColumnType {
  return { type: 'list', element: { name: 'element', nullable: true, ...(element ?? NOTHING) } };
}

function innerType(column: FrameColumn): FrameColumnType | undefined {
  return column.type === 'null' ? undefined : column;
}

function typeName(value: unknown): FrameColumnType['type'] | undefined {
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'string') return 'string';
  if (types.isDate(value)) return 'timestamp';
  if (types.isUint8Array(value)) return 'binary';
  if (Array.isArray(value) || (isTypedArray(value) && elementType(value))) return 'list';
  if (types.isMap(value)) return 'map';
  return isPlainObject(value) ? 'struct' : undefined;
}
