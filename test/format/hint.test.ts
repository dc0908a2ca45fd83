import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { digestBytes } from '../../src/digest/blake3.ts';
import { isStowageError } from '../../src/errors.ts';
import { copyName } from '../../src/format/content-names.ts';
import {
  decodeHint,
  encodeHint,
  FINGERPRINT_BYTES,
  fingerprintsOf,
  type HintedManifest,
  hintName,
  MAX_HINT_BYTES,
  MAX_SAMPLE,
  sampleOf,
} from '../../src/format/hint.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import { isStoreName } from '../../src/format/store-names.ts';
import { withFlippedBit } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';

const subject = { flow: 'Train', step: 'fit' };
const session = newSessionId();

function digestOf(seed: number): Uint8Array {
  return digestBytes(Buffer.from(`chunk ${seed}`));
}

function manifestOf(seed: number, chunks: readonly number[], place = ''): HintedManifest {
  const key = Buffer.from(digestOf(seed)).toString('hex');
  const samples = chunks.map((count) =>
    sampleOf(Array.from({ length: count }, (_, i) => digestOf(1000 * seed + i))),
  );
  return { copy: copyName('manifests', key, session, seed, 500), place, samples };
}

const manifests = fc.array(
  fc.tuple(
    fc.nat(50),
    fc.array(fc.nat(20), { maxLength: 3 }),
    fc.constantFrom('', '0123456789abcdef0123456789abcdef'),
  ),
  { maxLength: 6 },
);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isStowageError(error)) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

describe('a hint', () => {
  test.prop([manifests], { numRuns: propertyRuns })('comes back as it was written', (given) => {
    const named = given.map(([seed, chunks, place]) => manifestOf(seed, chunks, place));
    expect(decodeHint(encodeHint(subject, named), 'hint', subject)).toEqual(named);
  });

  test.prop([fc.nat(7), fc.constantFrom(0, 1, 10, 700, 8192), fc.nat(3)], {
    numRuns: Math.ceil(propertyRuns / 5),
  })('has room: samples shrink together, and only then the oldest manifests go', (power, chunks, groups) => {
    const one = manifestOf(
      1,
      Array.from({ length: groups }, () => chunks),
    );
    const given = Array.from({ length: 4 ** power }, (_, i) => ({
      ...one,
      copy: copyName('manifests', 'f'.repeat(64), session, i, 500),
    }));
    const body = encodeHint(subject, given);
    expect(body.length).toBeLessThanOrEqual(MAX_HINT_BYTES);
    const read = decodeHint(body, 'hint', subject);
    expect(read.map(({ copy }) => copy)).toEqual(given.slice(0, read.length).map(({ copy }) => copy));
    const lengths = new Set(read.flatMap(({ samples }) => samples.map(({ length }) => length)));
    expect(lengths.size).toBeLessThanOrEqual(1);
    for (const { samples } of read)
      for (const [i, sample] of samples.entries())
        expect(Buffer.compare(one.samples[i]?.subarray(0, sample.length) as Uint8Array, sample)).toBe(0);
    const most = Math.max(0, ...lengths) / FINGERPRINT_BYTES;
    if (read.length < given.length) expect(most).toBeLessThanOrEqual(4);
    // Room is not wasted: twice as much would not have fitted.
    const isWhole = most === Math.min(chunks, MAX_SAMPLE) && read.length === given.length;
    if (!isWhole && groups > 0) expect(body.length).toBeGreaterThan(MAX_HINT_BYTES / 4);
  });

  test.prop([fc.array(fc.nat(300), { maxLength: 400 }), fc.integer({ min: 1, max: 300 })], {
    numRuns: propertyRuns,
  })('samples the smallest fingerprints, each once', (seeds, most) => {
    const sample = sampleOf(seeds.map(digestOf), most);
    const all = seeds.map((seed) => Buffer.from(digestOf(seed)).readUIntBE(0, FINGERPRINT_BYTES));
    const expected = [...new Set(all)].sort((a, b) => a - b).slice(0, most);
    expect([...fingerprintsOf(sample)].length).toBeLessThanOrEqual(expected.length);
    expect([...fingerprintsOf(sample)]).toEqual(expected);
  });

  const body = encodeHint(subject, [manifestOf(1, [5]), manifestOf(2, [3, 3])]);

  test.prop([fc.nat(body.length * 8 - 1)], { numRuns: propertyRuns })('shows every changed bit', (bit) => {
    const changed = withFlippedBit(body, bit);
    expect(codeOf(() => decodeHint(changed, 'hint', subject))).toBe('RECORD_DAMAGED');
  });

  const copy = manifestOf(1, []).copy;
  const own = { format: 1, kind: 'hint', ...subject };
  const seven = Buffer.alloc(FINGERPRINT_BYTES * (MAX_SAMPLE + 1)).toString('base64');
  test.each([
    ['of another step', { ...own, step: 'other', manifests: [] }],
    ['of another kind', { ...own, kind: 'beat', manifests: [] }],
    ['without manifests', own],
    ['that names no copy', { ...own, manifests: [{ copy: 'packs/x', chunks: [] }] }],
    [
      'that names a small content',
      { ...own, manifests: [{ copy: copy.replace('manifests', 'data'), chunks: [] }] },
    ],
    ['of no place', { ...own, manifests: [{ copy, place: '../x', chunks: [] }] }],
    ['with chunks that are no list', { ...own, manifests: [{ copy, chunks: 'AAAAAAAA' }] }],
    ['with half a fingerprint', { ...own, manifests: [{ copy, chunks: ['AAAA'] }] }],
    ['with chunks in no base64', { ...own, manifests: [{ copy, chunks: ['AAAA-AAA'] }] }],
    ['with too large a sample', { ...own, manifests: [{ copy, chunks: [seven] }] }],
    ['with too many groups', { ...own, manifests: [{ copy, chunks: Array(4097).fill('') }] }],
  ])('is refused: one %s', (_title, record) => {
    expect(codeOf(() => decodeHint(encodeRecord(record), 'hint', subject))).toBe('RECORD_DAMAGED');
  });

  test('of a newer format is told from a damaged one', () => {
    const newer = encodeRecord({ ...own, format: 2 });
    expect(codeOf(() => decodeHint(newer, 'hint', subject))).toBe('UNSUPPORTED_FORMAT');
  });

  test('that is too large is refused before it is parsed', () => {
    expect(codeOf(() => decodeHint(new Uint8Array(MAX_HINT_BYTES + 1), 'hint', subject))).toBe(
      'RECORD_DAMAGED',
    );
  });

  test('lies where stores have hints', () => {
    expect(hintName(subject)).toBe('hints/Train/fit.json');
    expect(isStoreName(hintName(subject))).toBe(true);
  });
});
