import { Buffer } from 'node:buffer';
import { StowageError } from '../errors.ts';
import type { ClassTransformers } from './class-transformers.ts';
import { ELEMENT_TYPES, typedArrayOver } from './element-types.ts';
import {
  ERROR_CLASSES,
  EXTENSION,
  HIDDEN_ERROR_KEYS,
  MAX_BIGINT_BYTES,
  type ValueLimits,
} from './extensions.ts';
import { Malformed } from './faults.ts';
import { MsgpackReader } from './msgpack-reader.ts';

const OBJECT_PROTOTYPE = Object.prototype;
const MAX_TIME_MS = 8.64e15;

/**
 * Reads one value in the dialect of {@link EXTENSION} from bytes that may be hostile.
 *
 * Throws {@link Malformed} for bytes that are no value, and `UNKNOWN_ENCODING` for an instance of a class that is not registered.
 */
export function decodeValue(
  bytes: Uint8Array,
  classes: ClassTransformers,
  limits: ValueLimits,
  artifactName: string,
): unknown {
  return new ValueDecoder(bytes, classes, limits, artifactName).whole();
}

class ValueDecoder {
  private readonly input: MsgpackReader;
  private readonly classes: ClassTransformers;
  private readonly maxDepth: number;
  private readonly artifactName: string;

  constructor(bytes: Uint8Array, classes: ClassTransformers, limits: ValueLimits, artifactName: string) {
    this.input = new MsgpackReader(bytes);
    this.classes = classes;
    this.maxDepth = limits.maxDepth;
    this.artifactName = artifactName;
  }

  whole(): unknown {
    const value = this.value(0);
    this.expectEnd();
    return value;
  }

