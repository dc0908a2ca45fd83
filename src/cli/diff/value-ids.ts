import { digestHex } from '../../digest/blake3.ts';
import { isArrowTable } from '../../views/values/arrow-table.ts';
import {
  bytesOf,
  isNumberArray,
  isPlainObject,
  isTypedArray,
  kindOf,
  patternText,
} from '../../views/values/value-kind.ts';

/** From this many numbers on, a digest of them takes less time than their numbers one by one. */
const LONG = 64;

/**
 * Numbers for values, the same for equal ones, so that lists of anything are compared as lists of numbers. Each part of a
 * value is looked at once. NaN equals itself, 0 is not -0, and the order of an object's members does not matter.
 *
 * (Hash consing: Ershov, "On programming of arithmetic operations", 1958.)
 */
export class ValueIds {
  readonly #ids = new Map<unknown, number>();
  readonly #idOfObject = new WeakMap<object, number>();

  of(value: unknown): number {
    if (typeof value !== 'object' || value === null) return this.#idOf(scalarForm(value));
    const known = this.#idOfObject.get(value);
    if (known !== undefined) return known;
    const id = this.#idOf(this.#form(value));
    this.#idOfObject.set(value, id);
    return id;
  }

  ofAll(values: ArrayLike<unknown>): number[] {
    return Array.from(values, (value) => this.of(value));
  }

  #idOf(form: unknown): number {
    const known = this.#ids.get(form);
    if (known !== undefined) return known;
    const id = this.#ids.size;
    this.#ids.set(form, id);
    return id;
  }

  /** A text that equal objects share, made of the numbers of their parts. The NUL keeps it apart from texts that are values. */
  #form(value: object): string {
    const form = (parts: readonly unknown[]): string => `\0${kindOf(value)}(${parts.join()})`;
    const bytes = bytesOf(value);
    if (bytes) return form([digestHex(bytes)]);
    if (isTypedArray(value)) return form([digestOf(value)]);
    if (isNumberArray(value) && value.length >= LONG) return form([digestOf(Float64Array.from(value))]);
    if (Array.isArray(value)) return form(this.ofAll(value));
    if (value instanceof Map)
      return form([...value].map(([key, member]) => `${this.of(key)}:${this.of(member)}`));
    if (value instanceof Set) return form(this.ofAll([...value]).sort((a, b) => a - b));
    if (value instanceof Date) return form([value.getTime()]);
    if (value instanceof RegExp) return form([patternText(value)]);
    if (value instanceof URL) return form([String(value)]);
    if (isArrowTable(value)) return form([this.#idOf(value)]); // no two are told to be equal
    const names = isPlainObject(value) ? Object.keys(value) : Object.getOwnPropertyNames(value);
    const record = value as Record<string, unknown>;
    return form(names.sort().map((name) => `${this.of(name)}:${this.of(record[name])}`));
  }
}

function digestOf({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return digestHex(new Uint8Array(buffer, byteOffset, byteLength));
}

/** A `Map` merges 0 and -0, and a form must not look like a text that is a value. */
function scalarForm(value: unknown): unknown {
  if (Object.is(value, -0)) return '\0-0';
  return typeof value === 'string' && value.startsWith('\0') ? `\0${value}` : value;
}
