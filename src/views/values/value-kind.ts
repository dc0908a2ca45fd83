import { types } from 'node:util';

/** Elements that are numbers, wider than a byte or not meant as bytes. */
export type NumberList = ArrayLike<number | bigint>;

/** `{ ... }`, as JSON has it. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The bytes of a value that is bytes; `undefined` of any other. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (value instanceof DataView) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return types.isAnyArrayBuffer(value) ? new Uint8Array(value) : undefined;
}

/** True for a typed array of numbers, rather than bytes. */
export function isTypedArray(value: unknown): value is NumberList & ArrayBufferView {
  return ArrayBuffer.isView(value) && bytesOf(value) === undefined;
}

/** A list of numbers only, and of some. */
export function isNumberArray(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'number');
}

/** True for values without parts: numbers and texts, and what is written as one. */
export function isScalar(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return value instanceof Date || value instanceof RegExp || value instanceof URL;
}

/** A pattern as it is written, with where its search goes on unless that is the beginning. */
export function patternText(value: RegExp): string {
  return value.lastIndex === 0 ? String(value) : `${value} at ${value.lastIndex}`;
}

/** The name that people have for it: `Float64Array`, `object`, `null`. */
export function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  if (Array.isArray(value)) return 'array';
  return isPlainObject(value) ? 'object' : value.constructor.name;
}

/** The members of an object by name; of an error also those that are not listed, such as its message. */
export function membersOf(value: object): (readonly [name: string, value: unknown])[] {
  if (!(value instanceof Error)) return Object.entries(value);
  const hidden = ['name', 'message', 'stack', 'cause', 'errors'] as const;
  const known = hidden.flatMap((name) => {
    const own = (value as unknown as Record<string, unknown>)[name];
    return own === undefined ? [] : [[name, own] as const];
  });
  const others = Object.getOwnPropertyNames(value).filter((name) => !known.some(([other]) => other === name));
  return [...known, ...others.map((name) => [name, value[name as keyof Error]] as const)];
}
