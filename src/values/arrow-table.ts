import { types } from 'node:util';
import type { ArrowTable } from './arrow-library.ts';

/**
 * True if `value` is a `Table` of some copy of `apache-arrow`. Loads no copy, and runs nobody's code. A
 * program may well hold several copies (of several versions, or an import beside a `require`), so that no class can tell.
 *
 * False for an instance of a subclass: it would come back as less than it was.
 */
export function isArrowTable(value: unknown): value is ArrowTable {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype || types.isProxy(prototype)) return false;
  if (typeof ownValue(prototype, 'getChildAt') !== 'function') return false;
  if (typeof ownValue(prototype, 'selectAt') !== 'function') return false;
  const schema = ownValue(value, 'schema');
  return isList(ownValue(value, 'batches')) && isObject(schema) && isList(ownValue(schema, 'fields'));
}

/** Names the part of a table that `value` is, found likewise: a column's `Vector`, or a `RecordBatch`. */
export function arrowPartOf(value: object): 'vector' | 'record batch' | undefined {
  if (types.isProxy(value)) return undefined;
  const data = ownValue(value, 'data');
  if (isList(data)) {
    const isVector =
      isObject(ownValue(value, 'type')) && hasMethods(value, ['getChildAt', 'toArray', 'memoize']);
    return isVector ? 'vector' : undefined;
  }
  const schema = ownValue(value, 'schema');
  if (!isObject(data) || !isObject(schema) || !isList(ownValue(schema, 'fields'))) return undefined;
  return hasMethods(value, ['getChildAt', 'selectAt']) ? 'record batch' : undefined;
}

/** True if one prototype of `value` has all these methods. A vector's own prototype may be one of its type. */
function hasMethods(value: object, names: readonly string[]): boolean {
  let prototype: object | null = Object.getPrototypeOf(value);
  while (prototype !== null && !types.isProxy(prototype)) {
    const owner = prototype;
    if (names.every((name) => typeof ownValue(owner, name) === 'function')) return true;
    prototype = Object.getPrototypeOf(prototype);
  }
  return false;
}

/** The value of a property of `object`'s own; none of a getter. */
function ownValue(object: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !types.isProxy(value);
}

function isList(value: unknown): boolean {
  return isObject(value) && Array.isArray(value);
}
