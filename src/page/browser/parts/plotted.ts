import { formatCount } from '../../../options/figures.ts';
import type { ExactNumber, NumbersSummary } from '../../../views/previews/shown.ts';

/** What a chart draws. */
export interface Plotted {
  /** `band`: two series, lowest and highest. */
  kind: 'bars' | 'band' | 'line' | 'points';
  xName: string;
  names: string[];
  /** The places, and a list of numbers for each series. */
  data: [number[], ...(number | null)[][]];
  xRange?: [number, number];
  /** The text of a place, where it is no number. */
  xText?: (value: number) => string;
}

/** The counts of the bins, in their middles; `undefined` where there are none. */
export function histogramOf({ histogram: { edges, counts } }: NumbersSummary): Plotted | undefined {
  if (counts.length === 0) return undefined;
  const middles = counts.map((_, bin) => ((edges[bin] as number) + (edges[bin + 1] as number)) / 2);
  const xRange: [number, number] = [edges[0] as number, edges.at(-1) as number];
  return { kind: 'bars', xName: 'value', names: ['count'], data: [middles, counts], xRange };
}

/** The numbers in their order: as they are, or between what lines where there are many; `undefined` of fewer than two. */
export function lineOfNumbers({ count, line }: NumbersSummary): Plotted | undefined {
  const { step, x, low, high } = line;
  if (count < 2 || low.every((value) => value === null)) return undefined;
  if (step === 1)
    return { kind: low.length <= 50 ? 'points' : 'line', xName: 'index', names: ['value'], data: [x, low] };
  return { kind: 'band', xName: 'index', names: ['lowest', 'highest'], data: [x, low, high] };
}

/** `500,000 numbers (float64), from -1.2 to 1.3, mean 0.01, 4 NaN`; what the charts show, in words. */
export function textOfNumbers({ count, dtype, min, max, mean, nans, infinities }: NumbersSummary): string {
  const facts = [
    `${formatCount(count)} numbers (${dtype})`,
    ...(min === null || max === null
      ? [count === 0 ? 'empty' : 'none is finite']
      : [`from ${exact(min)} to ${exact(max)}`]),
    ...(mean === null ? [] : [`mean ${exact(mean)}`]),
    ...(nans === 0 ? [] : [`${formatCount(nans)} NaN`]),
    ...(infinities === 0 ? [] : [`${formatCount(infinities)} infinite`]),
  ];
  return facts.join(', ');
}

/** A number in six digits, or as many as an integer has. */
export function exact(value: ExactNumber): string {
  if (typeof value === 'string') return value;
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}
