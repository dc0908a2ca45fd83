import { invalidArgument } from '../errors.ts';

/** Types of a column that need no more than their name. */
export type PlainColumnType =
  | 'null'
  | 'boolean'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'float16'
  | 'float32'
  | 'float64'
  | 'string'
  | 'json'
  | 'binary'
  | 'uuid'
  | 'date';

/** The unit of a time: milliseconds, microseconds or nanoseconds. */
export type TimeUnit = 'ms' | 'us' | 'ns';

/** The type of a column, or of what is nested in one. */
export type FrameColumnType =
  | { readonly type: PlainColumnType }
  /** Byte strings of one length. */
  | { readonly type: 'fixed'; readonly bytes: number }
  /** `precision` digits, `scale` of them behind the point. */
  | { readonly type: 'decimal'; readonly precision: number; readonly scale: number }
  /** A time of day, or a point in time; `utc` is false for those of no time zone. */
  | { readonly type: 'time' | 'timestamp'; readonly unit: TimeUnit; readonly utc: boolean }
  | { readonly type: 'list'; readonly element: FrameColumn }
  | { readonly type: 'struct'; readonly fields: readonly FrameColumn[] }
  | { readonly type: 'map'; readonly key: FrameColumn; readonly value: FrameColumn }
  /** A type that is not read; the column's reader says so. */
  | { readonly type: 'unsupported'; readonly reason: string };

/** A column of a data frame, or a part of one. */
export type FrameColumn = { readonly name: string; readonly nullable: boolean } & FrameColumnType;

/** A type as a program gives it: its name, or an object. `nullable` is true unless it says otherwise. */
export type ColumnSpec =
  | PlainColumnType
  | 'time'
  | 'timestamp'
  | ({ readonly nullable?: boolean | undefined } & (
      | { readonly type: PlainColumnType }
      | { readonly type: 'fixed'; readonly bytes: number }
      | { readonly type: 'decimal'; readonly precision: number; readonly scale: number }
      | {
          readonly type: 'time' | 'timestamp';
          /** Default `ms`. */
          readonly unit?: TimeUnit | undefined;
          /** Default true. */
          readonly utc?: boolean | undefined;
        }
      | { readonly type: 'list'; readonly element: ColumnSpec }
      | { readonly type: 'struct'; readonly fields: FrameSpec }
      | { readonly type: 'map'; readonly key: ColumnSpec; readonly value: ColumnSpec }
    ));

/** The columns of a data frame by name, in their order. */
export interface FrameSpec {
  readonly [column: string]: ColumnSpec;
}

const PLAIN: ReadonlySet<string> = new Set<PlainColumnType>([
  'null',
  'boolean',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float16',
  'float32',
  'float64',
  'string',
  'json',
  'binary',
  'uuid',
  'date',
]);

/** Columns are nested no deeper. */
export const MAX_NESTING = 32;

/** How many digits a decimal has at most: those of 256 bits. */
const MAX_PRECISION = 76;

/**
 * The columns that a program asks for.
 *
 * @throws StowageError `INVALID_ARGUMENT` for a type that there is not, naming the column
 */
export function columnsOfSpec(spec: FrameSpec): FrameColumn[] {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    throw invalidArgument("A schema is an object of columns, such as { id: 'int64', name: 'string' }.");
  const columns = Object.entries(spec).map(([name, column]) => columnOf(name, name, column, 0));
  if (columns.length === 0) throw invalidArgument('A data frame has at least one column.');
  return columns;
}

function columnOf(name: string, path: string, spec: ColumnSpec, depth: number): FrameColumn {
  checkColumnName(name, path);
  const given = typeof spec === 'string' ? { type: spec } : spec;
  if (typeof given !== 'object' || given === null) throw badSpec(path, String(given));
  if (depth > MAX_NESTING)
    throw invalidArgument(`Column "${path}" is nested deeper than ${MAX_NESTING} levels.`);
  const { nullable = true } = given as { nullable?: boolean };
  const common = { name, nullable };
  const inner = (part: string, of: ColumnSpec): FrameColumn =>
    columnOf(part, `${path}.${part}`, of, depth + 1);
  switch (given.type) {
    case 'fixed':
      return { ...common, type: 'fixed', bytes: inRange(path, 'bytes', given.bytes, 1, 1 << 20) };
    case 'decimal': {
      const precision = inRange(path, 'precision', given.precision, 1, MAX_PRECISION);
      return {
        ...common,
        type: 'decimal',
        precision,
        scale: inRange(path, 'scale', given.scale, 0, precision),
      };
    }
    case 'time':
    case 'timestamp': {
      const { type, unit = 'ms', utc = true } = given as { type: 'time'; unit?: TimeUnit; utc?: boolean };
      if (!['ms', 'us', 'ns'].includes(unit)) throw badSpec(path, `${type} with the unit ${unit}`);
      return { ...common, type, unit, utc };
    }
    case 'list':
      return { ...common, type: 'list', element: inner('element', given.element) };
    case 'struct': {
      const fields = Object.entries(given.fields ?? {}).map(([part, of]) => inner(part, of));
      if (fields.length === 0) throw badSpec(path, 'a struct without fields');
      return { ...common, type: 'struct', fields };
    }
    case 'map':
      return {
        ...common,
        type: 'map',
        key: { ...inner('key', given.key), nullable: false },
        value: inner('value', given.value),
      };
    default:
      if (!PLAIN.has(given.type)) throw badSpec(path, String(given.type));
      // Nothing else can be said of nothing.
      return { ...common, type: given.type, nullable: nullable || given.type === 'null' };
  }
}

/** @throws StowageError `INVALID_ARGUMENT` for a name that Parquet or objects lose */
export function checkColumnName(name: string, path: string): void {
  if (name !== '' && name !== '__proto__' && name.isWellFormed()) return;
  throw invalidArgument(
    `Column ${JSON.stringify(path)} has a name that cannot be kept: names are text that is not empty, valid, and not __proto__. Rename it.`,
    { column: path },
  );
}

function inRange(path: string, what: string, value: unknown, min: number, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number;
  throw invalidArgument(
    `The ${what} of column "${path}" is an integer from ${min} to ${max}, not ${String(value)}.`,
    {
      column: path,
    },
  );
}

function badSpec(path: string, given: string): Error {
  return invalidArgument(
    `Column "${path}" cannot have the type ${given}; the types are: ${[...PLAIN, 'fixed', 'decimal', 'time', 'timestamp', 'list', 'struct', 'map'].join(', ')}.`,
    {
      column: path,
    },
  );
}
