import { existsSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { keyOf } from './caches.ts';
import { contentOf } from './contents.ts';
import { age, BLOCK, filesIn, HOUR_MS, look, newFolder, pathOf, put, sizeOf } from './disk-cache-files.ts';

const MINUTE_MS = 60 * 1000;

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

  it('has its use noted once in five minutes, so that hits do not cost a write each', async () => {
    const folder = newFolder();
    let nowMs = Date.now();
    await using cache = await DiskCache.open(folder, { nowMs: () => nowMs });
    const path = pathOf(folder, keyOf(1));
    await cache.set(keyOf(1), contentOf(10));
    age(path, 0);
    const noted = statSync(path).mtimeMs;
    nowMs = noted + 5 * MINUTE_MS;
    await cache.get(keyOf(1));
    expect(statSync(path).mtimeMs).toBe(noted);
    nowMs += 1000;
    await cache.get(keyOf(1));
    expect(statSync(path).mtimeMs).toBeCloseTo(nowMs, -1);
  });

  it('is what is in use, before what was written later and is not', async () => {
    const folder = newFolder();
    const [used, idle] = [pathOf(folder, keyOf(1)), pathOf(folder, keyOf(2))];
    put(used, contentOf(BLOCK), 50 * MINUTE_MS);
    put(idle, contentOf(BLOCK), 40 * MINUTE_MS);
    await using cache = await DiskCache.open(folder);
    await cache.get(keyOf(1));
    await look(folder, 2 * BLOCK);
    expect(filesIn(folder)).toEqual([used]);
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
});
