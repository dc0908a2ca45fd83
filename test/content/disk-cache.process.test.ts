import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { hasSmallDisks, withSmallDisk } from '../storage/small-disk.ts';
import { failuresOf, keyOf } from './caches.ts';
import { contentOf, KIB } from './contents.ts';
import { filesIn, isSame, look, newFolder, pathOf, sizeOf } from './disk-cache-files.ts';
import { contentOfSeed } from './workers/content-of-seed.mjs';

it.skipIf(!existsSync('/proc/self'))(
  'in a place where none can be made, a write ends, and is told',
  () => {
    // In a process of its own: a call that never ends would take the one of the tests with it.
    const script = `
      import { subscribe } from 'node:diagnostics_channel';
      import { DiskCache } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      subscribe('stowage:cache-failed', ({ operation, error }) => console.log(operation, error.code, error.syscall));
      const cache = await DiskCache.open('/proc/nope/cache');
      await cache.set('ab'.repeat(32), new Uint8Array(10));
      console.log(await cache.get('ab'.repeat(32)));
      await cache.close();`;
    const args = ['--input-type=module', '--eval', script];
    const { stdout } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: 120_000,
      killSignal: 'SIGKILL',
    });
    expect(stdout).toBe('set ENOENT mkdir\nundefined\n');
  },
  180_000,
);

describe.runIf(await hasSmallDisks())('a full disk', () => {
  it('costs speed only: nothing is left of what did not fit, and later there is room again', async () => {
    await withSmallDisk('1m', async (folder) => {
      let nowMs = Date.now();
      await using cache = await DiskCache.open(join(folder, 'cache'), { nowMs: () => nowMs });
      const failures = failuresOf(cache);
      await cache.set(keyOf(1), contentOf(100_000));
      writeFileSync(join(folder, 'ballast'), contentOf(800_000));
      await cache.set(keyOf(2), contentOf(400_000));
      expect(filesIn(join(folder, 'cache'))).toEqual([pathOf(join(folder, 'cache'), keyOf(1))]);
      expect(isSame(await cache.get(keyOf(1)), contentOf(100_000))).toBe(true);
      expect(failures).toMatchObject([{ operation: 'set', error: { code: 'ENOSPC' } }]);
      rmSync(join(folder, 'ballast'));
      nowMs += 31_000;
      await cache.set(keyOf(2), contentOf(400_000));
      expect(isSame(await cache.get(keyOf(2)), contentOf(400_000))).toBe(true);
    });
  });
});

describe('processes that share a folder', () => {
  it('write far beyond its bound, one of them killed, and never read a wrong byte', async () => {
    const folder = newFolder();
    const maxBytes = 4096 * KIB;
    const workers = [0, 1, 2, 3].map((worker) => {
      const script = join(import.meta.dirname, 'workers', 'fill-cache.mjs');
      const args = [script, folder, String(maxBytes), String(worker), '150'];
      return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    });
    const told = workers.map((child) => {
      let text = '';
      child.stdout.on('data', (data) => {
        text += data;
      });
      return once(child, 'close').then(([code]) => ({ code, text }));
    });
    const [killed] = workers;
    if (killed) await Promise.race([once(killed.stdout, 'data'), told[0]]);
    killed?.kill('SIGKILL');
    const [, ...ended] = await Promise.all(told);
    for (const { code, text } of ended) {
      expect(code).toBe(0);
      const { wrong, hits, largestBytes } = JSON.parse(text.split('\n').at(-2) as string);
      expect(wrong).toBe(0);
      expect(hits).toBeGreaterThan(0);
      // Each may have written a tenth, and two of the largest entries, that the others have not seen.
      expect(largestBytes).toBeLessThanOrEqual(maxBytes * (0.9 + 4 * 0.1) + 4 * 2 * 600_000);
    }
    await look(folder, maxBytes);
    expect(sizeOf(folder)).toBeLessThanOrEqual(maxBytes * 0.9);
    const entries = filesIn(folder).filter((path) => path.endsWith('.cached'));
    expect(entries.length).toBeGreaterThan(0);
    const digests = new Set(Array.from({ length: 100 }, (_, seed) => digestHex(contentOfSeed(seed))));
    for (const path of entries) expect(digests).toContain(digestHex(readFileSync(path)));
  });
});

it.skipIf(process.platform === 'win32')("a pipe in an entry's place is not waited for", async () => {
  const folder = newFolder();
  await using cache = await DiskCache.open(folder);
  mkdirSync(dirname(pathOf(folder, keyOf(1))), { recursive: true });
  execFileSync('mkfifo', [pathOf(folder, keyOf(1))]);
  expect(await cache.get(keyOf(1))).toBeUndefined();
});
