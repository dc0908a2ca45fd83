import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { NumbersTally } from '../../../src/views/previews/numbers-summary.ts';
import { test } from '../../property.ts';

const doubles = fc.array(
  fc.oneof(
    fc.double(),
    fc.integer({ min: -50, max: 50 }),
    fc.double({ min: 1e15, max: 1e15 + 8 }),
    fc.constantFrom(
      Number.MAX_VALUE,
      -Number.MAX_VALUE,
      Number.MIN_VALUE,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
    ),
  ),
  { maxLength: 2500 },
);
const bigints = fc.array(
  fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: 2n ** 62n, max: 2n ** 62n + 5000n }),
    fc.bigInt({ min: -3n, max: 3n }),
  ),
  { maxLength: 2500 },
);

/** Adds by pieces, as they come of a store. */
function summed<T extends number | bigint>(values: readonly T[], sizes: readonly number[]) {
  const tally = new NumbersTally(values.length);
  for (let at = 0, piece = 0; at < values.length; piece++) {
    const end = at + (sizes[piece % sizes.length] ?? 1);
    tally.add(values.slice(at, end) as number[]);
    at = end;
  }
  return tally.summary('float64');
}

/** By what a plain loop finds. */
function plainCounts<T extends number | bigint>(values: readonly T[], edges: readonly number[]): number[] {
  return edges
    .slice(1)
    .map(
      (edge, bin) =>
        values.filter((one) => one >= (edges[bin] as number) && (one < edge || edge === Number.MAX_VALUE))
          .length,
    );
}

const pieces = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 5 });

describe('numbers that are summed up', () => {
  test.prop([doubles, pieces])('are what a plain computation finds, of doubles', (values, sizes) => {
    const { count, nans, infinities, min, max, mean, histogram, line } = summed(values, sizes);
    const finite = values.filter(Number.isFinite);
    expect(count).toBe(values.length);
    expect(nans).toBe(values.filter(Number.isNaN).length);
    expect(nans + infinities + finite.length).toBe(count);
    const { edges, counts } = histogram;
    expect(counts.length).toBeLessThanOrEqual(40);
    expect(edges.length).toBe(counts.length === 0 ? 0 : counts.length + 1);
    expect(counts).toEqual(plainCounts(finite, edges));
    expect(counts.reduce((sum, one) => sum + one, 0)).toBe(finite.length);
    if (finite.length === 0) {
      expect([min, max, mean]).toEqual([null, null, null]);
      return;
    }
    expect(min).toBe(Math.min(...finite));
    expect(max).toBe(Math.max(...finite));
    const scale = Math.max(...finite.map(Math.abs));
    const plain = finite.reduce((sum, one) => sum + one / finite.length, 0);
    const underflow = finite.length * Number.MIN_VALUE; // Each quotient of the plain sum is rounded to a double.
    expect(Math.abs((mean as number) - plain)).toBeLessThanOrEqual(scale * 1e-12 + underflow);
    expect(line.x.length).toBeLessThanOrEqual(1000);
    for (const [bucket, start] of line.x.entries()) {
      const within = values.slice(start, start + line.step).filter(Number.isFinite);
      expect(line.low[bucket]).toBe(within.length === 0 ? null : Math.min(...within));
      expect(line.high[bucket]).toBe(within.length === 0 ? null : Math.max(...within));
    }
  });

  test.prop([bigints, pieces])(
    'are what a plain computation finds, of integers of 64 bits',
    (values, sizes) => {
      const { min, max, mean, histogram } = summed(values, sizes);
      if (values.length === 0) return;
      const sorted = [...values].sort((a, b) => (a < b ? -1 : 1));
      expect([BigInt(min as string), BigInt(max as string)]).toEqual([sorted[0], sorted.at(-1)]);
      const exact =
        Number((values.reduce((sum, one) => sum + one, 0n) * 1000n) / BigInt(values.length)) / 1000;
      expect(Math.abs((mean as number) - exact)).toBeLessThanOrEqual(1 + Math.abs(exact) * 1e-12);
      expect(histogram.counts.length).toBeLessThanOrEqual(40);
      expect(histogram.counts).toEqual(plainCounts(values, histogram.edges));
    },
  );

  test.prop([doubles, pieces, pieces])('do not depend on the pieces in which they come', (values, a, b) => {
    const [first, second] = [summed(values, a), summed(values, b)];
    expect(first).toEqual({ ...second, mean: first.mean });
  });

  test('makes whole numbers bins of whole numbers', () => {
    const { histogram } = summed([0, 1, 2, 2, 3], [5]);
    expect(histogram).toEqual({ edges: [0, 1, 2, 3, 4], counts: [1, 1, 2, 1] });
  });
});
