import { Encoder } from '@toondepauw/node-zstd';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { MAX_CHUNK_BYTES } from '../../src/codec/chunker.ts';
import { sealEnvelope } from '../../src/codec/envelope.ts';
import { nextCut } from '../../src/codec/kernel.ts';
import { type CompressionPlan, encodeBeside, planPayload } from '../../src/codec/payload.ts';
import { Trials } from '../../src/codec/trials.ts';
import { compressorBeside, prepareCodec } from '../../src/codec/zstd.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { StowageError } from '../../src/errors.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { anyCompression } from './arbitrary-content.ts';
import { contentOf, MIB, streamOf } from './contents.ts';
import { bodyOf, codeOf, freshStore, manifestIn, namesOf, ObservedStorage } from './storages.ts';

// The one that compresses beside this thread on every common system, and gives the same bytes as on it.
beforeAll(() => prepareCodec({ implementation: 'prebuilt' }));
afterAll(async () => {
  for (const implementation of ['napi', 'node', 'prebuilt'] as const) {
    if ((await codeOf(prepareCodec({ implementation }))) === undefined) return;
  }
});

/** Lines of numbers, that differ by `seed`. */
const linesOf = (bytes: number, seed: number): Uint8Array => {
  const numbers = new Uint32Array(contentOf(bytes, seed).buffer);
  return Buffer.from(Array.from(numbers, (number) => `{"n":${number % 9973}}\n`).join('')).subarray(0, bytes);
};

const part = fc.record({
  kind: fc.constantFrom('lines', 'noise', 'numbers', 'fractions'),
  bytes: fc.constantFrom(8, 4_000, 40_000, 150_000),
  seed: fc.integer({ min: 1, max: 1000 }),
});

function partOf({ kind, bytes, seed }: { kind: string; bytes: number; seed: number }): Uint8Array {
  if (kind === 'noise') return contentOf(bytes, seed);
  if (kind === 'lines') return linesOf(bytes, seed);
  if (kind === 'numbers')
    return new Uint8Array(BigInt64Array.from({ length: bytes / 8 }, (_, i) => BigInt(i * seed)).buffer);
  // A part of the bytes shrinks: whether it pays shows only once they are compressed.
  const mixed = contentOf(bytes, seed);
  for (let at = 0; at < bytes; at += 5) mixed[at] = 0;
  return mixed;
}

test.prop(
  [fc.array(part, { minLength: 1, maxLength: 6 }), anyCompression, fc.constantFrom(undefined, 4, 8)],
  {
    numRuns: Math.min(propertyRuns, 25),
  },
)(
  'packs hold what sealing chunk by chunk gives, in the order of the content, whatever is compressed beside it',
  async (given, compression, elementBytes) => {
    const bytes = Buffer.concat([linesOf(300_000, 1), ...given.map(partOf)]);
    const expected = new Map<string, Uint8Array>();
    const trials = new Trials();
    for (let start = 0; start < bytes.length; ) {
      const end = nextCut(bytes, start, bytes.length);
      const chunk = bytes.subarray(start, end);
      const digest = digestHex(chunk);
      if (!expected.has(digest))
        expected.set(digest, sealEnvelope('chunk', chunk, { compression, elementBytes, trials }));
      start = end;
    }
    for (const blob of [bytes, streamOf(bytes, { lengths: [70_000, 1], reused: true })]) {
      const storage = new MemoryStorage();
      const [saved] = await freshStore(storage).saveBlobs([blob], { compression, elementBytes });
      const { packs } = await manifestIn(storage, saved as StoredContent);
      const stored = await Promise.all(packs.map(({ name }) => bodyOf(storage, name)));
      expect(Buffer.compare(Buffer.concat(stored), Buffer.concat([...expected.values()]))).toBe(0);
    }
  },
);

test('a group of many chunks, which is longer than a chunk, is not compressed beside the save', () => {
  const group = linesOf(400_000, 1);
  const plan = planPayload(group, { compression: { codec: 'zstd' } }) as CompressionPlan;
  expect(encodeBeside(group, plan, new Uint8Array(MAX_CHUNK_BYTES))).toBeUndefined();
});

