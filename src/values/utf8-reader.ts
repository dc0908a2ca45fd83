import { type Buffer, constants } from 'node:buffer';
import { Malformed } from './faults.ts';

// Longer than this, V8 would make a rope of characters that are appended.
const APPENDED_BYTES = 12;
const SCANNED_BYTES = 256;
const MAX_KEY_BYTES = 32;
const KEY_SLOTS = 1024;

const decoder = newDecoder();

function newDecoder(): InstanceType<typeof TextDecoder> {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
}

/** Node.js decodes no more bytes at once than a string can have characters, though each may take three. */
const WHOLE_BYTES = constants.MAX_STRING_LENGTH;
const PIECE_BYTES = 64 * 1024 * 1024;

/**
 * The string that `bytes[start, end)` are in UTF-8; throws {@link Malformed} where they are not. More than `wholeBytes` are decoded in
 * pieces, of `pieceBytes`.
 */
export function readUtf8(
  bytes: Buffer,
  start: number,
  end: number,
  wholeBytes: number = WHOLE_BYTES,
  pieceBytes: number = PIECE_BYTES,
): string {
  const length = end - start;
  if (length <= SCANNED_BYTES && isAscii(bytes, start, end)) {
    return length <= APPENDED_BYTES ? appended(bytes, start, end) : bytes.toString('latin1', start, end);
  }
  try {
    const text = bytes.subarray(start, end);
    return length <= wholeBytes ? decoder.decode(text) : decodeInPieces(text, pieceBytes);
  } catch (cause) {
    throw new Malformed(`a string that is not valid UTF-8, or too long, at byte ${start}`, { cause });
  }
}

function decodeInPieces(bytes: Uint8Array, pieceBytes: number): string {
  // One of its own: what it keeps of a piece that failed must not reach another string.
  const ownDecoder = newDecoder();
  let text = '';
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    text += ownDecoder.decode(bytes.subarray(start, start + pieceBytes), { stream: true });
  }
  return text + ownDecoder.decode();
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let position = start; position < end; position++) {
    if ((bytes[position] as number) >= 0x80) return false;
  }
  return true;
}

function appended(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let position = start; position < end; position++) {
    text += String.fromCharCode(bytes[position] as number);
  }
  return text;
}

const recentKeys: string[] = new Array(KEY_SLOTS).fill('');

/** {@link readUtf8}, with a small memory of recent keys: records repeat theirs. */
export function readKey(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > MAX_KEY_BYTES) return readUtf8(bytes, start, end);
  let hash = length;
  for (let position = start; position < end; position++) {
    hash = (Math.imul(hash, 31) + (bytes[position] as number)) | 0;
  }
  const slot = (hash ^ (hash >>> 10)) & (KEY_SLOTS - 1);
  const recent = recentKeys[slot] as string;
  if (recent.length === length && isAsciiAt(bytes, start, recent)) return recent;
  const key = readUtf8(bytes, start, end);
  // Only ASCII has as many characters as bytes.
  if (key.length === length) recentKeys[slot] = key;
  return key;
}

function isAsciiAt(bytes: Uint8Array, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[start + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}
