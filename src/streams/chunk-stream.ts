import { types } from 'node:util';
import { MAX_CHUNK_BYTES } from '../codec/chunker.ts';
import { nextCut } from '../codec/kernel.ts';
import { invalidArgument } from '../errors.ts';

const BUFFER_BYTES = 4 * 1024 * 1024;

/** The forms in which content may come: all at once, or piece by piece. */
export type ContentSource = Uint8Array | AsyncIterable<Uint8Array>;

/** Cuts bytes into chunks, which are views of them. */
export function* chunksIn(bytes: Uint8Array, from = 0, to: number = bytes.length): Generator<Uint8Array> {
  for (let start = from; start < to; ) {
    const end = nextCut(bytes, start, to);
    yield bytes.subarray(start, end);
    start = end;
  }
}

/**
 * Cuts a stream into chunks by its bytes alone, however they arrive. A chunk is a view that holds until the next one is asked for.
 * It takes up 4 MiB of memory beside the caller's pieces.
 */
export async function* chunksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  let start = 0;
  let end = 0;
  for await (const piece of source) {
    ensureBytes(piece);
    for (let taken = 0; taken < piece.length; ) {
      if (end === buffer.length) {
        buffer.copyWithin(0, start, end);
        end -= start;
        start = 0;
      }
      const length = Math.min(buffer.length - end, piece.length - taken);
      buffer.set(piece.subarray(taken, taken + length), end);
      taken += length;
      end += length;
      while (end - start >= MAX_CHUNK_BYTES) {
        const cut = nextCut(buffer, start, end);
        yield buffer.subarray(start, cut);
        start = cut;
      }
    }
  }
  yield* chunksIn(buffer, start, end);
}

/** Throws `INVALID_ARGUMENT` unless a stream's piece is bytes. */
export function ensureBytes(piece: unknown): asserts piece is Uint8Array {
  if (piece instanceof Uint8Array) return;
  throw invalidArgument(`Content must be a Uint8Array or an async iterable of them, but ${given(piece)}.`);
}

/** What came in place of bytes, and how they are made of it. */
function given(piece: unknown): string {
  if (typeof piece === 'string') return 'a string came; encode text with Buffer.from(text)';
  if (types.isAnyArrayBuffer(piece)) return 'an ArrayBuffer came; give new Uint8Array(buffer)';
  if (ArrayBuffer.isView(piece))
    return 'another view of bytes came; give new Uint8Array(view.buffer, view.byteOffset, view.byteLength)';
  return piece === null || piece === undefined
    ? `${piece} came`
    : `something of the type ${typeof piece} came`;
}

/** Throws `INVALID_ARGUMENT` unless a content is a stream; bytes were asked for before. */
export function ensureStream(value: unknown): asserts value is AsyncIterable<Uint8Array> {
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) return;
  ensureBytes(value);
  throw new TypeError('unreachable: bytes are not a stream');
}