  /** The next value; `depth` is the number of containers around it. */
  private value(depth: number): unknown {
    const { input } = this;
    const head = input.head();
    if (head < 0x80) return head;
    if (head < 0x90) return this.object(head & 0x0f, this.deeper(depth), {});
    if (head < 0xa0) return this.array(head & 0x0f, this.deeper(depth));
    if (head < 0xc0) return input.string(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return input.take(input.unsigned(1 << (head - 0xc4)));
      case 0xca:
        return input.float32();
      case 0xcb:
        return input.float64();
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return input.unsigned(1 << (head - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return input.signed(1 << (head - 0xd0));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return input.string(input.unsigned(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.array(input.unsigned(2 << (head - 0xdc)), this.deeper(depth));
      case 0xde:
      case 0xdf:
        return this.object(input.unsigned(2 << (head - 0xde)), this.deeper(depth), {});
      case 0xc1:
        throw input.malformed('a byte that MessagePack never uses', input.position - 1);
      default:
        return this.extension(this.extensionLength(head), depth);
    }
  }

  private extensionLength(head: number): number {
    return head >= 0xd4 ? 1 << (head - 0xd4) : this.input.unsigned(1 << (head - 0xc7));
  }

  private deeper(depth: number): number {
    if (depth >= this.maxDepth) throw this.input.malformed(`nested deeper than ${this.maxDepth} levels`);
    return depth + 1;
  }

  // Elements are appended, never allocated by the declared count: nested declarations could promise the same bytes twice.
  private array(count: number, depth: number): unknown[] {
    const { input } = this;
    input.expect(count, 1);
    const array: unknown[] = [];
    for (let index = 0; index < count; index++) {
      if (this.skipHole()) array.length = index + 1;
      else array.push(this.value(depth));
    }
    return array;
  }

  private skipHole(): boolean {
    const { bytes, position, end } = this.input;
    if (bytes[position] !== 0xc7 || position + 3 > end) return false;
    if (bytes[position + 1] !== 0 || bytes[position + 2] !== EXTENSION.hole) return false;
    this.input.position += 3;
    return true;
  }

  private object(count: number, depth: number, object: Record<string, unknown>): Record<string, unknown> {
    const { input } = this;
    input.expect(count, 2);
    for (let index = 0; index < count; index++) {
      const key = this.key();
      const value = this.value(depth);
      // Assignment would run a setter, or fail, where someone put a property on Object.prototype or froze it.
      if (key in OBJECT_PROTOTYPE) define(object, key, value, true);
      else object[key] = value;
    }
    return object;
  }

  private key(): string {
    const { input } = this;
    const head = input.head();
    let key: unknown;
    if (head >= 0xa0 && head < 0xc0) key = input.key(head & 0x1f);
    else if (head >= 0xd9 && head <= 0xdb) key = input.key(input.unsigned(1 << (head - 0xd9)));
    else {
      input.position--;
      key = this.value(this.maxDepth);
    }
    if (typeof key !== 'string') throw input.malformed('a key that is not a string');
    if (key === '__proto__') throw input.malformed('the key `__proto__`');
    return key;
  }

  private extension(length: number, depth: number): unknown {
    const { input } = this;
    const code = input.head();
    input.expect(length, 1);
    const outerEnd = input.end;
    input.end = input.position + length;
    const value = this.payload(code, length, depth);
    this.expectEnd();
    input.end = outerEnd;
    return value;
  }

  private payload(code: number, length: number, depth: number): unknown {
    const { input } = this;
    switch (code) {
      case EXTENSION.undefined:
        return undefined;
      case EXTENSION.hole:
        throw input.malformed('a hole outside an array');
      case EXTENSION.date:
        return this.date();
      case EXTENSION.bigint:
        return this.bigint(length);
      case EXTENSION.regexp:
        return this.regexp();
      case EXTENSION.url:
        return this.url(length);
      case EXTENSION.map:
        return this.map(this.deeper(depth));
      case EXTENSION.set:
        return this.set(this.deeper(depth));
      case EXTENSION.error:
        return this.error(this.deeper(depth));
      case EXTENSION.typedArray:
        return this.typedArray(length);
      case EXTENSION.arrayBuffer:
        return input.take(length).buffer;
      case EXTENSION.dataView:
        return new DataView(input.take(length).buffer);
      case EXTENSION.utf16:
        return this.utf16(length);
      case EXTENSION.nullPrototype:
        return this.object(this.mapCount(), this.deeper(depth), Object.create(null));
      case EXTENSION.class:
        return this.classInstance(this.deeper(depth));
      default:
        throw input.malformed(`an extension of the unknown code ${code}`);
    }
  }

  private date(): Date {
    const ms = this.input.float64();
    const valid = Number.isNaN(ms) || (Number.isInteger(ms) && Math.abs(ms) <= MAX_TIME_MS);
    if (!valid) throw this.input.malformed('a date out of range');
    return new Date(ms);
  }

  private bigint(length: number): bigint {
    const sign = this.input.head();
    const magnitude = this.input.take(length - 1);
    const canonical = magnitude.length === 0 ? sign === 0 : sign <= 1 && magnitude[0] !== 0;
    if (!canonical || magnitude.length > MAX_BIGINT_BYTES) {
      throw this.input.malformed('a bigint that is not in its one form, or too long');
    }
    if (magnitude.length === 0) return 0n;
    const { buffer, byteOffset } = magnitude;
    const value = BigInt(`0x${Buffer.from(buffer, byteOffset, magnitude.length).toString('hex')}`);
    return sign === 1 ? -value : value;
  }

  private regexp(): RegExp {
    this.expectItems(3);
    const source = this.text();
    const flags = this.text();
    const lastIndex = this.value(this.maxDepth);
    if (typeof lastIndex !== 'number') throw this.input.malformed('no number where `lastIndex` must be');
    const regexp = this.construct('a regular expression', () => new RegExp(source, flags));
    regexp.lastIndex = lastIndex;
    return regexp;
  }

  private url(length: number): URL {
    const href = this.input.string(length);
    return this.construct('a URL', () => new URL(href));
  }

  private construct<T>(what: string, build: () => T): T {
    try {
      return build();
    } catch (cause) {
      throw new Malformed(`${what} that is not valid, before byte ${this.input.position}`, { cause });
    }
  }

  private map(depth: number): Map<unknown, unknown> {
    const count = this.arrayCount();
    if (count % 2 !== 0) throw this.input.malformed('a Map with a key that has no value');
    const map = new Map<unknown, unknown>();
    for (let index = 0; index < count; index += 2) {
      const key = this.value(depth);
      map.set(key, this.value(depth));
    }
    return map;
  }

  private set(depth: number): Set<unknown> {
    const count = this.arrayCount();
    const set = new Set<unknown>();
    for (let index = 0; index < count; index++) set.add(this.value(depth));
    return set;
  }

  private error(depth: number): Error {
    this.expectItems(3);
    const Class = ERROR_CLASSES.get(this.text());
    if (Class === undefined) throw this.input.malformed('an error of an unknown class');
    const hidden = this.object(this.mapCount(), depth, Object.create(null));
    const properties = this.object(this.mapCount(), depth, Object.create(null));
    const error = Class === (AggregateError as unknown) ? new AggregateError([]) : new Class();
    for (const key of HIDDEN_ERROR_KEYS) Reflect.deleteProperty(error, key);
    for (const [key, value] of Object.entries(hidden)) define(error, key, value, false);
    for (const [key, value] of Object.entries(properties)) define(error, key, value, true);
    return error;
  }

  private typedArray(length: number): unknown {
    const code = this.input.head();
    const type = ELEMENT_TYPES.find((candidate) => candidate.code === code);
    if (type === undefined) {
      throw this.input.malformed(
        `a typed array of the element type ${code}, which this runtime does not have`,
      );
    }
    const array = typedArrayOver(type, this.input.take(length - 1));
    if (array === undefined) throw this.input.malformed('a typed array that ends within an element');
    return array;
  }

  private utf16(length: number): string {
    const bytes = this.input.take(length);
    if (length % 2 !== 0) throw this.input.malformed('a UTF-16 string of an odd length');
    return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('utf16le');
  }

  private classInstance(depth: number): unknown {
    this.expectItems(2);
    const name = this.text();
    const transformer = this.classes.named(name);
    if (transformer === undefined) {
      throw new StowageError(
        'UNKNOWN_ENCODING',
        `Artifact "${this.artifactName}" holds an instance of the class "${name}", which is not registered here: call \`registerClass({ name: ${JSON.stringify(name)}, class, toValue, fromValue })\` before loading it.`,
        { details: { artifact: this.artifactName, class: name } },
      );
    }
    return transformer.fromValue(this.value(depth));
  }

  /** A string, in either form. */
  private text(): string {
    const value = this.value(this.maxDepth);
    if (typeof value !== 'string') throw this.input.malformed('something else where a string must be');
    return value;
  }

  private expectItems(count: number): void {
    if (this.arrayCount() !== count) throw this.input.malformed(`not the ${count} items that must be here`);
  }

  private arrayCount(): number {
    const count = this.input.count(this.input.head(), 0x90, 0xdc);
    if (count === undefined) throw this.input.malformed('no array where one must be');
    this.input.expect(count, 1);
    return count;
  }

  private mapCount(): number {
    const count = this.input.count(this.input.head(), 0x80, 0xde);
    if (count === undefined) throw this.input.malformed('no map where one must be');
    return count;
  }

  private expectEnd(): void {
    const left = this.input.end - this.input.position;
    if (left !== 0) throw this.input.malformed(`${left} bytes left after the value`);
  }
}

function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}
