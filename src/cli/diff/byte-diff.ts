import { formatBytes, formatCount } from '../ui/sizes.ts';

/** The difference of bytes. */
export interface ByteDiff {
  /** Lengths. */
  a: number;
  b: number;
  /** Offset of the first byte that differs, or that only one of them has. */
  first: number;
  /** The number of bytes that differ, of those that both have. */
  differ: number;
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
