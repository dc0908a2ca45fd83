const PARTS_OF_ONE_SIZE = 700;
const MAX_PART_BYTES = 1024 * 1024 * 1024;
const FIRST_ROOM_BYTES = 64 * 1024;

/**
 * The size of part `index` (from 0) of an object of unknown length, in bytes. The size doubles after every 700 parts, up
 * to 1 GiB: from 5 MiB on, 10,000 parts hold 5 TiB, yet a short stream takes little memory.
 */
export function partBytesAt(index: number, firstPartBytes: number): number {
  const grown = firstPartBytes * 2 ** Math.floor(index / PARTS_OF_ONE_SIZE);
  return Math.min(grown, Math.max(firstPartBytes, MAX_PART_BYTES));
}

/**
 * Cuts a stream into parts of the sizes that `bytesAt` gives (the last one may be shorter), each in memory of its own, so
 * that it can be sent more than once. A stream without bytes is one empty part.
 */
export async function* partsOfStream(
  chunks: AsyncIterable<Uint8Array>,
  bytesAt: (index: number) => number,
): AsyncGenerator<Uint8Array, void> {
  let index = 0;
  let part = new GrowingPart(bytesAt(index), FIRST_ROOM_BYTES);
  for await (const chunk of chunks) {
    let rest = chunk;
    while (rest.length > 0) {
      if (part.isFull) {
        yield part.bytes();
        index += 1;
        part = new GrowingPart(bytesAt(index), bytesAt(index));
      }
      rest = rest.subarray(part.append(rest));
    }
  }
  yield part.bytes();
}

/** Cuts bytes into parts of the sizes that `bytesAt` gives; nothing is copied. */
export async function* partsOfBytes(
  bytes: Uint8Array,
  bytesAt: (index: number) => number,
): AsyncGenerator<Uint8Array, void> {
  let offset = 0;
  for (let index = 0; offset < bytes.length || index === 0; index += 1) {
    const end = Math.min(offset + bytesAt(index), bytes.length);
    yield bytes.subarray(offset, end);
    offset = end;
  }
}

/** The first part takes memory as it fills, because most streams are far shorter than a part. */
class GrowingPart {
  readonly #maxBytes: number;
  #memory: Uint8Array;
  #length = 0;

  constructor(maxBytes: number, roomBytes: number) {
    this.#maxBytes = maxBytes;
    this.#memory = new Uint8Array(Math.min(roomBytes, maxBytes));
  }

  get isFull(): boolean {
    return this.#length === this.#maxBytes;
  }

  /** Copies as much of `chunk` as there is room for, and tells how much that was. */
  append(chunk: Uint8Array): number {
    const taken = chunk.subarray(0, this.#maxBytes - this.#length);
    this.#makeRoom(this.#length + taken.length);
    this.#memory.set(taken, this.#length);
    this.#length += taken.length;
    return taken.length;
  }

  bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#memory.length) return;
    const larger = new Uint8Array(Math.min(Math.max(bytes, this.#memory.length * 4), this.#maxBytes));
    larger.set(this.#memory.subarray(0, this.#length));
    this.#memory = larger;
  }
}
