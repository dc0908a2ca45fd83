import { HoleRuns } from './hole-runs.ts';
import { HOLE, ownElement } from './own-data.ts';

/**
 * Counts the bytes that `root` takes at least, once everything that is reached several times is written as often.
 *
 * A small graph can stand for a tree of any size ("billion laughs"). Every object is visited once here, whatever the
 * number of ways to it, so that such a value is refused before memory is spent on it. Class instances and what cannot be
 * saved count as one byte; the writer judges them.
 *
 * @param mostSteps - a graph that takes more steps is not measured: the answer is `undefined`.
 */
export function expandedBytesAtLeast(root: unknown, maxDepth: number, mostSteps: number): number | undefined {
  return new Measure(maxDepth, mostSteps).whole(root);
}

class Measure {
  private readonly known = new Map<object, number>();
  private readonly maxDepth: number;
  private stepsLeft: number;

  constructor(maxDepth: number, mostSteps: number) {
    this.maxDepth = maxDepth;
    this.stepsLeft = mostSteps;
  }

  whole(root: unknown): number | undefined {
    const bytes = this.bytesOf(root, 1);
    return this.stepsLeft < 0 ? undefined : bytes;
  }

  private bytesOf(value: unknown, depth: number): number {
    this.stepsLeft--;
    if (typeof value === 'string') return 1 + value.length;
    if (typeof value !== 'object' || value === null) return 1;
    const before = this.known.get(value);
    if (before !== undefined) return before;
    // An object inside itself is met here first with one byte; the writer refuses it.
    this.known.set(value, 1);
    const bytes = 1 + (depth > this.maxDepth ? 0 : this.bytesInside(value, depth + 1));
    this.known.set(value, bytes);
    return bytes;
  }

  private bytesInside(value: object, depth: number): number {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
    if (Array.isArray(value)) return this.bytesOfElements(value, depth);
    let bytes = 0;
    if (value instanceof Map) {
      for (const [key, item] of value) {
        if (this.stepsLeft < 0) break;
        bytes += this.bytesOf(key, depth) + this.bytesOf(item, depth);
      }
    } else if (value instanceof Set) {
      for (const item of value) {
        if (this.stepsLeft < 0) break;
        bytes += this.bytesOf(item, depth);
      }
    } else {
      // Those that are not enumerable too: the causes of an error are none.
      for (const key of Object.getOwnPropertyNames(value)) {
        if (this.stepsLeft < 0) break;
        const member: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
        bytes += 1 + key.length + this.bytesOf(member, depth);
      }
    }
    return bytes;
  }

  private bytesOfElements(array: readonly unknown[], depth: number): number {
    const runs = new HoleRuns(array);
    let bytes = 0;
    for (let index = 0; index < array.length && this.stepsLeft >= 0; index++) {
      const element = ownElement(array, index);
      if (element !== HOLE) bytes += this.bytesOf(element, depth);
      else {
        const holes = runs.from(index);
        bytes += holes;
        index += holes - 1;
      }
    }
    return bytes;
  }
}
