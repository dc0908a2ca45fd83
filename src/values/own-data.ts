import { inspect } from 'node:util';
import { isDisguised } from './built-in-kind.ts';
import { HIDDEN_ERROR_KEYS } from './extensions.ts';
import { Refusal } from './faults.ts';
import {
  refusedAccessor,
  refusedChange,
  refusedDisguise,
  refusedExtraProperty,
  refusedHiddenProperty,
  refusedSymbolKey,
} from './refused-kinds.ts';

type LookupGetter = (this: object, key: PropertyKey) => unknown;
const lookupGetter = (Object.prototype as unknown as { __lookupGetter__: LookupGetter }).__lookupGetter__;

/** The value of a property of `object`'s own, without running a getter: there must be none. */
export function ownData(object: object, key: PropertyKey): unknown {
  const descriptor = Object.getOwnPropertyDescriptor(object, key);
  if (descriptor === undefined) throw refusedChange();
  if (descriptor.get !== undefined || descriptor.set !== undefined) throw refusedAccessor();
  return descriptor.value;
}

/** As {@link ownData}, of a property that must be enumerable: one that is not would not come back as it was. */
export function shownData(object: object, key: PropertyKey): unknown {
  const descriptor = Object.getOwnPropertyDescriptor(object, key);
  if (descriptor === undefined) throw refusedChange();
  if (descriptor.get !== undefined || descriptor.set !== undefined) throw refusedAccessor();
  if (!descriptor.enumerable) throw refusedHiddenProperty();
  return descriptor.value;
}

/**
 * The names of a plain object's own properties, for {@link shownData}. Names that are not enumerable are among them, so that
 * nothing is left out unseen: `Object.getOwnPropertyNames` costs what `Object.keys` does.
 */
export function plainNames(object: object): string[] {
  refuseSymbolKeys(object);
  const names = Object.getOwnPropertyNames(object);
  if (isDisguised(object, names.length === 0)) throw refusedDisguise(object);
  return names;
}

/** The names of an error's own properties, those that are not enumerable apart: first the standard ones, in their order. */
export function errorNames(error: Error): { hidden: string[]; shown: string[] } {
  refuseSymbolKeys(error);
  const shown = Object.keys(error);
  const others = new Set(Object.getOwnPropertyNames(error));
  for (const name of shown) others.delete(name);
  const standard = HIDDEN_ERROR_KEYS.filter((name) => others.has(name));
  return { hidden: [...new Set([...standard, ...others])], shown };
}

export function refuseSymbolKeys(object: object): void {
  const symbols = Object.getOwnPropertySymbols(object);
  if (symbols.length > 0) throw refusedSymbolKey(symbols[0] as symbol, object);
}

/** The answer of {@link ownElement} for an index that an array does not have. */
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

/** Up to here listing them is as fast as `inspect`, which takes the same for any array. */
const LISTABLE_LENGTH = 64;
/** All that shapes the text: a program may have set `inspect.defaultOptions` otherwise. */
const ONLY_PROPERTIES = {
  maxArrayLength: 0,
  depth: 0,
  customInspect: false,
  showHidden: true,
  compact: 3,
  breakLength: Infinity,
} as const;

/**
 * The first own property of an array, enumerable or not, that is neither an element nor its length.
 *
 * Listing the keys of a long array makes a string of every index. `inspect` finds the others without; as its text is no
 * contract, it is believed only where it says, to the letter, that there is nothing else.
 */
export function extraProperty(array: readonly unknown[]): string | undefined {
  const { length } = array;
  if (length > LISTABLE_LENGTH) {
    refuseSymbolKeys(array);
    if (inspectProperties(array) === `[ ... ${length} more items, [length]: ${length} ]`) return undefined;
  }
  const keys = Reflect.ownKeys(array);
  // Indexes come first, then the length, which every array has from the beginning, and symbols last.
  if (keys.at(-1) === 'length') return undefined;
  refuseSymbolKeys(array);
  return (keys as string[]).find((key) => key !== 'length' && !isIndexOf(array, key));
}

/** The text of `inspect` for an object without its elements. */
export function inspectProperties(object: object): string {
  return inspect(object, ONLY_PROPERTIES);
}

function isIndexOf(array: readonly unknown[], key: string): boolean {
  const index = Number(key);
  return index < array.length && String(index) === key && Number.isInteger(index) && index >= 0;
}

/** The place where a search with a regular expression goes on: an own property, which programs may set to anything. */
export function lastIndexOf(regexp: RegExp): number {
  const { lastIndex } = regexp as { lastIndex: unknown };
  if (typeof lastIndex === 'number') return lastIndex;
  throw new Refusal('a RegExp whose `lastIndex` is no number', 'Set it to 0.');
}

/** What each URL has of its own: nothing on Node.js, symbols on other runtimes. */
const URL_KEYS: readonly PropertyKey[] = Reflect.ownKeys(new URL('data:,'));

/**
 * The text of a URL, which it is made of again. By its setters one can become what no parser takes (`non://user@/`, of Node.js 20).
 */
export function hrefOf(url: URL): string {
  refuseExtraProperties(url, 'a URL', URL_KEYS);
  const { href } = url;
  if (URL.canParse(href) && new URL(href).href === href) return href;
  throw new Refusal('a URL whose text is no such URL', 'Save its parts, or make it anew.');
}

/** Refuses own properties of `object` beside those `expected`; for classes whose data is inside. */
export function refuseExtraProperties(
  object: object,
  kind: string,
  expected: readonly PropertyKey[] = [],
): void {
  for (const key of Reflect.ownKeys(object)) {
    if (expected.includes(key)) continue;
    throw refusedExtraProperty(kind);
  }
}
