import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import {
  compress,
  compressInto,
  compressorBeside,
  decompress,
  maxFrameBytes,
  prepareCodec,
  type ZstdImplementation,
  zstdImplementation,
} from '../../src/codec/zstd.ts';
import { ZSTD_LOADERS } from '../../src/codec/zstd-providers.ts';
import { isStowageError } from '../../src/errors.ts';
import { test } from '../property.ts';

const isDamaged = (error: unknown): boolean => isStowageError(error, 'CONTENT_DAMAGED');
const throwsDamaged = (call: () => unknown): void => {
  expect(call).toThrow(expect.toSatisfy(isDamaged, 'is CONTENT_DAMAGED'));
};

/** The implementations that this machine has: all but Node's own before 22.15, and zstd-napi where nobody compiled it. */
const implementations: ZstdImplementation[] = [];
for (const name of Object.keys(ZSTD_LOADERS) as ZstdImplementation[]) {
  const isThere = await ZSTD_LOADERS[name]().then(
    () => true,
    () => false,
  );
  if (isThere) implementations.push(name);
}
afterAll(() => prepareCodec({ implementation: implementations[0] as ZstdImplementation }));

const content = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(20_000)).map(([pattern, length]) => {
    return Uint8Array.from({ length }, (_, i) => pattern[i % pattern.length] as number);
  }),
);

test('the WebAssembly is there on every machine', () => {
  expect(implementations).toContain('wasm');
});

const platform = `${process.platform}-${process.arch}`;
test.runIf(['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64'].includes(platform))(
  'native code is there without a compiler, on the common systems',
  () => {
    expect(implementations).toContain('prebuilt');
  },
);

describe.each(implementations)('zstd by %s', (implementation) => {
  beforeAll(() => prepareCodec({ implementation }));

  test('is the one in use', () => {
    expect(zstdImplementation()).toBe(implementation);
  });

  test.prop([content, fc.constantFrom(1, 3, 9, 10, 19)])('decompresses what it compressed', (raw, level) => {
    const frame = compress(raw, level);
    expect(frame.length).toBeLessThanOrEqual(maxFrameBytes(raw.length));
    expect(decompress(frame, raw.length)).toEqual(raw);
  });

  test.each([0, 1, 255, 256, 65_535, 65_536, 300_000, 5_000_000])(
    'writes the content size of %i bytes into the header',
    (rawBytes) => {
      const raw = new Uint8Array(rawBytes).map((_, i) => (i * i) >>> 7);
      expect(Buffer.compare(decompress(compress(raw, 3), rawBytes), raw)).toBe(0);
    },
  );

  test.prop([content, fc.constantFrom(1, 3, 9, 19)])(
    'compresses beside this thread what it decompresses, and as it does on this thread',
    async (raw, level) => {
      const frame = await compressorBeside(level)?.(raw);
      if (!frame) {
        expect(implementation === 'wasm' || level > 9).toBe(true);
        return;
      }
      expect(decompress(frame, raw.length)).toEqual(raw);
      // Shorter bytes the prebuilt encoder leaves to WebAssembly; zstd-napi leaves all to the prebuilt one.
      if (implementation === 'node' || (implementation === 'prebuilt' && raw.length >= 4096))
        expect(frame).toEqual(compress(raw, level));
    },
  );

  test('compresses into the start of a buffer and nowhere else', () => {
    const raw = Buffer.alloc(1000, 'abc');
    const target = new Uint8Array(maxFrameBytes(raw.length) + 10).fill(0xee);
    const frameBytes = compressInto(target.subarray(0, -10), raw, 3);
    expect(decompress(target.subarray(0, frameBytes), 1000)).toEqual(new Uint8Array(raw));
    expect(target.subarray(-10)).toEqual(new Uint8Array(10).fill(0xee));
  });

  test('sees a frame that is truncated at any length', () => {
    const frame = compress(Buffer.from('some text, some text, some more text. '.repeat(9)), 3);
    for (let length = 0; length < frame.length; length++) {
      throwsDamaged(() => decompress(frame.subarray(0, length), 342));
    }
  });

  test('never returns other than the expected number of bytes, whatever bit is flipped', () => {
    const raw = Buffer.from('some text, some text, some more text. '.repeat(9));
    const frame = compress(raw, 3);
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const flipped = frame.slice();
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
      let decompressed: Uint8Array | undefined;
      try {
        decompressed = decompress(flipped, raw.length);
      } catch (error) {
        expect(error).toSatisfy(isDamaged);
      }
      if (decompressed) expect(decompressed.length).toBe(raw.length);
    }
  });

  test('a block that unfolds into more than the frame says is damage', () => {
    // One segment of 5 bytes, whose only block repeats one byte 100,000 times.
    const blockHeader = 1 | (1 << 1) | (100_000 << 3);
    const frame = Uint8Array.of(
      ...[0x28, 0xb5, 0x2f, 0xfd, 0x20, 5],
      ...[blockHeader & 255, (blockHeader >>> 8) & 255, blockHeader >>> 16, 65],
    );
    throwsDamaged(() => decompress(frame, 5));
  });
});

describe.each(implementations)('frames of %s', (writer) => {
  test.each(implementations)('are read by %s', async (reader) => {
    const raw = Buffer.from('interchangeable '.repeat(5000));
    await prepareCodec({ implementation: writer });
    const frame = compress(raw, 3);
    await prepareCodec({ implementation: reader });
    expect(Buffer.compare(decompress(frame, raw.length), raw)).toBe(0);
  });
});

describe('what is not exactly the expected frame is refused', () => {
  beforeAll(() => prepareCodec());
  test.each([
    ['a zero byte', Buffer.alloc(1)],
    ['another frame', 'itself'],
    ['a skippable frame', Buffer.from('502a4d1800000000', 'hex')],
  ])('one that is followed by %s', (_, tail) => {
    const frame = compress(Buffer.alloc(1000, 'ab'), 3);
    expect(decompress(frame, 1000).length).toBe(1000);
    throwsDamaged(() =>
      decompress(Buffer.concat([frame, tail === 'itself' ? frame : (tail as Buffer)]), 1000),
    );
  });

  test('one of another size than expected', () => {
    const frame = compress(Buffer.alloc(1000, 'ab'), 3);
    throwsDamaged(() => decompress(frame, 999));
    throwsDamaged(() => decompress(frame, 1001));
  });
});

test('an implementation that is not there is an error that names it, and leaves the other in use', async () => {
  await prepareCodec({ implementation: 'wasm' });
  if (implementations.includes('node')) return;
  await expect(prepareCodec({ implementation: 'node' })).rejects.toSatisfy((error: unknown) => {
    return isStowageError(error, 'CODEC_UNAVAILABLE') && error.message.includes('node');
  });
  expect(zstdImplementation()).toBe('wasm');
});
