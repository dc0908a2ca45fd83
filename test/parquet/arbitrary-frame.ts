import fc from 'fast-check';
import type { ColumnSpec, FrameSpec } from '../../src/parquet/frame-columns.ts';
import type { FrameRow } from '../../src/parquet/row-values.ts';

/** A type, and values of it. */
interface TypedValues {
  spec: ColumnSpec;
  values: fc.Arbitrary<unknown>;
}

const MS_PER_DAY = 86_400_000;
const integers = (bits: number): TypedValues[] => [
  { spec: `int${bits}` as 'int8', values: fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 }) },
  { spec: `uint${bits}` as 'uint8', values: fc.integer({ min: 0, max: 2 ** bits - 1 }) },
];
const text = fc.string({ unit: 'binary', maxLength: 20 });
const dates = fc.date({ noInvalidDate: true });
const decimals = (precision: number, scale: number): TypedValues => ({
  spec: { type: 'decimal', precision, scale },
  values: fc
    .bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n })
    .map((value) => {
      const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
      const point = digits.length - scale;
      return `${value < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
    }),
});

const LEAVES: TypedValues[] = [
  { spec: 'null', values: fc.constant(null) },
  { spec: 'boolean', values: fc.boolean() },
  ...integers(8),
  ...integers(16),
  ...integers(32),
  { spec: 'int64', values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  { spec: 'uint64', values: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  {
    spec: 'float16',
    values: fc.constantFrom(0, -0, 1, -2.5, 65_504, 2 ** -24, Number.NaN, Number.POSITIVE_INFINITY),
  },
  { spec: 'float32', values: fc.float() },
  { spec: 'float64', values: fc.double() },
  // The first is often repeated, so that there are dictionaries.
  { spec: 'string', values: fc.oneof(fc.constantFrom('', 'a', '\ufeffb', '😀'), text) },
  { spec: 'json', values: fc.json({ maxDepth: 2 }) },
  { spec: 'binary', values: fc.uint8Array({ maxLength: 20 }) },
  { spec: { type: 'fixed', bytes: 3 }, values: fc.uint8Array({ minLength: 3, maxLength: 3 }) },
  { spec: 'uuid', values: fc.uuid() },
  {
    spec: 'date',
    values: fc.integer({ min: -1e6, max: 1e6 }).map((days) => new Date(days * MS_PER_DAY)),
  },
  { spec: { type: 'time', unit: 'ms' }, values: fc.integer({ min: 0, max: MS_PER_DAY - 1 }) },
  {
    spec: { type: 'time', unit: 'ns', utc: false },
    values: fc.bigInt({ min: 0n, max: 86_399_999_999_999n }),
  },
  { spec: { type: 'timestamp' }, values: dates },
  { spec: { type: 'timestamp', unit: 'us', utc: false }, values: dates },
  {
    spec: { type: 'timestamp', unit: 'ns' },
    values: fc.date({ noInvalidDate: true, min: new Date('1700-01-01'), max: new Date('2200-01-01') }),
  },
  decimals(9, 2),
  decimals(18, 18),
  decimals(38, 3),
  decimals(76, 0),
];

function orNothing({ spec, values }: TypedValues): TypedValues {
  return spec === 'null' ? { spec, values } : { spec, values: fc.option(values, { freq: 4 }) };
}

const leaves = fc.constantFrom(...LEAVES);

function nested(depth: number): fc.Arbitrary<TypedValues> {
  if (depth === 0) return leaves;
  const inner = nested(depth - 1);
  return fc.oneof(
    { weight: 3, arbitrary: leaves },
    inner.map(
      (element): TypedValues => ({
        spec: { type: 'list', element: element.spec },
        values: fc.array(orNothing(element).values, { maxLength: 4 }),
      }),
    ),
    fc.array(inner, { minLength: 1, maxLength: 3 }).map((parts): TypedValues => {
      const fields = parts.map((part, index) => [`f${index}`, orNothing(part)] as const);
      return {
        spec: { type: 'struct', fields: Object.fromEntries(fields.map(([name, { spec }]) => [name, spec])) },
        values: fc.record(Object.fromEntries(fields.map(([name, { values }]) => [name, values])), {
          noNullPrototype: true,
        }),
      };
    }),
    inner.map(
      (value): TypedValues => ({
        spec: { type: 'map', key: 'string', value: value.spec },
        values: fc
          .uniqueArray(fc.tuple(text, orNothing(value).values), { selector: ([key]) => key, maxLength: 4 })
          .map((entries) => new Map(entries)),
      }),
    ),
  );
}

/** Columns of every type, nested ones among them, and rows of them, with nulls. */
export const frames: fc.Arbitrary<{ spec: FrameSpec; rows: FrameRow[] }> = fc
  .array(fc.tuple(nested(2), fc.boolean()), { minLength: 1, maxLength: 3 })
  .chain((columns) => {
    const named = columns.map(([column, isRequired], index) => {
      const given = typeof column.spec === 'string' ? { type: column.spec } : column.spec;
      const nullable = !isRequired || given.type === 'null';
      const values = nullable ? orNothing(column).values : column.values;
      return { name: `c${index}`, spec: { ...given, nullable } as ColumnSpec, values };
    });
    const row = fc.record(Object.fromEntries(named.map(({ name, values }) => [name, values])), {
      noNullPrototype: true,
    });
    return fc.array(row, { maxLength: 12 }).map((rows) => ({
      spec: Object.fromEntries(named.map(({ name, spec }) => [name, spec])),
      rows,
    }));
  });
