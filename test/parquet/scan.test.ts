import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import type { FrameRow } from '../../src/parquet/row-values.ts';
import type { FilterConditions } from '../../src/parquet/scan-options.ts';
import { test } from '../property.ts';
import { rowsOf, sourceOf, written } from './frame-fixture.ts';

const SPEC = {
  n: 'float64',
  i: 'int64',
  s: 'string',
  b: 'boolean',
  t: { type: 'timestamp', unit: 'us' },
  d: { type: 'decimal', precision: 12, scale: 2 },
} as const;
const TEXTS = [
  '',
  'a',
  'ab',
  '\u{ff5e}',
  '\u{1f600}',
  'a long text that statistics cut short',
  'a long text that b',
];
const arbitraries = {
  n: fc.constantFrom(-1, -0, 0, 0.5, 1, Number.NaN),
  i: fc.bigInt({ min: -3n, max: 3n }),
  s: fc.constantFrom(...TEXTS),
  b: fc.boolean(),
  t: fc.integer({ min: -2, max: 2 }).map((ms) => new Date(ms)),
  d: fc.constantFrom('-1.50', '0.00', '0.25', '10.00'),
};
const rows = fc.array(
  fc.record(
    Object.fromEntries(
      Object.entries<fc.Arbitrary<unknown>>(arbitraries).map(([name, values]) => [
        name,
        fc.option(values, { freq: 5 }),
      ]),
    ),
    { noNullPrototype: true },
  ),
  { maxLength: 25 },
);
const OPERATIONS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'] as const;
const filters = fc
  .dictionary(fc.constantFrom(...Object.keys(arbitraries)), fc.constant(null), { maxKeys: 2 })
  .chain((given) =>
    fc.record(
      Object.fromEntries(
        Object.keys(given).map((name) => [
          name,
          fc.dictionary<unknown>(
            fc.constantFrom(...OPERATIONS),
            arbitraries[name as 'n'] as fc.Arbitrary<unknown>,
            {
              minKeys: 1,
              maxKeys: 2,
            },
          ),
        ]),
      ),
      { noNullPrototype: true },
    ),
  );

/** What a filter means, told by the values of rows alone. */
function holds(row: FrameRow, filter: Record<string, FilterConditions>): boolean {
  return Object.entries(filter).every(([name, conditions]) =>
    Object.entries(conditions).every(([operation, wanted]) => {
      if (row[name] === null) return false;
      const [left, right] = [row[name], wanted].map((value) => {
        if (name === 's') return Buffer.from(value as string).toString('hex');
        return Number(value);
      }) as [number, number];
      if (operation === 'eq') return left === right;
      if (operation === 'ne') return left !== right;
      if (operation === 'gt') return left > right;
      if (operation === 'gte') return left >= right;
      return operation === 'lt' ? left < right : left <= right;
    }),
  );
}

describe('a read of a data frame', () => {
  test.prop([rows, filters, fc.integer({ min: 1, max: 9 }), fc.nat(6), fc.option(fc.nat(12))])(
    'gives the rows that the filter, the offset and the limit leave, however they lie in row groups',
    async (all, filter, rowGroupRows, offset, limit) => {
      const bytes = await written(all, SPEC, { rowGroupRows });
      const read = await rowsOf(bytes, { filter: filter as never, offset, limit: limit ?? undefined });
      const left = all.filter((row) => holds(row, filter as never));
      expect(read).toStrictEqual(left.slice(offset, offset + (limit ?? left.length)));
    },
  );

  it('fetches the bytes of the columns that are asked for, and of row groups that may have a match', async () => {
    const many = Array.from({ length: 3_000 }, (_, row) => ({
      id: row,
      ...Object.fromEntries(Array.from({ length: 20 }, (__, column) => [`c${column}`, row * column + 0.5])),
    }));
    const bytes = await written(many, undefined, { rowGroupRows: 300 });
    const fetched = async (options: object): Promise<number> => {
      const source = sourceOf(bytes);
      await rowsOf(source, options);
      // The first is of the footer.
      return source.ranges.slice(1).reduce((sum, { length }) => sum + length, 0) / bytes.length;
    };
    expect(await fetched({})).toBeGreaterThan(0.95);
    expect(await fetched({ columns: ['c3'] })).toBeLessThan(0.08);
    expect(await fetched({ columns: ['c3'], limit: 10 })).toBeLessThan(0.03);
    expect(await fetched({ columns: ['c3'], offset: 2_999 })).toBeLessThan(0.03);
    expect(await fetched({ filter: { id: { gte: 600, lt: 900 } } })).toBeLessThan(0.13);
    expect(await fetched({ filter: { id: { gt: 1e6 } } })).toBeLessThan(0.03);
    // Between the bounds, and in no row: the other columns are not fetched.
    expect(await fetched({ filter: { id: 0.5 } })).toBeLessThan(0.03);
  });

  it('prunes by the statistics of other writers', async () => {
    const file = readFileSync(fileURLToPath(new URL('pyarrow/groups.parquet', import.meta.url)));
    const source = sourceOf(file);
    const found = await rowsOf(source, {
      columns: ['id'],
      filter: { id: { gte: 1_500n, lt: 1_503n }, name: { ne: null } },
    });
    expect(found).toStrictEqual([{ id: 1_501n }, { id: 1_502n }]);
    expect(source.ranges.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(file.length * 1.4);
    expect(source.ranges).toHaveLength(2);
    const of = (filter: object): Promise<FrameRow[]> =>
      rowsOf(file, { columns: ['id'], filter: filter as never });
    expect(await of({ name: null })).toHaveLength(600);
    expect(await of({ name: { in: ['user-1', null] } })).toHaveLength(600 + 343);
    expect(await of({ x: { gt: 100 } })).toStrictEqual([]);
  });

  it('compares decimals digit by digit', async () => {
    const bytes = await written([{ d: '0.10' }, { d: '0.30' }, { d: '9999999999.99' }, { d: null }], {
      d: { type: 'decimal', precision: 12, scale: 2 },
    });
    const of = (d: object): Promise<FrameRow[]> => rowsOf(bytes, { filter: { d: d as never } });
    expect(await of({ eq: '0.3' })).toStrictEqual([{ d: '0.30' }]);
    expect(await of({ gt: '9999999999.989' })).toStrictEqual([{ d: '9999999999.99' }]);
    expect(await of({ lt: 0.2 })).toStrictEqual([{ d: '0.10' }]);
    expect(await of({ gt: 1e-7, lte: 3e-1 })).toStrictEqual([{ d: '0.10' }, { d: '0.30' }]);
  });

  it.each([
    [{ columns: ['idd'] }, /no column "idd"\. Did you mean id\?/],
    [{ columns: [] }, /No column/],
    [{ columns: ['id', 'id'] }, /twice/],
    [{ filter: { x: 1 } }, /no column "x"/],
    [{ filter: { id: { near: 1 } } }, /the condition "near"/],
    [{ filter: { id: {} } }, /no condition/],
    [{ filter: { id: 'a' } }, /cannot be compared with a string/],
    [{ filter: { id: { lt: null } } }, /takes a value, not null/],
    [{ filter: { id: { in: 1 } } }, /takes an array/],
    [{ filter: { l: [1] } }, /only with null/],
  ])('refuses what makes no sense: %j', async (options, message) => {
    const bytes = await written([{ id: 1n, l: [1] }]);
    const error = await rowsOf(bytes, options as never).catch((thrown: unknown) => thrown);
    expect(isStowageError(error, 'INVALID_ARGUMENT')).toBe(true);
    expect((error as Error).message).toMatch(message);
  });
});
