import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/content/disk-cache.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { propertyRuns } from '../property.ts';
import { failuresOf, keyOf } from './caches.ts';
import { contentOf, KIB } from './contents.ts';
import { BLOCK, filesIn, isSame, look, newFolder, pathOf, put, sizeOf } from './disk-cache-files.ts';
import { codeOf } from './storages.ts';
import { contentOfSeed } from './workers/content-of-seed.mjs';

const bytesOf = (key: number): Uint8Array => contentOf(key * 2500, key + 1);

describe('a disk cache, as a map', () => {
  const anyStep = fc.record({
    key: fc.nat(7),
    cache: fc.nat(1),
    kind: fc.constantFrom('get', 'get', 'set', 'set', 'delete', 'reopen'),
  });

  test.prop([fc.array(anyStep, { maxLength: 30 })], { numRuns: propertyRuns })(
    'that has room gives what it was given, to every instance, now and later',
    async (steps) => {
      const folder = newFolder();
      const caches = [await DiskCache.open(folder), await DiskCache.open(folder)];
      const kept = new Set<number>();
      for (const { key, kind, cache: index } of steps) {
        const cache = caches[index] as DiskCache;
        if (kind === 'set') {
          await cache.set(keyOf(key), bytesOf(key));
          kept.add(key);
        } else if (kind === 'delete') {
          await cache.delete(keyOf(key));
          kept.delete(key);
        } else if (kind === 'reopen') {
          await cache.close();
          caches[index] = await DiskCache.open(folder);
        } else {
          const found = await cache.get(keyOf(key));
          expect(found !== undefined).toBe(kept.has(key));
          if (found) expect(isSame(found, bytesOf(key))).toBe(true);
        }
      }
      for (const cache of caches) await cache.close();
      rmSync(folder, { recursive: true, force: true });
    },
  );

  test.prop(
    [fc.array(fc.record({ key: fc.nat(25), kind: anyStep.map(({ kind }) => kind) }), { maxLength: 60 })],
    {
      numRuns: propertyRuns,
    },
  )('that has little room gives what it was given or nothing, and stays within it', async (steps) => {
    const folder = newFolder();
    const maxBytes = 64 * BLOCK;
    let cache = await DiskCache.open(folder, { maxBytes });
    for (const { key, kind } of steps) {
      if (kind === 'set') await cache.set(keyOf(key), bytesOf(key));
      else if (kind === 'delete') await cache.delete(keyOf(key));
      else if (kind === 'reopen') {
        await cache.close();
        expect(sizeOf(folder)).toBeLessThanOrEqual(maxBytes);
        cache = await DiskCache.open(folder, { maxBytes });
      } else {
        const found = await cache.get(keyOf(key));
        if (found) expect(isSame(found, bytesOf(key))).toBe(true);
      }
      // While it makes room, what was just written may be too much: two of the largest entries, at most.
      expect(sizeOf(folder)).toBeLessThanOrEqual(maxBytes * 1.5);
    }
    await cache.close();
    expect(sizeOf(folder)).toBeLessThanOrEqual(maxBytes);
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('files of others', () => {
  it('of a store are safe: its folder is refused, and every folder in it', async () => {
    const store = newFolder();
    put(join(store, 'stowage.json'));
    mkdirSync(join(store, 'cache'));
    for (const folder of [store, join(store, 'cache'), join(store, 'not', 'yet', 'there')]) {
      expect(await codeOf(DiskCache.open(folder))).toBe('INVALID_ARGUMENT');
    }
    expect(readdirSync(store).sort()).toEqual(['cache', 'stowage.json']);
  });
});

describe('opening', () => {
  it.each([null, 5, '', undefined, ['x']])('%j is no folder', async (folder) => {
    expect(await codeOf(DiskCache.open(folder as never))).toBe('INVALID_ARGUMENT');
  });

  it('a file is no folder either', async () => {
    expect(await codeOf(DiskCache.open(put(newFolder())))).toBe('INVALID_ARGUMENT');
  });

  it.each([
    null,
    { maxBytes: 0 },
    { maxBytes: '10GB' },
    { maxBytes: Number.POSITIVE_INFINITY },
    { maxsize: 5 },
  ])('with %j is refused', async (options) => {
    expect(await codeOf(DiskCache.open(newFolder(), options as never))).toBe('INVALID_ARGUMENT');
  });

  it('writes nothing, and needs no folder', async () => {
    const folder = join(newFolder(), 'a', 'b');
    await using cache = await DiskCache.open(folder);
    expect(await cache.get(keyOf(1))).toBeUndefined();
    await cache.delete(keyOf(1));
    expect(existsSync(folder)).toBe(false);
    await cache.set(keyOf(1), contentOf(10));
    expect(isSame(await cache.get(keyOf(1)), contentOf(10))).toBe(true);
  });

  it.each(['', '..', '../../etc/passwd', 'AB'.repeat(32), 'ab'.repeat(31), `${'ab'.repeat(32)}\n`, 7])(
    'does not take %j for a key',
    async (key) => {
      await using cache = await DiskCache.open(newFolder());
      expect(await codeOf(cache.get(key as string))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(cache.set(key as string, contentOf(1)))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(cache.delete(key as string))).toBe('INVALID_ARGUMENT');
    },
  );

  it.skipIf(process.platform === 'win32')('lets nobody else read what it keeps', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    await cache.set(keyOf(1), contentOf(10));
    const entry = pathOf(folder, keyOf(1));
    const modes = [folder, dirname(entry), entry].map((path) => (statSync(path).mode & 0o777).toString(8));
    expect(modes).toEqual(['700', '700', '600']);
  });
});

describe('a cache that was closed', () => {
  it('has nothing and keeps nothing; what it kept is there for the next', async () => {
    const folder = newFolder();
    const cache = await DiskCache.open(folder);
    await cache.set(keyOf(1), contentOf(10));
    await cache.close();
    await cache.close();
    await cache.set(keyOf(2), contentOf(10));
    expect(await cache.get(keyOf(1))).toBeUndefined();
    expect(filesIn(folder)).toEqual([pathOf(folder, keyOf(1))]);
    await using next = await DiskCache.open(folder);
    expect(isSame(await next.get(keyOf(1)), contentOf(10))).toBe(true);
  });
});

describe('what happens to the folder costs speed only', () => {
  it('deleted under a running process, it is made again', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    await cache.set(keyOf(1), contentOf(10));
    rmSync(folder, { recursive: true });
    expect(await cache.get(keyOf(1))).toBeUndefined();
    await cache.set(keyOf(1), contentOf(10));
    expect(isSame(await cache.get(keyOf(1)), contentOf(10))).toBe(true);
  });

  it('gone again as soon as it was made, one entry is not kept, and the others are', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    const [lost, kept] = [keyOf(1), keyOf(2)];
    expect(lost.slice(0, 2)).not.toBe(kept.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    // Stands for a folder that somebody deletes at the same moment: mkdir finds a name, open finds no folder.
    symlinkSync(join(folder, 'nowhere'), join(folder, lost.slice(0, 2)));
    await cache.set(lost, contentOf(10));
    await cache.set(kept, contentOf(10));
    expect(await cache.get(lost)).toBeUndefined();
    expect(isSame(await cache.get(kept), contentOf(10))).toBe(true);
  });

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
        timeout: 20_000,
        killSignal: 'SIGKILL',
      });
      expect(stdout).toBe('set ENOENT mkdir\nundefined\n');
    },
    30_000,
  );

  it('made by many writes at once, it keeps them all', async () => {
    const folder = join(newFolder(), 'a', 'b');
    await using cache = await DiskCache.open(folder);
    const keys = Array.from({ length: 20 }, (_, key) => keyOf(key));
    await Promise.all(keys.map((key) => cache.set(key, contentOf(10))));
    expect(filesIn(folder)).toEqual(keys.map((key) => pathOf(folder, key)).sort());
  });

  it('an entry that is something else is a miss, and the others are kept', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    const failures = failuresOf(cache);
    mkdirSync(join(pathOf(folder, keyOf(1)), 'inside'), { recursive: true });
    mkdirSync(dirname(pathOf(folder, keyOf(2))), { recursive: true });
    symlinkSync(put(newFolder(), contentOf(10)), pathOf(folder, keyOf(2)));
    writeFileSync(join(folder, keyOf(3).slice(0, 2)), "a file in a folder's place");
    for (const key of [1, 2, 3]) expect(await cache.get(keyOf(key))).toBeUndefined();
    await cache.set(keyOf(1), contentOf(10));
    await cache.set(keyOf(4), contentOf(10));
    expect(isSame(await cache.get(keyOf(4)), contentOf(10))).toBe(true);
    expect(await cache.get(keyOf(1))).toBeUndefined();
    expect(failures.map(({ operation }) => operation)).toEqual(['get', 'set']);
    expect(filesIn(folder).filter((path) => path.endsWith('.tmp'))).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')("a pipe in an entry's place is not waited for", async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    mkdirSync(dirname(pathOf(folder, keyOf(1))), { recursive: true });
    execFileSync('mkfifo', [pathOf(folder, keyOf(1))]);
    expect(await cache.get(keyOf(1))).toBeUndefined();
  });

  it('an entry cut short is given as it is, since its reader verifies it', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    await cache.set(keyOf(1), contentOf(10_000));
    truncateSync(pathOf(folder, keyOf(1)), 100);
    expect(isSame(await cache.get(keyOf(1)), contentOf(10_000).slice(0, 100))).toBe(true);
    truncateSync(pathOf(folder, keyOf(1)), 0);
    expect(isSame(await cache.get(keyOf(1)), new Uint8Array(0))).toBe(true);
  });

  it('after a write that failed none is tried for 30 seconds', async () => {
    const folder = put(newFolder());
    rmSync(folder);
    let nowMs = Date.now();
    await using cache = await DiskCache.open(folder, { nowMs: () => nowMs });
    const failures = failuresOf(cache);
    writeFileSync(folder, 'in the way');
    await cache.set(keyOf(1), contentOf(10));
    rmSync(folder);
    nowMs += 29_000;
    await cache.set(keyOf(1), contentOf(10));
    expect(existsSync(folder)).toBe(false);
    nowMs += 1000;
    await cache.set(keyOf(1), contentOf(10));
    expect(isSame(await cache.get(keyOf(1)), contentOf(10))).toBe(true);
    expect(failures.filter(({ operation }) => operation === 'set')).toHaveLength(1);
  });

  it('a call ends with its signal, and leaves nothing', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    const controller = new AbortController();
    const set = cache.set(keyOf(1), contentOf(8_000_000), { signal: controller.signal });
    controller.abort();
    expect(await codeOf(set)).toBe('ABORTED');
    expect(filesIn(folder)).toEqual([]);
    expect(await codeOf(cache.get(keyOf(1), { signal: controller.signal }))).toBe('ABORTED');
    // An abort is no fault of the disk: nothing pauses.
    await cache.set(keyOf(1), contentOf(10));
    expect(isSame(await cache.get(keyOf(1)), contentOf(10))).toBe(true);
  });
});

describe.runIf(canMount())('a full disk', () => {
  it('costs speed only: nothing is left of what did not fit, and later there is room again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stowage-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    try {
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
    } finally {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    }
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

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'stowage-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
  if (!mounted)
    console.warn('NOT TESTED here: a full disk (this machine does not let the tests mount a tmpfs)');
  return mounted;
}
