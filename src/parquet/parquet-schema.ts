import type { FrameColumn, FrameColumnType, TimeUnit } from './frame-columns.ts';
import { MAX_NESTING } from './frame-columns.ts';
import type { SchemaElement, SchemaTree } from './parquet-library.ts';
import { Malformed } from './thrift.ts';

/** A leaf of Parquet's schema, as its column chunks name it. */
export interface Leaf {
  readonly path: readonly string[];
  readonly element: SchemaElement;
  /** The definition and repetition level of a value that is there. */
  readonly maxDefinition: number;
  readonly maxRepetition: number;
}

/** A column of a Parquet file. */
export interface ParquetColumn {
  readonly column: FrameColumn;
  readonly leaves: readonly Leaf[];
}

/**
 * Checks that the elements are one tree, before anybody walks it.
 *
 * @throws Malformed
 */
export function checkTree(schema: readonly SchemaElement[]): void {
  const [root] = schema;
  if (!root?.num_children) throw new Malformed('its schema has no columns');
  const open: number[] = [root.num_children];
  for (const { name, num_children: children = 0, type } of schema.slice(1)) {
    if (typeof name !== 'string' || name === '')
      throw new Malformed('its schema has a column without a name');
    if (name === '__proto__') throw new Malformed('its schema has a column named __proto__');
    while (open.at(-1) === 0) open.pop();
    if (open.length === 0) throw new Malformed('its schema has elements that belong to nothing');
    (open[open.length - 1] as number)--;
    if (children > 0 === (type !== undefined))
      throw new Malformed(`its schema has a column "${name}" of no type`);
    if (children > 0) open.push(children);
    if (open.length > MAX_NESTING * 3) throw new Malformed('its schema is nested too deeply');
  }
  if (open.some((missing) => missing !== 0)) throw new Malformed('its schema lacks elements');
}

/** The columns of a checked schema, in their order. */
export function parquetColumns(tree: SchemaTree): ParquetColumn[] {
  const columns = tree.children.map((node) => ({
    column: columnOf(node, node.element.name),
    leaves: leavesOf(node, 0, 0),
  }));
  if (new Set(columns.map(({ column }) => column.name)).size < columns.length)
    throw new Malformed('its schema has two columns of one name');
  return columns;
}

/**
 * The schema by which the library reads values as they are stored: what numbers and bytes mean is told by {@link FrameColumn} alone,
 * exactly. Texts stay texts, so that those of a dictionary are decoded once.
 */
export function storedSchema(schema: readonly SchemaElement[]): SchemaElement[] {
  return schema.map((element) => {
    const { type, type_length, repetition_type, name, num_children } = element;
    const stored = {
      name,
      ...(type && { type }),
      ...(type_length !== undefined && { type_length }),
      ...(repetition_type && { repetition_type }),
      ...(num_children && { num_children }),
    };
    if (isList(element)) return { ...stored, converted_type: 'LIST' };
    return isText(element) ? { ...stored, converted_type: 'UTF8' } : stored;
  });
}

function leavesOf(node: SchemaTree, definition: number, repetition: number): Leaf[] {
  const { repetition_type: kind } = node.element;
  const maxDefinition = definition + (kind === 'REQUIRED' ? 0 : 1);
  const maxRepetition = repetition + (kind === 'REPEATED' ? 1 : 0);
  if (node.children.length > 0)
    return node.children.flatMap((child) => leavesOf(child, maxDefinition, maxRepetition));
  return [{ path: node.path, element: node.element, maxDefinition, maxRepetition }];
}

function columnOf(node: SchemaTree, name: string): FrameColumn {
  const { repetition_type: kind } = node.element;
  return { name, nullable: kind !== 'REQUIRED', ...typeOf(node) };
}

function typeOf(node: SchemaTree): FrameColumnType {
  const { element, children } = node;
  const [child] = children;
  if (element.repetition_type === 'REPEATED') return unsupported('repeats outside of a list');
  if (!child) return leafType(element);
  const isRepeated = child.element.repetition_type === 'REPEATED';
  const only = children.length === 1 && isRepeated ? child : undefined;
  if (isList(element)) {
    if (!only) return unsupported('is a list of an unusual form');
    const [inner] = only.children;
    if (only.children.length > 1) return unsupported('is a list of an unusual form');
    return { type: 'list', element: inner ? columnOf(inner, 'element') : requiredLeaf(only) };
  }
  if (isMap(element)) {
    const [key, value] = only?.children ?? [];
    if (!key || !value || only?.children.length !== 2) return unsupported('is a map of an unusual form');
    return { type: 'map', key: columnOf(key, 'key'), value: columnOf(value, 'value') };
  }
  return { type: 'struct', fields: children.map((field) => columnOf(field, field.element.name)) };
}

