import type { ArrowData, ArrowField, ArrowLibrary, ArrowTable, ArrowType } from '../values/arrow-library.ts';
import type { FrameColumn } from './frame-columns.ts';
import { unsupportedColumn } from './parquet-errors.ts';
import type { Rows } from './row-groups.ts';
import type { ExactValue, ExactValues } from './stored-values.ts';

const UNIT_NUMBERS = { ms: 1, us: 2, ns: 3 } as const;

/** Makes an Arrow table of rows, a batch of each {@link Rows}. */
export class ArrowTableMaker {
  readonly #library: ArrowLibrary;
  readonly #columns: readonly FrameColumn[];
  readonly #fields: readonly ArrowField[];
  readonly #batches: ArrowTable['batches'][number][] = [];

  constructor(library: ArrowLibrary, columns: readonly FrameColumn[]) {
    this.#library = library;
    this.#columns = columns;
    this.#fields = columns.map((column) => this.#field(column));
  }

  add({ rows, columns }: Rows): void {
    const library = this.#library;
    const children = this.#columns.map((column, index) =>
      this.#data(column, this.#fields[index]?.type as ArrowType, columns[index] as ExactValues),
    );
    const schema = new library.Schema(this.#fields, new Map());
    const data = new library.Data(new library.Struct(this.#fields), 0, rows, 0, [], children);
    this.#batches.push(new library.RecordBatch(schema, data));
  }

  table(): ArrowTable {
    return new this.#library.Table(new this.#library.Schema(this.#fields, new Map()), this.#batches);
  }

  #field(column: FrameColumn): ArrowField {
    return new this.#library.Field(column.name, this.#type(column), column.nullable, new Map());
  }

  #type(column: FrameColumn): ArrowType {
    switch (column.type) {
      case 'null':
        return this.#make('Null');
      case 'boolean':
        return this.#make('Bool');
      case 'float16':
      case 'float32':
      case 'float64':
        return this.#make('Float', ['float16', 'float32', 'float64'].indexOf(column.type));
      case 'string':
      case 'json':
        return this.#make('Utf8');
      case 'uuid':
        return this.#make('Utf8');
      case 'binary':
        return this.#make('Binary');
      case 'fixed':
        return this.#make('FixedSizeBinary', column.bytes);
      case 'date':
        return this.#make('Date_', 0);
      case 'time':
        return this.#make('Time', UNIT_NUMBERS[column.unit], column.unit === 'ms' ? 32 : 64);
      case 'timestamp':
        return this.#make('Timestamp', UNIT_NUMBERS[column.unit], column.utc ? 'UTC' : null);
      case 'decimal':
        if (column.precision > 76)
          throw unsupportedColumn(
            column.name,
            `has decimals of ${column.precision} digits, and Arrow's have 76 at most. Read it as rows.`,
          );
        return this.#make('Decimal', column.scale, column.precision, column.precision <= 38 ? 128 : 256);
      case 'list':
        return this.#make('List', this.#field(column.element));
      case 'struct':
        return this.#make(
          'Struct',
          column.fields.map((field) => this.#field(field)),
        );
      case 'map': {
        const entries = this.#make('Struct', [this.#field(column.key), this.#field(column.value)]);
        return this.#make('Map_', new this.#library.Field('entries', entries, false, new Map()), false);
      }
      case 'unsupported':
        throw unsupportedColumn(
          column.name,
          `${column.reason}, which is not supported. Read the other columns.`,
        );
      default:
        return this.#make('Int', !column.type.startsWith('u'), Number(/\d+/.exec(column.type)?.[0]));
    }
  }

