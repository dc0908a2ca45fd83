/** An axis: where on the page a value stands, and the values that are marked. */
export interface Scale {
  /** The place of a value, in pixels, with two digits behind the point. */
  at(value: number): number;
  ticks: readonly number[];
  /** The text of a tick. */
  label(tick: number): string;
}

/** The smallest and the largest of finite values. */
export interface Extent {
  min: number;
  max: number;
}

/** Larger values are left out, as those that are not finite: sums of two that are drawn are finite. */
const MAX_VALUE = 1e300;
/** The part of a value that a span of values has to have, to be told from nothing. */
const LEAST_SPAN = 1e-12;

/** Tells whether a value can be drawn. */
export function isDrawn(value: number): boolean {
  return Math.abs(value) <= MAX_VALUE;
}

/** Extends an extent, which may be empty, by a value, if that can be drawn. */
export function extended(extent: Extent | undefined, value: number): Extent | undefined {
  if (!isDrawn(value)) return extent;
  if (!extent) return { min: value, max: value };
  if (value < extent.min) extent.min = value;
  else if (value > extent.max) extent.max = value;
  return extent;
}

/** The extent, or one around it where it is too narrow to be drawn. */
export function widened({ min, max }: Extent): Extent {
  const size = Math.max(Math.abs(min), Math.abs(max));
  const isWide = max - min > Math.max(size * LEAST_SPAN, 1e-300);
  const pad = isWide ? 0 : size > 1e-300 ? size / 2 : 0.5;
  return { min: min - pad, max: max + pad };
}

/**
 * A linear axis from `from` to `to` on the page, whose marks are multiples of 1, 2 or 5 times a power of ten.
 *
 * @param isTight - ends at the least and the largest value; else at the marks around them
 */
export function linearScale(extent: Extent, from: number, to: number, count: number, isTight = false): Scale {
  const { min, max } = widened(extent);
  const step = niceStep((max - min) / count);
  const start = isTight ? min : Math.floor(min / step + 1e-9) * step;
  const end = isTight ? max : Math.ceil(max / step - 1e-9) * step;
  const ticks: number[] = [];
  for (let index = Math.ceil(start / step - 1e-9); index * step <= end + step * 1e-9; index++) {
    ticks.push(index === 0 ? 0 : index * step);
  }
  const at = (value: number): number => rounded(from + ((value - start) / (end - start)) * (to - from));
  return { at, ticks, label: labelOf(step) };
}

/** So that the text of a drawing is short, and equal on every machine. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const [nice = 10] = [1, 2, 5].filter((factor) => factor * power >= rough * 0.999);
  return nice * power;
}

function labelOf(step: number): (tick: number) => string {
  const digits = -Math.floor(Math.log10(step) + 1e-9);
  return (tick) => {
    if (Math.abs(tick) >= 1e15 || digits > 6) return String(Number(tick.toPrecision(6)));
    return tick.toFixed(Math.max(0, digits));
  };
}
