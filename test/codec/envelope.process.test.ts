import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { sealEnvelope } from '../../src/codec/envelope.ts';
import { prepareCodec } from '../../src/codec/zstd.ts';

beforeAll(() => prepareCodec());

describe('the zstd command', () => {
  const hasZstd = spawnSync('zstd', ['--version']).status === 0;

  it.skipIf(!hasZstd)('opens an envelope of codec zstd', () => {
    const text = Buffer.from('a line that compresses well enough\n'.repeat(20));
    const envelope = sealEnvelope('blob', text, { compression: { codec: 'zstd' } });
    const { status, stdout } = spawnSync('zstd', ['-d', '-c'], { input: envelope });
    expect(status).toBe(0);
    expect(stdout.equals(text)).toBe(true);
  });
});
