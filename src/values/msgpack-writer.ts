import { Buffer } from 'node:buffer';
import { Refusal } from './faults.ts';

const SLAB_BYTES = 64 * 1024;
const SMALL_BYTES = 4 * 1024;
const CONTAINER_HEADER_BYTES = 6;

// ES2024, in every supported runtime.
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed();

/**
 * Writes MessagePack tokens, each in its one canonical form (see {@link EXTENSION} for the dialect).
 *
 * Not `@msgpack/msgpack`'s encoder: that writes -0 as 0 and lone surrogates lossily, leaves NaN's bits to the engine, and would
 * need a pass before it to check and transform the value. One pass that does both is as fast, and smaller.
 *
 * Results are carved from a slab that many small ones share: allocating each its own memory costs as much as encoding it.
 */
export class MsgpackWriter {
  private readonly maxBytes: number;
  private readonly beforeGrowing: (bytes: number) => void;
  private buffer: Buffer = Buffer.alloc(0);
  private view: DataView = new DataView(this.buffer.buffer, 0, 0);
  private start = 0;
  private position = 0;

  /** @param beforeGrowing - called with the bytes that there will be, before memory for them is taken. */
  constructor(maxBytes: number, beforeGrowing: (bytes: number) => void) {
    this.maxBytes = maxBytes;
    this.beforeGrowing = beforeGrowing;
  }

  /** Forgets what was written of an unfinished value. */
  begin(): void {
    if (this.buffer.length - this.start < SMALL_BYTES) this.use(new Uint8Array(SLAB_BYTES), 0);
    this.position = this.start;
  }

  /** Bytes of the value so far. */
  get length(): number {
    return this.position - this.start;
  }

  /** The bytes since `begin`; no later value touches them. */
  finish(): Uint8Array {
    if (this.length > this.maxBytes) throw tooLarge(this.maxBytes);
    const { buffer, length } = this.buffer;
    const bytes = new Uint8Array(buffer as ArrayBuffer, this.start, this.position - this.start);
    if (length <= SLAB_BYTES) {
      this.start = this.position;
      return bytes;
    }
    this.start = 0;
    this.use(new Uint8Array(0), 0);
    return bytes.length < length * 0.75 ? bytes.slice() : bytes;
  }

  nil(): void {
    this.reserve(1);
    this.buffer[this.position++] = 0xc0;
  }

  boolean(value: boolean): void {
    this.reserve(1);
    this.buffer[this.position++] = value ? 0xc3 : 0xc2;
  }

