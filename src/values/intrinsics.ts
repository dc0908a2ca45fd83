import { types } from 'node:util';
import { ERROR_CLASSES } from './extensions.ts';

/**
 * True if `prototype` is that of the built-in class `name`: this realm's, or that of another (a `node:vm` context,
 * as test runners use). A user's class of the same name is not native code.
 */
export function isIntrinsic(name: IntrinsicName, prototype: object): boolean {
  return prototype === INTRINSICS[name] || isForeign(name, prototype);
}

/** Built-in classes whose instances are told by their prototype. */
export type IntrinsicName = keyof typeof INTRINSICS;

const INTRINSICS = {
  Object: Object.prototype as object,
  Array: Array.prototype as object,
  Map: Map.prototype as object,
  Set: Set.prototype as object,
  Date: Date.prototype as object,
  RegExp: RegExp.prototype as object,
  Uint8Array: Uint8Array.prototype as object,
  ArrayBuffer: ArrayBuffer.prototype as object,
  DataView: DataView.prototype as object,
};

/** True for the name of a built-in class whose instances are saved. */
export function hasEncoding(name: string): boolean {
  return Object.hasOwn(INTRINSICS, name) || ERROR_CLASSES.has(name);
}

/** True if `prototype` belongs to another realm's built-in class `name`. */
export function isForeign(name: string, prototype: object): boolean {
  const owner = ownerOf(prototype);
  return (
    owner !== undefined &&
    classNameOf(prototype) === name &&
    Object.getOwnPropertyDescriptor(owner, 'prototype')?.value === prototype &&
    isNativeFunction(owner)
  );
}

/** True if `fn` is part of the runtime. */
export function isNativeFunction(fn: unknown): boolean {
  return (
    typeof fn === 'function' && /\{\s*\[native code\]\s*\}\s*$/.test(Function.prototype.toString.call(fn))
  );
}

/** The name of the class that `prototype` belongs to, found without running anyone's code. */
export function classNameOf(prototype: object): string | undefined {
  const owner = ownerOf(prototype);
  if (owner === undefined) return undefined;
  const name = Object.getOwnPropertyDescriptor(owner, 'name')?.value;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function ownerOf(prototype: object): object | undefined {
  const owner: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return typeof owner === 'function' && !types.isProxy(owner) ? owner : undefined;
}
