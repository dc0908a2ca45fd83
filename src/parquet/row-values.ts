import { types } from 'node:util';
import type { FrameColumn } from './frame-columns.ts';
import { unsupportedColumn } from './parquet-errors.ts';
import type { ExactValue } from './stored-values.ts';

/** The values of a row by the names of their columns. */
export type FrameRow = Record<string, unknown>;

type Convert = (value: unknown) => unknown;

const MS_PER_DAY = 86_400_000;
const PER_MS = { ms: 1n, us: 1_000n, ns: 1_000_000n } as const;
const DAY_IN = { ms: 86_400_000n, us: 86_400_000_000n, ns: 86_400_000_000_000n } as const;

/** Tells that a value does not fit its column, in words that follow the value. */
class Misfit extends Error {}

/**
 * Takes the values of one column out of rows that a program gives, in their exact form. Missing properties and `undefined` are null.
 *
 * @throws StowageError `UNSUPPORTED_COLUMN` for a value that does not fit, with its column and row
 */
export function rowTaker(column: FrameColumn): (value: unknown, row: number) => ExactValue {
  const convert = toExact(column);
  return (value, row) => {
    try {
      return convert(value);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      throw unsupportedColumn(
        column.name,
        `cannot hold what row ${row} gives: ${error.message}. Correct the row, or give a \`schema\` in which the column has another type.`,
        { row },
      );
    }
  };
}

/** Makes what rows give to a program of the exact values of a column. */
export function rowGiver(column: FrameColumn): (value: ExactValue) => unknown {
  return orNull(fromExact(column));
}

function orNull(convert: Convert): Convert {
  return (value) => (value === null ? null : convert(value));
}

/** Of values that are there. */
function fromExact(column: FrameColumn): Convert {
  switch (column.type) {
    case 'date':
      return (value) => new Date((value as number) * MS_PER_DAY);
    case 'timestamp':
      return (value) => {
        const date = new Date(Number(floorDivide(value as bigint, PER_MS[column.unit])));
        if (!Number.isNaN(date.getTime())) return date;
        throw unsupportedColumn(
          column.name,
          'has points in time that no Date reaches. Read it by `arrow()`.',
        );
      };
    case 'decimal':
      return (value) => decimalText(value as bigint, column.scale);
    case 'list': {
      const element = orNull(fromExact(column.element));
      return (value) => (value as ExactValue[]).map(element);
    }
    case 'struct': {
      const fields = column.fields.map((field) => [field.name, orNull(fromExact(field))] as const);
      return (value) => {
        const struct: Record<string, unknown> = {};
        for (const [name, convert] of fields)
          struct[name] = convert((value as Record<string, ExactValue>)[name]);
        return struct;
      };
    }
    case 'map': {
      const key = fromExact(column.key);
      const item = orNull(fromExact(column.value));
      return (value) =>
        new Map(
          (value as { key: ExactValue; value: ExactValue }[]).map((entry) => [
            key(entry.key),
            item(entry.value),
          ]),
        );
    }
    default:
      return (value) => value;
  }
}

function toExact(column: FrameColumn): Convert {
  const convert = toExactPresent(column);
  return (value) => {
    if (value !== null && value !== undefined) return convert(value);
    if (column.nullable) return null;
    throw new Misfit('nothing, and it is not nullable');
  };
}

function toExactPresent(column: FrameColumn): Convert {
  switch (column.type) {
    case 'null':
      return (value) => {
        throw new Misfit(`${shown(value)}, and the rows before it gave nothing, which tells no type`);
      };
    case 'boolean':
      return checked('a boolean', (value) => typeof value === 'boolean');
    case 'int8':
    case 'int16':
    case 'int32':
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return smallInteger(column.type);
    case 'int64':
    case 'uint64':
      return largeInteger(column.type);
    case 'float16':
    case 'float32':
    case 'float64':
      return checked('a number', (value) => typeof value === 'number');
    case 'string':
      return text;
    case 'json':
      return jsonText;
    case 'binary':
      return bytes;
    case 'fixed':
      return (value) => {
        if (bytes(value).length === column.bytes) return value;
        throw new Misfit(`${(value as Uint8Array).length} bytes, not ${column.bytes}`);
      };
    case 'uuid':
      return uuid;
    case 'date':
      return (value) => {
        const days = dateOf(value) / MS_PER_DAY;
        if (Number.isInteger(days)) return days;
        throw new Misfit(`${(value as Date).toISOString()}, which has a time of day`);
      };
    case 'time':
      return timeOfDay(column.unit);
    case 'timestamp':
      return (value) => {
        const inUnit = BigInt(dateOf(value)) * PER_MS[column.unit];
        if (BigInt.asIntN(64, inUnit) === inUnit) return inUnit;
        throw new Misfit(`${(value as Date).toISOString()}, which nanoseconds in 64 bits do not reach`);
      };
    case 'decimal':
      return (value) => unscaledOf(value, column.precision, column.scale);
    case 'list': {
      const element = toExact(column.element);
      return (value) => {
        if (Array.isArray(value)) return Array.from(value, element);
        if (isTypedArray(value)) return Array.from(value, element);
        throw new Misfit(`${shown(value)}, not an array`);
      };
    }
    case 'struct':
      return struct(column.fields);
    case 'map': {
      const key = toExact(column.key);
      const item = toExact(column.value);
      return (value) => {
        if (!types.isMap(value)) throw new Misfit(`${shown(value)}, not a Map`);
        return Array.from(value, ([k, v]) => ({ key: key(k), value: item(v) }));
      };
    }
    default:
      return (value) => {
        throw new Misfit(shown(value));
      };
  }
}

