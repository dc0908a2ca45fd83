import { Buffer } from 'node:buffer';
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

  /** The number of items an array (fixed form `0x90`, long forms `0xdc`) or a map (`0x80`, `0xde`) declares. */
  count(head: number, fixed: number, long: number): number | undefined {
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
