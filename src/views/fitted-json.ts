import { formatCount } from '../options/figures.ts';

/** The parts of a document that were left out so that it fits. */
export interface Cut {
  /** The number of texts of which the beginning is there. Each says at its end how many bytes are left out. */
  texts: number;
  /** Lists of which the first items are there, and maps of which the first members are: {@link MAX_LISTS} at most. */
  lists: CutList[];
  /** The number of other such lists and maps; absent where there are none. */
  more?: number;
}

export interface CutList {
  /** The names and indexes that lead to it, `attempts.0.artifacts`, in 200 bytes at most. */
  at: string;
  /** The number of items that are left out. */
  left: number;
}

const MAX_LISTS = 10;
const MAX_PLACE_BYTES = 200;
/** An item of a list keeps so many bytes, as far as it has them: rather than less, the last items go. */
const LEAST_ITEM_BYTES = 4_096;
/** So does a member of an object or a map. Members of a record are fewer than would not fit by this. */
const LEAST_MEMBER_BYTES = 64;
/** `null`, or an empty text, list or map. */
const LEAST_BYTES = 4;

/**
 * Cuts JSON values so that they fit into a number of bytes, where they take more. What is small stays whole: the members of an object, and
 * the items of a list, share the room so that none has more than another one lacks (max-min fairness; Bertsekas and Gallager, Data Networks,
 * section 6.5.2).
 */
export class JsonFitter {
  readonly #bytes = new WeakMap<object, number>();
  #texts = 0;
  readonly #lists: CutList[] = [];
  #more = 0;

  /** What was left out so far; `undefined` of nothing. */
  get cut(): Cut | undefined {
    if (this.#texts + this.#lists.length === 0) return undefined;
    return { texts: this.#texts, lists: this.#lists, ...(this.#more === 0 ? {} : { more: this.#more }) };
  }

  /**
   * A value that takes at most `maxBytes` as JSON without spaces: itself where it does. Texts stay texts, lists and maps lose their last
   * items and members.
   *
   * @param maxBytes - from 4 on
   */
  fit<T>(value: T, maxBytes: number, at = ''): T {
    if (this.bytesOf(value) <= maxBytes) return value;
    const plain = plainOf(value);
    if (typeof plain === 'string') return this.#text(plain, maxBytes) as T;
    if (Array.isArray(plain)) return this.#list(plain, maxBytes, at) as T;
    if (typeof plain === 'object' && plain !== null) return this.#members(plain, maxBytes, at) as T;
    return null as T;
  }

  /** The first items that fit together into `maxBytes`, each cut where it is long. Those behind them are not told as left out. */
  firstOf<T>(items: readonly T[], maxBytes: number, at = ''): T[] {
    // Each item has a comma behind it, but for the last one.
    const room = maxBytes - 1;
    const sizes = items.map((item) => this.bytesOf(item));
    const share = shareOf(sizes, room - items.length);
    if (share >= LEAST_ITEM_BYTES)
      return items.map((item, index) => this.fit(item, share, inside(at, index)));
    const first: T[] = [];
    let left = room;
    for (const [index, item] of items.entries()) {
      const most = Math.min(sizes[index] as number, LEAST_ITEM_BYTES, first.length > 0 ? Infinity : left - 1);
      if (most < Math.min(LEAST_BYTES, sizes[index] as number) || most + 1 > left) break;
      const fitted = this.fit(item, most, inside(at, index));
      first.push(fitted);
      left -= this.bytesOf(fitted) + 1;
    }
    return first;
  }

  /** The length of a value as JSON without spaces, in bytes. */
  bytesOf(value: unknown): number {
    if (typeof value !== 'object' || value === null) return textBytes(JSON.stringify(value) ?? 'null');
    const known = this.#bytes.get(value);
    if (known !== undefined) return known;
    const plain = plainOf(value);
    const bytes =
      typeof plain === 'object' && plain !== null ? this.#bytesWithin(plain) : this.bytesOf(plain);
    this.#bytes.set(value, bytes);
    return bytes;
  }

  #bytesWithin(value: object): number {
    if (Array.isArray(value))
      return 1 + Math.max(1, value.length) + value.reduce((sum: number, item) => sum + this.bytesOf(item), 0);
    const members = membersOf(value);
    const own = members.reduce((sum, [name, item]) => sum + nameBytes(name) + this.bytesOf(item), 0);
    return 2 + own - (members.length === 0 ? 0 : 1);
  }

  #list(items: readonly unknown[], maxBytes: number, at: string): unknown[] {
    const first = this.firstOf(items, maxBytes, at);
    this.#leave(items.length - first.length, at);
    return first;
  }

