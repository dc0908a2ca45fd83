import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { contentOf } from './arbitrary-table.ts';
import { loaded, measures, registry, requiredArrow, saved } from './arrow-fixture.ts';

describe('a table that cannot be saved', () => {
  const refused = (path = 't') =>
    expect.objectContaining({
      code: 'UNSERIALIZABLE_ARTIFACT',
      details: expect.objectContaining({ path, artifact: 't' }),
    });

  it('is one inside another value, whose path is named, with the remedy', () => {
    for (const [value, path] of [
      [{ parts: [measures()] }, 't.parts[0]'],
      [new Map([['x', measures()]]), 't.get("x")'],
    ] as const) {
      expect(() => saved(value)).toThrow(refused(path));
      expect(() => saved(value)).toThrow(
        /Apache Arrow table, which is saved only as an artifact of its own\. Save it beside/,
      );
    }
    expect(() => registry.serialize('t', measures(), { serializer: 'msgpack' })).toThrow(
      /artifact of its own/,
    );
  });

  it('is one with a column that has no name, which would come back with another', () => {
    const nameless = new arrow.Table({ '': arrow.vectorFromArray([1]) });
    expect(arrow.tableFromIPC(arrow.tableToIPC(nameless)).schema.fields[0]?.name).not.toBe('');
    expect(() => saved(nameless)).toThrow(/has no name/);
    const struct = new arrow.Struct([new arrow.Field('', new arrow.Int8(), true)]);
    expect(() => saved(new arrow.Table({ s: arrow.vectorFromArray([{ '': 1 }], struct) }))).toThrow(
      /has no name/,
    );
    expect(() => saved(new arrow.Table({ 'a\ud800': arrow.vectorFromArray([1]) }))).toThrow(
      /not a valid one/,
    );
  });

  it('is one with an extra property, which would be lost', () => {
    expect(() => saved(Object.assign(measures(), { title: 'x' }))).toThrow(/extra property on a Table/);
  });

  it('is one whose columns are of other types than its schema says', () => {
    const schema = new arrow.Schema([new arrow.Field('a', new arrow.Utf8(), true)]);
    const table = measures().select(['score']);
    expect(() => saved(Object.assign(table, { schema }))).toThrow(/do not fit its schema/);
  });

  it('is one of a type that the library here does not have', async () => {
    const { LargeList: _, ...older } = arrow;
    const item = arrow.vectorFromArray([1], new arrow.Int8()).data[0] as arrow.Data;
    const type = new arrow.LargeList(new arrow.Field('item', new arrow.Int8()));
    const valueOffsets = BigInt64Array.of(0n, 1n);
    const data = arrow.makeData({ type, length: 1, valueOffsets, child: item } as never) as arrow.Data;
    const table = new arrow.Table({ a: new arrow.Vector([data]) });
    const using = new SerializerRegistry({ importArrow: async () => older });
    await using.prepareToSave([table]);
    expect(() => using.serialize('t', table)).toThrow(/LargeList.*does not have.*npm install/);
    expect(contentOf(loaded(saved(table)))).toEqual(contentOf(table));
  });

  it('is one whose types are nested deeper than Arrow reads', () => {
    let type: arrow.DataType = new arrow.Int8();
    for (let level = 0; level < 70; level++) type = new arrow.List(new arrow.Field('item', type, true));
    expect(() => saved(new arrow.Table(new arrow.Schema([new arrow.Field('deep', type, true)])))).toThrow(
      /nested deeper than 64/,
    );
  });

  it('is one that throws', () => {
    const table = Object.assign(Object.create({ getChildAt: () => 1, selectAt: () => 1 }), {
      schema: {
        fields: [{ name: 'a', type: { typeId: 2 }, nullable: true, metadata: new Map() }],
        metadata: new Map(),
      },
      batches: [
        {
          get data() {
            throw new Error('boom');
          },
          numRows: 1,
        },
      ],
    });
    expect(() => saved(table)).toThrow(refused());
    expect(() => saved(table)).toThrow(/boom/);
  });
});

describe('a part of a table', () => {
  const numbers = arrow.vectorFromArray([1, 2]);
  const table = new arrow.Table({ numbers });

  it.each<[string, unknown]>([
    ['an imported copy', numbers],
    ['another copy', requiredArrow.vectorFromArray([1])],
    ['several chunks', numbers.concat(numbers)],
    ['texts', arrow.vectorFromArray(['x', 'y'])],
    ['values that it remembers', arrow.vectorFromArray(['x', 'y'], new arrow.Utf8()).memoize()],
  ])('is refused with the way to a table: a vector of %s', (_name, vector) => {
    expect(() => saved(vector)).toThrow(
      /t is an Apache Arrow vector, .* Save a table of it, as an artifact of its own: `new Table\(\{ name: vector \}\)`\.$/,
    );
    expect(() => saved({ inside: [vector] })).toThrow(/t\.inside\[0\] is an Apache Arrow vector/);
  });

  it('is refused with the way to a table: a record batch', () => {
    for (const batch of [table.batches[0], requiredArrow.tableFromArrays({ a: [1] }).batches[0]]) {
      expect(() => saved(batch)).toThrow(/Apache Arrow record batch, .*: `new Table\(batch\)`\.$/);
    }
  });

  it('is saved in the way that is told', () => {
    expect(loaded(saved(new arrow.Table({ name: numbers }))).toArray()).toHaveLength(2);
    expect(loaded(saved(new arrow.Table(table.batches[0] as arrow.RecordBatch))).numRows).toBe(2);
  });

  it('is not taken for one by less than its shape, nor by asking it', () => {
    const trap = () => {
      throw new Error('trap');
    };
    class Reading {
      data = [1];
      type = {};
      getChildAt(): void {}
    }
    expect(() => saved(new Reading())).toThrow(/class Reading, which is not registered/);
    const like = (own: object) =>
      Object.assign(Object.create({ getChildAt: trap, selectAt: trap, toArray: trap, memoize: trap }), own);
    for (const value of [
      like({ data: [], type: new Proxy({}, { get: trap }) }),
      like({ data: {}, schema: { fields: {} } }),
      Object.defineProperty(like({ type: {} }), 'data', { get: trap }),
    ]) {
      expect(() => saved(value)).toThrow(/an object of an unknown prototype/);
    }
  });
});
