import { formatBytes, formatCount } from '../../options/figures.ts';
import type { ByteDiff, NumberDiff } from '../../views/comparison-json.ts';
import type { NumberList } from '../../views/values/value-kind.ts';
import { differingPart } from './alignment.ts';
import type { Changes } from './changes.ts';

/** Compares element by element; NaN equals itself. */
export function diffNumbers(a: NumberList, b: NumberList): NumberDiff {
  const sizes = { a: a.length, b: b.length };
  if (a.length !== b.length) {
    const { head, aEnd } = differingPart(a, b);
    return { ...sizes, sameHead: head, sameTail: a.length - aEnd };
  }
  let [differ, first, most] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    const [x, y] = [a[index] as number | bigint, b[index] as number | bigint];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (differ === 0) first = index;
    differ += 1;
    most = Math.max(most, distance(x, y));
  }
  return { ...sizes, differ, first, ...(Number.isFinite(most) ? { maxDifference: most } : {}) };
}

/** Tells the elements that differ: by their index, between what is the same at the beginning and at the end of both. */
export function changedElements(a: NumberList, b: NumberList, changes: Changes): void {
  const { head, aEnd, bEnd } = differingPart(a, b);
  for (let index = head; index < Math.max(aEnd, bEnd); index++) {
    const [x, y] = [a[index], b[index]];
    const path = `[${index}]`;
    if (index >= aEnd) changes.add({ path, change: 'added', b: y });
    else if (index >= bEnd) changes.add({ path, change: 'removed', a: x });
    else if (x !== y && !(Number.isNaN(x) && Number.isNaN(y)))
      changes.add({ path, change: 'changed', a: x, b: y });
  }
}

/** The distance of two numbers. Infinite, if one of them is no number. */
export function distance(x: unknown, y: unknown): number {
  if (typeof x === 'bigint' && typeof y === 'bigint') return Math.abs(Number(x - y));
  const areNumbers = typeof x === 'number' && typeof y === 'number';
  return areNumbers && !Number.isNaN(x - y) ? Math.abs(x - y) : Number.POSITIVE_INFINITY;
}

/** `3 of 1,000 elements differ, the first at 17, by 0.5 at most` */
export function numberDiffText({
  a,
  b,
  differ,
  first,
  maxDifference,
  sameHead,
  sameTail,
}: NumberDiff): string {
  if (differ !== undefined) {
    if (differ === 0) return `${formatCount(a)} elements, of equal value`;
    const most = maxDifference === undefined ? '' : `, by ${shortNumber(maxDifference)} at most`;
    return `${formatCount(differ)} of ${formatCount(a)} elements differ, the first at ${first}${most}`;
  }
  const [head = 0, tail = 0] = [sameHead, sameTail];
  const sizes = `${formatCount(a)} -> ${formatCount(b)} elements`;
  if (head + tail === Math.min(a, b)) {
    const what = a < b ? 'added' : 'removed';
    return `${sizes}, ${formatCount(Math.abs(b - a))} ${what} at ${formatCount(head)}`;
  }
  return `${sizes}, different from ${formatCount(head)} on${tail === 0 ? '' : `, the last ${formatCount(tail)} the same`}`;
}

/** Rounds to 3 digits that count. */
export function shortNumber(number: number): string {
  return String(Number(number.toPrecision(3)));
}

export function diffBytes(a: Uint8Array, b: Uint8Array): ByteDiff {
  const common = Math.min(a.length, b.length);
  let [first, differ] = [common, 0];
  for (let offset = 0; offset < common; offset++) {
    if (a[offset] === b[offset]) continue;
    if (differ === 0) first = offset;
    differ += 1;
  }
  return { a: a.length, b: b.length, first, differ };
}

/** `3 of 4,000,000 bytes differ, the first at 2,000,000` */
export function byteDiffText({ a, b, first, differ }: ByteDiff): string {
  if (a !== b) {
    const sizes = `${formatBytes(a)} -> ${formatBytes(b)}`;
    if (differ > 0) return `${sizes}, different from byte ${formatCount(first)} on`;
    return `${sizes}, ${formatCount(Math.abs(b - a))} bytes ${a < b ? 'added' : 'removed'} at the end`;
  }
  if (differ === 0) return `${formatBytes(a)}, the same bytes`;
  return `${formatCount(differ)} of ${formatCount(a)} bytes differ, the first at ${formatCount(first)}`;
}
