/** A part of an object that one request reads for several. */
export interface JoinedRange<T> {
  offset: number;
  length: number;
  items: T[];
}

/** The bounds of what one request reads, in bytes. */
export interface JoinLimits {
  /** What lies between two parts is read along up to here: a request costs as much. */
  maxGapBytes: number;
  /** One request reads no more than this, unless a single part is longer. */
  maxBytes: number;
}

/** Joins parts of one object that lie near each other, whatever their order, so that few requests read them. Parts may overlap. */
export function joinRanges<T>(
  parts: Iterable<T>,
  rangeOf: (part: T) => { offset: number; length: number },
  { maxGapBytes, maxBytes }: JoinLimits,
): JoinedRange<T>[] {
  const sorted = Array.from(parts, (part) => ({ part, ...rangeOf(part) })).sort(
    (a, b) => a.offset - b.offset,
  );
  const joined: JoinedRange<T>[] = [];
  for (const { part, offset, length } of sorted) {
    const last = joined.at(-1);
    const end = offset + length;
    const isNear = last && offset - (last.offset + last.length) <= maxGapBytes;
    if (isNear && end - last.offset <= maxBytes) {
      last.length = Math.max(last.length, end - last.offset);
      last.items.push(part);
    } else joined.push({ offset, length, items: [part] });
  }
  return joined;
}
