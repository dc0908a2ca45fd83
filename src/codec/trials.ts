/** At least one chunk in so many is tried. */
const TRY_EVERY = 8;
/** Bits of entropy by which samples of the same kind of numbers differ at most; by chance it is a tenth of that. */
const LIKE_BITS = 0.05;

/**
 * Remembers, for the chunks of one content, that the last one which was tried was not worth compressing. A trial takes longer than
 * hashing the chunk, and numbers or pictures are alike throughout: a chunk whose bytes are distributed as those of the last trial is
 * not tried, seven in a row at most.
 */
export class Trials {
  #rawBits: number | undefined;
  #sinceTrial = 0;

  /** True where the chunk of this sample is stored as it is, without a trial. */
  isLikeRaw(sample: Uint8Array): boolean {
    if (this.#rawBits === undefined || this.#sinceTrial >= TRY_EVERY - 1) return false;
    if (Math.abs(entropyOf(sample) - this.#rawBits) > LIKE_BITS) return false;
    this.#sinceTrial++;
    return true;
  }

  /** Keeps how a trial ended. */
  tried(sample: Uint8Array, isRaw: boolean): void {
    this.#rawBits = isRaw ? entropyOf(sample) : undefined;
    this.#sinceTrial = 0;
  }
}

/** Every third byte counts: enough to tell kinds apart, and as often from each place in elements of 2, 4 and 8 bytes. */
const STRIDE = 3;
const counts = new Uint32Array(256);

/** Bits for each byte, from 0 to 8, of a code for single bytes (Shannon's entropy of order 0). */
function entropyOf(bytes: Uint8Array): number {
  counts.fill(0);
  for (let at = 0; at < bytes.length; at += STRIDE) (counts[bytes[at] as number] as number)++;
  const counted = Math.ceil(bytes.length / STRIDE);
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = counts[byte] as number;
    if (count > 1) sum += count * Math.log2(count);
  }
  return Math.log2(counted) - sum / counted;
}
