import { HOLE, ownElement } from './own-data.ts';

/**
 * Counts the bytes that `root` takes at least, once everything that is reached several times is written as often.
 *
 * A small graph can stand for a tree of any size ("billion laughs"). Every object is visited once here, whatever the
 * number of ways to it, so that such a value is refused before memory is spent on it. Class instances and what cannot be
 * saved count as one byte; the writer judges them.
 */
export function expandedBytesAtLeast(root: unknown, maxDepth: number): number {
  const known = new Map<object, number>();

  const measure = (value: unknown, depth: number): number => {
    if (typeof value === 'string') return 1 + value.length;
    if (typeof value !== 'object' || value === null) return 1;
    const before = known.get(value);
    if (before !== undefined) return before;
    // An object inside itself is met here first with one byte; the writer refuses it.
    known.set(value, 1);
    const bytes = 1 + (depth > maxDepth ? 0 : measureInside(value, depth + 1));
    known.set(value, bytes);
    return bytes;
  };

  const measureInside = (value: object, depth: number): number => {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
    let bytes = 0;
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) {
        const element = ownElement(value, index);
        bytes += element === HOLE ? 1 : measure(element, depth);
      }
    } else if (value instanceof Map) {
      for (const [key, item] of value) bytes += measure(key, depth) + measure(item, depth);
    } else if (value instanceof Set) {
      for (const item of value) bytes += measure(item, depth);
    } else {
      for (const key of Object.keys(value)) {
        bytes += 1 + key.length + measure(Object.getOwnPropertyDescriptor(value, key)?.value, depth);
      }
    }
    return bytes;
  };

  return measure(root, 1);
}
