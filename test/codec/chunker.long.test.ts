import { expect, test } from 'vitest';
import { nextCut } from '../../src/codec/chunker.ts';
import { loadWasmKernel } from '../../src/codec/kernel-wasm.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { generate } from '../content/chunker-generators.ts';
import vectors from '../content/chunker-vectors.json' with { type: 'json' };
import { lengthsOf } from './chunk-lengths.ts';

function digestOfLengths(lengths: number[]): string {
  const view = new DataView(new ArrayBuffer(4 * lengths.length));
  for (const [i, length] of lengths.entries()) view.setUint32(4 * i, length, true);
  return digestHex(new Uint8Array(view.buffer));
}

const kernel = loadWasmKernel();

test.each(vectors.cases)('the golden vector of $generator, seed $seed, $bytes bytes', (vector) => {
  const content = generate(vector.generator, vector.bytes, vector.seed);
  for (const cut of [nextCut, kernel.nextCut]) {
    const lengths = lengthsOf(content, cut);
    expect(lengths.slice(0, 4)).toEqual(vector.firstLengths);
    expect(lengths.length).toBe(vector.chunks);
    expect(digestOfLengths(lengths)).toBe(vector.lengthsDigest);
  }
});
