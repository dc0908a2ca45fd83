import { types } from 'node:util';
import { isTurnOver, nextTurn } from '../async/turns.ts';
import { invalidArgument, type StowageError } from '../errors.ts';

/** So much is copied at once: into new memory a millisecond. */
const PIECE_BYTES = 1024 * 1024;

/** True for a view of memory that is gone: its buffer was transferred, or made shorter. */
export function isGone(view: ArrayBufferView): boolean {
  try {
    if (types.isDataView(view)) return view.byteLength < 0;
    // One that is out of bounds has the length 0, like one that is empty; its iterators tell.
    if (view.byteLength === 0) Uint8Array.prototype.keys.call(view as Uint8Array);
    return false;
  } catch {
    return true;
  }
}

/** Bytes are not copied before they are saved, so whoever changes them meanwhile, or gives their memory away, is told. */
export function changedMeanwhile(): StowageError {
  return invalidArgument(
    'The bytes were changed while they were being saved, or their memory was transferred; wait for the save to end, or save a copy.',
  );
}

/** Checks that memory which a caller lent is there still. */
export function ensureThere(lent: Uint8Array): void {
  if (isGone(lent)) throw changedMeanwhile();
}

/** The same bytes for digest and envelope: a copy of shared memory, into which another thread may write between the two. */
export function settled(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? new Uint8Array(bytes) : bytes; // slice() of a Buffer is a view
}

/** A copy of bytes that stay as they are until it is made, in turns with whatever else the process does. */
export async function copyInTurns(bytes: Uint8Array): Promise<Uint8Array> {
  const copy = new Uint8Array(bytes.length);
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    copy.set(bytes.subarray(start, start + PIECE_BYTES), start);
    if (isTurnOver()) await nextTurn();
  }
  return copy;
}
