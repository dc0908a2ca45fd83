import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { propertyRuns, test } from '../property.ts';
import { arbitraryTable, arbitraryTableCase, buildTable, contentOf, plain } from './arbitrary-table.ts';
import { expectSame, loaded, measures, registry, requiredArrow, saved } from './arrow-fixture.ts';

test.prop([arbitraryTable], { numRuns: propertyRuns })('what loads is what was saved', (table) => {
  expect(contentOf(loaded(saved(table)))).toEqual(contentOf(table));
});

test.prop([arbitraryTable], { numRuns: propertyRuns })(
  'what loads has the same bytes when it is saved again, by any copy of the library',
  (table) => {
    const artifact = saved(table);
    expectSame(saved(loaded(artifact)), artifact);
    expectSame(saved(requiredArrow.tableFromIPC(artifact.bytes)), artifact);
  },
);

test.prop([arbitraryTableCase], { numRuns: propertyRuns })('equal tables have equal bytes', (description) => {
  expectSame(saved(buildTable(description)), saved(buildTable(description)));
});

test.prop([arbitraryTable], { numRuns: propertyRuns })('any Arrow library reads what was saved', (table) => {
  expect(contentOf(arrow.tableFromIPC(saved(table).bytes))).toEqual(contentOf(table));
});

test.prop([arbitraryTable], { numRuns: propertyRuns })('saving changes nothing', (table) => {
  const before = contentOf(table);
  const buffers = JSON.stringify(
    table.batches.map(({ data }) => data.children.map(({ buffers }) => buffers)),
    numbers,
  );
  saved(table);
  expect(contentOf(table)).toEqual(before);
  expect(
    JSON.stringify(
      table.batches.map(({ data }) => data.children.map(({ buffers }) => buffers)),
      numbers,
    ),
  ).toBe(buffers);
});

function numbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

