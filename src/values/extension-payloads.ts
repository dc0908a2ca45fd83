import { Buffer } from 'node:buffer';
import { ELEMENT_TYPES, typedArrayOver } from './element-types.ts';
import { MAX_BIGINT_BYTES } from './extensions.ts';
import { Malformed } from './faults.ts';
import type { MsgpackReader } from './msgpack-reader.ts';

const MAX_TIME_MS = 8.64e15;

/*
 * Each reader returns the value that an extension's payload is, of so many bytes, and throws Malformed where it is none.
 */

export function readDate(input: MsgpackReader): Date {
  const ms = input.float64();
  const valid = Number.isNaN(ms) || (Number.isInteger(ms) && Math.abs(ms) <= MAX_TIME_MS);
  if (!valid) throw input.malformed('a date out of range');
  return new Date(ms);
}

export function readBigint(input: MsgpackReader, length: number): bigint {
  const sign = input.head();
  const magnitude = input.take(length - 1);
  const canonical = magnitude.length === 0 ? sign === 0 : sign <= 1 && magnitude[0] !== 0;
  if (!canonical || magnitude.length > MAX_BIGINT_BYTES) {
    throw input.malformed('a bigint that is not in its one form, or too long');
  }
  if (magnitude.length === 0) return 0n;
  const { buffer, byteOffset } = magnitude;
  const value = BigInt(`0x${Buffer.from(buffer, byteOffset, magnitude.length).toString('hex')}`);
  return sign === 1 ? -value : value;
}

export function readUrl(input: MsgpackReader, length: number): URL {
  const href = input.string(length);
  return constructed(input, 'a URL', () => new URL(href));
}

export function readTypedArray(input: MsgpackReader, length: number): unknown {
  const code = input.head();
  const type = ELEMENT_TYPES.find((candidate) => candidate.code === code);
  if (type === undefined) {
    throw input.malformed(`a typed array of the element type ${code}, which this runtime does not have`);
  }
  const array = typedArrayOver(type, input.take(length - 1));
  if (array === undefined) throw input.malformed('a typed array that ends within an element');
  return array;
}

export function readUtf16(input: MsgpackReader, length: number): string {
  const bytes = input.take(length);
  if (length % 2 !== 0) throw input.malformed('a UTF-16 string of an odd length');
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('utf16le');
}

/** What `build` gives; where it throws, the bytes are no value. */
export function constructed<T>(input: MsgpackReader, what: string, build: () => T): T {
  try {
    return build();
  } catch (cause) {
    throw new Malformed(`${what} that is not valid, before byte ${input.position}`, { cause });
  }
}
