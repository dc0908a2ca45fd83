import { expect, test } from 'vitest';
import { compress, decompress, prepareCodec } from '../../src/codec/zstd.ts';
import { isStowageError } from '../../src/errors.ts';
import { until } from '../waiting.ts';

function failureOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

test('WebAssembly that other code initialized again says so: no garbage is written, and nothing called damaged', async () => {
  const wasm = await import('@bokuweb/zstd-wasm');
  await wasm.init();
  await prepareCodec({ implementation: 'wasm' });
  const raw = Buffer.from('some text '.repeat(100));
  const frame = compress(raw, 3);
  await wasm.init();
  const isUnavailable = (error: unknown): boolean => isStowageError(error, 'CODEC_UNAVAILABLE');
  // A second initialization resolves before its memory is there.
  await until(() => failureOf(() => compress(raw, 3)) !== undefined);
  expect(() => compress(raw, 3)).toThrow(expect.toSatisfy(isUnavailable));
  expect(() => decompress(frame, raw.length)).toThrow(expect.toSatisfy(isUnavailable));
});
