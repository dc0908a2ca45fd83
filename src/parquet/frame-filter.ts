import { types } from 'node:util';
import { invalidArgument } from '../errors.ts';
import type { ChunkStatistics } from './footer.ts';
import type { FrameColumn } from './frame-columns.ts';
import { isPlainObject } from './row-values.ts';
import type { FilterConditions, FilterValue, FrameFilter } from './scan-options.ts';
import type { ExactValue } from './stored-values.ts';
import { typeText } from './type-text.ts';

/** The conditions of one column. */
export interface ColumnFilter {
  readonly column: FrameColumn;
  readonly matches: (value: ExactValue) => boolean;
  /** False where the statistics of so many rows show that none matches. */
  readonly mayMatch: (statistics: ChunkStatistics, rows: number) => boolean;
}

type Order = (value: ExactValue) => number;

/** A value that conditions name, as the column compares it. */
interface Operand {
  readonly isNull: boolean;
  /** Negative where a value of the column is less, 0 where it is equal; NaN where neither it is nor greater. */
  readonly order: Order;
  /** The same of a bound in statistics; `undefined` where that cannot be told. */
  readonly orderOfBound: (bound: unknown) => number | undefined;
}

const OPERATIONS: ReadonlySet<string> = new Set(['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in']);

/**
 * The conditions that a program gives for some of the columns.
 *
 * @throws StowageError `INVALID_ARGUMENT` for a condition that there is not, and a value that the column cannot be compared with
 */
export function columnFilter(column: FrameColumn, given: FrameFilter[string]): ColumnFilter {
  const conditions: FilterConditions = isPlainObject(given) ? given : { eq: given as FilterValue };
  const parts = Object.entries(conditions).flatMap(([operation, value]) =>
    value === undefined ? [] : [part(column, operation, value)],
  );
  if (isPlainObject(given) && parts.length === 0)
    throw invalidArgument(`The filter of column "${column.name}" has no condition.`, { column: column.name });
  return {
    column,
    matches: (value) => parts.every(({ matches }) => matches(value)),
    mayMatch: (statistics, rows) => parts.every(({ mayMatch }) => mayMatch(statistics, rows)),
  };
}

function part(column: FrameColumn, operation: string, given: unknown): Omit<ColumnFilter, 'column'> {
  if (!OPERATIONS.has(operation))
    throw invalidArgument(
      `The filter of column "${column.name}" has the condition "${operation}"; there are ${[...OPERATIONS].join(', ')}.`,
      { column: column.name },
    );
  if (operation === 'in') {
    if (!Array.isArray(given))
      throw invalidArgument(`"in" of column "${column.name}" takes an array of values.`);
    const some = given.map((value) => part(column, 'eq', value));
    return {
      matches: (value) => some.some(({ matches }) => matches(value)),
      mayMatch: (statistics, rows) => some.some(({ mayMatch }) => mayMatch(statistics, rows)),
    };
  }
  const operand = operandOf(column, given);
  if (operand.isNull) return nullPart(column, operation);
  const holds = HOLDS[operation] as (order: number) => boolean;
  return {
    matches: (value) => value !== null && holds(operand.order(value)),
    mayMatch: ({ min, max, nulls }, rows) => {
      if (nulls === rows) return false;
      const least = operand.orderOfBound(min);
      const greatest = operand.orderOfBound(max);
      if (operation === 'eq') return !((least ?? 0) > 0 || (greatest ?? 0) < 0);
      if (operation === 'gt') return !((greatest ?? 1) <= 0);
      if (operation === 'gte') return !((greatest ?? 1) < 0);
      if (operation === 'lt') return !((least ?? -1) >= 0);
      if (operation === 'lte') return !((least ?? -1) > 0);
      return true;
    },
  };
}

const HOLDS: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
};

function nullPart(column: FrameColumn, operation: string): Omit<ColumnFilter, 'column'> {
  if (operation === 'eq')
    return { matches: (value) => value === null, mayMatch: ({ nulls }) => nulls === undefined || nulls > 0 };
  if (operation === 'ne')
    return { matches: (value) => value !== null, mayMatch: ({ nulls }, rows) => nulls !== rows };
  throw invalidArgument(`"${operation}" of column "${column.name}" takes a value, not null.`, {
    column: column.name,
  });
}

