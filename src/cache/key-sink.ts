import { Buffer } from 'node:buffer';
import { createHasher, digestHex, type Hasher } from '../digest/blake3.ts';

/** The bytes of a value begin with this, so that no other use of BLAKE3 gives its digest. */
export const VALUE_DOMAIN = 'stowage cache value 1\n';

/** As {@link VALUE_DOMAIN}, of what a key is made of. */
export const KEY_DOMAIN = 'stowage cache key 1\n';

/** The first byte of every part of an encoded value: what it is. Part of the format. */
export const TAG = {
  null: 0x6e, // n
  undefined: 0x75, // u
  true: 0x74, // t
  false: 0x66, // f
  hole: 0x68, // h
  number: 0x64, // d
  string: 0x73, // s
  utf16: 0x77, // w
  bigint: 0x69, // i
  date: 0x44, // D
  regexp: 0x52, // R
  url: 0x55, // U
  bytes: 0x62, // b
  typedArray: 0x54, // T
  arrayBuffer: 0x41, // A
  dataView: 0x56, // V
  array: 0x4c, // L
  object: 0x4f, // O
  nullPrototype: 0x4e, // N
  map: 0x4d, // M
  set: 0x53, // S
  error: 0x45, // E
  class: 0x43, // C
  serialized: 0x42, // B
  digest: 0x46, // F
} as const;

const FIRST_BYTES = 2048;
const LARGEST_BYTES = 64 * 1024;
/** Longer bytes are hashed where they are. */
const COPIED_BYTES = 16 * 1024;
/** Longer strings go in pieces, so that no copy of a whole one is made. */
const PIECE_UNITS = 8192;
/** A string of at most so many UTF-16 units takes at most 127 bytes, so that its length takes one. */
const SHORT_UNITS = 42;

const NAN_BITS = 0x7ff8000000000000n;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Hashes what is written to it. A little is hashed at once at the end; more than 64 KiB goes to a hasher as it comes, for
 * making one takes longer than hashing a small value.
 */
export class KeySink {
  private memory: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private used = 0;
  private flushed = 0;
  private hasher: Hasher | undefined;

  /** Bytes so far, without those given to {@link bulk}. */
  get length(): number {
    return this.flushed + this.used;
  }

  begin(domain: string): void {
    this.used = 0;
    this.flushed = 0;
    this.hasher = undefined;
    this.used = this.memory.write(domain, 'latin1');
  }

  /** The digest of everything since {@link begin}: 64 hexadecimal digits. */
  finish(): string {
    const rest = this.memory.subarray(0, this.used);
    return this.hasher === undefined ? digestHex(rest) : this.hasher.update(rest).digestHex();
  }

  byte(byte: number): void {
    if (this.used === this.memory.length) this.makeRoom(1);
    this.memory[this.used++] = byte;
  }

  /** The same byte so many times. */
  repeated(byte: number, count: number): void {
    for (let left = count; left > 0; ) {
      const many = Math.min(left, COPIED_BYTES);
      this.makeRoom(many);
      this.memory.fill(byte, this.used, this.used + many);
      this.used += many;
      left -= many;
    }
  }

  /** A length or count: LEB128, seven bits a byte, the lowest first. */
  count(count: number): void {
    let rest = count;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  /** Float 64, big-endian; every NaN as the one. */
  double(value: number): void {
    this.makeRoom(8);
    this.used = Number.isNaN(value)
      ? this.memory.writeBigUInt64BE(NAN_BITS, this.used)
      : this.memory.writeDoubleBE(value, this.used);
  }

  /** The length and the bytes. They may be of any length, and are not copied where they are many. */
  bytes(bytes: Uint8Array): void {
    this.count(bytes.length);
    this.bulk(bytes);
  }

  /** The bytes alone. */
  bulk(bytes: Uint8Array): void {
    if (bytes.length <= COPIED_BYTES) {
      this.makeRoom(bytes.length);
      this.memory.set(bytes, this.used);
      this.used += bytes.length;
      return;
    }
    this.flush();
    this.flushed -= bytes.length;
    this.hashed(bytes);
  }

  /** `tag`, and the string in UTF-8; or `unpairedTag`, and its UTF-16 units, where it has a surrogate without its other half. */
  string(text: string, tag: number, unpairedTag: number): void {
    if (text.length > SHORT_UNITS) {
      this.longString(text, tag, unpairedTag);
      return;
    }
    this.makeRoom(2 + 3 * SHORT_UNITS);
    const { memory, used } = this;
    const start = used + 2;
    let at = start;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) {
        if (LONE_SURROGATE.test(text)) {
          this.unpaired(text, unpairedTag);
          return;
        }
        at = start + memory.write(text, start);
        break;
      }
      memory[at++] = unit;
    }
    memory[used] = tag;
    memory[used + 1] = at - start;
    this.used = at;
  }

  private longString(text: string, tag: number, unpairedTag: number): void {
    const length = Buffer.byteLength(text);
    if (length !== text.length && LONE_SURROGATE.test(text)) {
      this.unpaired(text, unpairedTag);
      return;
    }
    this.byte(tag);
    this.count(length);
    for (let start = 0; start < text.length; ) {
      let end = Math.min(start + PIECE_UNITS, text.length);
      if (end < text.length && isLowSurrogate(text.charCodeAt(end))) end--;
      this.makeRoom(3 * (end - start));
      this.used += this.memory.write(text.slice(start, end), this.used);
      start = end;
    }
  }

  private unpaired(text: string, tag: number): void {
    this.byte(tag);
    this.bytes(Buffer.from(text, 'utf16le'));
  }

  private makeRoom(bytes: number): void {
    const needed = this.used + bytes;
    if (needed <= this.memory.length) return;
    if (needed <= LARGEST_BYTES) {
      const grown = Buffer.allocUnsafeSlow(Math.min(LARGEST_BYTES, Math.max(needed, 4 * this.memory.length)));
      grown.set(this.memory.subarray(0, this.used));
      this.memory = grown;
      return;
    }
    this.flush();
    if (bytes > this.memory.length) this.memory = Buffer.allocUnsafeSlow(LARGEST_BYTES);
  }

  private flush(): void {
    if (this.used > 0) this.hashed(this.memory.subarray(0, this.used));
    this.used = 0;
  }

  private hashed(bytes: Uint8Array): void {
    this.hasher ??= createHasher();
    this.hasher.update(bytes);
    this.flushed += bytes.length;
  }
}

/** Sinks that nobody uses: their memory is worth more than they are. */
const idle: KeySink[] = [];
const MAX_IDLE = 8;

/** A sink, to be returned after its use. */
export function borrowSink(): KeySink {
  return idle.pop() ?? new KeySink();
}

/** Keeps a sink for the next who needs one. */
export function returnSink(sink: KeySink): void {
  if (idle.length < MAX_IDLE) idle.push(sink);
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
