import { GENERATORS } from './chunker-generators.ts';

export const KIB = 1024;
export const MIB: number = 1024 * KIB;

/** Bytes by one of the chunker's generators, of any length. */
export function contentOf(bytes: number, seed = 1, kind = 'random'): Uint8Array {
  const generate = GENERATORS[kind] as (bytes: number, seed: number) => Uint8Array;
  return generate(Math.ceil(bytes / 4) * 4, seed).slice(0, bytes);
}

/** How a content is handed over. */
export interface Splits {
  /** Lengths of pieces, again and again; 0 yields an empty piece. */
  lengths: readonly number[];
  /** Whether every piece lies in the same buffer, which is overwritten once the next piece is asked for. */
  reused: boolean;
}

/** A content as a stream, in pieces of these lengths. */
export async function* streamOf(bytes: Uint8Array, { lengths, reused }: Splits): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(1, ...lengths));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const piece = bytes.subarray(at, at + (lengths[turn % lengths.length] as number));
    at += piece.length;
    if (reused) {
      buffer.fill(0xaa);
      buffer.set(piece);
    }
    yield reused ? buffer.subarray(0, piece.length) : piece;
  }
}
