import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scratchFolder } from './fixtures.ts';

/** `npm run check-memory` saves all 10,000. */
const COUNT = Number(process.env.STOWAGE_MEMORY_VALUES ?? 300);
const worker = join(import.meta.dirname, 'workers/save-iterable.mjs');
const shortLived = join(import.meta.dirname, 'workers/kept-by-minor.mjs');

it('an iterable of values of 1 MB is saved within 128 MiB over the start', { timeout: 600_000 }, () => {
  const args = ['--expose-gc', worker, join(scratchFolder(), 'store'), String(COUNT)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { grownBytes, count } = JSON.parse(stdout);
  expect(count).toBe(COUNT);
  expect(grownBytes).toBeLessThan(128 * 1024 * 1024);
});

it.each(['read', 'list', 'miss'])(
  'what one %s has in memory goes with the next short collection, not with the next full one',
  { timeout: 60_000 },
  (work) => {
    const args = ['--expose-gc', shortLived, join(scratchFolder(), 'store')];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)[work]).toBeLessThan(60); // KiB: one kept over 80, all that it had read or returned
  },
);
