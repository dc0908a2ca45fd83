import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkParquet, readFooter } from '../../src/parquet/footer.ts';
import { planScan } from '../../src/parquet/scan.ts';
import { typeText } from '../../src/parquet/type-text.ts';
import { rowsOf, sourceOf } from './frame-fixture.ts';

/** Files that pyarrow 26.0.1 wrote: each row of `COLUMNS` is a column of five rows, in row groups of three. */
function fileOf(name: string): Uint8Array {
  return readFileSync(fileURLToPath(new URL(`pyarrow/${name}.parquet`, import.meta.url)));
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const COLUMNS: Record<string, [type: string, ...values: unknown[]]> = {
  i8: ['int8', 1, null, -128, 127, 0],
  u8: ['uint8', 1, null, 255, 0, 7],
  i32: ['int32', 1, null, -(2 ** 31), 2 ** 31 - 1, 0],
  u32: ['uint32', 1, null, 2 ** 32 - 1, 0, 7],
  i64: ['int64', 1n, null, -(2n ** 63n), 2n ** 63n - 1n, 0n],
  u64: ['uint64', 1n, null, 2n ** 64n - 1n, 0n, 7n],
  f16: ['float16', 1, Number.NaN, -0, 65_504, 0.5],
  f32: ['float32', 1.5, null, Number.NaN, Number.POSITIVE_INFINITY, -0],
  f64: ['float64', 1.5, null, Number.NaN, Number.POSITIVE_INFINITY, -0],
  b: ['boolean', true, null, false, true, false],
  s: ['string', 'a', null, '', '😀é', 'x'.repeat(100)],
  bin: ['binary', bytes('\xff\0'), null, bytes(''), bytes('abc'), bytes('z')],
  fsb: ['fixed(3)', bytes('abc'), null, bytes('\xff\0\x01'), bytes('abc'), bytes('zzz')],
  d32: [
    'date',
    new Date(0),
    null,
    new Date(-86_400_000),
    new Date(20_000 * 864e5),
    new Date(-700_000 * 864e5),
  ],
  ts_ms: ['timestamp(ms)', new Date(0), null, new Date(-1), new Date(1_700_000_000_123), new Date(1)],
  ts_us: ['timestamp(us)', 0n, null, -1n, 1_700_000_000_123_456n, 1n],
  ts_ns: ['timestamp(ns, local)', 0n, null, -1n, 1_700_000_000_123_456_789n, 1n],
  t32: ['time(ms, local)', 0, null, 1, 86_399_999, 5],
  t64n: ['time(ns, local)', 0n, null, 1n, 86_399_999_999_999n, 5n],
  dec18: ['decimal(18, 2)', '1234567890123456.78', null, '-1.00', '0.10', '0.01'],
  dec38: ['decimal(38, 3)', '12345678901234567890123456789012345.678', null, '-1.000', '0.100', '0.001'],
  dict: ['string', 'a', null, 'b', 'a', 'b'],
  nul: ['null', null, null, null, null, null],
  li: ['list<int32>', [1, 2], null, [], [null, 3], [4]],
  lls: ['list<list<string>>', [['a'], []], null, [], [null, ['b', null]], [[]]],
  st: [
    'struct<a: int64, b: string>',
    { a: 1n, b: 'x' },
    null,
    { a: null, b: null },
    { a: 3n, b: null },
    { a: 4n, b: 'q' },
  ],
  lst: [
    'list<struct<a: int64, b: string>>',
    [{ a: 1n, b: 'x' }],
    null,
    [],
    [null, { a: null, b: 'y' }],
    [{ a: 4n, b: null }],
  ],
  stl: ['struct<l: list<int32>>', { l: [1, 2] }, null, { l: null }, { l: [] }, { l: [null] }],
  map: [
    'map<string, int64>',
    new Map([['a', 1n]]),
    null,
    new Map(),
    new Map([
      ['b', null],
      ['__proto__', 2n],
    ]),
    new Map([['c', 3n]]),
  ],
  ststst: [
    'struct<s: struct<t: int32>>',
    { s: { t: 1 } },
    null,
    { s: null },
    { s: { t: null } },
    { s: { t: 2 } },
  ],
  fsl: ['list<int32>', [1, 2], null, [3, 4], [null, 5], [6, 7]],
};
/** Those that rows give as dates, to the millisecond. */
const FINE_TIMES = { ts_us: 1_000, ts_ns: 1_000_000 } as const;

describe('files of pyarrow', () => {
  it.each(['snappy', 'zstd', 'gzip', 'brotli', 'lz4', 'encodings'])(
    'come as they are, of every type: %s',
    async (name) => {
      const footer = await checkParquet(sourceOf(fileOf(name)), {});
      const types = footer.columns.map(({ column }) => [column.name, typeText(column)]);
      const known = Object.entries(COLUMNS).filter(([column]) => types.some(([one]) => one === column));
      expect(types).toStrictEqual(types.map(([column]) => [column, COLUMNS[column as string]?.[0]]));
      const rows = await rowsOf(fileOf(name));
      const expected = Array.from({ length: 5 }, (_, row) =>
        Object.fromEntries(
          types.map(([column = '']) => {
            const value = COLUMNS[column]?.[row + 1];
            const factor = FINE_TIMES[column as 'ts_us'];
            const isFine = factor !== undefined && value !== null;
            return [column, isFine ? new Date(Math.floor(Number(value) / factor)) : value];
          }),
        ),
      );
      expect(known.length).toBeGreaterThan(5);
      expect(rows).toStrictEqual(expected);
    },
  );

  it('keep every digit of their times where they are not made dates', async () => {
    const scan = planScan(await readFooter(sourceOf(fileOf('zstd')), {}), { columns: ['ts_us', 'ts_ns'] });
    const values: unknown[][] = [[], []];
    for await (const { columns } of scan.rows({}))
      for (const [index, column] of columns.entries()) values[index]?.push(...Array.from(column));
    expect(values).toStrictEqual([COLUMNS.ts_us?.slice(1), COLUMNS.ts_ns?.slice(1)]);
  });

  it('of the old form: INT96, and lists of items', async () => {
    expect(await rowsOf(fileOf('old'))).toStrictEqual([
      { t: new Date(0), l: [1] },
      { t: null, l: null },
      { t: new Date(1_700_000_000_123), l: [2, null] },
    ]);
  });
});
