import fc from 'fast-check';
import { beforeAll, describe, expect } from 'vitest';
import { decodePayload, encodePayload } from '../../src/codec/payload.ts';
import { Trials } from '../../src/codec/trials.ts';
import { prepareCodec } from '../../src/codec/zstd.ts';
import { generate } from '../content/chunker-generators.ts';
import { test } from '../property.ts';

beforeAll(() => prepareCodec());

const CHUNK_BYTES = 64 * 1024;
const noise = (seed: number): Uint8Array => generate('random', CHUNK_BYTES, seed);
/** Its bytes are distributed as those of noise, and half of them can be saved: every 512 come twice. */
const doubled = noise(3).map((_, i, bytes) => bytes[i - (i % 1024 < 512 ? 0 : 512)] as number);
const zeros = new Uint8Array(CHUNK_BYTES);

function codecsOf(chunks: readonly Uint8Array[], trials?: Trials): string[] {
  return chunks.map((chunk) => encodePayload(chunk, { trials }).codec);
}

test.prop([fc.array(fc.constantFrom(noise(1), noise(2), doubled, zeros), { maxLength: 40 })])(
  'every chunk comes back, tried or not, and zeros are always compressed',
  (chunks) => {
    const trials = new Trials();
    for (const chunk of chunks) {
      const { codec, elementBytes, payload } = encodePayload(chunk, { trials });
      expect(Buffer.compare(decodePayload(codec, elementBytes, payload, chunk.length), chunk)).toBe(0);
      if (chunk === zeros) expect(codec).toBe('zstd');
    }
  },
);

describe('a chunk behind one that was not worth compressing', () => {
  test('is tried at once where its bytes are distributed otherwise', () => {
    expect(codecsOf([noise(1), zeros, noise(2), zeros], new Trials())).toEqual([
      'raw',
      'zstd',
      'raw',
      'zstd',
    ]);
  });

  test('is stored untried where they are alike, seven times in a row', () => {
    const chunks = [noise(1), ...Array.from({ length: 9 }, () => doubled)];
    const untried = Array.from({ length: 8 }, () => 'raw');
    expect(codecsOf(chunks)).toEqual(['raw', ...Array.from({ length: 9 }, () => 'zstd')]);
    expect(codecsOf(chunks, new Trials())).toEqual([...untried, 'zstd', 'zstd']);
  });

  test('of another content is tried', () => {
    expect([...codecsOf([noise(1)], new Trials()), ...codecsOf([doubled], new Trials())]).toEqual([
      'raw',
      'zstd',
    ]);
  });
});

describe('a chunk behind one that was worth compressing', () => {
  const lines = Array.from({ length: 12 }, (_, chunk) =>
    Buffer.from(Array.from({ length: 6000 }, (_, i) => `{"n":${(chunk * i * 7919) % 99_991}}\n`).join('')),
  );

  test('is compressed in the same way, and untried seven times in a row', () => {
    const trials = new Trials();
    const tried: number[] = [];
    const { tried: keep } = trials;
    trials.tried = (sample, codec) => {
      tried.push(codecs.length);
      keep.call(trials, sample, codec);
    };
    const codecs: string[] = [];
    for (const chunk of lines.slice(1)) codecs.push(encodePayload(chunk, { trials }).codec);
    expect(codecs).toEqual(lines.slice(1).map(() => 'zstd'));
    expect(tried).toEqual([0, 8]);
  });

  test('is stored raw where only its bytes are distributed alike', () => {
    expect(codecsOf([doubled, noise(1), noise(2), doubled], new Trials())).toEqual([
      'zstd',
      'raw',
      'raw',
      'zstd',
    ]);
  });
});