  number(value: number): void {
    this.reserve(9);
    const { buffer } = this;
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) this.float64(value);
    else if (value >= 0) {
      if (value < 0x80) buffer[this.position++] = value;
      else if (value < 0x100) {
        buffer[this.position++] = 0xcc;
        buffer[this.position++] = value;
      } else this.longUnsigned(value);
    } else if (value >= -0x20) buffer[this.position++] = value & 0xff;
    else this.longNegative(value);
  }

  private float64(value: number): void {
    this.buffer[this.position] = 0xcb;
    if (Number.isNaN(value)) {
      this.view.setUint32(this.position + 1, 0x7ff80000);
      this.view.setUint32(this.position + 5, 0);
    } else this.view.setFloat64(this.position + 1, value);
    this.position += 9;
  }

  private longUnsigned(value: number): void {
    const { view, position } = this;
    if (value < 0x10000) {
      view.setUint8(position, 0xcd);
      view.setUint16(position + 1, value);
      this.position += 3;
    } else if (value < 0x100000000) {
      view.setUint8(position, 0xce);
      view.setUint32(position + 1, value);
      this.position += 5;
    } else {
      view.setUint8(position, 0xcf);
      view.setBigUint64(position + 1, BigInt(value));
      this.position += 9;
    }
  }

  private longNegative(value: number): void {
    const { view, position } = this;
    if (value >= -0x80) {
      view.setUint8(position, 0xd0);
      view.setInt8(position + 1, value);
      this.position += 2;
    } else if (value >= -0x8000) {
      view.setUint8(position, 0xd1);
      view.setInt16(position + 1, value);
      this.position += 3;
    } else if (value >= -0x80000000) {
      view.setUint8(position, 0xd2);
      view.setInt32(position + 1, value);
      this.position += 5;
    } else {
      view.setUint8(position, 0xd3);
      view.setBigInt64(position + 1, BigInt(value));
      this.position += 9;
    }
  }

  /** Writes `text` and gives true; or nothing and false, when UTF-8 cannot carry it. */
  string(text: string): boolean {
    if (text.length < 128 && this.shortAscii(text)) return true;
    if (!isWellFormed(text)) return false;
    const length = Buffer.byteLength(text);
    this.reserve(length + 5);
    if (length < 0x20) this.buffer[this.position++] = 0xa0 | length;
    else this.lengthHeader(0xd9, length);
    this.buffer.write(text, this.position, length, 'utf8');
    this.position += length;
    return true;
  }

  private shortAscii(text: string): boolean {
    const { length } = text;
    this.reserve(length + 2);
    const { buffer } = this;
    let position = this.position;
    if (length < 0x20) buffer[position++] = 0xa0 | length;
    else {
      buffer[position++] = 0xd9;
      buffer[position++] = length;
    }
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return false;
      buffer[position++] = unit;
    }
    this.position = position;
    return true;
  }

  binary(bytes: Uint8Array): void {
    this.reserve(bytes.length + 5);
    this.lengthHeader(0xc4, bytes.length);
    this.put(bytes);
  }

  arrayHeader(count: number): void {
    this.countHeader(0x90, 0xdc, count);
  }

  mapHeader(count: number): void {
    this.countHeader(0x80, 0xde, count);
  }

  /** An extension whose payload is known: `bytes`, after the byte `first` if there is one. */
  extension(code: number, bytes: Uint8Array, first?: number): void {
    const length = bytes.length + (first === undefined ? 0 : 1);
    this.reserve(length + CONTAINER_HEADER_BYTES);
    const fixed = [1, 2, 4, 8, 16].indexOf(length);
    if (fixed >= 0) this.buffer[this.position++] = 0xd4 + fixed;
    else this.lengthHeader(0xc7, length);
    this.buffer[this.position++] = code;
    if (first !== undefined) this.buffer[this.position++] = first;
    this.put(bytes);
  }

  /** So many extensions without a payload, one after the other. */
  emptyExtensions(code: number, count: number): void {
    this.reserve(3 * count);
    const end = this.position + 3 * count;
    this.buffer.fill(Uint8Array.of(0xc7, 0, code), this.position, end);
    this.position = end;
  }

  /** Begins an extension whose payload is MessagePack. Gives what `endContainer` needs. */
  beginContainer(code: number): number {
    this.reserve(CONTAINER_HEADER_BYTES);
    this.buffer[this.position] = 0xc9;
    this.buffer[this.position + 5] = code;
    this.position += CONTAINER_HEADER_BYTES;
    return this.length;
  }

  endContainer(begun: number): void {
    this.view.setUint32(this.start + begun - 5, this.length - begun);
  }

  private put(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** `head` and a length of one byte, `head + 1` and two, or `head + 2` and four. */
  private lengthHeader(head: number, length: number): void {
    if (length < 0x100) {
      this.buffer[this.position++] = head;
      this.buffer[this.position++] = length;
    } else this.longCount(head + 1, length);
  }

  private countHeader(fixed: number, head: number, count: number): void {
    this.reserve(5);
    if (count < 16) this.buffer[this.position++] = fixed | count;
    else this.longCount(head, count);
  }

  private longCount(head: number, count: number): void {
    if (count < 0x10000) {
      this.buffer[this.position] = head;
      this.view.setUint16(this.position + 1, count);
      this.position += 3;
    } else {
      this.buffer[this.position] = head + 1;
      this.view.setUint32(this.position + 1, count);
      this.position += 5;
    }
  }

  private reserve(bytes: number): void {
    if (this.position + bytes > this.buffer.length) this.grow(bytes);
  }

  private grow(bytes: number): void {
    const { length } = this;
    if (length + bytes > this.maxBytes) throw tooLarge(this.maxBytes);
    this.beforeGrowing(length + bytes);
    const grown = new Uint8Array(Math.min(Math.max(2 * (length + bytes), SLAB_BYTES), this.maxBytes));
    grown.set(this.buffer.subarray(this.start, this.position));
    this.start = 0;
    this.use(grown, length);
  }

  private use(memory: Uint8Array, position: number): void {
    this.buffer = Buffer.from(memory.buffer);
    this.view = new DataView(memory.buffer);
    if (position === 0) this.start = 0;
    this.position = position;
  }
}

/** The refusal of a value that would serialize to more than `maxBytes`. */
export function tooLarge(maxBytes: number): Refusal {
  return new Refusal(
    `too large, or where the whole becomes so: it would take more than ${maxBytes} bytes`,
    'Save its parts as artifacts of their own, its bytes as a Uint8Array or a file, or raise `maxBytes` of the SerializerRegistry; an object that is reached several times counts each time.',
  );
}
