import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { compress, decompress, prepareCodec } from '../../src/codec/zstd.ts';
import { isStowageError } from '../../src/errors.ts';

test('WebAssembly that other code initialized again says so: no garbage is written, and nothing called damaged', async () => {
  const wasm = await import('@bokuweb/zstd-wasm');
  await wasm.init();
  await prepareCodec({ implementation: 'wasm' });
  const raw = Buffer.from('some text '.repeat(100));
  const frame = compress(raw, 3);
  await wasm.init();
  // A second initialization resolves before its memory is there.
  await setTimeout(100);
  const isUnavailable = (error: unknown): boolean => isStowageError(error, 'CODEC_UNAVAILABLE');
  expect(() => compress(raw, 3)).toThrow(expect.toSatisfy(isUnavailable));
  expect(() => decompress(frame, raw.length)).toThrow(expect.toSatisfy(isUnavailable));
});
