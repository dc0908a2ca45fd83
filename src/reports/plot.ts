import { types } from 'node:util';
import { invalidArgument, type StowageError } from '../errors.ts';
import { checkOptions, oneOf, TEXT, wholeNumber } from '../options/option-table.ts';
import { type CheckedPlot, type CheckedSeries, drawPlot, type PlotNumbers } from './plot-drawing.ts';

export type { PlotNumbers };

/** One line, set of bars, cloud of points or distribution of a plot. */
export interface PlotSeries {
  /** The name in the legend. Default: none. */
  name?: string | undefined;
  /** Default: that of the plot. */
  x?: PlotNumbers | readonly string[] | undefined;
  /** The values. What is not finite, or beyond 1e300, is left out, and a line has a gap there. */
  y: PlotNumbers;
}

/** A plot of a report, drawn as SVG. */
export interface Plot {
  /**
   * - `line` (the default) and `scatter`: `y` over `x`, which are numbers. Default of `x`: 0, 1, 2, ...
   * - `bar`: `y` for each of `x`, which are texts or numbers.
   * - `histogram`: how many of `y` lie where; no `x`.
   */
  kind?: 'line' | 'bar' | 'scatter' | 'histogram' | undefined;
  /** Shared by all series that have none of their own. */
  x?: PlotNumbers | readonly string[] | undefined;
  /** The values of the only series. */
  y?: PlotNumbers | undefined;
  /** Several series, 20 at most, in place of `y`. */
  series?: readonly PlotSeries[] | undefined;
  /** Stands above the plot. Default: none. */
  title?: string | undefined;
  /** Stands below the axis. Default: none. */
  xLabel?: string | undefined;
  /** Stands beside the axis. Default: none. */
  yLabel?: string | undefined;
  /** Of a histogram: the number of bins, 1 to 200. Default: 1 + log2 of the number of values. */
  bins?: number | undefined;
  /** In CSS pixels, 100 to 4,000. Default 720. */
  width?: number | undefined;
  /** In CSS pixels, 100 to 4,000. Default 360. */
  height?: number | undefined;
}

const MAX_SERIES = 20;
/** The most values of one plot. */
const MAX_VALUES = 2_000_000;
/** The most bars beside each other. */
const MAX_BARS = 1_000;
const SIZE = wholeNumber(100, 4_000, 'a number of pixels');

/**
 * Draws a plot as SVG.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function renderPlot(plot: Plot): string {
  return `<figure>${drawPlot(check(plot))}</figure>\n`;
}

function check(plot: Plot): CheckedPlot {
  if (typeof plot !== 'object' || plot === null)
    throw wrong('it is described by an object: { x, y, kind: "line" }');
  const numbers = { expects: 'numbers', accepts: (value: unknown) => isNumbers(value) };
  checkOptions<Plot>(plot, 'report.plot', {
    kind: oneOf('line', 'bar', 'scatter', 'histogram'),
    x: { expects: 'numbers, or texts for bars', accepts: (value) => isNumbers(value) || isTexts(value) },
    y: numbers,
    series: { expects: 'a list of { name, x, y }', accepts: Array.isArray },
    title: TEXT,
    xLabel: TEXT,
    yLabel: TEXT,
    bins: wholeNumber(1, 200),
    width: SIZE,
    height: SIZE,
  });
  const { kind = 'line', x, y, series, title, xLabel, yLabel, bins, width = 720, height = 360 } = plot;
  if ((y === undefined) === (series === undefined)) throw wrong('it has either `y` or `series`');
  if (bins !== undefined && kind !== 'histogram') throw wrong('`bins` are of a histogram');
  const given: readonly PlotSeries[] = series ?? [{ y: y as PlotNumbers }];
  if (given.length === 0 || given.length > MAX_SERIES) throw wrong(`it has 1 to ${MAX_SERIES} series`);
  const checked = given.map((one) => checkSeries(one, kind, x));
  if (checked.reduce((sum, one) => sum + one.y.length, 0) > MAX_VALUES)
    throw wrong(`it has at most ${MAX_VALUES} values; pass a sample of them`);
  if (kind === 'bar' && checked.some((one) => one.y.length > MAX_BARS))
    throw wrong(`it has at most ${MAX_BARS} bars of a series; a histogram or a line shows more`);
  return { kind, title, xLabel, yLabel, bins, width, height, series: checked };
}

function checkSeries(one: PlotSeries, kind: CheckedPlot['kind'], shared: Plot['x']): CheckedSeries {
  if (typeof one !== 'object' || one === null) throw wrong('a series is an object: { name, x, y }');
  const { name = '', x = shared, y } = one;
  if (typeof name !== 'string') throw wrong('the name of a series is a text');
  if (!isNumbers(y)) throw wrong('`y` of a series are numbers: an array or a typed array');
  if (x === undefined) return { name, x: undefined, labels: undefined, y };
  if (kind === 'histogram') throw wrong('a histogram has no `x`');
  if (x.length !== y.length) throw wrong(`\`x\` has ${x.length} members, and \`y\` ${y.length}`);
  if (isNumbers(x)) return { name, x, labels: undefined, y };
  if (kind === 'bar' && isTexts(x)) return { name, x: undefined, labels: x, y };
  throw wrong('`x` are numbers, or texts for bars; a time is a number: date.getTime()');
}

function isNumbers(value: unknown): value is PlotNumbers {
  if (Array.isArray(value)) return value.every((one) => typeof one === 'number');
  return types.isTypedArray(value) && !types.isBigInt64Array(value) && !types.isBigUint64Array(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function wrong(why: string): StowageError {
  return invalidArgument(`A plot of a report cannot be drawn: ${why}.`);
}
