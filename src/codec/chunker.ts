import { GEAR } from './gear-table.ts';

/** Names the algorithm, its table and its constants, in manifests: other cuts would need another name. */
export const CHUNKER_ID = 'gear-1';
/** No chunk but the last is shorter. */
export const MIN_CHUNK_BYTES: number = 16 * 1024;
/** From here on cuts are four times as likely. */
export const NORMAL_CHUNK_BYTES: number = 64 * 1024;
/** No chunk is longer. */
export const MAX_CHUNK_BYTES: number = 256 * 1024;

/** 17 high bits before the normal size, 15 after it: the high bits of a gear hash depend on the most bytes. */
export const STRICT_MASK: number = 0xffff8000 | 0;
export const LOOSE_MASK: number = 0xfffe0000 | 0;
/** Older bytes have been shifted out of the 32 bits of the hash. */
const WINDOW_BYTES = 32;
/** A binding of this module, since it is read for each byte: where modules are run by a loader, what is imported is looked up. */
const TABLE: Int32Array = GEAR;

/**
 * Finds the end of the chunk that begins at `start`. Pure: it depends on no byte before `start`, and on none after the cut.
 *
 * For each byte from offset {@link MIN_CHUNK_BYTES} of the chunk on, `hash = (hash << 1) + GEAR[byte]` modulo 2^32, from
 * 0; the chunk ends after the first byte that leaves zero in all bits of the mask. This is the definition; `kernel.ts` has what
 * is called.
 *
 * FastCDC (Xia et al., USENIX ATC 2016) with normalized chunking at level 1, on the high bits of a 32-bit hash.
 *
 * @param end - the end of the content that is at hand: [start, end) has to hold {@link MAX_CHUNK_BYTES} or all that is left.
 */
export function nextCut(bytes: Uint8Array, start: number, end: number): number {
  const first = start + MIN_CHUNK_BYTES;
  if (first >= end) return end;
  const normal = Math.min(end, start + NORMAL_CHUNK_BYTES);
  const last = Math.min(end, start + MAX_CHUNK_BYTES);
  return (
    scan(bytes, 0, first, normal, STRICT_MASK) ||
    scan(bytes, hashOf(bytes, normal - WINDOW_BYTES, normal), normal, last, LOOSE_MASK) ||
    last
  );
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at++) hash = roll(hash, bytes[at] as number);
  return hash;
}

function roll(hash: number, byte: number): number {
  return ((hash << 1) + (TABLE[byte] as number)) | 0;
}

/** The first cut after one of the bytes in [from, to), or 0. Four bytes a turn: a third faster than one. */
function scan(bytes: Uint8Array, hash: number, from: number, to: number, mask: number): number {
  let at = from;
  let hash4 = hash;
  for (const lastTurn = to - 4; at <= lastTurn; at += 4) {
    const hash1 = roll(hash4, bytes[at] as number);
    const hash2 = roll(hash1, bytes[at + 1] as number);
    const hash3 = roll(hash2, bytes[at + 2] as number);
    hash4 = roll(hash3, bytes[at + 3] as number);
    if ((hash1 & mask) === 0) return at + 1;
    if ((hash2 & mask) === 0) return at + 2;
    if ((hash3 & mask) === 0) return at + 3;
    if ((hash4 & mask) === 0) return at + 4;
  }
  for (; at < to; at++) {
    hash4 = roll(hash4, bytes[at] as number);
    if ((hash4 & mask) === 0) return at + 1;
  }
  return 0;
}