/** True of arrays of numbers and bigints. */
export function isTypedArray(value: unknown): value is ArrayLike<number | bigint> {
  return ArrayBuffer.isView(value) && !types.isDataView(value);
}

function struct(fields: readonly FrameColumn[]): Convert {
  const converts = fields.map((field) => [field.name, toExact(field)] as const);
  const names = new Set(fields.map(({ name }) => name));
  return (value) => {
    if (!isPlainObject(value)) throw new Misfit(`${shown(value)}, not an object`);
    const other = Object.keys(value).find((name) => !names.has(name));
    if (other !== undefined)
      throw new Misfit(`an object with the property ${JSON.stringify(other)}, for which there is no field`);
    const exact: Record<string, ExactValue> = Object.create(null);
    for (const [name, convert] of converts)
      exact[name] = convert(Object.hasOwn(value, name) ? value[name] : null);
    return exact;
  };
}

/** True of objects that are nothing but their properties. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function checked(what: string, fits: (value: unknown) => boolean): Convert {
  return (value) => {
    if (fits(value)) return value;
    throw new Misfit(`${shown(value)}, not ${what}`);
  };
}

function smallInteger(type: string): Convert {
  const bits = Number(/\d+/.exec(type)?.[0]);
  const [min, max] = type.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  return checked(`an integer from ${min} to ${max}`, (value) => {
    return (
      Number.isInteger(value) && !Object.is(value, -0) && (value as number) >= min && (value as number) <= max
    );
  });
}

/** Of numbers only those that are exact integers: others are not what they seem. */
function largeInteger(type: 'int64' | 'uint64'): Convert {
  const wrap = type === 'int64' ? BigInt.asIntN : BigInt.asUintN;
  return (value) => {
    const isInteger = typeof value === 'bigint' || (Number.isSafeInteger(value) && !Object.is(value, -0));
    const whole = isInteger ? BigInt(value as bigint | number) : undefined;
    if (whole !== undefined && wrap(64, whole) === whole) return whole;
    throw new Misfit(`${shown(value)}, not an integer of 64 bits${type === 'uint64' ? ' from 0 on' : ''}`);
  };
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Misfit(`${shown(value)}, not text`);
  if (!value.isWellFormed()) throw new Misfit(`text with half a character (${shown(value)})`);
  return value;
}

function jsonText(value: unknown): string {
  try {
    JSON.parse(text(value));
  } catch (error) {
    if (error instanceof Misfit) throw error;
    throw new Misfit(`text that is no JSON (${shown(value)})`);
  }
  return value as string;
}

function bytes(value: unknown): Uint8Array {
  if (types.isUint8Array(value)) return value;
  throw new Misfit(`${shown(value)}, not bytes`);
}

function uuid(value: unknown): string {
  if (typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return value;
  throw new Misfit(`${shown(value)}, not a UUID in small letters`);
}

function dateOf(value: unknown): number {
  if (types.isDate(value) && !Number.isNaN(value.getTime())) return value.getTime();
  throw new Misfit(`${shown(value)}, not a valid Date`);
}

function timeOfDay(unit: 'ms' | 'us' | 'ns'): Convert {
  const fits = (value: bigint): boolean => value >= 0n && value < DAY_IN[unit];
  if (unit === 'ms')
    return checked(
      'milliseconds of a day',
      (value) => Number.isInteger(value) && !Object.is(value, -0) && fits(BigInt(value as number)),
    );
  return checked(`a bigint, ${unit} of a day`, (value) => typeof value === 'bigint' && fits(value));
}

function unscaledOf(value: unknown, precision: number, scale: number): bigint {
  const [, sign = '', whole = '', fraction = ''] =
    (typeof value === 'string' && value.length < 512 && /^(-?)(\d+)(?:\.(\d+))?$/.exec(value)) || [];
  if (whole === '') throw new Misfit(`${shown(value)}, not a decimal as text, such as "12.50"`);
  if (fraction.length > scale)
    throw new Misfit(`${shown(value)}, with more than ${scale} digits behind the point`);
  const unscaled = BigInt(sign + whole + fraction.padEnd(scale, '0'));
  if (unscaled > -(10n ** BigInt(precision)) && unscaled < 10n ** BigInt(precision)) return unscaled;
  throw new Misfit(`${shown(value)}, with more than ${precision} digits`);
}

/** A decimal with all its digits behind the point. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return quotient * by > value ? quotient - 1n : quotient;
}

/** A value in an error: in short, and without running code of its own. */
function shown(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `${types.isDate(value) ? 'a Date' : Array.isArray(value) ? 'an array' : types.isUint8Array(value) ? 'bytes' : 'an object'}`;
}