  #make(className: string, ...args: unknown[]): ArrowType {
    const Class = (this.#library as unknown as Record<string, new (...args: unknown[]) => ArrowType>)[
      className
    ];
    return new (Class as new (...args: unknown[]) => ArrowType)(...args);
  }

  #data(column: FrameColumn, type: ArrowType, values: ExactValues): ArrowData {
    const { length } = values;
    if (column.type === 'null') return new this.#library.Data(type, 0, length, length);
    const { validity, nulls } = validityOf(values);
    const { offsets, elements, children = [] } = this.#contents(column, type, values);
    return new this.#library.Data(type, 0, length, nulls, [offsets, elements, validity], children);
  }

  #contents(
    column: FrameColumn,
    type: ArrowType,
    values: ExactValues,
  ): { offsets?: Int32Array; elements?: ArrayBufferView; children?: ArrowData[] } {
    const inner = (index: number): ArrowType => (type.children as ArrowField[])[index]?.type as ArrowType;
    switch (column.type) {
      case 'boolean':
        return { elements: bitsOf(values, (value) => value === true) };
      case 'string':
      case 'json':
      case 'uuid':
        return joined(column, values, (value) => Buffer.from(value as string));
      case 'binary':
        return joined(column, values, (value) => value as Uint8Array);
      case 'fixed': {
        const elements = new Uint8Array(values.length * column.bytes);
        for (let row = 0; row < values.length; row++)
          if (values[row] !== null) elements.set(values[row] as Uint8Array, row * column.bytes);
        return { elements };
      }
      case 'float16':
        return {
          elements: Uint16Array.from(values as ArrayLike<number>, (value) =>
            value === null ? 0 : halfFloatBits(value),
          ),
        };
      case 'decimal':
        return { elements: decimalWords(values, column.precision <= 38 ? 4 : 8) };
      case 'list': {
        const offsets = offsetsOf(column, values);
        const items = flat(values as ArrayLike<ExactValue[] | null>);
        return { offsets, children: [this.#data(column.element, inner(0), items)] };
      }
      case 'struct':
        return {
          children: column.fields.map((field, index) =>
            this.#data(field, inner(index), member(values, field.name)),
          ),
        };
      case 'map': {
        const entries = flat(values as ArrayLike<ExactValue[] | null>);
        const [key, item] = inner(0).children as [ArrowField, ArrowField];
        const children = [
          this.#data(column.key, key.type, member(entries, 'key')),
          this.#data(column.value, item.type, member(entries, 'value')),
        ];
        return {
          offsets: offsetsOf(column, values),
          children: [new this.#library.Data(inner(0), 0, entries.length, 0, [], children)],
        };
      }
      default: {
        const { ArrayType } = type as unknown as { ArrayType: Float64ArrayConstructor };
        if (values instanceof ArrayType) return { elements: values };
        const elements = new ArrayType(values.length);
        for (let row = 0; row < values.length; row++)
          if (values[row] !== null) elements[row] = values[row] as number;
        return { elements };
      }
    }
  }
}

function validityOf(values: ExactValues): { validity?: Uint8Array; nulls: number } {
  let nulls = 0;
  for (let row = 0; row < values.length; row++) if (values[row] === null) nulls++;
  return nulls === 0 ? { nulls } : { nulls, validity: bitsOf(values, (value) => value !== null) };
}

function bitsOf(values: ExactValues, is: (value: ExactValue) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (let row = 0; row < values.length; row++)
    if (is(values[row])) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
  return bits;
}

const MAX_OFFSET = 2 ** 31 - 1;

function offsetsOf(column: FrameColumn, values: ExactValues): Int32Array {
  const offsets = new Int32Array(values.length + 1);
  let end = 0;
  for (let row = 0; row < values.length; row++) {
    end += (values[row] as { length: number } | null)?.length ?? 0;
    if (end > MAX_OFFSET) throw tooLong(column);
    offsets[row + 1] = end;
  }
  return offsets;
}

function joined(
  column: FrameColumn,
  values: ExactValues,
  bytesOf: (value: ExactValue) => Uint8Array,
): { offsets: Int32Array; elements: Uint8Array } {
  const pieces = Array.from(values, (value) => (value === null ? null : bytesOf(value)));
  const offsets = offsetsOf(column, pieces);
  const elements = new Uint8Array(offsets[values.length] as number);
  for (const [row, piece] of pieces.entries()) if (piece) elements.set(piece, offsets[row]);
  return { offsets, elements };
}

function tooLong(column: FrameColumn): Error {
  return unsupportedColumn(
    column.name,
    'takes more than 2 GiB in one row group, and no Arrow table has room for it. Read it as rows.',
  );
}

function flat(values: ArrayLike<ExactValue[] | null>): ExactValue[] {
  const items: ExactValue[] = [];
  for (let row = 0; row < values.length; row++) for (const item of values[row] ?? []) items.push(item);
  return items;
}

function member(values: ExactValues, name: string): ExactValue[] {
  return Array.from(values, (value) => (value === null ? null : (value as Record<string, ExactValue>)[name]));
}

function decimalWords(values: ExactValues, count: number): Uint32Array {
  const words = new Uint32Array(values.length * count);
  for (let row = 0; row < values.length; row++) {
    let value = BigInt.asUintN(count * 32, (values[row] as bigint | null) ?? 0n);
    for (let word = 0; value > 0n; word++, value >>= 32n)
      words[row * count + word] = Number(value & 0xffff_ffffn);
  }
  return words;
}

/** IEEE 754 binary16 of a number that is one. */
function halfFloatBits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | (size / 2 ** (exponent - 10) - 1024);
}
