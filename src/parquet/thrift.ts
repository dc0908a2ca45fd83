/**
 * Reads Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md), in which Parquet
 * writes its footer and the headers of its pages, from bytes that nobody vouches for: no length leads beyond the bytes, and nothing is
 * allocated for what is only claimed.
 */
export class ThriftReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  /** Where the next byte lies. */
  offset: number;

  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#end = end;
    this.offset = offset;
  }

  /** The fields of a struct by their ids. Integers are numbers; binary is a view of the bytes. */
  struct(depth = 0): ThriftStruct {
    const fields: ThriftStruct = new Map();
    this.#fields((id, type) => fields.set(id, this.#value(type, depth + 1)), depth);
    return fields;
  }

  /** Passes a struct over, and looks at every length in it. */
  skipStruct(depth = 0): void {
    this.#fields((_id, type) => this.#skip(type, depth + 1), depth);
  }

  #fields(take: (id: number, type: number) => void, depth: number): void {
    if (depth > MAX_DEPTH) throw new Malformed(`a struct at byte ${this.offset} is nested too deeply`);
    for (let id = 0; ; ) {
      const header = this.#byte();
      const type = header & 0x0f;
      if (type === TYPE.stop) return;
      const delta = header >> 4;
      id = delta === 0 ? Number(this.#zigzag()) : id + delta;
      take(id, type);
    }
  }

  #value(type: number, depth: number): ThriftValue {
    if (type === TYPE.true) return true;
    if (type === TYPE.false) return false;
    if (type === TYPE.byte) return (this.#byte() << 24) >> 24;
    if (type === TYPE.i16 || type === TYPE.i32 || type === TYPE.i64) return Number(this.#zigzag());
    if (type === TYPE.binary) {
      const start = this.#skipBinary();
      return this.#bytes.subarray(start, this.offset);
    }
    if (type === TYPE.struct) return this.struct(depth);
    if (type !== TYPE.list) {
      this.#skip(type, depth);
      return undefined;
    }
    const { count, element } = this.#list(depth);
    const values: ThriftValue[] = [];
    for (let index = 0; index < count; index++) values.push(this.#element(element, depth));
    return values;
  }

  #element(type: number, depth: number): ThriftValue {
    return type === TYPE.true || type === TYPE.false ? this.#byte() === 1 : this.#value(type, depth + 1);
  }

  #skip(type: number, depth: number): void {
    if (type === TYPE.true || type === TYPE.false) return;
    if (type === TYPE.byte) this.#byte();
    else if (type === TYPE.i16 || type === TYPE.i32 || type === TYPE.i64) this.#varint();
    else if (type === TYPE.double) this.offset += this.#fits(8);
    else if (type === TYPE.binary) this.#skipBinary();
    else if (type === TYPE.struct) this.skipStruct(depth);
    else if (type === TYPE.list) {
      const { count, element } = this.#list(depth);
      for (let index = 0; index < count; index++) {
        if (element === TYPE.true || element === TYPE.false) this.#byte();
        else this.#skip(element, depth + 1);
      }
    } else throw new Malformed(`it has a field of the unknown type ${type} at byte ${this.offset}`);
  }

  /** Each element of a list takes a byte at least. */
  #list(depth: number): { count: number; element: number } {
    if (depth > MAX_DEPTH) throw new Malformed(`a list at byte ${this.offset} is nested too deeply`);
    const header = this.#byte();
    const element = header & 0x0f;
    const short = header >> 4;
    return { element, count: short < 15 ? this.#fits(short) : this.#length() };
  }

  /** Where it began. */
  #skipBinary(): number {
    const length = this.#length();
    const start = this.offset;
    this.offset += length;
    return start;
  }

  #length(): number {
    return this.#fits(Number(this.#varint()));
  }

  #fits(bytes: number): number {
    if (bytes > this.#end - this.offset)
      throw new Malformed(`a length at byte ${this.offset} leads beyond its end`);
    return bytes;
  }

  #byte(): number {
    if (this.offset >= this.#end) throw new Malformed('it ends in the middle of a struct');
    return this.#bytes[this.offset++] as number;
  }

  #zigzag(): bigint {
    const value = this.#varint();
    return (value >> 1n) ^ -(value & 1n);
  }

  #varint(): bigint {
    // Most are short: their numbers are exact, and bigints are slow.
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Malformed(`a number at byte ${this.offset} is too long`);
  }
}

export type ThriftStruct = Map<number, ThriftValue>;
export type ThriftValue = boolean | number | Uint8Array | undefined | ThriftStruct | ThriftValue[];

/** Tells why bytes are no Parquet, in words that follow "cannot be read as Parquet:". */
export class Malformed extends Error {}

/** Parquet's own structs nest seven deep. */
const MAX_DEPTH = 16;

const TYPE = {
  stop: 0,
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  struct: 12,
} as const;
