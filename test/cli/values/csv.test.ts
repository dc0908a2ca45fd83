import {
  Binary,
  DateDay,
  Decimal,
  Field,
  Float64,
  Int64,
  List,
  makeData,
  makeVector,
  Struct,
  Table,
  Timestamp,
  TimestampNanosecond,
  TimeUnit,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellText, writeCsv } from '../../../src/cli/values/csv.ts';
import { toTabular } from '../../../src/views/values/tabular-value.ts';
import { test } from '../../property.ts';

/** What a value is as CSV; it must be a table. */
async function toCsv(value: unknown): Promise<string> {
  const table = toTabular(value);
  if (typeof table === 'string') throw new Error(`no table: it is ${table}`);
  let text = '';
  const sink = {
    async write(piece: string | Uint8Array) {
      text += piece.toString();
    },
  };
  await writeCsv(table, sink, { signal: new AbortController().signal });
  return text;
}

/** The records of CSV, by the grammar of RFC 4180; `null` for a field without quotes and without text. */
function parseCsv(text: string): (string | null)[][] {
  const records: (string | null)[][] = [];
  let at = 0;
  while (at < text.length) {
    const record: (string | null)[] = [];
    for (;;) {
      const quoted = /"((?:[^"]|"")*)"/y;
      const bare = /[^",\r\n]*/y;
      quoted.lastIndex = at;
      bare.lastIndex = at;
      const found = quoted.exec(text) ?? (bare.exec(text) as RegExpExecArray);
      at += found[0].length;
      record.push(found[1] === undefined ? found[0] || null : found[1].replaceAll('""', '"'));
      if (text[at] !== ',') break;
      at += 1;
    }
    if (!text.startsWith('\r\n', at)) throw new Error(`no line end at ${at}: ${JSON.stringify(text)}`);
    at += 2;
    records.push(record);
  }
  return records;
}

const anyCell = fc.option(
  fc.string({ unit: fc.constantFrom('a', 'é', '漢', '"', ',', '\n', '\r', '\t', ' ', '=', '\0') }),
);

describe('CSV', () => {
  test.prop([
    fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 5 }),
    fc.nat(20),
    fc.gen(),
  ])('is read back as it was written: text, empty text and what is absent', async (names, rowCount, gen) => {
    const rows = Array.from({ length: rowCount }, () =>
      Object.fromEntries(names.map((name) => [name, gen(() => anyCell)])),
    );
    if (rows.length === 0) return;
    const [header, ...records] = parseCsv(await toCsv(rows));
    const columns = Object.keys(rows[0] as object); // names like `1` come first in an object
    expect(header).toEqual(columns);
    expect(records).toEqual(rows.map((row) => columns.map((name) => row[name])));
  });

  test.prop([fc.array(anyCell, { minLength: 1 })])(
    'a table of one column has a record for each row',
    async (cells) => {
      const records = parseCsv(await toCsv(cells));
      expect(records).toEqual([['value'], ...cells.map((cell) => [cell ?? ''])]);
    },
  );

  it('writes values as people expect them', () => {
    const cases: [unknown, string | undefined][] = [
      [null, undefined],
      [undefined, undefined],
      [0.1, '0.1'],
      [-0, '-0'],
      [Number.NaN, 'NaN'],
      [Number.NEGATIVE_INFINITY, '-Infinity'],
      [12345678901234567890n, '12345678901234567890'],
      [false, 'false'],
      [new Date(0), '1970-01-01T00:00:00.000Z'],
      [new Date(Number.NaN), 'Invalid Date'],
      [new URL('http://x/'), 'http://x/'],
      [Uint8Array.of(1, 2), 'AQI='],
      [[1, ['a']], '[1,["a"]]'],
      [{ a: { b: 1n } }, '{"a":{"b":"1"}}'],
      ['=1+1', '=1+1'],
    ];
    for (const [value, text] of cases) expect(cellText(value)).toBe(text);
  });

  it('comes in pieces, however many rows there are', async () => {
    let pieces = 0;
    let bytes = 0;
    let longest = 0;
    const sink = {
      async write(piece: string | Uint8Array) {
        pieces += 1;
        bytes += piece.length;
        longest = Math.max(longest, piece.length);
      },
    };
    const table = toTabular(new Float64Array(50_000));
    await writeCsv(table as Exclude<typeof table, string>, sink, { signal: new AbortController().signal });
    expect(bytes).toBe('value\r\n'.length + 50_000 * 3);
    expect(pieces).toBeGreaterThan(1);
    expect(longest).toBeLessThan(bytes / 2);
  });
});

