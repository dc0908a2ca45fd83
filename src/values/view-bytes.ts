import { types } from 'node:util';
import { isGone } from '../streams/lent-memory.ts';
import { bytesOfView } from './element-types.ts';
import { Refusal } from './faults.ts';
import { inspectProperties, refuseExtraProperties, refuseSymbolKeys } from './own-data.ts';
import { refusedExtraProperty } from './refused-kinds.ts';

const LISTABLE_LENGTH = 128;
/** The names that `inspect` reads, or a new view is made by. */
const INHERITED = ['constructor', 'BYTES_PER_ELEMENT', 'length', 'byteLength', 'byteOffset', 'buffer'];

const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
const lengthOf = Object.getOwnPropertyDescriptor(TYPED_ARRAY, 'length')?.get as (this: object) => number;

/**
 * The bytes of a typed array or DataView. One with a property of its own beside its elements is refused: it would not come back, and
 * since a function can see it, two that differ in it must not share a key. So is one whose memory is gone, in whole or in part.
 */
export function viewBytes(view: ArrayBufferView): Uint8Array {
  refuseSymbolKeys(view);
  if (types.isDataView(view) ? Object.getOwnPropertyNames(view).length > 0 : hasProperties(view)) {
    throw refusedExtraProperty(types.isDataView(view) ? 'a DataView' : 'a typed array');
  }
  if (isGone(view)) {
    throw new Refusal(
      'a view of memory that is gone: its buffer was transferred, or made shorter',
      'Save a copy that was made before.',
    );
  }
  return bytesOfView(view);
}

/**
 * Listing the keys of a long one makes a string of every index; `inspect` finds the others without. Its text is no contract, so that it is
 * held against what it says of a new view of the same memory: only where the two differ are keys listed.
 */
function hasProperties(array: ArrayBufferView): boolean {
  const isLong = lengthOf.call(array) > LISTABLE_LENGTH;
  if (isLong && !INHERITED.some((name) => Object.hasOwn(array, name))) {
    const bare = TYPED_ARRAY.subarray.call(array as Uint8Array, 0);
    if (inspectProperties(array) === inspectProperties(bare)) return false;
  }
  return Object.getOwnPropertyNames(array).length !== lengthOf.call(array);
}

/** The bytes of an ArrayBuffer. One that can be made longer is refused: it would come back without. */
export function bufferBytes(buffer: ArrayBuffer): Uint8Array {
  refuseExtraProperties(buffer, 'an ArrayBuffer');
  if (isResizable(buffer)) {
    throw new Refusal(
      'an ArrayBuffer that can be resized, which would come back with a fixed length',
      'Save a copy of what it holds: `buffer.slice()`.',
    );
  }
  return new Uint8Array(buffer);
}

/** ES2024, in every supported runtime. */
export function isResizable(buffer: ArrayBufferLike): boolean {
  return (buffer as { resizable?: boolean }).resizable === true;
}
