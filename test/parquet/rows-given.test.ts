import { describe, expect, it } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import { givenColumns, givenRows } from '../../src/parquet/given-rows.ts';
import { typeText } from '../../src/parquet/type-text.ts';
import { writeParquet } from '../../src/parquet/write-parquet.ts';
import { rowsOf, written } from './frame-fixture.ts';

async function refusal(work: () => Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isStowageError(error)) throw new Error('It was not refused by a typed error.', { cause: error });
  return error;
}

describe('rows without a schema', () => {
  it('have the types of their values, and the columns in the order in which they come up', async () => {
    const rows = [
      { n: 1, i: 2n, s: 'a', on: true, at: new Date(5), raw: new Uint8Array([1]), tags: [], o: { x: 1 } },
      {
        n: 0.5,
        extra: null,
        tags: ['b', null],
        o: { y: [1n] },
        m: new Map([['k', 1]]),
        v: new Float32Array([0.5]),
      },
    ];
    const { columns } = await givenRows(rows, undefined);
    expect(columns.map((column) => `${column.name}: ${typeText(column)}`)).toStrictEqual([
      'n: float64',
      'i: int64',
      's: string',
      'on: boolean',
      'at: timestamp(ms)',
      'raw: binary',
      'tags: list<string>',
      'o: struct<x: float64, y: list<int64>>',
      'extra: null',
      'm: map<string, float64>',
      'v: list<float32>',
    ]);
    expect((await rowsOf(await written(rows)))[1]).toMatchObject({
      n: 0.5,
      i: null,
      o: { x: null, y: [1n] },
      v: [0.5],
    });
  });

  it.each([
    [[{ a: 1 }, { a: 'x' }], /Column "a" holds both float64 and string: in row 1\. Make/],
    [[{ a: () => 1 }], /Column "a" holds something that no type has: in row 0\. Rows/],
    [[{ a: [1, ['x']] }], /Column "a" holds both float64 and list/],
    [[{ a: {} }], /Column "a" holds an object without properties/],
  ])('are refused before anything is written where they have no type: %#', async (rows, message) => {
    const { code, message: text } = await refusal(() => givenRows(rows as never, undefined));
    expect([code, text]).toStrictEqual(['UNSUPPORTED_COLUMN', expect.stringMatching(message)]);
  });

  it('are refused where they are a circle', async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect((await refusal(() => givenRows([circle], undefined))).message).toMatch(/nested deeper/);
  });

  it.each([[[]], [[{}]]])('are refused where they tell no column: %j', async (rows) => {
    expect((await refusal(() => givenRows(rows, undefined))).message).toMatch(/Give a `schema`/);
  });

  it('are taken no faster than they are written: a row group at once', async () => {
    let taken = 0;
    async function* rows(): AsyncGenerator<{ a: number }> {
      for (; taken < 50_000; taken++) yield { a: taken };
    }
    const { columns, batches } = await givenRows(rows(), undefined);
    const pieces = writeParquet(columns, batches, { compression: 'none', rowGroupRows: 2_000 });
    const takenBy: number[] = [];
    for await (const _ of pieces) takenBy.push(taken);
    // The first 10,000 tell the types, and rows come by 1,024.
    expect(takenBy.slice(5, -2).every((count, group) => count <= 10_000 + 1_024 + 2_000 * (group + 1))).toBe(
      true,
    );
    expect(takenBy).toHaveLength(26);
  });

  it('close their iterator, whatever ends them', async () => {
    let closed = 0;
    async function* rows(bad: unknown): AsyncGenerator<Record<string, unknown>> {
      try {
        for (let row = 0; row < 10_000; row++) yield { a: row };
        yield { a: bad };
        yield { a: 1 };
      } finally {
        closed++;
      }
    }
    expect(await rowsOf(await written(rows(7)))).toHaveLength(10_002);
    expect((await refusal(() => written(rows('x')))).message).toMatch(/row 10000 gives: "x", not a number/);
    expect((await refusal(() => written(rows(1), { b: 'int8' }))).message).toMatch(/"a" comes up in row 0/);
    expect(closed).toBe(3);
  });
});

