import type { Codec } from './codecs.ts';

/** The most bytes of a sample. */
export const SAMPLE_BYTES: number = 4 * 1024;
/** At least one chunk in so many is tried. */
const TRY_EVERY = 8;
/** Bits of entropy by which samples of the same kind of numbers differ at most; by chance it is a tenth of that. */
const LIKE_BITS = 0.05;

/**
 * Remembers, for the chunks of one content, how the last one that was tried is stored. A trial takes longer than hashing the chunk, and
 * text, numbers or pictures are alike throughout: a chunk whose bytes are distributed as those of the last trial is not tried, seven in a
 * row at most.
 */
export class Trials {
  #codec: Codec | undefined;
  #bits = 0;
  #sinceTrial = 0;

  /** The codec for the chunk of this sample, without a trial; `undefined` where it has to be tried. */
  codecOf(sample: Uint8Array): Codec | undefined {
    if (this.#codec === undefined || this.#sinceTrial >= TRY_EVERY - 1) return undefined;
    if (Math.abs(entropyOf(sample) - this.#bits) > LIKE_BITS) return undefined;
    this.#sinceTrial++;
    return this.#codec;
  }

  /** Keeps how a trial ended. */
  tried(sample: Uint8Array, codec: Codec): void {
    this.#codec = codec;
    this.#bits = entropyOf(sample);
    this.#sinceTrial = 0;
  }
}

/** Every third byte counts: enough to tell kinds apart, and as often from each place in elements of 2, 4 and 8 bytes. */
const STRIDE = 3;
const counts = new Uint32Array(256);
/** n log2 n of all counts in a sample, for a logarithm takes longer than the sample's bytes. */
const PRODUCTS: Float64Array = Float64Array.from({ length: Math.ceil(SAMPLE_BYTES / STRIDE) + 1 }, (_, n) =>
  n < 2 ? 0 : n * Math.log2(n),
);

/** Bits for each byte, from 0 to 8, of a code for single bytes (Shannon's entropy of order 0). */
function entropyOf(sample: Uint8Array): number {
  counts.fill(0);
  for (let at = 0; at < sample.length; at += STRIDE) (counts[sample[at] as number] as number)++;
  const counted = Math.ceil(sample.length / STRIDE);
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) sum += PRODUCTS[counts[byte] as number] as number;
  return Math.log2(counted) - sum / counted;
}
