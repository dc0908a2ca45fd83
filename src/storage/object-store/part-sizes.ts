const PARTS_OF_ONE_SIZE = 700;
const MAX_PART_BYTES = 1024 * 1024 * 1024;

/**
 * How large part `index` (from 0) of an object of unknown length is, in bytes. The size doubles after every 700 parts, up
 * to 1 GiB: from 5 MiB on, 10,000 parts hold 5 TiB, yet a short stream takes little memory.
 */
export function partBytesAt(index: number, firstPartBytes: number): number {
  const grown = firstPartBytes * 2 ** Math.floor(index / PARTS_OF_ONE_SIZE);
  return Math.min(grown, Math.max(firstPartBytes, MAX_PART_BYTES));
}
