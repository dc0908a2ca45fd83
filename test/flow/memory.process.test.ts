import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scratchFolder } from './fixtures.ts';

/** `npm run check-memory` saves all 10,000. */
const COUNT = Number(process.env.STOWAGE_MEMORY_VALUES ?? 300);
const worker = join(import.meta.dirname, 'workers/save-iterable.mjs');

it('an iterable of values of 1 MB is saved within 128 MiB over the start', { timeout: 600_000 }, () => {
  const args = ['--expose-gc', worker, join(scratchFolder(), 'store'), String(COUNT)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { grownBytes, count } = JSON.parse(stdout);
  expect(count).toBe(COUNT);
  expect(grownBytes).toBeLessThan(128 * 1024 * 1024);
});
