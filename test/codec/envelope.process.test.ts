import { spawnSync } from 'node:child_process';
import { test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { sealEnvelope } from '../../src/codec/envelope.ts';

const text = Buffer.from('a line that compresses well enough\n'.repeat(20));

describe('the zstd command', () => {
  const hasZstd = spawnSync('zstd', ['--version']).status === 0;

  test.skipIf(!hasZstd)('opens an envelope of codec zstd', () => {
    const envelope = sealEnvelope('blob', text, { compression: { codec: 'zstd' } });
    const { status, stdout } = spawnSync('zstd', ['-d', '-c'], { input: envelope });
    expect(status).toBe(0);
    expect(stdout.equals(text)).toBe(true);
  });
});
