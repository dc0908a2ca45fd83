import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { expectSame, loaded, saved } from './arrow-fixture.ts';

describe('dictionaries', () => {
  const words = (values: string[], type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8())) =>
    arrow.vectorFromArray(values, type);

  it('of equal tables have equal bytes, though the library counts them', () => {
    const [a, b] = [arrow.tableFromArrays({ w: ['x', 'y'] }), arrow.tableFromArrays({ w: ['x', 'y'] })];
    expect(arrow.tableToIPC(a)).not.toEqual(arrow.tableToIPC(b));
    expectSame(saved(a), saved(b));
  });

  it('may be one for each column, of one type', () => {
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8());
    const table = new arrow.Table({ a: words(['x', 'y'], type), b: words(['p', 'q'], type) });
    expect(() => arrow.tableToIPC(table)).toThrow(/two different dictionaries/);
    expect(
      loaded(saved(table))
        .toArray()
        .map((row) => row.toJSON()),
    ).toEqual([
      { a: 'x', b: 'p' },
      { a: 'y', b: 'q' },
    ]);
  });

  it('may be others in each batch', () => {
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8());
    const table = new arrow.Table({ w: words(['x', 'y'], type) }).concat(
      new arrow.Table({ w: words(['p', 'x'], type) }),
    );
    expect([...(loaded(saved(table)).getChild('w') ?? [])]).toEqual(['x', 'y', 'p', 'x']);
  });

  const TEXT = 'x'.repeat(10_000);
  /** A batch of one column, of which a dictionary holds the values. */
  const batch = (type: arrow.Dictionary, dictionary: arrow.Vector, indices: number[]) => {
    const data = arrow.makeData({ type, length: indices.length, data: Int8Array.from(indices), dictionary });
    return new arrow.RecordBatch({ w: data } as never);
  };

  it('are written once for all batches that share one', () => {
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8());
    const dictionary = arrow.vectorFromArray([TEXT, 'y'], new arrow.Utf8());
    const table = new arrow.Table([batch(type, dictionary, [0, 1]), batch(type, dictionary, [1, 1])]);
    const artifact = saved(table);
    expect([...(loaded(artifact).getChild('w') ?? [])]).toEqual([TEXT, 'y', 'y', 'y']);
    expect(artifact.bytes.length).toBeLessThan(2 * TEXT.length);
  });

  it('are gone on with where a batch adds to the one before', () => {
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8());
    const first = arrow.vectorFromArray([TEXT, 'y'], new arrow.Utf8());
    const longer = first.concat(arrow.vectorFromArray(['z'], new arrow.Utf8()));
    const artifact = saved(new arrow.Table([batch(type, first, [0, 1]), batch(type, longer, [2, 0])]));
    expect([...(loaded(artifact).getChild('w') ?? [])]).toEqual([TEXT, 'y', 'z', TEXT]);
    expect(artifact.bytes.length).toBeLessThan(2 * TEXT.length);
  });

  it('may be in dictionaries, and shared by their parts', () => {
    const inner = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8());
    const struct = new arrow.Struct([new arrow.Field('s', inner, true)]);
    const values = arrow.vectorFromArray(['p', 'q'], new arrow.Utf8());
    const part = (index: number) =>
      arrow.makeData({
        type: struct,
        length: 1,
        children: [arrow.makeData({ type: inner, length: 1, data: Int8Array.of(index), dictionary: values })],
      });
    const dictionary = new arrow.Vector([part(0), part(1)]);
    const table = new arrow.Table([
      batch(new arrow.Dictionary(struct, new arrow.Int8()) as never, dictionary, [1, 0]),
    ]);
    const rows = loaded(saved(table))
      .toArray()
      .map((row) => JSON.parse(JSON.stringify(row)) as unknown);
    expect(rows).toEqual([{ w: { s: 'q' } }, { w: { s: 'p' } }]);
  });
});
