import { canonicalTable } from '../values/arrow-canonical.ts';
import type { ArrowData, ArrowField, ArrowLibrary, ArrowTable, ArrowType } from '../values/arrow-library.ts';
import { TYPE } from '../values/arrow-types.ts';
import { readUtf8 } from '../values/utf8-reader.ts';
import { checkColumnName, type FrameColumn, type FrameColumnType, MAX_NESTING } from './frame-columns.ts';
import type { FrameData } from './given-rows.ts';
import { unsupportedColumn } from './parquet-errors.ts';
import type { Rows } from './row-groups.ts';
import { type ExactValue, halfFloatOf } from './stored-values.ts';

/**
 * The columns and rows of an Arrow table. Dictionaries become their values, lists of a fixed size lists, large types the others; metadata of
 * fields and schema is left out.
 *
 * @throws StowageError `UNSUPPORTED_COLUMN` for unions, durations, intervals, and types that this release does not know; `INVALID_ARGUMENT`
 */
export function arrowRows(given: ArrowTable, library: ArrowLibrary): FrameData {
  const columns = given.schema.fields.map((field) => columnOf(field, field.name, field.name, 0));
  const table = canonicalTable(given, library);
  return { columns, batches: batchesOf(table, columns) };
}

async function* batchesOf(table: ArrowTable, columns: readonly FrameColumn[]): AsyncGenerator<Rows> {
  for (const { data, numRows } of table.batches) {
    yield {
      rows: numRows,
      columns: columns.map((column, index) => exactOf(data.children[index] as ArrowData, column)),
    };
  }
}

function columnOf({ type, nullable }: ArrowField, name: string, path: string, depth: number): FrameColumn {
  checkColumnName(name, path);
  if (depth > MAX_NESTING) throw unsupportedColumn(path, `is nested deeper than ${MAX_NESTING} levels.`);
  return { name, nullable: nullable || type.typeId === TYPE.Null, ...typeOf(type, path, depth) };
}

const UNITS = ['ms', 'ms', 'us', 'ns'] as const;

function typeOf(type: ArrowType, path: string, depth: number): FrameColumnType {
  const inner = (field: ArrowField | undefined, name: string): FrameColumn => {
    if (!field) throw unsupportedColumn(path, 'has a type without its parts.');
    return columnOf(field, name, `${path}.${name}`, depth + 1);
  };
  const [first] = type.children ?? [];
  switch (type.typeId) {
    case TYPE.Null:
      return { type: 'null' };
    case TYPE.Bool:
      return { type: 'boolean' };
    case TYPE.Int:
      return { type: `${type.isSigned ? '' : 'u'}int${type.bitWidth}` as 'int8' };
    case TYPE.Float:
      return { type: (['float16', 'float32', 'float64'] as const)[type.precision] ?? 'float64' };
    case TYPE.Utf8:
    case TYPE.LargeUtf8:
      return { type: 'string' };
    case TYPE.Binary:
    case TYPE.LargeBinary:
      return { type: 'binary' };
    case TYPE.FixedSizeBinary:
      return { type: 'fixed', bytes: type.byteWidth };
    case TYPE.Decimal:
      if (type.scale < 0 || type.scale > type.precision) break;
      return { type: 'decimal', precision: type.precision, scale: type.scale };
    case TYPE.Date:
      return { type: 'date' };
    case TYPE.Time:
      return { type: 'time', unit: UNITS[type.unit] ?? 'ns', utc: false };
    case TYPE.Timestamp:
      return { type: 'timestamp', unit: UNITS[type.unit] ?? 'ns', utc: Boolean(type.timezone) };
    case TYPE.Dictionary:
      return typeOf(type.dictionary, path, depth);
    case TYPE.List:
    case TYPE.LargeList:
    case TYPE.FixedSizeList:
      return { type: 'list', element: inner(first, 'element') };
    case TYPE.Struct: {
      const fields = (type.children ?? []).map((field) => inner(field, field.name));
      if (fields.length === 0)
        throw unsupportedColumn(path, 'is a struct without fields, which Parquet does not have.');
      return { type: 'struct', fields };
    }
    case TYPE.Map: {
      const [key, value] = first?.type.children ?? [];
      return { type: 'map', key: { ...inner(key, 'key'), nullable: false }, value: inner(value, 'value') };
    }
    default:
  }
  throw unsupportedColumn(
    path,
    `has the Arrow type ${String(type)}, which Parquet does not have. Convert it, or leave it out.`,
  );
}

