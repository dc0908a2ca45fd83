import * as arrow from 'apache-arrow';
import {
  type Data,
  type DataType,
  Dictionary,
  Field,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';

/** A type, and values that its builder takes. */
interface ColumnCase {
  type: DataType;
  value: fc.Arbitrary<unknown>;
}

const bytes = fc.uint8Array({ maxLength: 30 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.string({ minLength: 13, maxLength: 30 }),
);
const days = fc.integer({ min: -100_000, max: 100_000 });

/** Signed and unsigned integers of all widths. */
const integers: ColumnCase[] = [8, 16, 32].flatMap((bits) => [
  {
    type: new arrow.Int(true, bits as 8),
    value: fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 }),
  },
  { type: new arrow.Int(false, bits as 8), value: fc.integer({ min: 0, max: 2 ** bits - 1 }) },
]);

const leaves: ColumnCase[] = [
  ...integers,
  { type: new arrow.Int64(), value: int64 },
  { type: new arrow.Uint64(), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  { type: new arrow.Float16(), value: fc.constantFrom(0, -0, 1, -2.5, 65504, Infinity, NaN) },
  { type: new arrow.Float32(), value: fc.float() },
  { type: new arrow.Float64(), value: fc.double() },
  { type: new arrow.Bool(), value: fc.boolean() },
  { type: new arrow.Utf8(), value: text },
  { type: new arrow.LargeUtf8(), value: text },
  { type: new arrow.Utf8View(), value: text },
  { type: new arrow.Binary(), value: bytes },
  { type: new arrow.LargeBinary(), value: bytes },
  { type: new arrow.BinaryView(), value: bytes },
  { type: new arrow.FixedSizeBinary(3), value: fc.uint8Array({ minLength: 3, maxLength: 3 }) },
  {
    type: new arrow.Decimal(2, 20, 128),
    value: fc.array(fc.nat(), { minLength: 4, maxLength: 4 }).map((words) => Uint32Array.from(words)),
  },
  { type: new arrow.DateDay(), value: days.map((day) => new Date(day * 86_400_000)) },
  { type: new arrow.DateMillisecond(), value: days.map((day) => new Date(day * 86_400_000)) },
  { type: new arrow.TimestampSecond(), value: days.map((second) => second * 1000) },
  { type: new arrow.TimestampMillisecond('Europe/Berlin'), value: fc.integer() },
  { type: new arrow.TimestampMicrosecond(), value: fc.integer() },
  { type: new arrow.TimestampNanosecond('UTC'), value: fc.integer({ min: -1e6, max: 1e6 }) },
  { type: new arrow.TimeSecond(), value: fc.nat(86_399) },
  { type: new arrow.TimeMillisecond(), value: fc.nat(86_399_999) },
  { type: new arrow.TimeMicrosecond(), value: fc.bigInt(0n, 86_399_999_999n) },
  { type: new arrow.TimeNanosecond(), value: fc.bigInt(0n, 86_399_999_999_999n) },
  { type: new arrow.DurationMillisecond(), value: int64 },
  { type: new arrow.IntervalYearMonth(), value: fc.nat(500).map((months) => Int32Array.of(months)) },
  {
    type: new arrow.IntervalDayTime(),
    value: fc.tuple(fc.nat(99), fc.nat(99)).map((pair) => Int32Array.from(pair)),
  },
  { type: new arrow.Null(), value: fc.constant(null) },
];

/** Types that dictionaries are made of: their builders look values up. */
const dictionaries = (): fc.Arbitrary<ColumnCase> =>
  fc
    .tuple(
      fc.constantFrom<ColumnCase>(
        { type: new arrow.Utf8(), value: fc.constantFrom('a', 'b', 'cc', '') },
        { type: new arrow.Int32(), value: fc.nat(5) },
        { type: new arrow.Float64(), value: fc.nat(5) },
      ),
      fc.constantFrom(new arrow.Int8(), new arrow.Int16(), new arrow.Int32(), new arrow.Uint8()),
    )
    .map(([{ type, value }, indices]) => ({ type: new Dictionary(type, indices), value }));

const nullable = (value: fc.Arbitrary<unknown>) => fc.option(value, { nil: null, freq: 4 });

/** Any type, nested ones among them. */
const columnCase: fc.Arbitrary<ColumnCase> = fc.letrec<{ any: ColumnCase; nested: ColumnCase }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    { weight: 6, arbitrary: fc.constantFrom(...leaves) },
    { weight: 2, arbitrary: dictionaries() },
    { weight: 3, arbitrary: tie('nested') },
  ),
  nested: fc.oneof(
    tie('any').map(({ type, value }) => ({
      type: new arrow.List(new Field('item', type, true)),
      value: fc.array(nullable(value), { maxLength: 4 }),
    })),
    tie('any').map(({ type, value }) => ({
      type: new arrow.FixedSizeList(2, new Field('item', type, true)),
      value: fc.array(nullable(value), { minLength: 2, maxLength: 2 }),
    })),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => ({
      type: new Struct([new Field('a', a.type, true), new Field('b', b.type, true)]),
      value: fc.record({ a: nullable(a.value), b: nullable(b.value) }),
    })),
    tie('any').map(({ type, value }) => ({
      type: new arrow.Map_(
        new Field(
          'entries',
          new Struct<{ key: arrow.Utf8; value: DataType }>([
            new Field('key', new arrow.Utf8(), false),
            new Field('value', type, true),
          ]),
        ),
      ),
      value: fc
        .array(fc.tuple(fc.string({ maxLength: 3 }), nullable(value)), { maxLength: 3 })
        .map((entries) => new Map(entries)),
    })),
  ),
})).any;

