import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import {
  ENVELOPE_HEADER_BYTES,
  type EnvelopeKind,
  MAX_ENVELOPE_RAW_BYTES,
  openEnvelope,
  readEnvelopeHeader,
  sealEnvelope,
  writeEnvelope,
} from '../../src/codec/envelope.ts';
import type { Compression } from '../../src/codec/payload.ts';
import { encodePayload } from '../../src/codec/payload.ts';
import { compress, prepareCodec, type ZstdImplementation, zstdImplementation } from '../../src/codec/zstd.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { isStowageError, type StowageErrorCode } from '../../src/errors.ts';
import { test } from '../property.ts';

const throws = (code: StowageErrorCode, call: () => unknown): void => {
  expect(call).toThrow(expect.toSatisfy((error) => isStowageError(error, code), `is ${code}`));
};

const kind = fc.constantFrom<EnvelopeKind>('blob', 'manifest', 'chunk', 'group', 'locator');
const compression = fc.oneof(
  fc.constantFrom<Compression>('auto', 'none'),
  fc.record(
    { codec: fc.constantFrom('zstd', 'grouped-zstd'), level: fc.integer({ min: 1, max: 9 }) },
    { requiredKeys: ['codec'] },
  ) as fc.Arbitrary<Compression>,
);
const raw = fc.oneof(
  fc.uint8Array({ maxLength: 1000 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(50_000))
    .map(([pattern, length]) =>
      Uint8Array.from({ length }, (_, i) => (pattern[i % pattern.length] as number) + (i >>> 10)),
    ),
);

const text = Buffer.from('a line that compresses well enough\n'.repeat(20));
/** Numbers whose high bytes hardly change: byte grouping wins. */
const numbers = new Uint8Array(BigInt64Array.from({ length: 8192 }, (_, i) => BigInt(1e6 + i * 3)).buffer);
const random = (bytes: number): Uint8Array => {
  let state = 88172645;
  return Uint8Array.from({ length: bytes }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  });
};

/** Changes a header and makes its checksum right again, as a newer or a malicious writer would. */
function withHeader(envelope: Uint8Array, change: (header: DataView) => void): Uint8Array {
  const changed = envelope.slice();
  change(new DataView(changed.buffer));
  changed.set(Buffer.from(digestHex(changed.subarray(0, 40)).slice(0, 16), 'hex'), 40);
  return changed;
}

await prepareCodec();
const implementation = zstdImplementation();
afterAll(() => prepareCodec({ implementation }));

describe.each<ZstdImplementation>(['napi', 'wasm'])('with %s', (implementation) => {
  beforeAll(() => prepareCodec({ implementation }).catch(() => prepareCodec()));

  test.prop([kind, raw, compression, fc.integer({ min: 0, max: 16 })])(
    'opening gives back what was sealed',
    (kind, raw, compression, elementBytes) => {
      const envelope = sealEnvelope(kind, raw, { compression, elementBytes });
      expect(envelope.length).toBeLessThanOrEqual(ENVELOPE_HEADER_BYTES + raw.length);
      const opened = openEnvelope(envelope, { kind });
      expect(Buffer.compare(opened.raw, raw)).toBe(0);
      expect(opened.header).toMatchObject({ kind, rawBytes: raw.length, storedBytes: envelope.length - 48 });
      expect(readEnvelopeHeader(envelope)).toEqual(opened.header);
    },
  );

  test.prop([raw, compression, fc.nat(100)])(
    'writing into a used buffer writes the same bytes, and only those',
    (raw, compression, offset) => {
      const target = new Uint8Array(offset + ENVELOPE_HEADER_BYTES + raw.length + 5).fill(0xee);
      const encoded = encodePayload(raw, { compression });
      const end = writeEnvelope(target, offset, 'chunk', raw.length, encoded);
      const sealed = sealEnvelope('chunk', raw, { compression });
      expect(Buffer.compare(target.subarray(offset, end), sealed)).toBe(0);
      expect(target.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true);
      expect(target.subarray(end).every((byte) => byte === 0xee)).toBe(true);
      expect(readEnvelopeHeader(target, offset).rawBytes).toBe(raw.length);
    },
  );
});

test('the bytes of a raw envelope are those of the format', () => {
  const envelope = sealEnvelope('locator', Buffer.from('abc'));
  const head = '572a4d1828000000535457470105000000000000000000000300000000000000' + '0300000000000000';
  expect(Buffer.from(envelope).toString('hex')).toBe(
    `${head}${digestHex(Buffer.from(head, 'hex')).slice(0, 16)}616263`,
  );
});

