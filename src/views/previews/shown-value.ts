import { types } from 'node:util';
import { isShownReference, referenceView } from '../references.ts';
import { arrowRows, isArrowTable } from '../values/arrow-table.ts';
import { bytesOf, kindOf, membersOf, patternText } from '../values/value-kind.ts';
import type { ShownNode, ShownValue } from './shown.ts';

/** The most that is shown of values. */
export interface ShownBounds {
  /** Containers within containers. */
  depth: number;
  /** Members of one container. */
  members: number;
  /** Values altogether, whatever contains them. */
  values: number;
  /** UTF-16 code units of one text. */
  text: number;
  /** UTF-16 code units of all texts and names together. */
  allText: number;
}

/** Bytes of one value of bytes. */
const BYTES = 96;

/** A value that stands alone. */
export const OF_ONE: ShownBounds = { depth: 8, members: 200, values: 5000, text: 5000, allText: 100_000 };

/** A member that is shown once all that lies less deep has been. */
type Later = () => void;

/**
 * Shows values within bounds that all of them share. What lies less deep goes first, so that a large part does not keep those beside it from
 * being shown.
 */
export class Shower {
  readonly #bounds: ShownBounds;
  #later: Later[] = [];
  #values = 0;
  #units = 0;
  #isWhole = true;

  constructor(bounds: ShownBounds) {
    this.#bounds = bounds;
  }

  /** False once something was cut. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Shows a value with all that is in it. */
  show(value: unknown): ShownValue {
    const shown = this.#show(value, 0);
    while (this.#later.length > 0) {
      const later = this.#later;
      this.#later = [];
      for (const fill of later) fill();
    }
    return shown;
  }

  #show(value: unknown, depth: number): ShownValue {
    this.#values += 1;
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'boolean':
        return value;
      case 'number':
        if (Number.isFinite(value) && !Object.is(value, -0)) return value;
        return scalar('number', Object.is(value, -0) ? '-0' : String(value));
      case 'object':
        return value === null ? null : this.#object(value, depth);
      default:
        return scalar(typeof value, value === undefined ? '' : String(value));
    }
  }

  #object(value: object, depth: number): ShownNode {
    if (value instanceof Date)
      return scalar('Date', Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString());
    if (value instanceof URL) return this.#scalar('URL', value.href);
    if (value instanceof RegExp) return this.#scalar('RegExp', patternText(value));
    if (isShownReference(value))
      return { is: 'reference', type: kindOf(value), reference: referenceView(value) };
    const bytes = bytesOf(value);
    if (bytes) return this.#bytes(bytes);
    if (Array.isArray(value) || ArrayBuffer.isView(value))
      return this.#list(kindOf(value), value as unknown as ArrayLike<unknown>, depth);
    if (types.isSet(value)) return this.#items(value, kindOf(value), value.size, depth);
    if (types.isMap(value)) return this.#map(value, depth);
    if (isArrowTable(value)) return this.#items(arrowRows(value), 'Table', value.numRows, depth);
    return this.#members(value, depth);
  }

  #text(value: string): string | ShownNode {
    const text = this.#cut(value);
    return text.length === value.length ? text : { is: 'text', total: value.length, text };
  }

  /** Does not part the halves of a character. */
  #cut(value: string): string {
    const { text, allText } = this.#bounds;
    let length = Math.min(value.length, text, allText - this.#units);
    if (length < value.length) {
      this.#isWhole = false;
      if (length > 0 && /[\ud800-\udbff]/.test(value.charAt(length - 1))) length -= 1;
    }
    this.#units += length;
    return value.slice(0, length);
  }

  #scalar(type: string, value: string): ShownNode {
    const text = this.#cut(value);
    return text.length === value.length ? scalar(type, text) : { is: 'text', total: value.length, text };
  }

  #bytes(bytes: Uint8Array): ShownNode {
    if (bytes.length > BYTES) this.#isWhole = false;
    const shown = bytes.subarray(0, BYTES);
    const base64 = Buffer.from(shown.buffer, shown.byteOffset, shown.length).toString('base64');
    return { is: 'bytes', total: bytes.length, base64 };
  }

  #list(type: string, list: ArrayLike<unknown>, depth: number): ShownNode {
    const items: ShownValue[] = [];
    this.#laterFill(depth, list.length, (most) => {
      for (let index = 0; index < most && this.#hasRoom(); index++)
        items.push(index in list ? this.#show(list[index], depth + 1) : scalar('hole', ''));
      return items.length;
    });
    return { is: 'list', type, total: list.length, items };
  }

  #items(values: Iterable<unknown>, type: string, total: number, depth: number): ShownNode {
    const items: ShownValue[] = [];
    this.#laterFill(depth, total, (most) => {
      for (const value of first(values, most)) {
        if (!this.#hasRoom()) break;
        items.push(this.#show(value, depth + 1));
      }
      return items.length;
    });
    return { is: 'list', type, total, items };
  }

  #map(map: ReadonlyMap<unknown, unknown>, depth: number): ShownNode {
    const entries: [ShownValue, ShownValue][] = [];
    this.#laterFill(depth, map.size, (most) => {
      for (const [key, value] of first(map, most)) {
        if (!this.#hasRoom()) break;
        entries.push([this.#show(key, depth + 1), this.#show(value, depth + 1)]);
      }
      return entries.length;
    });
    return { is: 'map', total: map.size, entries };
  }

  #members(value: object, depth: number): ShownNode {
    const own = membersOf(value);
    const members: [string, ShownValue][] = [];
    const type = kindOf(value);
    this.#laterFill(depth, own.length, (most) => {
      for (const [name, member] of own.slice(0, most)) {
        const { text, allText } = this.#bounds;
        // A part of a name would be another name.
        if (name.length > Math.min(text, allText - this.#units)) continue;
        if (!this.#hasRoom()) break;
        this.#units += name.length;
        members.push([name, this.#show(member, depth + 1)]);
      }
      return members.length;
    });
    return { is: 'object', ...(type === 'object' ? {} : { type }), total: own.length, members };
  }

  #hasRoom(): boolean {
    return this.#values < this.#bounds.values;
  }

  #laterFill(depth: number, total: number, fill: (most: number) => number): void {
    this.#later.push(() => {
      const most = depth < this.#bounds.depth ? Math.min(total, this.#bounds.members) : 0;
      if (fill(most) < total) this.#isWhole = false;
    });
  }
}

function scalar(type: string, text: string): ShownNode {
  return { is: 'scalar', type, text };
}

function* first<T>(values: Iterable<T>, most: number): Generator<T> {
  let left = most;
  if (left === 0) return;
  for (const value of values) {
    yield value;
    left -= 1;
    if (left === 0) return;
  }
}
