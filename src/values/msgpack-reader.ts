import { Buffer } from 'node:buffer';
import { EXTENSION } from './extensions.ts';
import { Malformed } from './faults.ts';
import { readKey, readUtf8 } from './utf8-reader.ts';

/**
 * Reads MessagePack tokens within bounds: nothing is read, allocated or promised beyond `end`.
 */
export class MsgpackReader {
  readonly bytes: Buffer;
  /** The next token begins here. */
  position = 0;
  /** The payload being read ends here. */
  end: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.length;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  head(): number {
    return this.bytes[this.advance(1)] as number;
  }

  /** An unsigned integer of 1, 2, 4 or 8 bytes. */
  unsigned(width: number): number {
    const at = this.advance(width);
    switch (width) {
      case 1:
        return this.bytes[at] as number;
      case 2:
        return this.view.getUint16(at);
      case 4:
        return this.view.getUint32(at);
      default:
        return this.safe(this.view.getBigUint64(at));
    }
  }

  /** A signed integer of 1, 2, 4 or 8 bytes. */
  signed(width: number): number {
    const at = this.advance(width);
    switch (width) {
      case 1:
        return this.view.getInt8(at);
      case 2:
        return this.view.getInt16(at);
      case 4:
        return this.view.getInt32(at);
      default:
        return this.safe(this.view.getBigInt64(at));
    }
  }

  float32(): number {
    return this.view.getFloat32(this.advance(4));
  }

  float64(): number {
    return this.view.getFloat64(this.advance(8));
  }

  string(length: number): string {
    const start = this.advance(length);
    return readUtf8(this.bytes, start, start + length);
  }

  key(length: number): string {
    const start = this.advance(length);
    return readKey(this.bytes, start, start + length);
  }

  /** A copy of the next `length` bytes, in memory of its own. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const start = this.advance(length);
    return new Uint8Array(this.bytes.subarray(start, start + length));
  }

  /** The length of an extension, by the byte that began it. */
  extensionLength(head: number): number {
    return head >= 0xd4 ? 1 << (head - 0xd4) : this.unsigned(1 << (head - 0xc7));
  }

  /** Passes over holes, at most so many, and tells how many there were: to append each by itself would take longest of all. */
  skipHoles(most: number): number {
    const { bytes, position, end } = this;
    if (bytes[position] !== 0xc7) return 0;
    const last = Math.min(end, position + 3 * most) - 3;
    let at = position;
    while (at <= last && bytes[at] === 0xc7 && bytes[at + 1] === 0 && bytes[at + 2] === EXTENSION.hole)
      at += 3;
    this.position = at;
    return (at - position) / 3;
  }

  /** Expects an array of so many items. */
  expectItems(count: number): void {
    if (this.arrayCount() !== count) throw this.malformed(`not the ${count} items that must be here`);
  }

  arrayCount(): number {
    const count = this.count(this.head(), 0x90, 0xdc);
    if (count === undefined) throw this.malformed('no array where one must be');
    this.expect(count, 1);
    return count;
  }

  mapCount(): number {
    const count = this.count(this.head(), 0x80, 0xde);
    if (count === undefined) throw this.malformed('no map where one must be');
    return count;
  }

  /** Expects the end of what is being read. */
  expectEnd(): void {
    const left = this.end - this.position;
    if (left !== 0) throw this.malformed(`${left} bytes left after the value`);
  }

  /** The number of items an array (fixed form `0x90`, long forms `0xdc`) or a map (`0x80`, `0xde`) declares. */
  private count(head: number, fixed: number, long: number): number | undefined {
    if ((head & 0xf0) === fixed) return head & 0x0f;
    if (head === long) return this.unsigned(2);
    if (head === long + 1) return this.unsigned(4);
    return undefined;
  }

  /** Refuses `count` items that need at least `bytesEach` where fewer bytes are left. */
  expect(count: number, bytesEach: number): void {
    if (count * bytesEach > this.end - this.position) {
      throw this.malformed(`${count} items declared where ${this.end - this.position} bytes are left`);
    }
  }

  malformed(what: string, at: number = this.position, remedy?: string): Malformed {
    return new Malformed(`${what}, at byte ${at}`, { remedy });
  }

  private safe(value: bigint): number {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw this.malformed('an integer that a number cannot hold');
    return number;
  }

  private advance(bytes: number): number {
    const at = this.position;
    if (bytes > this.end - at) {
      throw this.malformed(`the value ends early: ${bytes} bytes expected, ${this.end - at} left`);
    }
    this.position = at + bytes;
    return at;
  }
}
