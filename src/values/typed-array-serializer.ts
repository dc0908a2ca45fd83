import { types } from 'node:util';
import { unshared } from './bytes-serializer.ts';
import { ELEMENT_TYPES, elementTypeOf, littleEndian, typedArrayOver } from './element-types.ts';
import { Malformed, Refusal } from './faults.ts';
import { isIntrinsic } from './intrinsics.ts';
import type { SerializedValue, Serializer } from './serializer.ts';
import { bufferBytes, viewBytes } from './view-bytes.ts';

/**
 * Typed arrays, `ArrayBuffer` and `DataView`: their memory as it is, elements little-endian, uncopied. `type` is the class's
 * name, and says how to read the bytes. They come back over the loaded bytes, without a copy where those are aligned; an
 * `ArrayBuffer` where they fill their buffer.
 */
export const typedArraySerializer: Serializer = {
  id: 'typed-array',
  priority: 300,
  description: 'typed arrays, `ArrayBuffer` and `DataView`, as they are',
  accepts(value) {
    return isArrayBuffer(value) || isDataView(value) || elementTypeOf(value) !== undefined;
  },
  serialize(value): SerializedValue {
    if (isArrayBuffer(value)) return { type: 'ArrayBuffer', bytes: bufferBytes(value) };
    if (isDataView(value)) return { type: 'DataView', bytes: unshared(viewBytes(value)) };
    const type = elementTypeOf(value);
    if (type === undefined) throw new Refusal('not a typed array', 'Leave the choice of a serializer open.');
    const { name, elementBytes } = type;
    const bytes = littleEndian(unshared(viewBytes(value as ArrayBufferView)), elementBytes);
    return elementBytes === 1 ? { type: name, bytes } : { type: name, bytes, elementBytes };
  },
  deserialize(bytes, _info, type) {
    if (type === 'ArrayBuffer') return wholeBuffer(bytes);
    if (type === 'DataView') return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const elementType = ELEMENT_TYPES.find((candidate) => candidate.name === type);
    if (elementType === undefined) throw new Malformed(`this runtime has no typed array called ${type}`);
    const array = typedArrayOver(elementType, bytes);
    if (array === undefined) {
      throw new Malformed(`${bytes.length} bytes are not a whole number of elements of a ${type}`);
    }
    return array;
  },
};

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return types.isArrayBuffer(value) && isIntrinsic('ArrayBuffer', Object.getPrototypeOf(value));
}

function isDataView(value: unknown): value is DataView {
  return (
    ArrayBuffer.isView(value) &&
    types.isDataView(value) &&
    isIntrinsic('DataView', Object.getPrototypeOf(value))
  );
}

function wholeBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return whole ? buffer : Uint8Array.from(bytes).buffer;
}
