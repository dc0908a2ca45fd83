import { isForeign } from './intrinsics.ts';

type TypedArray = NodeJS.TypedArray | BigInt64Array | BigUint64Array;

/** A kind of typed array. */
export interface ElementType {
  /** The class's name, which is the artifact's `type`. */
  readonly name: string;
  /** The first byte of the typed-array extension's payload. Part of the format. */
  readonly code: number;
  readonly elementBytes: number;
  readonly prototype: object;
  readonly view: (buffer: ArrayBuffer, byteOffset: number, length: number) => TypedArray;
}

interface TypedArrayClass {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  readonly prototype: TypedArray;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): TypedArray;
}

// Newer runtimes have it; older ones refuse to decode it.
const float16Array = (globalThis as { Float16Array?: TypedArrayClass }).Float16Array;

const CLASSES: readonly (readonly [code: number, TypedArrayClass | undefined])[] = [
  [1, Int8Array],
  [2, Uint8ClampedArray],
  [3, Int16Array],
  [4, Uint16Array],
  [5, Int32Array],
  [6, Uint32Array],
  [7, Float32Array],
  [8, Float64Array],
  [9, BigInt64Array],
  [10, BigUint64Array],
  [11, float16Array],
];

/** All typed arrays this runtime has, except `Uint8Array`, which is bytes. */
export const ELEMENT_TYPES: readonly ElementType[] = CLASSES.flatMap(([code, Class]) =>
  Class === undefined
    ? []
    : [
        {
          name: Class.name,
          code,
          elementBytes: Class.BYTES_PER_ELEMENT,
          prototype: Class.prototype,
          view: (buffer: ArrayBuffer, byteOffset: number, length: number) =>
            new Class(buffer, byteOffset, length),
        },
      ],
);

/** The kind of a typed array that is not bytes, nor of a subclass. */
export function elementTypeOf(value: unknown): ElementType | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null) return undefined;
  return ELEMENT_TYPES.find((type) => type.prototype === prototype || isForeign(type.name, prototype));
}

const BIG_ENDIAN_HOST = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

/** The memory of a view as bytes, without a copy. Throws a `TypeError` when its buffer is detached. */
export function bytesOfView(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** `bytes` with the bytes of every element in little-endian order: themselves, on nearly every machine. Its own inverse. */
export function littleEndian(bytes: Uint8Array, elementBytes: number): Uint8Array {
  return BIG_ENDIAN_HOST ? swapped(bytes, elementBytes) : bytes;
}

/** A copy of `bytes` with the bytes of every element reversed. */
export function swapped(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const copy = bytes.slice();
  for (let start = 0; start < copy.length; start += elementBytes) {
    copy.subarray(start, start + elementBytes).reverse();
  }
  return copy;
}

/** A typed array over little-endian bytes: without a copy when they are aligned. `undefined` if a part of an element is left. */
export function typedArrayOver(type: ElementType, bytes: Uint8Array): TypedArray | undefined {
  const { elementBytes } = type;
  if (bytes.length % elementBytes !== 0) return undefined;
  const native = littleEndian(bytes, elementBytes);
  const aligned =
    native.byteOffset % elementBytes === 0 && native.buffer instanceof ArrayBuffer
      ? native
      : Uint8Array.from(native);
  return type.view(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.length / elementBytes);
}
