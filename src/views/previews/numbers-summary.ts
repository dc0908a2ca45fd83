import { Histogram } from './histogram.ts';
import type { ExactNumber, NumbersSummary } from './shown.ts';

const MAX_BUCKETS = 1000;
const MAX_FIRST = 100;
/** Numbers from here on are scaled down before they are added up, so that no sum is infinite. */
const LARGE = 2 ** 900;
const DOWN = 2 ** -100;

/** A sum with what rounding took from it (Neumaier 1974). */
class Sum {
  #sum = 0;
  #rest = 0;

  add(value: number): void {
    const sum = this.#sum + value;
    this.#rest += Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - sum + value : value - sum + this.#sum;
    this.#sum = sum;
  }

  get value(): number {
    return this.#sum + this.#rest;
  }
}

/** Sums up numbers that come piece by piece, in one pass and bounded memory; how many there will be is known. */
export class NumbersTally {
  readonly #total: number;
  readonly #step: number;
  readonly #first: ExactNumber[] = [];
  readonly #low: (number | null)[] = [];
  readonly #high: (number | null)[] = [];
  readonly #histogram = new Histogram();
  readonly #sum = new Sum();
  readonly #largeSum = new Sum();
  #bigSum = 0n;
  #count = 0;
  #nans = 0;
  #infinities = 0;
  #min: number | bigint = Number.POSITIVE_INFINITY;
  #max: number | bigint = Number.NEGATIVE_INFINITY;
  #areWhole = true;

  constructor(total: number) {
    this.#total = total;
    this.#step = Math.max(1, Math.ceil(total / MAX_BUCKETS));
  }

  /** Adds what comes next. */
  add(values: ArrayLike<number> | ArrayLike<bigint>): void {
    for (let at = 0; at < values.length && this.#first.length < MAX_FIRST; at++)
      this.#first.push(exact(values[at] as number | bigint));
    if (values.length > 0 && typeof values[0] === 'bigint') this.#addBig(values as ArrayLike<bigint>);
    else this.#addDoubles(values as ArrayLike<number>);
  }

  /** What all numbers are together. */
  summary(dtype: string): NumbersSummary {
    const finite = this.#count - this.#nans - this.#infinities;
    return {
      count: this.#total,
      dtype,
      first: this.#first,
      nans: this.#nans,
      infinities: this.#infinities,
      min: finite === 0 ? null : exact(this.#min),
      max: finite === 0 ? null : exact(this.#max),
      mean: finite === 0 ? null : this.#mean(finite),
      histogram: this.#histogram.bins(this.#areWhole),
      line: {
        step: this.#step,
        x: this.#low.map((_, bucket) => bucket * this.#step),
        low: this.#low,
        high: this.#high,
      },
    };
  }

  /** Between the least and the greatest, whatever was rounded. */
  #mean(finite: number): number {
    const large = (this.#largeSum.value / finite) * (1 / DOWN);
    const mean = (this.#sum.value + Number(this.#bigSum)) / finite + large;
    return Math.max(Number(this.#min), Math.min(mean, Number(this.#max)));
  }

  /** Bucket by bucket. */
  #addDoubles(values: ArrayLike<number>): void {
    for (let at = 0; at < values.length; ) {
      const end = Math.min(values.length, at + this.#step - (this.#count % this.#step));
      let low = Number.POSITIVE_INFINITY;
      let high = Number.NEGATIVE_INFINITY;
      for (let index = at; index < end; index++) {
        const value = values[index] as number;
        if (!Number.isFinite(value)) {
          if (Number.isNaN(value)) this.#nans += 1;
          else this.#infinities += 1;
          continue;
        }
        if (value < low) low = value;
        if (value > high) high = value;
        if (Math.abs(value) < LARGE) this.#sum.add(value);
        else this.#largeSum.add(value * DOWN);
        if (this.#areWhole && !Number.isInteger(value)) this.#areWhole = false;
      }
      this.#endBucket(end - at, low, high);
      if (low <= high) {
        for (let index = at; index < end; index++) {
          const value = values[index] as number;
          if (Number.isFinite(value)) this.#histogram.count(value);
        }
      }
      at = end;
    }
  }

  /** Those that doubles hold are added as such. */
  #addBig(values: ArrayLike<bigint>): void {
    for (let at = 0; at < values.length; ) {
      const end = Math.min(values.length, at + this.#step - (this.#count % this.#step));
      let low = values[at] as bigint;
      let high = low;
      let sum = 0n;
      for (let index = at; index < end; index++) {
        const value = values[index] as bigint;
        if (value < low) low = value;
        if (value > high) high = value;
        sum += value;
      }
      this.#bigSum += sum;
      this.#endBucket(end - at, low, high);
      for (let index = at; index < end; index++) this.#histogram.countBig(values[index] as bigint);
      at = end;
    }
  }

  /** Adds a part of a bucket, or all of it. */
  #endBucket(count: number, low: number | bigint, high: number | bigint): void {
    const bucket = Math.floor(this.#count / this.#step);
    this.#count += count;
    this.#low[bucket] ??= null;
    this.#high[bucket] ??= null;
    if (low > high) return;
    if (low < this.#min) this.#min = low;
    if (high > this.#max) this.#max = high;
    const [lowest, highest] = [Number(low), Number(high)];
    this.#low[bucket] = Math.min(this.#low[bucket] ?? lowest, lowest);
    this.#high[bucket] = Math.max(this.#high[bucket] ?? highest, highest);
    this.#histogram.cover(low, high);
  }
}

function exact(value: number | bigint): ExactNumber {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  const double = Number(value);
  return Number.isSafeInteger(double) ? double : String(value);
}
