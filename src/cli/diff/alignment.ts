import { diffArrays } from 'diff';

/** A stretch of two lists that is not the same: items of `a` in whose place are items of `b`; either may be none. */
export interface Gap {
  aStart: number;
  aEnd: number;
  bStart: number;
  bEnd: number;
}

/** The changes of the items of a gap. */
export interface GapVisitor {
  removed(a: number): void;
  added(b: number): void;
  /** One item that changed. */
  paired(a: number, b: number): void;
}

/** Two lists with more items added and removed are too different. */
export const MAX_EDITS = 1000;
/** All alignments of one value may take so many steps together, each the square of its edits: a few seconds. */
const MAX_STEPS = 8_000_000;
/** The most pairs of items that are compared within a gap. */
const MAX_COMPARED = 2500;
/** Items must be alike to this degree to be one item that changed. */
const LEAST_LIKENESS = 0.5;

/** Lays lists side by side, within bounds on the time that takes. */
export class Aligner {
  #stepsLeft = MAX_STEPS;

  /**
   * Finds where two lists differ, with as much of them as possible laid side by side. `undefined` if they are too different.
   *
   * (Myers, "An O(ND) difference algorithm and its variations", 1986.)
   */
  align(a: readonly number[], b: readonly number[], maxEdits: number = MAX_EDITS): Gap[] | undefined {
    const { head, aEnd, bEnd } = differingPart(a, b);
    if (head === aEnd && head === bEnd) return [];
    if (head === aEnd || head === bEnd) return [{ aStart: head, aEnd, bStart: head, bEnd }];
    const maxEditLength = Math.min(maxEdits, Math.floor(Math.sqrt(this.#stepsLeft)));
    const parts = diffArrays(a.slice(head, aEnd), b.slice(head, bEnd), { maxEditLength });
    const edits = parts?.reduce((sum, { added, removed, count }) => sum + (added || removed ? count : 0), 0);
    this.#stepsLeft -= (edits ?? maxEditLength) ** 2;
    return parts && toGaps(parts, head);
  }

  /**
   * Goes through the items of a gap in order. Those that are most alike are one item that changed; and where between two such
   * pairs as many items are left of `a` as of `b`, so are these.
   */
  walk(gap: Gap, likeness: (a: number, b: number) => number, visitor: GapVisitor): void {
    let [a, b] = [gap.aStart, gap.bStart];
    for (const [nextA, nextB] of [...this.#pairs(gap, likeness), [gap.aEnd, gap.bEnd] as const]) {
      while (a < nextA) visitor.removed(a++);
      while (b < nextB) visitor.added(b++);
      if (a < gap.aEnd && b < gap.bEnd) visitor.paired(a++, b++);
    }
  }

  #pairs({ aStart, aEnd, bStart, bEnd }: Gap, likeness: (a: number, b: number) => number): Pairs {
    const [rows, columns] = [aEnd - aStart, bEnd - bStart];
    const pairs: [number, number][] = [];
    let alike: Pairs = [];
    if (rows * columns <= Math.min(MAX_COMPARED, this.#stepsLeft)) {
      this.#stepsLeft -= rows * columns;
      alike = mostAlike(rows, columns, (i, j) => likeness(aStart + i, bStart + j));
    }
    let [a, b] = [aStart, bStart];
    for (const [i, j] of [...alike, [rows, columns] as const]) {
      const [nextA, nextB] = [aStart + i, bStart + j];
      if (nextA - a === nextB - b) while (a < nextA) pairs.push([a++, b++]);
      if (i < rows) pairs.push([nextA, nextB]);
      [a, b] = [nextA + 1, nextB + 1];
    }
    return pairs;
  }
}

/** The part of two lists that lies between their equal heads and their equal tails. */
export function differingPart(
  a: ArrayLike<unknown>,
  b: ArrayLike<unknown>,
): { head: number; aEnd: number; bEnd: number } {
  let head = 0;
  while (head < a.length && head < b.length && Object.is(a[head], b[head])) head += 1;
  let [aEnd, bEnd] = [a.length, b.length];
  while (aEnd > head && bEnd > head && Object.is(a[aEnd - 1], b[bEnd - 1])) {
    aEnd -= 1;
    bEnd -= 1;
  }
  return { head, aEnd, bEnd };
}

/** Counts the items that two lists have in common, in any order, each as often as both have it. */
export function commonItems(a: readonly number[], b: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const id of a) counts.set(id, (counts.get(id) ?? 0) + 1);
  let common = 0;
  for (const id of b) {
    const left = counts.get(id) ?? 0;
    if (left === 0) continue;
    counts.set(id, left - 1);
    common += 1;
  }
  return common;
}

function toGaps(parts: readonly { count: number; added: boolean; removed: boolean }[], head: number): Gap[] {
  const gaps: Gap[] = [];
  let [a, b] = [head, head];
  let open: Gap | undefined;
  for (const { count, added, removed } of parts) {
    if (!added && !removed) {
      open = undefined;
      a += count;
      b += count;
      continue;
    }
    if (!open) {
      open = { aStart: a, aEnd: a, bStart: b, bEnd: b };
      gaps.push(open);
    }
    if (removed) a += count;
    else b += count;
    open.aEnd = a;
    open.bEnd = b;
  }
  return gaps;
}

/** Pairs of indexes of `a` and of `b`, ascending on both sides. */
type Pairs = readonly (readonly [number, number])[];

/** The pairs whose likenesses have the greatest sum, none of them below the least. (Needleman and Wunsch, 1970.) */
function mostAlike(rows: number, columns: number, likeness: (i: number, j: number) => number): Pairs {
  const width = columns + 1;
  const best = new Float64Array((rows + 1) * width);
  const isPair = new Uint8Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      const like = likeness(i, j);
      const paired = like >= LEAST_LIKENESS ? like + (best[(i + 1) * width + j + 1] as number) : 0;
      const skipped = Math.max(best[(i + 1) * width + j] as number, best[i * width + j + 1] as number);
      isPair[i * width + j] = paired > skipped ? 1 : 0;
      best[i * width + j] = Math.max(paired, skipped);
    }
  }
  const pairs: [number, number][] = [];
  let [i, j] = [0, 0];
  while (i < rows && j < columns) {
    if (isPair[i * width + j]) pairs.push([i++, j++]);
    else if ((best[(i + 1) * width + j] as number) >= (best[i * width + j + 1] as number)) i += 1;
    else j += 1;
  }
  return pairs;
}
