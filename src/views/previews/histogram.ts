/** The most bins. */
export const MAX_BINS = 40;

const LEAST_WIDTH = Number.MIN_VALUE;

/**
 * Counts numbers in bins while they come, and is exact: bins are as wide as a power of two, and begin at multiples of it, so that two of them
 * make one of the next width. The width is the least that leaves {@link MAX_BINS} bins, and no finer than doubles of that size are; of numbers that
 * are all equal, it is at least 1. It depends on the numbers alone, and not on their order.
 */
export class Histogram {
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  /** 0 as long as all numbers are one. */
  #width = 0;
  /** The number of the first bin, which begins at that many widths. */
  #first = 0;
  #counts: number[] = [];
  #ofOne = 0;

  /** Makes room for numbers from `min` to `max`, which are finite. */
  cover(min: number | bigint, max: number | bigint): void {
    this.#cover(doubleBelow(min), doubleBelow(max));
  }

  #cover(min: number, max: number): void {
    const [before, after] = [
      { min: this.#min, max: this.#max },
      { min, max },
    ];
    this.#min = Math.min(before.min, after.min);
    this.#max = Math.max(before.max, after.max);
    if (this.#min === before.min && this.#max === before.max) return;
    if (this.#min === this.#max) return;
    if (this.#width === 0) {
      this.#width = widthFor(this.#min, this.#max);
      this.#first = binOf(this.#min, this.#width);
      this.#counts = emptyBins(this.#min, this.#max, this.#width);
      if (this.#ofOne > 0) this.#counts[binOf(before.min, this.#width) - this.#first] = this.#ofOne;
      return;
    }
    let width = this.#width;
    while (!isWideEnough(this.#min, this.#max, width)) width *= 2;
    this.#widen(width);
  }

  /** Counts a number that is covered. */
  count(value: number): void {
    if (this.#width === 0) this.#ofOne += 1;
    else (this.#counts[binOf(value, this.#width) - this.#first] as number) += 1;
  }

  /** Counts a covered integer that no double holds. */
  countBig(value: bigint): void {
    if (this.#width < 1) {
      this.count(Number(value)); // exact, or equal to all others: bins are no finer than doubles
      return;
    }
    const bin = Number(value >> BigInt(Math.round(Math.log2(this.#width))));
    (this.#counts[bin - this.#first] as number) += 1;
  }

  /** The bins; of numbers that are all whole, none is narrower than 1. */
  bins(areWhole: boolean): { edges: number[]; counts: number[] } {
    if (this.#ofOne === 0 && this.#width === 0) return { edges: [], counts: [] };
    if (this.#width === 0) {
      this.#width = Math.max(ulp(this.#min), 1);
      this.#first = binOf(this.#min, this.#width);
      this.#counts = [this.#ofOne];
    }
    if (areWhole && this.#width < 1) this.#widen(1);
    const edges = Array.from({ length: this.#counts.length + 1 }, (_, bin) => this.#edge(bin));
    return { edges, counts: [...this.#counts] };
  }

  /** The last edge may be beyond all doubles. */
  #edge(bin: number): number {
    const edge = (this.#first + bin) * this.#width;
    return Math.max(-Number.MAX_VALUE, Math.min(edge, Number.MAX_VALUE));
  }

  #widen(width: number): void {
    const ratio = width / this.#width;
    const first = binOf(this.#min, width);
    const counts = emptyBins(this.#min, this.#max, width);
    for (const [bin, count] of this.#counts.entries())
      if (count > 0) (counts[binOf(this.#first + bin, ratio) - first] as number) += count;
    this.#width = width;
    this.#first = first;
    this.#counts = counts;
  }
}

/** The number of the bin of a value. A quotient that is too small for a double is 0, and those below 0 belong to the bin before. */
function binOf(value: number, width: number): number {
  const bin = Math.floor(value / width);
  return bin === 0 && value < 0 ? -1 : bin;
}

function emptyBins(min: number, max: number, width: number): number[] {
  return new Array<number>(binOf(max, width) - binOf(min, width) + 1).fill(0);
}

function isWideEnough(min: number, max: number, width: number): boolean {
  // Finer than this, the number of a bin would be none that a double holds.
  if (width < Math.max(ulp(min), ulp(max))) return false;
  return binOf(max, width) - binOf(min, width) < MAX_BINS;
}

function widthFor(min: number, max: number): number {
  const about = max / MAX_BINS - min / MAX_BINS;
  let width = Math.max(about > 0 ? 2 ** Math.floor(Math.log2(about)) : 0, LEAST_WIDTH, ulp(min), ulp(max));
  while (!isWideEnough(min, max, width)) width *= 2;
  while (width / 2 > 0 && isWideEnough(min, max, width / 2)) width /= 2;
  return width;
}

/** The distance of neighbours among doubles of that size, or twice it. */
function ulp(value: number): number {
  return Math.max(2 ** (Math.floor(Math.log2(Math.abs(value))) - 52), LEAST_WIDTH);
}

/** The greatest double that is no more than an integer, or than a double. Both are in one bin of any width from {@link ulp} on. */
function doubleBelow(value: number | bigint): number {
  if (typeof value === 'number') return value;
  const bits = BigInt(Math.max(0, value.toString(2).replace('-', '').length - 53));
  return Number((value >> bits) << bits);
}
