import type { ArrowData, TypedArrayClass, TypedArrayView } from './arrow-library.ts';

/** `count` elements over the memory of `given`; with zeros after them, in a copy, where it has fewer. */
export function elements(
  given: TypedArrayView | undefined,
  ArrayType: TypedArrayClass,
  count: number,
): TypedArrayView {
  const width = ArrayType.BYTES_PER_ELEMENT;
  const bytes = Math.min(given?.byteLength ?? 0, count * width);
  if (given !== undefined && bytes === count * width && given.byteOffset % width === 0) {
    return new ArrayType(given.buffer, given.byteOffset, count);
  }
  const copy = new ArrayType(count);
  if (given !== undefined) {
    const target = new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
    target.set(new Uint8Array(given.buffer, given.byteOffset, bytes));
  }
  return copy;
}

/** The offsets of `length` rows. Those that are missing, or zero behind others, as the library leaves them, are of empty rows. */
export function offsetsOf(
  given: TypedArrayView | undefined,
  ArrayType: TypedArrayClass,
  length: number,
): TypedArrayView {
  const offsets = elements(given, ArrayType, length + 1);
  let known = offsets.length;
  while (known > 1 && Number(offsets[known - 1]) === 0) known--;
  const end = offsets[known - 1];
  if (known === offsets.length || Number(end) === 0) return offsets;
  const filled = offsets.slice();
  filled.fill(end as never, known);
  return filled;
}

/** Offsets as they are once what comes before the first of them is left out. */
export function fromZero(offsets: TypedArrayView): TypedArrayView {
  const begin = offsets[0];
  if (begin === undefined || Number(begin) === 0) return offsets;
  return offsets.map((offset) => ((offset as number) - (begin as number)) as never);
}

/** The validity of `length` rows: that of `given`, then nulls. */
export function validityOf(given: ArrowData | undefined, length: number): Uint8Array {
  const all = new Uint8Array(Math.ceil(length / 8));
  if (given === undefined) return all;
  const { nullCount, nullBitmap, offset, length: rows } = given;
  all.set(nullCount > 0 ? bits(nullBitmap, offset, rows) : ones(rows));
  return all;
}

function ones(count: number): Uint8Array {
  return bits(new Uint8Array(Math.ceil(count / 8)).fill(255), 0, count);
}

/** A copy of `count` bits from the bit `offset` on, least significant first, with zeros after them. */
export function bits(given: Uint8Array | undefined, offset: number, count: number): Uint8Array {
  const copy = new Uint8Array(Math.ceil(count / 8));
  if (given === undefined) return copy;
  const start = Math.floor(offset / 8);
  const shift = offset % 8;
  if (shift === 0) copy.set(given.subarray(start, start + copy.length));
  else {
    for (let index = 0; index < copy.length; index++) {
      const low = (given[start + index] ?? 0) >> shift;
      copy[index] = low | ((given[start + index + 1] ?? 0) << (8 - shift));
    }
  }
  const last = copy.length - 1;
  if (count % 8 !== 0) copy[last] = (copy[last] as number) & (2 ** (count % 8) - 1);
  return copy;
}
