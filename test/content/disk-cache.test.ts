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
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/content/disk-cache.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { propertyRuns } from '../property.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { failuresOf, keyOf } from './caches.ts';
import { contentOf, KIB } from './contents.ts';
import { codeOf } from './storages.ts';
import { contentOfSeed } from './workers/content-of-seed.mjs';

const BLOCK = 4 * KIB;
const HOUR_MS = 60 * 60 * 1000;

const scratch = scratchFolder();
let folders = 0;

function newFolder(): string {
  return join(scratch, String(folders++));
}

function pathOf(folder: string, key: string): string {
  return join(folder, key.slice(0, 2), `${key}.cached`);
}

/** Puts a file, and the folders that it needs. */
function put(path: string, bytes: Uint8Array = new Uint8Array(1), ageMs = 0): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  age(path, ageMs);
  return path;
}

function age(path: string, ageMs: number): void {
  const seconds = (Date.now() - ageMs) / 1000;
  utimesSync(path, seconds, seconds);
}

/** All files below a folder, without those that links lead to. */
function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const files: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...filesIn(path));
    else if (entry.isFile()) files.push(path);
  }
  return files.sort();
}

/** What the files of a folder take up; one may vanish meanwhile. */
function sizeOf(folder: string): number {
  const sizes = filesIn(folder).map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((total, size) => total + Math.max(1, Math.ceil(size / BLOCK)) * BLOCK, 0);
}

/** Has a cache look at its folder, as each one does when it is opened. */
async function look(folder: string, maxBytes: number): Promise<void> {
  await (await DiskCache.open(folder, { maxBytes })).close();
}

/** Compares bytes as bytes: element by element it takes seconds. */
function isSame(found: Uint8Array | undefined, bytes: Uint8Array): boolean {
  return found !== undefined && Buffer.compare(found, bytes) === 0;
}

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

describe('what stays', () => {
  it('is what was used last', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    for (let key = 0; key < 10; key++) {
      await cache.set(keyOf(key), contentOf(BLOCK));
      age(pathOf(folder, keyOf(key)), (20 - key) * HOUR_MS);
    }
    // The oldest, but used now.
    await cache.get(keyOf(0));
    await look(folder, 6 * BLOCK);
    const left = Array.from({ length: 10 }, (_, key) => existsSync(pathOf(folder, keyOf(key))));
    expect(left.map((isLeft, key) => (isLeft ? key : -1)).filter((key) => key >= 0)).toEqual([0, 6, 7, 8, 9]);
  });

  it('is no less than there is room for, though all were used in one minute', async () => {
    const folder = newFolder();
    for (let key = 0; key < 100; key++) put(pathOf(folder, keyOf(key)), contentOf(BLOCK), 5 * HOUR_MS);
    await look(folder, 50 * BLOCK);
    expect(filesIn(folder)).toHaveLength(45);
  });

  it('has its use noted once an hour, so that hits do not cost a write each', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder);
    const path = pathOf(folder, keyOf(1));
    await cache.set(keyOf(1), contentOf(10));
    age(path, HOUR_MS / 2);
    const noted = statSync(path).mtimeMs;
    await cache.get(keyOf(1));
    expect(statSync(path).mtimeMs).toBe(noted);
    age(path, 2 * HOUR_MS);
    await cache.get(keyOf(1));
    expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(HOUR_MS / 2);
  });

  it('counts small entries as the blocks they take up', async () => {
    const folder = newFolder();
    for (let key = 0; key < 40; key++) put(pathOf(folder, keyOf(key)));
    await look(folder, 20 * BLOCK);
    expect(filesIn(folder)).toHaveLength(18);
  });

  it('is bounded in a process that only writes, without being opened again', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder, { maxBytes: 64 * BLOCK });
    for (let key = 0; key < 400; key++) {
      await cache.set(keyOf(key), contentOf(BLOCK));
      await sleep(1);
      expect(sizeOf(folder)).toBeLessThanOrEqual(64 * BLOCK);
    }
    expect(sizeOf(folder)).toBeGreaterThan(0);
  });

  it('is bounded though most of it was written while the cache looked', async () => {
    const folder = newFolder();
    for (let key = 0; key < 57; key++) put(pathOf(folder, keyOf(key)), contentOf(BLOCK), HOUR_MS);
    const cache = await DiskCache.open(folder, { maxBytes: 64 * BLOCK });
    await cache.set(keyOf(60), contentOf(16 * BLOCK));
    await cache.close();
    expect(sizeOf(folder)).toBeLessThanOrEqual(64 * BLOCK);
    expect(existsSync(pathOf(folder, keyOf(60)))).toBe(true);
  });

  it('does not make way for one entry of more than a quarter', async () => {
    const folder = newFolder();
    await using cache = await DiskCache.open(folder, { maxBytes: 64 * BLOCK });
    await cache.set(keyOf(1), contentOf(16 * BLOCK));
    await cache.set(keyOf(2), contentOf(16 * BLOCK + 1));
    expect(filesIn(folder)).toEqual([pathOf(folder, keyOf(1))]);
    // As a larger cache in the same folder would have left it.
    put(pathOf(folder, keyOf(2)), contentOf(16 * BLOCK + 1));
    expect(await cache.get(keyOf(2))).toBeUndefined();
  });
});

