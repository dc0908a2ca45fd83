import fc, { toStringMethod } from 'fast-check';
import type { Compression } from '../../src/codec/payload.ts';
import type { Blob } from '../../src/content-addressed-store.ts';
import { CHUNKED_FROM_BYTES } from '../../src/format/content-names.ts';
import { GENERATORS } from './chunker-generators.ts';
import { contentOf, type Splits, streamOf } from './contents.ts';

/** Lengths at and around the borders of the format; several MiB now and then. */
export const anyLength: fc.Arbitrary<number> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 47, 48, 63, 64, 4095) },
  { weight: 6, arbitrary: fc.nat(5000) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(CHUNKED_FROM_BYTES - 1, CHUNKED_FROM_BYTES, CHUNKED_FROM_BYTES + 1),
  },
  { weight: 2, arbitrary: fc.integer({ min: CHUNKED_FROM_BYTES, max: 1_500_000 }) },
);

export const anyContent: fc.Arbitrary<Uint8Array> = fc
  .record({
    bytes: anyLength,
    seed: fc.integer({ min: 1, max: 0x7fffffff }),
    kind: fc.constantFrom(...Object.keys(GENERATORS)),
  })
  .map(({ bytes, seed, kind }) => {
    const told = { value: () => `contentOf(${bytes}, ${seed}, '${kind}')` };
    return Object.defineProperty(contentOf(bytes, seed, kind), toStringMethod, told);
  });

const anySplits: fc.Arbitrary<Splits> = fc.record({
  lengths: fc
    .array(fc.oneof(fc.constant(0), fc.nat(100), fc.nat(300_000)), { minLength: 1, maxLength: 6 })
    .map((lengths) => [...lengths, 20_000]),
  reused: fc.boolean(),
});

/** How to hand a content over: as bytes or as a stream. */
export const anyForm: fc.Arbitrary<(bytes: Uint8Array) => Blob> = fc.oneof(
  fc.constant((bytes: Uint8Array): Blob => bytes),
  anySplits.map(
    (splits) =>
      (bytes: Uint8Array): Blob =>
        streamOf(bytes, splits),
  ),
);

export const anyCompression: fc.Arbitrary<Compression | undefined> = fc.oneof(
  fc.constantFrom<Compression | undefined>(undefined, 'auto', 'none'),
  fc.record({ codec: fc.constantFrom('zstd', 'grouped-zstd'), level: fc.integer({ min: 1, max: 3 }) }),
);