describe('a table', () => {
  it.each<[string, unknown, string]>([
    ['a list of objects', [{ a: 1 }, { b: 2, a: 3 }], 'a,b\r\n1,\r\n3,2\r\n'],
    ['a list of lists', [[1], Int8Array.of(4, 5), [3]], '1,\r\n4,5\r\n3,\r\n'],
    ['a list of single values', ['x', null, 1], 'value\r\nx\r\n""\r\n1\r\n'],
    ['a typed array', BigInt64Array.of(1n, -2n), 'value\r\n1\r\n-2\r\n'],
    ['an object of columns', { x: [1, 2], y: Float32Array.of(0.5, Number.NaN) }, 'x,y\r\n1,0.5\r\n2,NaN\r\n'],
    [
      'a Map of columns',
      new Map<string, unknown>([
        ['x', ['a']],
        ['y', Uint8Array.of(7)],
      ]),
      'x,y\r\na,7\r\n',
    ],
    ['columns without rows', { x: [], y: [] }, 'x,y\r\n'],
    ['an empty list', [], ''],
    [
      'keys with dots and of prototypes',
      [{ 'a.b': 1, constructor: 2 }, {}],
      'a.b,constructor\r\n1,2\r\n,\r\n',
    ],
  ])('is %s', async (_, value, csv) => expect(await toCsv(value)).toBe(csv));

  it.each<[unknown, string]>([
    ['a', 'text'],
    [1, 'a single value'],
    [null, 'a single value'],
    [new Set([1, 2]), 'a Set'],
    [Uint8Array.of(1), 'bytes'],
    [new ArrayBuffer(1), 'bytes'],
    [{}, 'an object without columns'],
    [{ auc: 0.9 }, 'an object whose member auc is no column'],
    [{ x: [1], y: [1, 2] }, 'an object of columns of different lengths: x has 1 values, y 2'],
    [new Map([[1, [1]]]), 'a Map whose keys are no names of columns'],
    [[{ a: 1 }, null], 'a list of different kinds: item 0 is an object, and item 1 a single value'],
    // A stored value may look like a table of Arrow.
    [{ schema: { fields: [] }, batches: [], numRows: 0 }, 'an object whose member schema is no column'],
  ])('is not %j', (value, why) => expect(toTabular(value)).toBe(why));

  it('is a table of Arrow, its times exact', async () => {
    const moment = 1_700_000_000_123;
    const decimals = makeData({
      type: new Decimal(2, 10, 128),
      length: 2,
      data: Uint32Array.of(12345, 0, 0, 0, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff),
    });
    const nanoseconds = makeData({
      type: new TimestampNanosecond(),
      length: 2,
      data: BigInt64Array.of(BigInt(moment) * 1_000_000n + 456_789n, -1n),
    });
    const item = new Field('item', new Timestamp(TimeUnit.SECOND, 'UTC'), true);
    const table = new Table({
      day: vectorFromArray([new Date(0), null], new DateDay()),
      zoned: vectorFromArray([new Date(moment), null], new Timestamp(TimeUnit.MILLISECOND, 'Europe/Berlin')),
      ns: makeVector(nanoseconds),
      big: vectorFromArray([2n ** 60n, null], new Int64()),
      name: vectorFromArray(['a', null]),
      list: vectorFromArray([[1, 2], null], new List(new Field('item', new Float64(), true))),
      times: vectorFromArray([[new Date(1000)], null], new List(item)),
      struct: vectorFromArray([{ x: 'q' }, null], new Struct([new Field('x', new Utf8(), true)])),
      bytes: vectorFromArray([Uint8Array.of(1, 2), null], new Binary()),
      price: makeVector(decimals),
    });
    const [header, ...rows] = parseCsv(await toCsv(table));
    expect(header).toEqual([...'day zoned ns big name list times struct bytes price'.split(' ')]);
    expect(rows).toEqual([
      [
        '1970-01-01',
        '2023-11-14T22:13:20.123Z',
        '2023-11-14T22:13:20.123456789',
        '1152921504606846976',
        'a',
        '[1,2]',
        '["1970-01-01T00:00:01Z"]',
        '{"x":"q"}',
        'AQI=',
        '123.45',
      ],
      [null, null, '1969-12-31T23:59:59.999999999', null, null, null, null, null, null, '-0.01'],
    ]);
  });
});
