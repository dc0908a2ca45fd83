import type { FrameColumn } from './frame-columns.ts';
import { unsupportedColumn } from './parquet-errors.ts';
import { Malformed } from './thrift.ts';

/**
 * Values as this package passes them on between Parquet, Arrow and rows. Each type has one form, which loses nothing: integers up to 32
 * bits and dates (in days) are numbers; `int64`, `uint64`, timestamps, and times but of milliseconds, in their unit, are bigints, and so
 * are decimals, without their point; UUIDs are their text; a list is an array, a struct an object without prototype, a map an array of
 * `{ key, value }`. `null` stands for nothing.
 */
export type ExactValue = unknown;
export type ExactValues = ArrayLike<ExactValue>;

/** Turns one value that the library read, by a schema that tells only how it is stored, into its exact form. */
type FromStored = (value: unknown) => ExactValue;

/** The exact values of a column. Arrays of numbers are passed on where they are that already. */
export function exactValues(column: FrameColumn, stored: ArrayLike<unknown>): ExactValues {
  if (ArrayBuffer.isView(stored) && isStoredExactly(column)) return stored;
  const convert = fromStored(column);
  const exact = new Array<ExactValue>(stored.length);
  for (let row = 0; row < stored.length; row++) {
    const value = stored[row];
    // An index beyond the dictionary.
    if (value === undefined && isFlat(column))
      throw new Malformed(`column "${column.name}" has a value that is not in its dictionary`);
    exact[row] = value === null || value === undefined ? null : convert(value);
  }
  if (!column.nullable && exact.includes(null)) throw new Malformed(`column "${column.name}" lacks a value`);
  return exact;
}

/** True of types whose numbers are stored as they are. */
function isStoredExactly({ type }: FrameColumn): boolean {
  return ['int8', 'int16', 'int32', 'uint8', 'uint16', 'int64', 'float32', 'float64', 'date'].includes(type);
}

function isFlat({ type }: FrameColumn): boolean {
  return type !== 'list' && type !== 'struct' && type !== 'map';
}

function orNull(convert: FromStored): FromStored {
  return (value) => (value === null || value === undefined ? null : convert(value));
}

/** Of values that are there; what is nested may be null. */
function fromStored(column: FrameColumn): FromStored {
  switch (column.type) {
    case 'null':
      return () => null;
    case 'uint32':
      return (value) => Number(value) >>> 0;
    case 'uint64':
      return (value) => BigInt.asUintN(64, value as bigint);
    case 'float16':
      return (value) => halfFloat(value as Uint8Array);
    case 'decimal':
      return unscaled;
    case 'uuid':
      return (value) => uuidText(value as Uint8Array);
    case 'binary':
    case 'fixed':
      // The page that it lies in need not stay in memory for it.
      return (value) => Uint8Array.from(value as Uint8Array);
    case 'list': {
      const element = orNull(fromStored(column.element));
      return (value) => (value as unknown[]).map(element);
    }
    case 'struct': {
      const fields = column.fields.map((field) => [field.name, orNull(fromStored(field))] as const);
      return (value) => {
        const struct: Record<string, ExactValue> = Object.create(null);
        for (const [name, convert] of fields)
          struct[name] = convert((value as Record<string, unknown>)[name]);
        return struct;
      };
    }
    case 'map': {
      const key = fromStored(column.key);
      const item = orNull(fromStored(column.value));
      return (value) => {
        const [entries] = Object.values(value as Record<string, unknown[]>);
        return (entries ?? []).map((entry) => {
          const [k, v] = Object.values(entry as object);
          return { key: key(k), value: item(v) };
        });
      };
    }
    case 'unsupported':
      throw unsupportedColumn(
        column.name,
        `${column.reason}, which is not supported. Read the other columns.`,
      );
    default:
      return (value) => value;
  }
}

/** A decimal of 32 or 64 bits, or of bytes, the highest first. */
function unscaled(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as number | bigint);
  if (value.length > MAX_DECIMAL_BYTES) throw new Malformed(`a decimal has ${value.length} bytes`);
  if (value.length === 0) return 0n;
  const hex = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  return BigInt.asIntN(value.length * 8, BigInt(`0x${hex}`));
}

/** Those of 1,000 digits, the most that a file may claim, have 416. */
const MAX_DECIMAL_BYTES = 512;

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** IEEE 754 binary16, little-endian. */
function halfFloat(bytes: Uint8Array): number {
  return halfFloatOf((bytes[0] as number) | ((bytes[1] as number) << 8));
}

/** The number that the bits of a binary16 are. */
export function halfFloatOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
