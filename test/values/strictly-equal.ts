/**
 * How two values differ, as the path to the first difference, or undefined if they do not: by prototype, `Object.is`, own
 * property names, order and enumerability, holes, the order of Maps and Sets, bytes and times. Buffers count as bytes.
 */
export function difference(a: unknown, b: unknown, path = 'value'): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return path;
  if (prototypeOf(a) !== prototypeOf(b)) return `${path} (prototype)`;
  return insideDifference(a, b, path) ?? propertyDifference(a, b, path);
}

function prototypeOf(value: object): unknown {
  return Buffer.isBuffer(value) ? Uint8Array.prototype : Object.getPrototypeOf(value);
}

function insideDifference(a: object, b: object, path: string): string | undefined {
  if (a instanceof Map)
    return listDifference([...a].flat(1), [...(b as Map<unknown, unknown>)].flat(1), path);
  if (a instanceof Set) return listDifference([...a], [...(b as Set<unknown>)], path);
  if (a instanceof Date) return difference(a.getTime(), (b as Date).getTime(), `${path} (time)`);
  if (a instanceof RegExp && a.lastIndex !== (b as RegExp).lastIndex) return `${path}.lastIndex`;
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b) ? undefined : path;
  if (a instanceof ArrayBuffer || ArrayBuffer.isView(a)) {
    return bytesOf(a).equals(bytesOf(b as ArrayBuffer)) ? undefined : `${path} (bytes)`;
  }
  return undefined;
}

function listDifference(a: unknown[], b: unknown[], path: string): string | undefined {
  if (a.length !== b.length) return `${path} (size)`;
  for (const [index, item] of a.entries()) {
    const found = difference(item, b[index], `${path}<${index}>`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  return value instanceof ArrayBuffer
    ? Buffer.from(value)
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function propertyDifference(a: object, b: object, path: string): string | undefined {
  if (ArrayBuffer.isView(a) || a instanceof RegExp) return undefined;
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return `${path}.length`;
  const keys = keysOf(a);
  if (keys.join('\0') !== keysOf(b).join('\0')) return `${path} (keys)`;
  for (const key of keys) {
    const enumerable = (object: object) => Object.prototype.propertyIsEnumerable.call(object, key);
    if (enumerable(a) !== enumerable(b)) return `${path}.${key} (enumerable)`;
    const found = difference(Reflect.get(a, key), Reflect.get(b, key), `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

// The order of an error's own built-in properties is the runtime's business.
function keysOf(object: object): string[] {
  const keys = Object.getOwnPropertyNames(object);
  return object instanceof Error ? keys.sort() : keys;
}