export interface TableCase {
  columns: {
    name: string;
    type: DataType;
    nullable: boolean;
    metadata: Map<string, string>;
    chunks: unknown[][];
  }[];
  metadata: Map<string, string>;
  slice: readonly [number, number];
}

const metadata = fc
  .array(fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' })), {
    maxLength: 2,
  })
  .map((entries) => new Map(entries));

/** What a table is built of. */
export const arbitraryTableCase: fc.Arbitrary<TableCase> = fc
  .tuple(
    fc.uniqueArray(
      fc.record({
        name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
        of: columnCase,
        metadata,
      }),
      { selector: ({ name }) => name, maxLength: 4 },
    ),
    fc.array(fc.nat(12), { maxLength: 3 }),
  )
  .chain(([columns, lengths]) =>
    fc.record({
      columns: fc.tuple(
        ...columns.map(({ name, of, metadata }) =>
          fc
            .tuple(
              ...lengths.map((length) =>
                fc.array(nullable(of.value), { minLength: length, maxLength: length }),
              ),
            )
            .map((chunks) => ({
              name,
              type: of.type,
              nullable: true,
              metadata,
              chunks: chunks as unknown[][],
            })),
        ),
      ),
      metadata,
      slice: fc.tuple(fc.nat(20), fc.nat(40)),
    }),
  );

/** A table of batches of their own dictionaries, as its builders make it, or a slice of one. */
export const arbitraryTable: fc.Arbitrary<Table> = fc
  .tuple(arbitraryTableCase, fc.boolean())
  .map(([description, isSliced]) => {
    const table = buildTable(description);
    const [start, length] = description.slice;
    // The library cannot slice what has no batches.
    return isSliced && table.numRows > 0 ? table.slice(start, start + length) : table;
  });

/** A table with dictionaries and buffers of its own. */
export function buildTable({ columns, metadata }: TableCase): Table {
  const fields = columns.map(
    ({ name, type, nullable, metadata }) => new Field(name, type, nullable, metadata),
  );
  const schema = new Schema(fields, metadata);
  const batches = (columns[0]?.chunks ?? []).map((_, index) => {
    const children = columns.map(
      ({ chunks, type }) => vectorFromArray(chunks[index] as unknown[], type).data[0] as Data,
    );
    const length = columns[0]?.chunks[index]?.length ?? 0;
    return new RecordBatch(schema, makeData({ type: new Struct(fields), length, children }) as Data<Struct>);
  });
  return new Table(schema, batches);
}

/** What a table holds, as plain values: fields with their types, and columns. */
export function contentOf(table: Table): unknown {
  return {
    metadata: [...table.schema.metadata],
    fields: table.schema.fields.map(fieldOf),
    columns: table.schema.fields.map((_, index) => plain(table.getChildAt(index))),
  };
}

function fieldOf({ name, type, nullable, metadata }: Field): unknown {
  const children = (type.children ?? []) as Field[];
  return [name, String(type), nullable, [...metadata], children.map(fieldOf)];
}

/** A value of a column without the library's classes. */
export function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return [...(value as Uint8Array)];
  if (isVector(value)) return Array.from({ length: value.length }, (_, index) => plain(value.get(index)));
  if (typeof (value as { [Symbol.iterator]?: unknown })[Symbol.iterator] === 'function') {
    return [...(value as Iterable<[unknown, unknown]>)].map(([key, item]) => [key, plain(item)]);
  }
  return value;
}

function isVector(value: object): value is Vector {
  return 'length' in value && 'getChildAt' in value;
}