  #members(value: object, maxBytes: number, at: string): object {
    const members = membersOf(value);
    const sizes = members.map(([, item]) => this.bytesOf(item));
    const names = members.reduce((sum, [name]) => sum + nameBytes(name), 0);
    // The last member has no comma behind it.
    const share = Math.max(LEAST_MEMBER_BYTES, shareOf(sizes, maxBytes - 1 - names));
    const first: [string, unknown][] = [];
    let left = maxBytes - 1;
    for (const [index, [name, item]] of members.entries()) {
      const most = Math.min(sizes[index] as number, share);
      if (nameBytes(name) + most > left) break;
      const fitted = this.fit(item, most, inside(at, name));
      first.push([name, fitted]);
      left -= nameBytes(name) + this.bytesOf(fitted);
    }
    this.#leave(members.length - first.length, at);
    return Object.fromEntries(first);
  }

  #text(text: string, maxBytes: number): string {
    this.#texts += 1;
    return shortText(text, maxBytes);
  }

  #leave(left: number, at: string): void {
    if (left === 0) return;
    if (this.#lists.length === MAX_LISTS) this.#more += 1;
    else this.#lists.push({ at: shortText(at, MAX_PLACE_BYTES), left });
  }
}

/** The beginning of a text, and how many bytes of UTF-8 more it has, so that it takes at most `maxBytes` as JSON; itself where it does. */
export function shortText(text: string, maxBytes: number): string {
  if (textBytes(JSON.stringify(text)) <= maxBytes) return text;
  const noteOf = (end: number): string => `… (${formatCount(textBytes(text.slice(end)))} bytes more)`;
  const room = maxBytes - textBytes(JSON.stringify(noteOf(0)));
  if (room < 0) return maxBytes < textBytes('"…"') ? '' : '…';
  let [end, tooFar] = [0, Math.min(text.length, room) + 1];
  while (tooFar - end > 1) {
    const middle = (end + tooFar) >> 1;
    if (textBytes(JSON.stringify(text.slice(0, middle))) - 2 <= room) end = middle;
    else tooFar = middle;
  }
  const whole = isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end;
  return text.slice(0, whole) + noteOf(whole);
}

/** The most that each may have of `room`, so that all together have no more than that: no limit where all have what they need. */
function shareOf(sizes: readonly number[], room: number): number {
  let left = room;
  for (const [index, size] of sizes.toSorted((a, b) => a - b).entries()) {
    const share = Math.floor(left / (sizes.length - index));
    if (size > share) return share;
    left -= size;
  }
  return Number.POSITIVE_INFINITY;
}

/** The value that JSON has of another one. */
function plainOf(value: unknown): unknown {
  const { toJSON } = Object(value) as { toJSON?: unknown };
  return typeof toJSON === 'function' ? (toJSON.call(value) as unknown) : value;
}

function membersOf(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined && typeof item !== 'function');
}

/** Of a name with its colon, and the comma behind its value. */
function nameBytes(name: string): number {
  return textBytes(JSON.stringify(name)) + 2;
}

function textBytes(text: string): number {
  return Buffer.byteLength(text);
}

function inside(at: string, name: string | number): string {
  return at === '' ? String(name) : `${at}.${name}`;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
