import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { elementTypeOf } from './element-types.ts';
import { ERROR_CLASSES } from './extensions.ts';
import { classNameOf, isForeign, isIntrinsic } from './intrinsics.ts';

/** The built-in classes an artifact can hold, as the encoder tells them apart. */
export type BuiltInKind =
  | 'array'
  | 'bytes'
  | 'typed-array'
  | 'data-view'
  | 'array-buffer'
  | 'map'
  | 'set'
  | 'date'
  | 'regexp'
  | 'error'
  | 'url'
  | 'object';

/**
 * Names the built-in that `value` is an instance of, not of a subclass. It goes by what the object is inside as well as by its
 * prototype: either alone can be made up.
 */
export function builtInKind(value: object, prototype: object): BuiltInKind | undefined {
  if (Array.isArray(value)) return isIntrinsic('Array', prototype) ? 'array' : undefined;
  if (ArrayBuffer.isView(value)) return viewKind(value, prototype);
  if (types.isArrayBuffer(value)) return isIntrinsic('ArrayBuffer', prototype) ? 'array-buffer' : undefined;
  if (types.isMap(value)) return isIntrinsic('Map', prototype) ? 'map' : undefined;
  if (types.isSet(value)) return isIntrinsic('Set', prototype) ? 'set' : undefined;
  if (types.isDate(value)) return isIntrinsic('Date', prototype) ? 'date' : undefined;
  if (types.isRegExp(value)) return isIntrinsic('RegExp', prototype) ? 'regexp' : undefined;
  if (types.isNativeError(value)) return errorClassOf(prototype) === undefined ? undefined : 'error';
  if (prototype === URL.prototype) return types.isProxy(value) ? undefined : 'url';
  return isForeign('Object', prototype) ? 'object' : undefined;
}

/**
 * True if an object with the prototype of a plain one, or none, is something else inside, such as a Map whose prototype was set. Kinds
 * with state but no data (promises, weak collections, generators, errors without a property) are looked for in objects `withoutProperties` only.
 */
export function isDisguised(value: object, withoutProperties: boolean): boolean {
  return (
    Array.isArray(value) ||
    ArrayBuffer.isView(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isDate(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isBoxedPrimitive(value) ||
    (withoutProperties && isStateful(value))
  );
}

function isStateful(value: object): boolean {
  return (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isGeneratorObject(value) ||
    types.isNativeError(value)
  );
}

function viewKind(value: ArrayBufferView, prototype: object): BuiltInKind | undefined {
  if (prototype === Buffer.prototype || isIntrinsic('Uint8Array', prototype)) return 'bytes';
  if (isIntrinsic('DataView', prototype)) return 'data-view';
  return elementTypeOf(value) === undefined ? undefined : 'typed-array';
}

/** The name of the standard error class whose prototype this is, or that Node.js derived it from for its own errors. */
export function errorClassOf(given: object): string | undefined {
  const prototype = standardPrototype(given);
  const name = classNameOf(prototype);
  const Class = name === undefined ? undefined : ERROR_CLASSES.get(name);
  if (name === undefined || Class === undefined) return undefined;
  return Class.prototype === prototype || isForeign(name, prototype) ? name : undefined;
}

/**
 * Errors that Node.js throws itself (`ERR_INVALID_ARG_TYPE`) have a prototype or two between theirs and the standard one. Their
 * `constructor` is a getter, which gives the standard class: such an error says of itself that it is a TypeError, say.
 */
function standardPrototype(prototype: object): object {
  let link = prototype;
  for (let hops = 0; hops < 2 && isNodesOwn(link); hops++) link = Object.getPrototypeOf(link);
  return link;
}

function isNodesOwn(prototype: object): boolean {
  if (types.isProxy(prototype) || Object.getPrototypeOf(prototype) === null) return false;
  if (Object.getOwnPropertyDescriptor(prototype, 'constructor')?.get === undefined) return false;
  return Object.getOwnPropertyNames(prototype).every((name) => name === 'constructor' || name === 'toString');
}
