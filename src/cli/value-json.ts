import { Buffer } from 'node:buffer';
import { types } from 'node:util';

const FLUSH_LENGTH = 64 * 1024;
const LINE_LENGTH = 100;

/**
 * Writes any artifact's value as JSON, piece by piece, however large it is. What JSON has no word for is shown by the nearest
 * thing it has, and {@link isExact} is `false` then.
 */
export class ValueJson {
  /** Whether the JSON, parsed, is the value again. Known once all of it was written. */
  isExact = true;
  #text = '';

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
    const scalar = this.#scalar(value);
    if (scalar !== undefined) this.#text += scalar;
    else if (Array.isArray(value)) yield* this.#writeList(value, depth);
    else if (ArrayBuffer.isView(value))
      yield* this.#writeList(value as unknown as ArrayLike<unknown>, depth, true);
    else if (value instanceof Set) yield* this.#writeList([...value], depth, true);
    else if (value instanceof Map) yield* this.#writeList([...value], depth, true);
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
      if (!isFlat) this.#text += indent(depth + 1);
      yield* this.#write(items[index], depth + 1);
    }
    this.#text += isFlat ? ']' : `${indent(depth)}]`;
  }

  *#writeObject(entries: readonly (readonly [string, unknown])[], depth: number): Generator<string> {
    if (entries.length === 0) {
      this.#text += '{}';
      return;
    }
    let separator = '{';
    for (const [name, value] of entries) {
      this.#text += `${separator}${indent(depth + 1)}${JSON.stringify(name)}: `;
      separator = ',';
      yield* this.#write(value, depth + 1);
    }
    this.#text += `${indent(depth)}}`;
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
    const line = `[${texts.join(', ')}]`;
    return line.length <= LINE_LENGTH ? line : undefined;
  }

  #scalar(value: unknown): string | undefined {
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
    if (value instanceof Uint8Array || value instanceof DataView) return this.#base64(value);
    if (types.isAnyArrayBuffer(value)) return this.#base64(new Uint8Array(value));
    return undefined;
  }

  #entriesOf(value: object): (readonly [string, unknown])[] {
    const entries = Object.entries(value);
    if (!(value instanceof Error)) return entries;
    this.isExact = false;
    const hidden = ['name', 'message', 'stack', 'cause', 'errors'] as const;
    const known = hidden.flatMap((name) => {
      const own = (value as unknown as Record<string, unknown>)[name];
      return own === undefined ? [] : [[name, own] as const];
    });
    return [...known, ...entries.filter(([name]) => !known.some(([other]) => other === name))];
  }

  #base64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
    return this.#standIn(`"${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}"`);
  }

  #standIn(text: string): string {
    this.isExact = false;
    return text;
  }
}

function indent(depth: number): string {
  return `\n${'  '.repeat(depth)}`;
}
