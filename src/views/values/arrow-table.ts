import { isArrowTable as isTable } from '../../values/arrow-table.ts';
import { type SecondDigits, timestampText, timeText } from './ticks.ts';

/** The parts of an Apache Arrow table that are read, by its shape: nothing here loads the library. */
export interface ArrowTable {
  readonly schema: { readonly fields: readonly ArrowField[] };
  readonly batches: readonly ArrowBatch[];
  readonly numRows: number;
}

interface ArrowField {
  readonly name: string;
  readonly type: ArrowType;
}

interface ArrowBatch {
  readonly numRows: number;
  getChildAt(index: number): ArrowVector | null;
}

interface ArrowVector {
  readonly type: ArrowType;
  readonly length: number;
  readonly data: readonly { readonly values?: ArrayLike<unknown> }[];
  get(index: number): unknown;
}

interface ArrowType {
  readonly typeId: number;
  readonly unit?: number;
  readonly scale?: number;
  readonly timezone?: string | null;
  /** A dictionary has the type of its values. */
  readonly dictionary?: ArrowType;
  readonly children?: readonly ArrowField[] | null;
}

/** Numbers of the format (Schema.fbs), but for dictionaries, which are -1 in memory. */
const TYPE = { dictionary: -1, decimal: 7, date: 8, time: 9, timestamp: 10, struct: 13, map: 17 } as const;
/** The unit of dates: days. */
const DAY_UNIT = 0;
/** Digits behind the second, by unit: seconds, milliseconds, microseconds, nanoseconds. */
const UNIT_DIGITS: readonly SecondDigits[] = [0, 3, 6, 9];

/** True if a value that was loaded is an Arrow table. */
export function isArrowTable(value: unknown): value is ArrowTable {
  return isTable(value);
}

/** The rows from number `start` on, each as its cells in the order of the columns, made as they are asked for. */
export function* arrowCells({ schema, batches }: ArrowTable, start: number = 0): Generator<unknown[]> {
  let skipped = 0;
  for (const batch of batches) {
    const first = Math.min(start - skipped, batch.numRows);
    skipped += first;
    const columns = schema.fields.map((_, index) => batch.getChildAt(index));
    for (let row = first; row < batch.numRows; row++) {
      yield columns.map((column) => (column ? cellAt(column, row) : null));
    }
  }
}

/** The rows as objects, made as they are asked for. */
export function* arrowRows(table: ArrowTable): Generator<Record<string, unknown>> {
  const names = table.schema.fields.map(({ name }) => name);
  for (const cells of arrowCells(table))
    yield Object.fromEntries(names.map((name, index) => [name, cells[index]]));
}

/** A cell as a plain value: times and decimals as the text that says them exactly, lists as arrays, structs as objects. */
function cellAt(column: ArrowVector, row: number): unknown {
  const value = column.get(row);
  // As numbers, times would lose their nanoseconds.
  const exact = column.type.typeId === TYPE.timestamp ? column.data[0]?.values?.[row] : undefined;
  return value !== null && column.data.length === 1 && typeof exact === 'bigint'
    ? momentText(exact, column.type)
    : plainValue(value, column.type);
}

function plainValue(value: unknown, type: ArrowType | undefined): unknown {
  if (value === null || value === undefined) return null;
  switch (type?.typeId) {
    case TYPE.dictionary:
      return plainValue(value, type.dictionary);
    case TYPE.date:
      return dateText(value as number, type);
    case TYPE.time:
      return timeText(BigInt(value as number | bigint), digitsOf(type));
    case TYPE.timestamp:
      return momentText(toUnit(value as number, type), type);
    case TYPE.decimal:
      return decimalText(value as Uint32Array, type.scale ?? 0);
    case TYPE.struct:
      return structValue(value as Iterable<[string, unknown]>, type.children ?? []);
    case TYPE.map:
      return mapValue(value as Iterable<[unknown, unknown]>, type.children?.[0]?.type.children);
    default:
      return isVector(value)
        ? Array.from({ length: value.length }, (_, index) => cellAt(value, index))
        : value;
  }
}

function isVector(value: unknown): value is ArrowVector {
  return typeof value === 'object' && value !== null && 'data' in value && 'get' in value;
}

function structValue(row: Iterable<[string, unknown]>, fields: readonly ArrowField[]): object {
  const members = Array.from(row, ([name, value], index) => [name, plainValue(value, fields[index]?.type)]);
  return Object.fromEntries(members);
}

function mapValue(
  row: Iterable<[unknown, unknown]>,
  entry: readonly ArrowField[] | null | undefined,
): object {
  return new Map(Array.from(row, ([key, value]) => [key, plainValue(value, entry?.[1]?.type)]));
}

/** Dates come as milliseconds, whatever their unit. */
function dateText(ms: number, { unit }: ArrowType): unknown {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return ms; // a year that ISO 8601 has no word for
  return unit === DAY_UNIT ? date.toISOString().replace(/T.*/, '') : date.toISOString();
}

/** Only with a time zone a column names moments, which the format keeps in UTC. */
function momentText(ticks: bigint, type: ArrowType): unknown {
  return timestampText(ticks, digitsOf(type), Boolean(type.timezone));
}

/** Milliseconds, perhaps with a fraction, as ticks of the type's unit. */
function toUnit(ms: number, type: ArrowType): bigint {
  return BigInt(Math.round(ms * 10 ** (digitsOf(type) - 3)));
}

function digitsOf({ unit = 0 }: ArrowType): SecondDigits {
  return UNIT_DIGITS[unit] ?? 0;
}

/** Words of a number in two's complement, the lowest first, with a point before the last `scale` digits. */
function decimalText(words: Uint32Array, scale: number): string {
  let unsigned = 0n;
  for (let index = words.length - 1; index >= 0; index--) {
    unsigned = (unsigned << 32n) | BigInt(words[index] as number);
  }
  const number = BigInt.asIntN(words.length * 32, unsigned);
  const digits = String(number < 0n ? -number : number).padStart(Math.max(scale, 0) + 1, '0');
  const cut = digits.length - Math.max(scale, 0);
  const text = scale > 0 ? `${digits.slice(0, cut)}.${digits.slice(cut)}` : digits + '0'.repeat(-scale);
  return number < 0n ? `-${text}` : text;
}
