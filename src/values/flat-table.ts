import { Malformed } from './faults.ts';

/** A vector in a FlatBuffer: where its first element is, and how many there are. */
export interface FlatVector {
  readonly position: number;
  readonly length: number;
}

/**
 * A table of a FlatBuffer (https://flatbuffers.dev/internals/), whose fields are asked for by their index in the schema.
 *
 * Nothing outside of the buffer is read (a `RangeError` is thrown instead), and whoever follows every offset gets to the end:
 * each table and vector that is reached counts against the buffer's length, so that few bytes cannot stand for a large tree.
 */
export class FlatTable {
  private readonly buffer: FlatBuffer;
  private readonly position: number;
  private readonly fieldPositions: number;
  private readonly fieldCount: number;

  private constructor(buffer: FlatBuffer, position: number) {
    const { view } = buffer;
    this.buffer = buffer;
    this.position = position;
    const slots = position - view.getInt32(position, true);
    this.fieldPositions = slots + 4;
    this.fieldCount = Math.floor((view.getUint16(slots, true) - 4) / 2);
    buffer.visit(position, view.getUint16(slots + 2, true));
  }

  /** The table that `bytes` begin with. */
  static root(bytes: Uint8Array): FlatTable {
    const buffer = new FlatBuffer(bytes);
    return new FlatTable(buffer, buffer.follow(0));
  }

  uint8(field: number): number {
    const position = this.find(field);
    return position === undefined ? 0 : this.buffer.view.getUint8(position);
  }

  int16(field: number): number {
    const position = this.find(field);
    return position === undefined ? 0 : this.buffer.view.getInt16(position, true);
  }

  int64(field: number): number {
    const position = this.find(field);
    return position === undefined ? 0 : this.buffer.int64(position);
  }

  table(field: number): FlatTable | undefined {
    const position = this.find(field);
    return position === undefined ? undefined : new FlatTable(this.buffer, this.buffer.follow(position));
  }

  /** A vector of elements of `elementBytes` each, or a string's bytes; an empty one where there is none. */
  vector(field: number, elementBytes: number): FlatVector {
    const position = this.find(field);
    if (position === undefined) return { position: 0, length: 0 };
    const start = this.buffer.follow(position);
    const length = this.buffer.view.getUint32(start, true);
    this.buffer.visit(start, 4 + length * elementBytes);
    return { position: start + 4, length };
  }

  *tables(field: number): Generator<FlatTable> {
    const { position, length } = this.vector(field, 4);
    for (let index = 0; index < length; index++) {
      yield new FlatTable(this.buffer, this.buffer.follow(position + 4 * index));
    }
  }

  /** The 64-bit integer at `position`, of a vector of integers or of structs. */
  int64At(position: number): number {
    return this.buffer.int64(position);
  }

  private find(field: number): number | undefined {
    if (field >= this.fieldCount) return undefined;
    const offset = this.buffer.view.getUint16(this.fieldPositions + 2 * field, true);
    return offset === 0 ? undefined : this.position + offset;
  }
}

class FlatBuffer {
  readonly view: DataView;
  private unvisited: number;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.view = new DataView(buffer, byteOffset, byteLength);
    // Some writers have equal strings share their bytes.
    this.unvisited = 4 * byteLength;
  }

  /** The position that the offset at `position` leads to: always forward, so that there are no cycles. */
  follow(position: number): number {
    const offset = this.view.getUint32(position, true);
    if (offset < 4) throw new Malformed('an offset in its metadata leads nowhere');
    return position + offset;
  }

  visit(position: number, bytes: number): void {
    this.unvisited -= Math.max(bytes, 4);
    if (position + bytes > this.view.byteLength || this.unvisited < 0) {
      throw new Malformed('its metadata declares more than there is');
    }
  }

  int64(position: number): number {
    const value = Number(this.view.getBigInt64(position, true));
    if (!Number.isSafeInteger(value)) throw new Malformed('its metadata holds a number that is out of range');
    return value;
  }
}
