import { describe, expect, test } from 'vitest';
import vectors from '../../docs/format-vectors/hint.json' with { type: 'json' };
import { isStowageError } from '../../src/errors.ts';
import { decodeHint, encodeHint, sampleOf } from '../../src/format/hint.ts';

const subject = { flow: 'Train', step: 'fit' };

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('hint.json', () => {
  test.each(vectors.samples)('a sample of $most of $digests', ({ digests, most, sample }) => {
    const read = digests.map((digest) => Buffer.from(digest, 'hex'));
    expect(hex(sampleOf(read, most))).toBe(sample);
  });

  test.each(vectors.hints)('a hint $title', ({ manifests, text }) => {
    const read = decodeHint(Buffer.from(text), 'a hint', subject);
    expect(read.map((manifest) => ({ ...manifest, samples: manifest.samples.map(hex) }))).toEqual(manifests);
    expect(Buffer.from(encodeHint(subject, read)).toString()).toBe(text);
  });

  test.each(vectors.ignored)('one with $title is ignored', ({ code, text }) => {
    let thrown: unknown;
    try {
      decodeHint(Buffer.from(text), 'a hint', subject);
    } catch (error) {
      thrown = error;
    }
    expect(isStowageError(thrown) && thrown.code).toBe(code);
  });
});