describe('rows with a schema', () => {
  it.each<[unknown, unknown, RegExp]>([
    ['int8', 128, /128, not an integer from -128 to 127/],
    ['uint8', -1, /-1, not an integer/],
    ['int32', 1.5, /1.5, not an integer/],
    ['int32', -0, /-0, not an integer/],
    ['int64', 2 ** 60, /not an integer of 64 bits/],
    ['uint64', -1n, /-1n, not an integer of 64 bits from 0 on/],
    ['float64', '1', /"1", not a number/],
    ['string', '\ud800', /half a character/],
    ['json', '{', /no JSON/],
    ['uuid', 'x', /not a UUID/],
    ['date', new Date(5), /a time of day/],
    [{ type: 'timestamp', unit: 'ns' }, new Date('9999-01-01'), /do not reach/],
    ['boolean', 1, /1, not a boolean/],
    [{ type: 'fixed', bytes: 2 }, new Uint8Array(3), /3 bytes, not 2/],
    [{ type: 'decimal', precision: 3, scale: 1 }, '1.25', /more than 1 digits behind/],
    [{ type: 'decimal', precision: 3, scale: 1 }, '100', /more than 3 digits/],
    [{ type: 'list', element: 'int8' }, [1, 'x'], /"x", not an integer/],
    [{ type: 'struct', fields: { a: 'int8' } }, { b: 1 }, /the property "b"/],
    [{ type: 'map', key: 'string', value: 'int8' }, new Map([[null, 1]]), /nothing, and it is not nullable/],
    [{ type: 'int8', nullable: false }, undefined, /nothing, and it is not nullable/],
  ])('are refused where a value does not fit %j', async (type, value, message) => {
    const { code, message: text } = await refusal(() => written([{ x: value }], { x: type as never }));
    expect([code, text]).toStrictEqual(['UNSUPPORTED_COLUMN', expect.stringMatching(message)]);
  });

  it.each<[unknown, RegExp]>([
    [{ a: 'int7' }, /cannot have the type int7/],
    [
      { a: { type: 'decimal', precision: 99, scale: 0 } },
      /precision of column "a" is an integer from 1 to 76/,
    ],
    [{ a: { type: 'struct', fields: {} } }, /a struct without fields/],
    [{ a: { type: 'list' } }, /cannot have the type undefined/],
    [{}, /at least one column/],
    [{ '': 'int8' }, /a name that cannot be kept/],
    [['int8'], /A schema is an object/],
  ])('are refused where there is no such schema: %j', async (spec, message) => {
    const { code, message: text } = await refusal(() => givenRows([], spec as never));
    expect([code, text]).toStrictEqual(['INVALID_ARGUMENT', expect.stringMatching(message)]);
  });

  it('may be none', async () => {
    expect(await rowsOf(await written([], { a: 'int8' }))).toStrictEqual([]);
  });
});

describe('columns', () => {
  it('keep the types of arrays of numbers, and tell those of others', () => {
    const { columns } = givenColumns(
      { x: new Float64Array(2), u: new Uint8Array(2), s: ['a', null] },
      undefined,
    );
    expect(columns).toStrictEqual([
      { name: 'x', nullable: false, type: 'float64' },
      { name: 'u', nullable: false, type: 'uint8' },
      { name: 's', nullable: true, type: 'string' },
    ]);
  });

  it.each<[unknown, unknown, RegExp]>([
    [{ a: [1], b: [1, 2] }, undefined, /"a" has 1 values and "b" 2/],
    [{}, undefined, /at least one/],
    [{ a: 'text' }, undefined, /"a" is no array/],
    [{ a: [1] }, { b: 'int8' }, /does not name the column "a"/],
    [{ a: [1] }, { a: 'int8', b: 'int8' }, /"b" of the schema is missing/],
  ])('are refused where they do not belong together: %#', async (given, spec, message) => {
    const { code, message: text } = await refusal(async () => givenColumns(given as never, spec as never));
    expect([code, text]).toStrictEqual(['INVALID_ARGUMENT', expect.stringMatching(message)]);
  });
});