describe('a table', () => {
  it('is an artifact of its own encoding', () => {
    expect(saved(measures())).toMatchObject({
      encoding: 'arrow',
      type: 'Table',
      info: { rows: 4, columns: 3 },
      refs: [],
    });
  });

  it('comes back as a Table of the library that an import gives, nulls, bigints and times included', () => {
    const table = loaded(saved(requiredArrow.tableFromIPC(arrow.tableToIPC(measures()))));
    expect(Object.getPrototypeOf(table)).toBe(arrow.Table.prototype);
    expect(table.toArray().map((row) => row.toJSON())).toEqual(
      measures()
        .toArray()
        .map((row) => row.toJSON()),
    );
    expect(String(table.schema)).toBe(
      'Schema<{ 0: id: Int64, 1: at: Timestamp<MILLISECOND, UTC>, 2: score: Float64 }>',
    );
  });

  it.each<[string, arrow.Table]>([
    ['columns', new arrow.Table()],
    ['batches', new arrow.Table(measures().schema)],
    ['rows', measures().slice(4)],
  ])('without %s comes back with its schema', (_what, table) => {
    const again = loaded(saved(table));
    expect([String(again.schema), again.numRows]).toEqual([String(table.schema), 0]);
    expectSame(saved(again), saved(table));
  });

  it('without columns keeps its rows', () => {
    const rows = arrow.makeData({ type: new arrow.Struct([]), length: 7, children: [] });
    const table = new arrow.Table([new arrow.RecordBatch(new arrow.Schema([]), rows)]);
    expect(loaded(saved(table)).numRows).toBe(7);
  });

  it('keeps the metadata of its schema, columns and batches', () => {
    const field = new arrow.Field('a', new arrow.Int8(), false, new Map([['unit', 'm']]));
    const schema = new arrow.Schema([field], new Map([['by', 'me']]));
    const column = arrow.makeData({ type: new arrow.Int8(), length: 1, data: Int8Array.of(1) });
    const rows = arrow.makeData({ type: new arrow.Struct([field]), length: 1, children: [column] });
    const batch = new arrow.RecordBatch(schema, rows, new Map([['part', '3']]));
    const again = loaded(saved(new arrow.Table(schema, [batch])));
    expect([...again.schema.metadata]).toEqual([['by', 'me']]);
    expect([again.schema.fields[0]?.nullable, again.schema.fields[0]?.metadata]).toEqual([
      false,
      new Map([['unit', 'm']]),
    ]);
    expect(again.batches[0]?.metadata).toEqual(new Map([['part', '3']]));
  });

  it('may have two columns of one name', () => {
    const fields = [0, 1].map(() => new arrow.Field('a', new arrow.Int32(), true));
    const children = [
      [1, 2],
      [3, 4],
    ].map((values) => arrow.vectorFromArray(values, new arrow.Int32()).data[0] as arrow.Data);
    const rows = arrow.makeData({ type: new arrow.Struct(fields), length: 2, children });
    const again = loaded(saved(new arrow.Table([new arrow.RecordBatch(new arrow.Schema(fields), rows)])));
    expect([...(again.getChildAt(0) ?? [])]).toEqual([1, 2]);
    expect([...(again.getChildAt(1) ?? [])]).toEqual([3, 4]);
  });

  it('is padded with nulls where its columns end early, in batches or within one', () => {
    const int8 = (name: string) => new arrow.Field(name, new arrow.Int8(), true);
    const columns = {
      text: new arrow.Vector([
        arrow.makeData({
          type: new arrow.Utf8(),
          length: 2,
          valueOffsets: Int32Array.of(0, 1, 3),
          data: Buffer.from('xyz'),
        }),
      ]),
      flag: arrow.vectorFromArray([true, true], new arrow.Bool()),
      lists: arrow.vectorFromArray([[1], [2, 3]], new arrow.List(int8('item'))),
      pairs: arrow.vectorFromArray([{ p: 1 }, { p: 2 }], new arrow.Struct([int8('p')])),
      twins: arrow.vectorFromArray(
        [
          [1, 2],
          [3, 4],
        ],
        new arrow.FixedSizeList(2, int8('item')),
      ),
      words: arrow.vectorFromArray(['a', 'b'], new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8())),
      views: arrow.vectorFromArray(['v', 'w'], new arrow.Utf8View()),
      all: arrow.vectorFromArray([1, 2, 3, 4, 5], new arrow.Int8()),
    };
    const { all, ...short } = columns;
    const data = Object.fromEntries(Object.entries(columns).map(([name, vector]) => [name, vector.data[0]]));
    const oneBatch = new arrow.Table([new arrow.RecordBatch(data as never)]);
    expect([new arrow.Table(columns).batches.length, oneBatch.batches.length]).toEqual([2, 1]);
    const given = oneBatch.batches[0]?.data.children[2]?.valueOffsets as Int32Array;
    expect([...given.subarray(0, 6)]).toEqual([0, 1, 3, 0, 0, 0]);
    for (const table of [new arrow.Table(columns), oneBatch]) {
      const again = loaded(saved(table));
      const rows = (name: string) => plain(again.getChild(name)) as unknown[];
      for (const [name, vector] of Object.entries(short)) {
        expect(rows(name)).toEqual([...(plain(vector) as unknown[]), null, null, null]);
      }
      expect(rows('all')).toEqual([1, 2, 3, 4, 5]);
      const offsets = again.getChild('text')?.data.at(-1)?.valueOffsets as Int32Array;
      const batchRows = again.batches.at(-1)?.numRows as number;
      expect(offsets.length).toBeGreaterThan(batchRows);
      expect(offsets[batchRows]).toBe(batchRows === 5 ? 3 : 0);
    }
    expect([...given.subarray(0, 6)]).toEqual([0, 1, 3, 0, 0, 0]);
  });

  it('of structs is padded with nulls where their parts end early', () => {
    // Without a bitmap, the library does not know that there are no nulls.
    const part = new arrow.Data(new arrow.Int8(), 0, 2, -1, [undefined, Int8Array.of(1, 2)]);
    expect(part.nullCount).toBe(-1);
    const type = new arrow.Struct([new arrow.Field('p', new arrow.Int8(), true)]);
    const struct = arrow.makeData({ type, length: 3, children: [part] });
    const again = loaded(saved(new arrow.Table({ s: new arrow.Vector([struct]) })));
    expect(again.getChild('s')?.toArray().map(String)).toEqual(['{"p": 1}', '{"p": 2}', '{"p": null}']);
  });

  it('of unions comes back, sliced or not', () => {
    const children = [
      arrow.vectorFromArray([1, 2, 3], new arrow.Int32()),
      arrow.vectorFromArray(['a', 'b', 'c'], new arrow.Utf8()),
    ];
    const fields = children.map(({ type }, index) => new arrow.Field(String(index), type, true));
    const data = children.map((child) => child.data[0] as arrow.Data);
    const typeIds = Int8Array.of(0, 1, 1);
    const sparse = arrow.makeData({ type: new arrow.SparseUnion([0, 1], fields), typeIds, children: data });
    const valueOffsets = Int32Array.of(2, 0, 1);
    const dense = arrow.makeData({
      type: new arrow.DenseUnion([0, 1], fields),
      typeIds,
      valueOffsets,
      children: data,
    });
    const table = new arrow.Table({ sparse: new arrow.Vector([sparse]), dense: new arrow.Vector([dense]) });
    const expected = [
      { sparse: 1, dense: 3 },
      { sparse: 'b', dense: 'a' },
      { sparse: 'c', dense: 'b' },
    ];
    const rows = (saved_: arrow.Table) => saved_.toArray().map((row) => row.toJSON());
    expect(rows(loaded(saved(table)))).toEqual(expected);
    expect(rows(loaded(saved(table.slice(1))))).toEqual(expected.slice(1));
    expect(rows(loaded(saved(table.slice(0, 1))))).toEqual(expected.slice(0, 1));
  });
});