const NULL: Operand = { isNull: true, order: () => Number.NaN, orderOfBound: () => undefined };

function operandOf(column: FrameColumn, given: unknown): Operand {
  if (given === null) return NULL;
  const isNumber = typeof given === 'number' || typeof given === 'bigint';
  switch (column.type) {
    case 'boolean':
      if (typeof given === 'boolean') return numeric(Number(given), Number);
      break;
    case 'string':
      if (typeof given === 'string') return textual(given);
      break;
    case 'json':
    case 'uuid':
      if (typeof given === 'string') return { ...textual(given), orderOfBound: () => undefined };
      break;
    case 'date':
      if (types.isDate(given)) return numeric(given.getTime() / 86_400_000);
      break;
    case 'timestamp':
      if (types.isDate(given) && !Number.isNaN(given.getTime()))
        return numeric(BigInt(given.getTime()) * { ms: 1n, us: 1_000n, ns: 1_000_000n }[column.unit]);
      break;
    case 'decimal':
      if (isNumber || typeof given === 'string') return decimal(column, String(given));
      break;
    case 'binary':
    case 'fixed':
    case 'list':
    case 'struct':
    case 'map':
    case 'null':
    case 'unsupported':
      break;
    default:
      if (isNumber) return numeric(given);
  }
  throw notComparable(column, given);
}

/** Numbers and bigints are compared exactly, with each other too. */
function numeric(
  operand: number | bigint,
  numberOf: (value: unknown) => unknown = (value) => value,
): Operand {
  const order = (value: unknown): number => {
    const number = numberOf(value) as number;
    if (number < operand) return -1;
    if (number > operand) return 1;
    // biome-ignore lint/suspicious/noDoubleEquals: a bigint equals a number only by this
    return number == operand ? 0 : Number.NaN;
  };
  return {
    isNull: false,
    order,
    orderOfBound: (bound) => {
      if (typeof bound !== 'number' && typeof bound !== 'bigint' && typeof bound !== 'boolean')
        return undefined;
      const known = order(bound);
      return Number.isNaN(known) ? undefined : known;
    },
  };
}

/** By code points, which is the order of UTF-8 and of statistics. */
function textual(operand: string): Operand {
  const bytes = Buffer.from(operand);
  return {
    isNull: false,
    order: (value) => compareText(value as string, operand),
    orderOfBound: (bound) => (types.isUint8Array(bound) ? Buffer.compare(bound, bytes) : undefined),
  };
}

/** Compares texts by their code points. */
function compareText(left: string, right: string): number {
  if (left === right) return 0;
  let at = 0;
  while (at < left.length && at < right.length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  if (at === left.length || at === right.length) return left.length - right.length;
  return rank(left.charCodeAt(at)) - rank(right.charCodeAt(at));
}

/** Halves of characters beyond U+FFFF come behind all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

function decimal(column: FrameColumn & { type: 'decimal' }, given: string): Operand {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    (given.length < 400 && /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d{1,3}))?$/.exec(given)) || [];
  if (whole === '') throw notComparable(column, given);
  const shift = fraction.length - Number(exponent) - column.scale;
  const digits = BigInt(sign + whole + fraction);
  // Both without a point, in the unit of the finer one.
  const operand = shift < 0 ? digits * 10n ** BigInt(-shift) : digits;
  const factor = shift > 0 ? 10n ** BigInt(shift) : 1n;
  const { order } = numeric(operand);
  return {
    isNull: false,
    order: (value) => order((value as bigint) * factor),
    // The library gives them as numbers that are not exact.
    orderOfBound: () => undefined,
  };
}

function notComparable(column: FrameColumn, given: unknown): Error {
  const what =
    typeof given === 'object' ? (types.isDate(given) ? 'a Date' : 'an object') : `a ${typeof given}`;
  return invalidArgument(
    `Column "${column.name}" (${typeText(column)}) cannot be compared with ${what}. Numbers compare with numbers and bigints, text with text, dates and timestamps with a Date, decimals with text; other columns only with null.`,
    { column: column.name },
  );
}