/** The element of a list of two levels, as old writers have it. */
function requiredLeaf({ element }: SchemaTree): FrameColumn {
  return { name: 'element', nullable: false, ...leafType(element) };
}

function leafType(element: SchemaElement): FrameColumnType {
  const { type, converted_type: converted, logical_type: logical, type_length: bytes = 0 } = element;
  const scale = element.scale ?? (logical?.type === 'DECIMAL' ? logical.scale : undefined) ?? 0;
  const precision = element.precision ?? (logical?.type === 'DECIMAL' ? logical.precision : undefined);
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL') {
    if (!precision || scale < 0 || scale > precision || precision > 1000)
      return unsupported('is a decimal without digits');
    return { type: 'decimal', precision, scale };
  }
  if (logical?.type === 'NULL') return { type: 'null' };
  if (isText(element)) return { type: isJson(element) ? 'json' : 'string' };
  switch (type) {
    case 'BOOLEAN':
      return { type: 'boolean' };
    case 'INT32':
    case 'INT64':
      return integerType(element);
    case 'INT96':
      return { type: 'timestamp', unit: 'ns', utc: false };
    case 'FLOAT':
      return { type: 'float32' };
    case 'DOUBLE':
      return { type: 'float64' };
    case 'BYTE_ARRAY':
      return { type: 'binary' };
    case 'FIXED_LEN_BYTE_ARRAY':
      if (logical?.type === 'FLOAT16' && bytes === 2) return { type: 'float16' };
      if (logical?.type === 'UUID' && bytes === 16) return { type: 'uuid' };
      return bytes > 0 ? { type: 'fixed', bytes } : unsupported('has byte strings of no length');
    default:
      return unsupported(`has the type ${String(type)}`);
  }
}

const UNITS: Readonly<Record<string, TimeUnit>> = { MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' };

function integerType({
  type,
  converted_type: converted,
  logical_type: logical,
}: SchemaElement): FrameColumnType {
  if (logical?.type === 'TIME' || logical?.type === 'TIMESTAMP') {
    const unit = UNITS[logical.unit] as TimeUnit;
    return { type: logical.type === 'TIME' ? 'time' : 'timestamp', unit, utc: logical.isAdjustedToUTC };
  }
  const [, what, of] = /^(TIME|TIMESTAMP)_(MILLIS|MICROS)$/.exec(converted ?? '') ?? [];
  if (what && of)
    return { type: what === 'TIME' ? 'time' : 'timestamp', unit: UNITS[of] as TimeUnit, utc: true };
  if (converted === 'DATE' || logical?.type === 'DATE') return { type: 'date' };
  const whole = type === 'INT64' ? 64 : 32;
  const [, sign, width] = /^(U?)INT_(8|16|32|64)$/.exec(converted ?? '') ?? [];
  const isUnsigned = logical?.type === 'INTEGER' ? !logical.isSigned : sign === 'U';
  const bits = logical?.type === 'INTEGER' ? logical.bitWidth : Number(width ?? whole);
  return { type: `${isUnsigned ? 'u' : ''}int${whole === 64 ? 64 : bits}` as 'int32' };
}

function unsupported(reason: string): FrameColumnType {
  return { type: 'unsupported', reason };
}

function isList({
  converted_type: converted,
  logical_type: logical,
  num_children: children,
}: SchemaElement): boolean {
  return Boolean(children) && (converted === 'LIST' || logical?.type === 'LIST');
}

function isMap({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'MAP' || converted === 'MAP_KEY_VALUE' || logical?.type === 'MAP';
}

function isText({ type, converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  if (type !== 'BYTE_ARRAY') return false;
  return (
    ['UTF8', 'ENUM', 'JSON'].includes(converted ?? '') ||
    ['STRING', 'ENUM', 'JSON'].includes(logical?.type ?? '')
  );
}

function isJson({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'JSON' || logical?.type === 'JSON';
}
