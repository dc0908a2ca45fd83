import { createHasher, type Hasher } from '../digest/blake3.ts';

/** Plain objects larger than this are verified part by part: a constant of the format. */
export const PLAIN_PART_BYTES: number = 8 * 1024 * 1024;

/** Digests the parts of a plain object while it passes by in pieces of any length. */
export class PartDigests {
  readonly #digests: string[] = [];
  #hasher: Hasher = createHasher();
  #bytesInPart = 0;
  #bytes = 0;

  update(piece: Uint8Array): void {
    this.#bytes += piece.length;
    for (let at = 0; at < piece.length; ) {
      const end = Math.min(piece.length, at + PLAIN_PART_BYTES - this.#bytesInPart);
      this.#hasher.update(piece.subarray(at, end));
      this.#bytesInPart += end - at;
      at = end;
      if (this.#bytesInPart === PLAIN_PART_BYTES) this.#endPart();
    }
  }

  /** One digest for each part, in order; none where a single part holds everything, for which the key is enough. */
  finish(): string[] {
    if (this.#bytes <= PLAIN_PART_BYTES) return [];
    if (this.#bytesInPart > 0) this.#endPart();
    return this.#digests;
  }

  #endPart(): void {
    this.#digests.push(this.#hasher.digestHex());
    this.#hasher = createHasher();
    this.#bytesInPart = 0;
  }
}

/** The number of part digests that a plain object of this length has. */
export function partCount(bytes: number): number {
  return bytes <= PLAIN_PART_BYTES ? 0 : Math.ceil(bytes / PLAIN_PART_BYTES);
}