describe('memory', () => {
  const bytesOf = (table: arrow.Table) => Uint8Array.from(saved(table).bytes);
  const buffers = (table: arrow.Table) =>
    table.batches.flatMap(({ data }) => data.children.map(({ values }) => values.buffer as ArrayBuffer));

  it('of columns that are loaded is that of the bytes', () => {
    const bytes = bytesOf(measures());
    const table = registry.deserialize('t', { encoding: 'arrow', type: 'Table' }, bytes) as arrow.Table;
    expect(buffers(table).map((buffer) => buffer === bytes.buffer)).toEqual([true, true, true]);
  });

  it('is copied once where the bytes are not aligned', () => {
    const two = measures().concat(measures());
    const bytes = bytesOf(two);
    const shifted = new Uint8Array(bytes.length + 4).subarray(4);
    shifted.set(bytes);
    const table = registry.deserialize('t', { encoding: 'arrow', type: 'Table' }, shifted) as arrow.Table;
    expect(new Set(buffers(table)).size).toBe(1);
    expect(buffers(table)[0]).not.toBe(shifted.buffer);
    expect(contentOf(table)).toEqual(contentOf(two));
  });
});

describe('what makes other bytes', () => {
  it('is the batches that rows are in', () => {
    const { bytes } = saved(measures().slice(0, 2).concat(measures().slice(2)));
    expect(Buffer.from(bytes).equals(saved(measures()).bytes)).toBe(false);
  });

  it('is what lies beneath nulls', () => {
    const column = (hidden: number) =>
      new arrow.Vector([
        arrow.makeData({
          type: new arrow.Int8(),
          length: 2,
          nullCount: 1,
          nullBitmap: Uint8Array.of(1),
          data: Int8Array.of(1, hidden),
        }),
      ]);
    const [a, b] = [7, 8].map((hidden) => new arrow.Table({ a: column(hidden) }));
    expect(contentOf(a as arrow.Table)).toEqual(contentOf(b as arrow.Table));
    expect(Buffer.from(saved(a).bytes).equals(saved(b).bytes)).toBe(false);
  });

  it('is not whether they are a slice', () => {
    const flags = [true, null, false, true, true, true, true, true, true, true];
    const table = new arrow.Table({ a: arrow.vectorFromArray(flags, new arrow.Bool()) });
    for (const [start, end] of [
      [0, 3],
      [1, 4],
      [3, 10],
      [8, 9],
    ] as const) {
      const rows = new arrow.Table({ a: arrow.vectorFromArray(flags.slice(start, end), new arrow.Bool()) });
      expectSame(saved(table.slice(start, end)), saved(rows));
    }
  });

  it('is not whether nulls were looked for, where there are none', () => {
    const type = new arrow.Int8();
    const field = new arrow.Field('a', type, true);
    const table = (nulls: object) => {
      const column = arrow.makeData({ type, length: 2, data: Int8Array.of(1, 2), ...nulls });
      const rows = arrow.makeData({ type: new arrow.Struct([field]), length: 2, children: [column] });
      return new arrow.Table([new arrow.RecordBatch(new arrow.Schema([field]), rows)]);
    };
    expectSame(saved(table({ nullCount: -1 })), saved(table({ nullCount: 0 })));
    expectSame(saved(table({ nullBitmap: Uint8Array.of(255) })), saved(table({ nullCount: 0 })));
  });
});
