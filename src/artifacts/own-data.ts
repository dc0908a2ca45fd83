import { inspect } from 'node:util';
import { refusedAccessor, refusedChange, refusedExtraProperty } from './refused-kinds.ts';

type LookupGetter = (this: object, key: PropertyKey) => unknown;
const lookupGetter = (Object.prototype as unknown as { __lookupGetter__: LookupGetter }).__lookupGetter__;

/** The value of a property of `object`'s own, without running a getter: there must be none. */
export function ownData(object: object, key: PropertyKey): unknown {
  const descriptor = Object.getOwnPropertyDescriptor(object, key);
  if (descriptor === undefined) throw refusedChange();
  if (descriptor.get !== undefined || descriptor.set !== undefined) throw refusedAccessor();
  return descriptor.value;
}

/** What {@link ownElement} gives for an index that an array does not have. */
export const HOLE: unique symbol = Symbol('hole');

/** The element at `index`, without running a getter: there must be none. A descriptor per element would cost five times as much. */
export function ownElement(array: readonly unknown[], index: number): unknown {
  if (lookupGetter.call(array, index) !== undefined) {
    if (Object.hasOwn(array, index)) throw refusedAccessor();
    return HOLE;
  }
  const element = array[index];
  if (element !== undefined) return element;
  return Object.hasOwn(array, index) ? ownData(array, index) : HOLE;
}

const LISTABLE_LENGTH = 64;
const ONLY_ELEMENTS = { maxArrayLength: 0, depth: 0, customInspect: false, breakLength: Infinity } as const;

/**
 * The first own enumerable property of an array that is not an element.
 *
 * Listing the keys of a long array makes a string of every index. `inspect` finds the others without; as its text is no
 * contract, it is believed only where it says, to the letter, that there is nothing else.
 */
export function extraProperty(array: readonly unknown[]): string | undefined {
  const { length } = array;
  if (length > LISTABLE_LENGTH && inspect(array, ONLY_ELEMENTS) === `[ ... ${length} more items ]`) {
    return undefined;
  }
  const keys = Object.keys(array);
  const last = keys.at(-1);
  // Indexes come first, so that only the last can tell; it may be an index beyond what an array holds.
  return last === undefined || isIndexOf(array, last)
    ? undefined
    : keys.find((key) => !isIndexOf(array, key));
}

function isIndexOf(array: readonly unknown[], key: string): boolean {
  const index = Number(key);
  return index < array.length && String(index) === key && Number.isInteger(index) && index >= 0;
}

/** Refuses own properties of `object` beside those `expected`; for classes whose data is inside. */
export function refuseExtraProperties(object: object, kind: string, expected: readonly string[] = []): void {
  for (const key of Reflect.ownKeys(object)) {
    if (typeof key === 'string' && expected.includes(key)) continue;
    throw refusedExtraProperty(kind);
  }
}
