import { StowageError } from '../errors.ts';

/** RFC 8878, section 3.1.1. */
const ZSTD_MAGIC = 0xfd2fb528;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/**
 * Checks, before a decoder sees it, that `frame` is exactly one zstd frame that claims to hold `rawBytes` bytes, needs
 * no dictionary and no window larger than its content. Hostile bytes can then make no decoder allocate more than that.
 * The decoder finds out whether the blocks hold what they claim.
 *
 * @throws StowageError `CONTENT_DAMAGED`
 */
export function checkZstdFrame(frame: Uint8Array, rawBytes: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== ZSTD_MAGIC) throw damaged('is no zstd frame');

  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw damaged('sets a reserved bit');
  if ((descriptor & 0x03) !== 0) throw damaged('needs a dictionary');

  let at = 5;
  if (!isSingleSegment) {
    const window = view.getUint8(at++);
    const base = 2 ** (10 + (window >>> 3));
    const windowBytes = base + (base / 8) * (window & 0x07);
    if (windowBytes > rawBytes) throw damaged(`needs a window of ${windowBytes} bytes`);
  }

  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] as number);
  if (sizeBytes === 0) throw damaged('does not tell its content size');
  if (at + sizeBytes > frame.length) throw damaged('is truncated');
  const contentBytes = readContentSize(view, at, sizeBytes);
  if (contentBytes !== rawBytes) throw damaged(`claims to hold ${contentBytes} bytes, not ${rawBytes}`);
  at += sizeBytes;

  for (let isLast = false; !isLast; ) {
    if (at + 3 > frame.length) throw damaged('is truncated');
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const blockType = (header >>> 1) & 0x03;
    if (blockType === BLOCK_RESERVED) throw damaged('has a block of a reserved type');
    isLast = (header & 1) !== 0;
    at += 3 + (blockType === BLOCK_RLE ? 1 : header >>> 3);
  }
  const hasChecksum = (descriptor & 0x04) !== 0;
  if (hasChecksum) at += 4;
  if (at > frame.length) throw damaged('is truncated');
  if (at < frame.length) throw damaged(`is followed by ${frame.length - at} bytes`);
}

/** The bytes by which a content size makes a header longer, at most. */
export const MAX_CONTENT_SIZE_GROWTH = 3;

/**
 * Writes `frame` to the start of `target`, with `rawBytes` as its content size where its header tells only a window. Returns its
 * length, at most {@link MAX_CONTENT_SIZE_GROWTH} more than that of `frame`. Nothing but the header changes: blocks do not depend on it, and the
 * window of a frame of one segment is all of its content.
 */
export function writeWithContentSize(target: Uint8Array, frame: Uint8Array, rawBytes: number): number {
  const descriptor = frame[4] as number;
  const tellsOnlyWindow = (descriptor & 0xe0) === 0;
  if (!tellsOnlyWindow) {
    target.set(frame);
    return frame.length;
  }
  const sizeFlag = rawBytes < 256 ? 0 : rawBytes < 65_536 + 256 ? 1 : 2;
  const sizeBytes = sizeFlag === 0 ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] as number);
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  view.setUint32(0, ZSTD_MAGIC, true);
  view.setUint8(4, (sizeFlag << 6) | 0x20 | descriptor);
  if (sizeBytes === 1) view.setUint8(5, rawBytes);
  else if (sizeBytes === 2) view.setUint16(5, rawBytes - 256, true);
  else view.setUint32(5, rawBytes, true);
  target.set(frame.subarray(6), 5 + sizeBytes);
  return frame.length - 1 + sizeBytes;
}

function readContentSize(view: DataView, at: number, sizeBytes: number): number {
  if (sizeBytes === 1) return view.getUint8(at);
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

function damaged(what: string): StowageError {
  return new StowageError('CONTENT_DAMAGED', `Stored content is damaged: its compressed payload ${what}.`, {
    details: { reason: `its compressed payload ${what}` },
  });
}