describe('a save whose chunks are compressed beside it', () => {
  const lines = linesOf(4 * MIB, 7);

  test('compresses them there', async () => {
    let beside = 0;
    await withEncoder(
      (encode, bytes) => {
        beside += 1;
        return encode(bytes);
      },
      () => freshStore(new MemoryStorage()).saveBlobs([lines]),
    );
    expect(compressorBeside(1)).toBeDefined();
    expect(beside).toBeGreaterThan(20);
  });

  test('does no more of them at once than eight', async () => {
    let [running, most] = [0, 0];
    await withEncoder(
      async (encode, bytes) => {
        running += 1;
        most = Math.max(most, running);
        try {
          return await encode(bytes);
        } finally {
          running -= 1;
        }
      },
      () => freshStore(new MemoryStorage()).saveBlobs([lines]),
    );
    expect(most).toBeLessThanOrEqual(8);
  });

  test('compresses a copy: what the caller does to the bytes meanwhile, and undoes, is not stored', async () => {
    const store = freshStore(new MemoryStorage());
    const lent = Uint8Array.from(lines);
    const [saved] = await withEncoder(
      (encode, bytes) => {
        lent.fill(7);
        const encoded = encode(bytes);
        lent.set(lines);
        return encoded;
      },
      () => store.saveBlobs([lent]),
    );
    expect(Buffer.compare(await store.reader.load(saved as StoredContent), lines)).toBe(0);
  });

  test('copies what waits behind them as it is, too', async () => {
    const store = freshStore(new MemoryStorage());
    const first = linesOf(120_000, 1);
    const noise = contentOf(200_000, 5);
    const content = Buffer.concat([first, noise, linesOf(200_000, 2)]);
    const lent = Uint8Array.from(content);
    let release = (): void => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    const [saved] = await withEncoder(
      async (encode, bytes) => {
        if (content.indexOf(bytes) > first.length) {
          // The noise was hashed, and waits for the lines before it.
          lent.fill(7, first.length + 90_000, first.length + 110_000);
          release();
        }
        await isReleased;
        return encode(bytes);
      },
      () => store.saveBlobs([lent]),
    );
    expect(Buffer.compare(await store.reader.load(saved as StoredContent), content)).toBe(0);
  });

  test('fails with an error of its own where zstd fails, once the others have ended, and leaves nothing', async () => {
    const storage = new MemoryStorage();
    let [begun, ended] = [0, 0];
    const save = (): Promise<unknown> => freshStore(storage).saveBlobs([lines]);
    const failure = await withEncoder(
      async (encode, bytes) => {
        begun += 1;
        try {
          if (begun === 12) throw new Error('no memory for a context');
          return await encode(bytes);
        } finally {
          ended += 1;
        }
      },
      () => save().catch((error: unknown) => error),
    );
    expect(failure).toMatchObject({
      code: 'CODEC_UNAVAILABLE',
      message: expect.stringContaining('no memory for a context'),
    });
    expect(ended).toBe(begun);
    expect(begun).toBeLessThanOrEqual(12 + 8);
    expect(await namesOf(storage, 'packs/')).toEqual([]);
    expect(await namesOf(storage, 'manifests/')).toEqual([]);
    await save();
  });

  test.each(['a write that fails', 'an abort'])('is ended by %s, with nothing left of it', async (how) => {
    const storage = new ObservedStorage(new MemoryStorage());
    const abort = new AbortController();
    let [begun, ended] = [0, 0];
    storage.before = (operation, name) => {
      if (operation !== 'create' || !name.startsWith('packs/')) return;
      if (how === 'an abort') abort.abort();
      else throw new StowageError('STORAGE_FAILED', 'The disk is full.');
    };
    const code = await withEncoder(
      async (encode, bytes) => {
        begun += 1;
        try {
          return await encode(bytes);
        } finally {
          ended += 1;
        }
      },
      () =>
        codeOf(
          freshStore(storage).saveBlobs([lines], {
            signal: abort.signal,
            compression: { codec: 'zstd', level: 1 },
          }),
        ),
    );
    expect(code).toBe(how === 'an abort' ? 'ABORTED' : 'STORAGE_FAILED');
    expect(ended).toBe(begun);
    expect(await namesOf(storage, 'packs/')).toEqual([]);
  });
});

type Encode = (bytes: Buffer) => Promise<Buffer>;

/** Does something while every call of the library goes by way of `around`. */
async function withEncoder<T>(
  around: (encode: Encode, bytes: Buffer) => Promise<Buffer>,
  work: () => Promise<T>,
): Promise<T> {
  const { encode } = Encoder.prototype;
  Encoder.prototype.encode = function (bytes) {
    return around((own) => encode.call(this, own), bytes);
  };
  try {
    return await work();
  } finally {
    Encoder.prototype.encode = encode;
  }
}
