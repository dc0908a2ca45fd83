import { HOLE, ownElement } from './own-data.ts';

/** So many holes of an array are looked at one by one, which is fastest for few; then its elements are listed. */
const LOOKED_AT = 1024;

/**
 * Tells how many holes of an array follow each other, in time that grows with its elements and not with its length: a program may set
 * an element at 10^8, and asking for each hole before it takes a minute.
 */
export class HoleRuns {
  private readonly array: readonly unknown[];
  private left = LOOKED_AT;
  /** The indexes of all elements, in order, once they were listed; and how many of them lie before where the search is. */
  private indexes: readonly string[] = [];
  private passed = 0;

  constructor(array: readonly unknown[]) {
    this.array = array;
  }

  /** The number of holes from `start` on, which is one; `start` never goes back. */
  from(start: number): number {
    const { length } = this.array;
    let end = start + 1;
    while (this.left > 0 && end < length && ownElement(this.array, end) === HOLE) {
      end++;
      // Indexes come first, in their order; what follows them is no number.
      if (--this.left === 0) this.indexes = Object.getOwnPropertyNames(this.array);
    }
    if (this.left === 0) end = this.nextIndex(end);
    return end - start;
  }

  private nextIndex(start: number): number {
    const { indexes } = this;
    while (this.passed < indexes.length && Number(indexes[this.passed]) < start) this.passed++;
    const next = Number(indexes[this.passed]);
    return Number.isNaN(next) ? this.array.length : next;
  }
}