describe('files of others', () => {
  it('are left alone and do not count', async () => {
    const folder = newFolder();
    /** Whether no other key of this test has the same folder. */
    const isAlone = (key: string): boolean =>
      !Array.from({ length: 20 }, (_, i) => keyOf(i)).some((other) => other.startsWith(key.slice(0, 2)));
    const key = keyOf(1);
    const shard = join(folder, key.slice(0, 2));
    const linked = Array.from({ length: 100 }, (_, i) => keyOf(100 + i)).find(isAlone) as string;
    const elsewhere = put(pathOf(newFolder(), linked));
    const others = [
      put(join(folder, 'report.csv'), contentOf(100_000)),
      put(join(folder, `${key}.cached`)),
      // As restic, git and others name theirs.
      put(join(shard, key), contentOf(100_000)),
      put(join(shard, key.slice(2)), contentOf(100_000)),
      put(join(shard, `${key}.cached.bak`)),
      put(join(shard, `${key}.tmp`), contentOf(10), 30 * HOUR_MS),
      put(join(shard, 'notes.cached')),
      put(join(folder, 'zz', `${key}.cached`)),
      put(join(folder, key.slice(0, 3), `${key}.cached`)),
      put(join(folder, shard === join(folder, '00') ? '01' : '00', `${key}.cached`)),
      put(join(shard, `${keyOf(1).slice(0, 2)}${keyOf(2).slice(2)}.cached`, 'inside')),
    ].sort();
    symlinkSync(dirname(elsewhere), join(folder, linked.slice(0, 2)));
    for (let i = 2; i < 20; i++) put(pathOf(folder, keyOf(i)), contentOf(BLOCK));
    await look(folder, 10 * BLOCK);
    expect(filesIn(folder).filter((path) => others.includes(path))).toEqual(others);
    expect(filesIn(folder)).toHaveLength(others.length + 9);
    await look(folder, 1);
    expect(filesIn(folder)).toEqual(others);
    expect(existsSync(elsewhere)).toBe(true);
  });

  it('unfinished writes are removed once they are old', async () => {
    const folder = newFolder();
    const entry = pathOf(folder, keyOf(1));
    const fresh = put(`${entry}.0123456789abcdef.tmp`, contentOf(BLOCK), HOUR_MS / 2);
    put(`${entry}.fedcba9876543210.tmp`, contentOf(BLOCK), 2 * HOUR_MS);
    await look(folder, 100 * BLOCK);
    expect(filesIn(folder)).toEqual([fresh]);
    put(entry, contentOf(BLOCK));
    await look(folder, 1);
    expect(filesIn(folder)).toEqual([fresh]);
  });

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
