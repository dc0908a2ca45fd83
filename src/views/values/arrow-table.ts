import { isArrowTable as isTable } from '../../values/arrow-table.ts';

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
const UNIT_DIGITS: readonly number[] = [0, 3, 6, 9];

/** True if a value that was loaded is an Arrow table. */
export function isArrowTable(value: unknown): value is ArrowTable {
  return isTable(value);
}

/** The rows, each as its cells in the order of the columns, made as they are asked for. */
export function* arrowCells({ schema, batches }: ArrowTable): Generator<unknown[]> {
  for (const batch of batches) {
    const columns = schema.fields.map((_, index) => batch.getChildAt(index));
    for (let row = 0; row < batch.numRows; row++) {
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
    ? timestampText(exact, column.type)
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
      return timeText(BigInt(value as number | bigint), type);
    case TYPE.timestamp:
      return timestampText(toUnit(value as number, type), type);
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

function timeText(ticks: bigint, type: ArrowType): string {
  const { second, fraction } = splitSecond(ticks, type);
  const [hours, minutes, seconds] = [second / 3600n, (second / 60n) % 60n, second % 60n];
  return `${[hours, minutes, seconds].map((part) => String(part).padStart(2, '0')).join(':')}${fraction}`;
}

/** With `Z` where the column has a time zone: only then it names a moment, which the format keeps in UTC. */
function timestampText(ticks: bigint, type: ArrowType): unknown {
  const { second, fraction } = splitSecond(ticks, type);
  const date = new Date(Number(second) * 1000);
  if (Number.isNaN(date.getTime())) return ticks;
  return date.toISOString().replace(/\.\d+Z$/, '') + fraction + (type.timezone ? 'Z' : '');
}

/** Milliseconds, perhaps with a fraction, as ticks of the type's unit. */
function toUnit(ms: number, { unit = 0 }: ArrowType): bigint {
  return BigInt(Math.round(ms * 10 ** ((UNIT_DIGITS[unit] ?? 0) - 3)));
}

function splitSecond(ticks: bigint, { unit = 0 }: ArrowType): { second: bigint; fraction: string } {
  const digits = UNIT_DIGITS[unit] ?? 0;
  const perSecond = 10n ** BigInt(digits);
  const rest = ((ticks % perSecond) + perSecond) % perSecond;
  const fraction = digits === 0 ? '' : `.${String(rest).padStart(digits, '0')}`;
  return { second: (ticks - rest) / perSecond, fraction };
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
