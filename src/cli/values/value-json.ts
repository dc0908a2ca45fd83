import { Buffer } from 'node:buffer';
import { arrowRows, isArrowTable } from '../../views/values/arrow-table.ts';
import { bytesOf, membersOf } from '../../views/values/value-kind.ts';

const FLUSH_LENGTH = 64 * 1024;
const LINE_LENGTH = 100;
/** A string or bytes beyond this are written in slices: as one JSON text they might be longer than a string can be. */
const SLICE_LENGTH = 3 * 64 * 1024;

/**
 * Writes any artifact's value as JSON, piece by piece, however large it is. What JSON has no word for is shown by the nearest
 * thing it has, and {@link isExact} is `false` then.
 */
export class ValueJson {
  /** True if the JSON, parsed, is the value again. Known once all of it was written. */
  isExact = true;
  readonly #isCompact: boolean;
  #text = '';

  /** `compact`: all on one line. */
  constructor({ compact = false }: { compact?: boolean } = {}) {
    this.#isCompact = compact;
  }

  *pieces(value: unknown, depth = 0): Generator<string> {
    yield* this.#write(value, depth);
    const rest = this.#text;
    this.#text = '';
    yield rest;
  }

  *#write(value: unknown, depth: number): Generator<string> {
    if (this.#text.length >= FLUSH_LENGTH) {
      yield this.#text;
      this.#text = '';
    }
    const long = longOf(value);
    if (long !== undefined) {
      yield* this.#writeLong(long);
      return;
    }
    const scalar = this.#scalar(value);
    if (scalar !== undefined) this.#text += scalar;
    else if (Array.isArray(value)) yield* this.#writeList(value, depth);
    else if (ArrayBuffer.isView(value))
      yield* this.#writeList(value as unknown as ArrayLike<unknown>, depth, true);
    else if (value instanceof Set) yield* this.#writeList([...value], depth, true);
    else if (value instanceof Map) yield* this.#writeList([...value], depth, true);
    else if (isArrowTable(value)) yield* this.#writeRows(arrowRows(value), depth);
    else yield* this.#writeObject(this.#entriesOf(value as object), depth);
  }

  *#writeList(items: ArrayLike<unknown>, depth: number, isStandIn = false): Generator<string> {
    if (isStandIn) this.isExact = false;
    const oneLine = this.#oneLine(items);
    if (oneLine !== undefined) {
      this.#text += oneLine;
      return;
    }
    // Long rows of numbers stay on one line; a line each would be all that one sees.
    const isFlat = ArrayBuffer.isView(items);
    this.#text += '[';
    for (let index = 0; index < items.length; index++) {
      if (index > 0) this.#text += ',';
      if (!isFlat) this.#text += this.#indent(depth + 1);
      yield* this.#write(items[index], depth + 1);
    }
    this.#text += isFlat ? ']' : `${this.#indent(depth)}]`;
  }

  /** Objects that are made as they are written, a line each. */
  *#writeRows(rows: Iterable<object>, depth: number): Generator<string> {
    this.isExact = false;
    let separator = '[';
    for (const row of rows) {
      this.#text += `${separator}${this.#indent(depth + 1)}`;
      separator = ',';
      for (const piece of new ValueJson({ compact: true }).pieces(row)) this.#text += piece;
      if (this.#text.length < FLUSH_LENGTH) continue;
      yield this.#text;
      this.#text = '';
    }
    this.#text += separator === '[' ? '[]' : `${this.#indent(depth)}]`;
  }

  /** Slices do not part the halves of a character, and in base64 they are whole groups. */
  *#writeLong(value: string | Uint8Array): Generator<string> {
    if (typeof value !== 'string') this.isExact = false;
    this.#text += '"';
    for (let start = 0; start < value.length; ) {
      let end = start + SLICE_LENGTH;
      if (typeof value === 'string') {
        if (/[\ud800-\udbff]/.test(value.charAt(end - 1))) end += 1;
        this.#text += JSON.stringify(value.slice(start, end)).slice(1, -1);
      } else {
        this.#text += toBase64(value.subarray(start, end));
      }
      start = end;
      yield this.#text;
      this.#text = '';
    }
    this.#text += '"';
  }

  *#writeObject(entries: readonly (readonly [string, unknown])[], depth: number): Generator<string> {
    if (entries.length === 0) {
      this.#text += '{}';
      return;
    }
    let separator = '{';
    for (const [name, value] of entries) {
      this.#text += `${separator}${this.#indent(depth + 1)}${JSON.stringify(name)}:${this.#isCompact ? '' : ' '}`;
      separator = ',';
      yield* this.#write(value, depth + 1);
    }
    this.#text += `${this.#indent(depth)}}`;
  }

  /** A short list of scalars on one line. */
  #oneLine(items: ArrayLike<unknown>): string | undefined {
    if (items.length * 3 > LINE_LENGTH) return undefined;
    const texts: string[] = [];
    for (let index = 0; index < items.length; index++) {
      const text = this.#scalar(items[index]);
      if (text === undefined) return undefined;
      texts.push(text);
    }
    const line = `[${texts.join(this.#isCompact ? ',' : ', ')}]`;
    return line.length <= LINE_LENGTH ? line : undefined;
  }

  /** `undefined` for what takes more than a few pieces of text. */
  #scalar(value: unknown): string | undefined {
    if (longOf(value) !== undefined) return undefined;
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return JSON.stringify(value);
      case 'number':
        if (Object.is(value, -0)) return '-0';
        return Number.isFinite(value) ? JSON.stringify(value) : this.#standIn(JSON.stringify(String(value)));
      case 'bigint':
        return this.#standIn(`"${value}"`);
      case 'undefined':
        return this.#standIn('null');
      default:
        return value === null ? 'null' : this.#scalarObject(value as object);
    }
  }

  #scalarObject(value: object): string | undefined {
    if (value instanceof Date) return this.#standIn(JSON.stringify(value));
    if (value instanceof URL || value instanceof RegExp) return this.#standIn(JSON.stringify(String(value)));
    const bytes = bytesOf(value);
    return bytes && this.#standIn(`"${toBase64(bytes)}"`);
  }

  #entriesOf(value: object): (readonly [string, unknown])[] {
    if (value instanceof Error) this.isExact = false;
    return membersOf(value);
  }

  #indent(depth: number): string {
    return this.#isCompact ? '' : `\n${'  '.repeat(depth)}`;
  }

  #standIn(text: string): string {
    this.isExact = false;
    return text;
  }
}

/** A value that JSON holds as one string, if that is long. */
function longOf(value: unknown): string | Uint8Array | undefined {
  const text = typeof value === 'string' ? value : bytesOf(value);
  return text !== undefined && text.length > SLICE_LENGTH ? text : undefined;
}

function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
