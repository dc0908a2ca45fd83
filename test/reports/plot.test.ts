import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Plot, renderPlot } from '../../src/reports/plot.ts';
import { test } from '../property.ts';

const values = fc.array(fc.double(), { maxLength: 30 });

/** The numbers that a drawing is made of. */
function numbersOf(svg: string): number[] {
  const drawn = svg.replace(/<text[^>]*>[^<]*<\/text>/g, '').replace(/#[0-9a-f]{6}/g, '');
  return [...drawn.matchAll(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g)].map(([text]) => Number(text));
}

describe('a plot', () => {
  const kinds = fc.constantFrom('line', 'bar', 'scatter', 'histogram' as const);
  test.prop([kinds, fc.array(values, { minLength: 1, maxLength: 3 })])(
    'of any numbers is drawn within its frame',
    (kind, all) => {
      const svg = renderPlot({ kind: kind as Plot['kind'], series: all.map((y) => ({ y })) });
      expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
      for (const number of numbersOf(svg)) {
        expect(number).toBeGreaterThanOrEqual(-90);
        expect(number).toBeLessThanOrEqual(720);
      }
    },
  );

  test.prop([values.filter((y) => y.some(Number.isFinite)), values])('has texts at its axes', (y, x) => {
    const svg = renderPlot({ kind: 'scatter', y, ...(x.length === y.length ? { x } : {}) });
    expect([...svg.matchAll(/<text/g)].length).toBeGreaterThan(0);
  });

  it('of no finite value says so', () => {
    for (const y of [[], [Number.NaN], [Number.POSITIVE_INFINITY]])
      for (const kind of ['line', 'bar', 'scatter', 'histogram'] as const)
        expect(renderPlot({ kind, y })).toContain('no finite values');
  });

  it('has a gap where a value is missing, and shows a value that stands alone', () => {
    const path = (y: number[]): string => / d="([^"]*)" fill="none"/.exec(renderPlot({ y }))?.[1] as string;
    expect(path([1, 2, 3]).match(/M/g)).toHaveLength(1);
    expect(path([1, Number.NaN, 3, 4]).match(/M/g)).toHaveLength(2);
    expect(path([5])).toMatch(/^M[\d. ]+h0$/);
  });

  it('has ticks that people read', () => {
    const labels = (y: number[]): string[] =>
      [...renderPlot({ y }).matchAll(/text-anchor="end">([^<]*)</g)].map(([, text]) => text as string);
    expect(labels([0, 1])).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']);
    expect(labels([-1_000, 3_000])).toEqual(['-1000', '0', '1000', '2000', '3000']);
    expect(labels([0.001, 0.0015])).toContain('0.0012');
    expect(labels([1e12, 3e12])).toContain('2000000000000');
  });

  it('of a histogram counts every finite value once', () => {
    const svg = renderPlot({ kind: 'histogram', y: [0, 0, 0, 1, 2, Number.NaN], bins: 2, height: 360 });
    const heights = [...svg.matchAll(/height="([\d.]+)" fill="#/g)].map(([, height]) => Number(height));
    expect(heights).toHaveLength(2);
    expect((heights[0] as number) / (heights[1] as number)).toBeCloseTo(1.5, 1);
  });

  it('of many values stays small', () => {
    const y = Float64Array.from({ length: 100_000 }, (_, index) => Math.sin(index / 1_000) + (index % 7));
    expect(renderPlot({ y }).length).toBeLessThan(150_000);
    expect(renderPlot({ kind: 'scatter', y }).length).toBeLessThan(1_500_000);
    expect(renderPlot({ kind: 'histogram', y }).length).toBeLessThan(20_000);
  });
});