describe('damage', () => {
  const envelope = sealEnvelope('blob', text, { compression: 'none' });

  test('a flipped bit at every position of the header is seen', () => {
    for (let bit = 0; bit < ENVELOPE_HEADER_BYTES * 8; bit++) {
      const flipped = envelope.slice();
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
      throws('CONTENT_DAMAGED', () => readEnvelopeHeader(flipped));
      throws('CONTENT_DAMAGED', () => openEnvelope(flipped));
    }
  });

  test.each<Compression>(['none', { codec: 'zstd' }])(
    'a truncation at every length is seen (%j)',
    (compression) => {
      const whole = sealEnvelope('blob', text, { compression });
      for (let length = 0; length < whole.length; length++) {
        throws('CONTENT_DAMAGED', () => openEnvelope(whole.subarray(0, length)));
      }
    },
  );

  test('a byte too many is seen', () => {
    throws('CONTENT_DAMAGED', () => openEnvelope(Buffer.concat([envelope, Buffer.alloc(1)])));
  });

  test('an envelope of another kind is refused, and both kinds are named', () => {
    expect(openEnvelope(envelope, { kind: ['manifest', 'blob'] }).header.kind).toBe('blob');
    throws('CONTENT_DAMAGED', () => openEnvelope(envelope, { kind: 'chunk' }));
    expect(() => openEnvelope(envelope, { kind: ['chunk', 'group'] })).toThrow(/blob.*chunk,group/);
  });

  test('an offset outside the bytes is damage, not a crash', () => {
    throws('CONTENT_DAMAGED', () => readEnvelopeHeader(envelope, envelope.length - 10));
    throws('CONTENT_DAMAGED', () => readEnvelopeHeader(envelope, -1));
  });
});

describe('a header with a good checksum', () => {
  const envelope = sealEnvelope('blob', numbers, { compression: { codec: 'grouped-zstd' }, elementBytes: 8 });

  test.each([
    ['version', 12, 2],
    ['kind', 13, 6],
    ['kind', 13, 0],
    ['codec', 14, 3],
    ['cipher', 16, 1],
    ['hash', 17, 1],
    ['reserved field', 18, 1],
    ['reserved field', 23, 1],
  ])('and an unknown %s (byte %i is %i) asks for an upgrade', (field, at, value) => {
    const newer = withHeader(envelope, (header) => header.setUint8(at, value));
    throws('UNSUPPORTED_FORMAT', () => openEnvelope(newer));
    expect(() => openEnvelope(newer)).toThrow(new RegExp(`${field}.*upgrade`, 'i'));
  });

  test.each<[string, (header: DataView) => void]>([
    ['version 0', (header) => header.setUint8(12, 0)],
    ['16 MiB and a byte', (header) => header.setUint32(24, MAX_ENVELOPE_RAW_BYTES + 1, true)],
    ['a zip bomb of 2^56 bytes', (header) => header.setUint8(31, 1)],
    ['a payload of 2^40 bytes', (header) => header.setUint8(37, 1)],
    ['a payload larger than its raw bytes', (header) => header.setUint32(24, 10, true)],
    ['a raw payload of another length', (header) => header.setUint16(14, 0)],
    ['grouped elements of one byte', (header) => header.setUint8(15, 1)],
    ['grouped elements of 17 bytes', (header) => header.setUint8(15, 17)],
    ['an element width without grouping', (header) => header.setUint8(14, 1)],
  ])('that claims %s is damage', (_, change) => {
    throws('CONTENT_DAMAGED', () => openEnvelope(withHeader(envelope, change)));
  });

  test('cannot make a decoder unfold more than it says', () => {
    const bomb = compress(new Uint8Array(8 << 20), 3);
    const hostile = new Uint8Array(48 + bomb.length);
    hostile.set(sealEnvelope('blob', numbers.subarray(0, 100), { compression: 'none' }).subarray(0, 48));
    hostile.set(bomb, 48);
    throws('CONTENT_DAMAGED', () =>
      openEnvelope(
        withHeader(hostile, (header) => {
          header.setUint8(14, 1);
          header.setUint32(24, 65_536, true);
          header.setUint32(32, bomb.length, true);
        }),
      ),
    );
  });
});

