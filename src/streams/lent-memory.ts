import { types } from 'node:util';

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

/** The same bytes for digest and envelope: a copy of shared memory, into which another thread may write between the two. */
export function settled(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes.slice() : bytes;
}