/** The exact values of a piece of a column, whose buffers begin at its first row. */
function exactOf(data: ArrowData, column: FrameColumn): ExactValue[] {
  const { length, nullCount, nullBitmap } = data;
  const valueAt = reader(data, column);
  const values = new Array<ExactValue>(length);
  for (let row = 0; row < length; row++) {
    const isThere = nullCount === 0 || ((nullBitmap?.[row >> 3] ?? 0) >> (row & 7)) & 1;
    values[row] = isThere ? valueAt(row) : null;
  }
  if (!column.nullable && values.includes(null))
    throw unsupportedColumn(column.name, 'has nulls, and its Arrow field is not nullable. Make it nullable.');
  return values;
}

function reader(data: ArrowData, column: FrameColumn): (row: number) => ExactValue {
  const { type } = data;
  const values = data.values as unknown as ArrayLike<number>;
  const at = (row: number): number => values[row] as number;
  const wide = (row: number): bigint => values[row] as unknown as bigint;
  switch (type.typeId) {
    case TYPE.Null:
      return () => null;
    case TYPE.Bool:
      return (row) => ((at(row >> 3) >> (row & 7)) & 1) === 1;
    case TYPE.Float:
      return type.precision === 0 ? (row) => halfFloatOf(at(row)) : at;
    case TYPE.Utf8:
    case TYPE.LargeUtf8: {
      const { buffer, byteOffset, byteLength } = data.values as Uint8Array;
      const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
      return (row) => readUtf8(bytes, Number(data.valueOffsets?.[row]), Number(data.valueOffsets?.[row + 1]));
    }
    case TYPE.Binary:
    case TYPE.LargeBinary:
      return (row) =>
        (data.values as Uint8Array).slice(
          Number(data.valueOffsets?.[row]),
          Number(data.valueOffsets?.[row + 1]),
        );
    case TYPE.FixedSizeBinary:
      return (row) => (data.values as Uint8Array).slice(row * type.byteWidth, (row + 1) * type.byteWidth);
    case TYPE.Decimal:
      return (row) => decimalOf(values, row * data.stride, data.stride);
    case TYPE.Date:
      return type.unit === 0 ? at : (row) => wholeDays(wide(row), column);
    case TYPE.Time:
      return type.unit === 0 ? (row) => at(row) * 1000 : at;
    case TYPE.Timestamp:
      return type.unit === 0 ? (row) => BigInt.asIntN(64, wide(row) * 1000n) : at;
    case TYPE.Dictionary: {
      const chunks = data.dictionary?.data ?? [];
      const known = chunks.flatMap((chunk) => exactOf(chunk, { ...column, nullable: true }));
      return (row) => known[Number(at(row))] ?? null;
    }
    case TYPE.List:
    case TYPE.LargeList: {
      const items = exactOf(data.children[0] as ArrowData, (column as { element: FrameColumn }).element);
      return (row) => items.slice(Number(data.valueOffsets?.[row]), Number(data.valueOffsets?.[row + 1]));
    }
    case TYPE.FixedSizeList: {
      const { element } = column as { element: FrameColumn };
      // Beneath a null there are elements too, whatever they are.
      const items = exactOf(data.children[0] as ArrowData, { ...element, nullable: true });
      return (row) => items.slice(row * type.listSize, (row + 1) * type.listSize);
    }
    case TYPE.Struct: {
      const fields = (column as unknown as { fields: FrameColumn[] }).fields.map((field, index) => ({
        name: field.name,
        items: exactOf(data.children[index] as ArrowData, { ...field, nullable: true }),
      }));
      return (row) => {
        const struct: Record<string, ExactValue> = Object.create(null);
        for (const { name, items } of fields) struct[name] = items[row];
        return struct;
      };
    }
    case TYPE.Map: {
      const { key, value } = column as { key: FrameColumn; value: FrameColumn };
      const [keys, items] = (data.children[0] as ArrowData).children;
      const known = exactOf(keys as ArrowData, key);
      const given = exactOf(items as ArrowData, value);
      return (row) => {
        const entries: object[] = [];
        for (let item = Number(data.valueOffsets?.[row]); item < Number(data.valueOffsets?.[row + 1]); item++)
          entries.push({ key: known[item], value: given[item] });
        return entries;
      };
    }
    default:
      return at;
  }
}

/** 32-bit words, the lowest first. */
function decimalOf(words: ArrayLike<number>, start: number, count: number): bigint {
  let value = 0n;
  for (let word = count - 1; word >= 0; word--)
    value = (value << 32n) | BigInt((words[start + word] as number) >>> 0);
  return BigInt.asIntN(count * 32, value);
}

function wholeDays(ms: bigint, column: FrameColumn): number {
  if (ms % 86_400_000n === 0n) return Number(ms / 86_400_000n);
  throw unsupportedColumn(
    column.name,
    'has dates in milliseconds that are not whole days. Make them timestamps.',
  );
}