describe('the choice of a codec', () => {
  const codecOf = (...[raw, options]: [Uint8Array, Parameters<typeof sealEnvelope>[2]?]): string =>
    readEnvelopeHeader(sealEnvelope('blob', raw, options)).codec;

  test('auto compresses text, small and large', () => {
    expect(codecOf(text)).toBe('zstd');
    expect(codecOf(Buffer.concat(Array.from({ length: 200 }, () => text)))).toBe('zstd');
  });

  test.each([70, 5000, 65_536, 1_000_000])('auto leaves %i random bytes as they are', (bytes) => {
    expect(codecOf(random(bytes))).toBe('raw');
    expect(codecOf(random(bytes), { elementBytes: 8 })).toBe('raw');
  });

  test('auto leaves fewer than 64 bytes as they are', () => {
    expect(codecOf(new Uint8Array(63))).toBe('raw');
    expect(codecOf(new Uint8Array(64))).toBe('zstd');
  });

  test('auto groups numbers where it wins, and says the width', () => {
    const envelope = sealEnvelope('blob', numbers, { elementBytes: 8 });
    expect(readEnvelopeHeader(envelope)).toMatchObject({ codec: 'grouped-zstd', elementBytes: 8 });
    expect(envelope.length).toBeLessThan(sealEnvelope('blob', numbers).length / 2);
  });

  test('auto does not group text that has an element width', () => {
    expect(codecOf(Buffer.concat(Array.from({ length: 99 }, () => text)), { elementBytes: 4 })).toBe('zstd');
  });

  test('auto samples the whole length: a compressible part between random ones is noticed', () => {
    const mixed = Buffer.concat([random(30_000), new Uint8Array(60_000), random(30_000)]);
    expect(codecOf(mixed)).toBe('zstd');
  });

  const bytesOf = (values: ArrayBufferView): Uint8Array =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const words = new Uint32Array(random(4 * 65_536).buffer);
  /** Normally distributed, as weights and embeddings are. */
  const normal = Float64Array.from(words, (word, i) => {
    const other = (words[(i * 7 + 3) % words.length] as number) / 2 ** 32;
    return Math.sqrt(-2 * Math.log((word + 1) / 2 ** 32)) * Math.cos(2 * Math.PI * other);
  });

  test.each([
    ['normal float32', Float32Array.from(normal), 'raw'],
    ['normal float64', normal, 'raw'],
    ['fractions of six decimals', Float64Array.from(words, (word) => (word % 1e6) / 1e6), 'raw'],
    ['a signal with noise', normal.map((noise, i) => Math.sin(i / 500) + noise / 1000), 'grouped-zstd'],
    ['ids', BigInt64Array.from(words, (_, i) => BigInt(4_000_000 + i)), 'grouped-zstd'],
    ['labels', Int32Array.from(words, (word) => word % 10), 'grouped-zstd'],
    ['keys below a million', Int32Array.from(words, (word) => word % 1e6), 'grouped-zstd'],
  ])('auto weighs what is saved against the time it takes: %s', (_, values, codec) => {
    expect(codecOf(bytesOf(values), { elementBytes: values.BYTES_PER_ELEMENT })).toBe(codec);
    expect(codecOf(bytesOf(values.slice(0, 1500)), { elementBytes: values.BYTES_PER_ELEMENT })).toBe(codec);
  });

  test('auto compresses as fast as zstd can', () => {
    const long = Buffer.concat(Array.from({ length: 2000 }, (_, i) => Buffer.from(`${i} ${text}`)));
    expect(sealEnvelope('blob', long)).toEqual(
      sealEnvelope('blob', long, { compression: { codec: 'zstd', level: 1 } }),
    );
  });

  test('a named codec is used, but never to store more bytes than there are', () => {
    expect(codecOf(text, { compression: { codec: 'zstd', level: 19 } })).toBe('zstd');
    expect(codecOf(numbers, { compression: { codec: 'grouped-zstd' } })).toBe('zstd');
    expect(codecOf(text, { compression: 'none' })).toBe('raw');
    expect(codecOf(random(5000), { compression: { codec: 'zstd' } })).toBe('raw');
    expect(codecOf(new Uint8Array(0), { compression: { codec: 'zstd' } })).toBe('raw');
  });

  test.each([
    'gzip',
    null,
    {},
    { codec: 'gzip' },
    { codec: 'zstd', level: 0 },
    { codec: 'zstd', level: 23 },
    { codec: 'zstd', level: 1.5 },
    { codec: 'zstd', level: '3' },
  ])('refuses the compression %j', (compression) => {
    throws('INVALID_ARGUMENT', () => sealEnvelope('blob', text, { compression: compression as Compression }));
  });

  test.each([-1, 17, 2.5, Number.NaN])('refuses elements of %d bytes', (elementBytes) => {
    throws('INVALID_ARGUMENT', () => sealEnvelope('blob', text, { elementBytes }));
  });

  test('refuses more than 16 MiB, and takes 16 MiB', () => {
    throws('CONTENT_TOO_LARGE', () => sealEnvelope('blob', new Uint8Array(MAX_ENVELOPE_RAW_BYTES + 1)));
    const { raw } = openEnvelope(sealEnvelope('blob', new Uint8Array(MAX_ENVELOPE_RAW_BYTES)));
    expect(raw.length).toBe(MAX_ENVELOPE_RAW_BYTES);
  });
});

test('bytes that lie in the middle of a buffer are opened', () => {
  const envelope = sealEnvelope('chunk', numbers, { elementBytes: 8 });
  const pack = Buffer.concat([Buffer.alloc(3), envelope, Buffer.alloc(5)]);
  const { raw } = openEnvelope(pack.subarray(3, 3 + envelope.length));
  expect(Buffer.compare(raw, numbers)).toBe(0);
});
