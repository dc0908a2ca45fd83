import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { propertyRuns, test } from '../property.ts';
import { failuresOf, keyOf } from './caches.ts';
import { contentOf } from './contents.ts';
import { BLOCK, filesIn, isSame, newFolder, pathOf, put, sizeOf } from './disk-cache-files.ts';
import { codeOf } from './storages.ts';

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

  it.each(['~', '~/blobs'])('%s, which no shell expanded, is no folder of that name', async (folder) => {
    const { code, message } = await DiskCache.open(folder).catch((error) => error);
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toContain(`Write ${join(homedir(), folder.slice(2))} `);
    expect(existsSync('~')).toBe(false);
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
