import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { bytesOfView } from './element-types.ts';
import { isIntrinsic } from './intrinsics.ts';
import type { Serializer } from './serializer.ts';
import { isResizable, viewBytes } from './view-bytes.ts';

/** `Uint8Array` and `Buffer`: their bytes as they are, uncopied. Both come back as a `Uint8Array`. */
export const bytesSerializer: Serializer = {
  id: 'bytes',
  priority: 400,
  description: 'byte arrays (`Uint8Array`, `Buffer`), as they are',
  accepts(value) {
    if (!ArrayBuffer.isView(value) || !types.isUint8Array(value)) return false;
    const prototype: object | null = Object.getPrototypeOf(value);
    return prototype === Buffer.prototype || (prototype !== null && isIntrinsic('Uint8Array', prototype));
  },
  serialize(value) {
    return { type: 'Uint8Array', bytes: unshared(viewBytes(value as Uint8Array)) };
  },
  deserialize(bytes) {
    return bytesOfView(bytes);
  },
};

/** True for a row whose value is nothing but its bytes. */
export function isBytes({ encoding, type }: { encoding: string; type: string }): boolean {
  return (
    encoding === bytesSerializer.id ||
    (encoding === 'typed-array' && (type === 'ArrayBuffer' || type === 'DataView'))
  );
}

/** `bytes`, or a copy if other threads could change them while they are saved, or the program their length. */
export function unshared(bytes: Uint8Array): Uint8Array {
  return types.isSharedArrayBuffer(bytes.buffer) || isResizable(bytes.buffer) ? bytes.slice() : bytes;
}
