import type { FrameColumn, TimeUnit } from './frame-columns.ts';
import { unsupportedColumn } from './parquet-errors.ts';
import type { SchemaElement } from './parquet-library.ts';

/** The elements of Parquet's schema for columns, the root first. */
export function schemaElements(columns: readonly FrameColumn[]): SchemaElement[] {
  return [{ name: 'schema', num_children: columns.length }, ...columns.flatMap(elementsOf)];
}

function elementsOf(column: FrameColumn): SchemaElement[] {
  const { name, nullable } = column;
  const own = { name, repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED' } as const;
  switch (column.type) {
    case 'list':
      return [
        { ...own, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...elementsOf(column.element),
      ];
    case 'struct':
      return [{ ...own, num_children: column.fields.length }, ...column.fields.flatMap(elementsOf)];
    case 'map':
      return [
        { ...own, num_children: 1, converted_type: 'MAP', logical_type: { type: 'MAP' } },
        { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
        ...elementsOf(column.key),
        ...elementsOf(column.value),
      ];
    default:
      return [{ ...own, ...leafOf(column) }];
  }
}

const UNITS = { ms: 'MILLIS', us: 'MICROS', ns: 'NANOS' } as const satisfies Record<TimeUnit, string>;

/** What tells the type of a leaf. The older annotations stand beside those that lack nothing, for older readers. */
function leafOf(column: FrameColumn): Omit<SchemaElement, 'name'> {
  switch (column.type) {
    case 'null':
      return { type: 'INT32', logical_type: { type: 'NULL' } };
    case 'boolean':
      return { type: 'BOOLEAN' };
    case 'int32':
      return { type: 'INT32' };
    case 'int64':
      return { type: 'INT64' };
    case 'int8':
    case 'int16':
    case 'uint8':
    case 'uint16':
    case 'uint32':
    case 'uint64':
      return {
        type: column.type === 'uint64' ? 'INT64' : 'INT32',
        converted_type: column.type.toUpperCase().replace('INT', 'INT_') as 'INT_8',
      };
    case 'float16':
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2, logical_type: { type: 'FLOAT16' } };
    case 'float32':
      return { type: 'FLOAT' };
    case 'float64':
      return { type: 'DOUBLE' };
    case 'string':
      return { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };
    case 'json':
      return { type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } };
    case 'binary':
      return { type: 'BYTE_ARRAY' };
    case 'fixed':
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: column.bytes };
    case 'uuid':
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } };
    case 'date':
      return { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } };
    case 'time':
      return {
        type: column.unit === 'ms' ? 'INT32' : 'INT64',
        logical_type: { type: 'TIME', isAdjustedToUTC: column.utc, unit: UNITS[column.unit] },
      };
    case 'timestamp':
      return {
        type: 'INT64',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: column.utc, unit: UNITS[column.unit] },
      };
    case 'decimal':
      return decimalLeaf(column.precision, column.scale);
    default:
      throw unsupportedColumn(column.name, 'has a type that cannot be written.');
  }
}

function decimalLeaf(precision: number, scale: number): Omit<SchemaElement, 'name'> {
  const common = { converted_type: 'DECIMAL', precision, scale } as const;
  const logical_type = { type: 'DECIMAL', precision, scale } as const;
  if (precision <= 9) return { type: 'INT32', ...common, logical_type };
  if (precision <= 18) return { type: 'INT64', ...common, logical_type };
  const bits = Math.ceil(precision * Math.log2(10)) + 1;
  return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: Math.ceil(bits / 8), ...common, logical_type };
}
