import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteCache } from '../../src/content/caches/byte-cache.ts';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { GuardedCache } from '../../src/content/caches/guarded-cache.ts';
import { MemoryCache } from '../../src/content/caches/memory-cache.ts';
import type { ContentAddressedStore, SavedBlob } from '../../src/content-addressed-store.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { failuresOf, NaiveCache } from './caches.ts';
import { contentOf, MIB } from './contents.ts';
import { codeOf, freshStore, namesOf, withFlippedBit } from './storages.ts';

const scratch = scratchFolder();
let folders = 0;

function newFolder(): string {
  return join(scratch, String(folders++));
}

interface Saved {
  storage: CountStorage;
  store: ContentAddressedStore;
  blobs: SavedBlob[];
}

/** A store with these contents, ready for reading; its storage counts from now on. */
async function storeWith(...contents: Uint8Array[]): Promise<Saved> {
  const storage = new CountStorage(new MemoryStorage());
  const blobs = await freshStore(storage).saveBlobs(contents);
  const store = freshStore(storage);
  await store.prepareToRead();
  storage.reset();
  return { storage, store, blobs };
}

function expectSameBytes(found: Uint8Array | undefined, content: Uint8Array): void {
  expect(found && Buffer.compare(found, content)).toBe(0);
}

/** The files of a disk cache. */
function entriesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.cached')).map((name) => join(folder, name));
}

describe('a blob cache', () => {
  const CONTENTS = [0, 1, 10_000, 10_000, 300_000].map((bytes, index) => contentOf(bytes, index + 1));
  const anyIndex = fc.nat(CONTENTS.length - 1);
  const anyStep = fc.oneof(
    { weight: 4, arbitrary: fc.record({ load: anyIndex, byKey: fc.boolean() }) },
    fc.record({ flip: anyIndex, bit: fc.nat() }),
    fc.record({ cut: anyIndex, bytes: fc.nat(20_000) }),
    fc.record({ extend: anyIndex }),
    fc.record({ swap: anyIndex, with: anyIndex }),
    fc.record({ remove: anyIndex }),
  );
  type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never;

  function damage(entries: readonly string[], step: Exclude<Step, { load: number }>): void {
    const entry = (index: number): string => entries[index % entries.length] as string;
    if ('flip' in step) {
      const bytes = readFileSync(entry(step.flip));
      if (bytes.length > 0)
        writeFileSync(entry(step.flip), withFlippedBit(bytes, step.bit % (8 * bytes.length)));
    } else if ('cut' in step) {
      writeFileSync(entry(step.cut), readFileSync(entry(step.cut)).subarray(0, step.bytes));
    } else if ('extend' in step) {
      writeFileSync(entry(step.extend), Buffer.concat([readFileSync(entry(step.extend)), Buffer.alloc(1)]));
    } else if ('swap' in step) {
      writeFileSync(entry(step.swap), readFileSync(entry(step.with)));
    } else {
      rmSync(entry(step.remove));
    }
  }

  test.prop([fc.array(anyStep, { maxLength: 20 })], { numRuns: propertyRuns })(
    'gives the content, whatever happens to its files',
    async (steps) => {
      const folder = newFolder();
      await using cache = await DiskCache.open(folder);
      const { store, blobs } = await storeWith(...CONTENTS);
      store.setBlobCache(cache);
      for (const step of steps) {
        if ('load' in step) {
          const { key, ...known } = blobs[step.load] as SavedBlob;
          const loaded = await store.reader.load(step.byKey ? { key } : { key, ...known });
          expectSameBytes(loaded, CONTENTS[step.load] as Uint8Array);
        } else {
          const entries = entriesIn(folder);
          if (entries.length > 0) damage(entries, step);
        }
      }
      rmSync(folder, { recursive: true, force: true });
    },
  );

  it.each(['memory', 'disk'])('%s: a content that was loaded costs no request any more', async (kind) => {
    const contents = [0, 1000, 300_000].map((bytes) => contentOf(bytes, 3));
    const { storage, store, blobs } = await storeWith(...contents);
    const cache = kind === 'disk' ? await DiskCache.open(newFolder()) : await MemoryCache.open();
    store.setBlobCache(cache);
    for (const { key } of blobs) await store.reader.load({ key });
    expect(storage.snapshot().requests).toBeGreaterThan(0);
    storage.reset();
    const keys = blobs.map(({ key }) => key);
    let index = 0;
    for await (const { blob } of store.loadBlobs(keys))
      expectSameBytes(blob, contents[index++] as Uint8Array);
    for (const blob of blobs) await store.reader.load(blob);
    expect([index, storage.snapshot().requests]).toEqual([3, 0]);
    if (cache instanceof DiskCache) await cache.close();
  });

  it('serves other stores that have the same content, and other processes', async () => {
    const folder = newFolder();
    const content = contentOf(20_000);
    for (const expected of [2, 0]) {
      await using cache = await DiskCache.open(folder);
      const { storage, store, blobs } = await storeWith(content);
      store.setBlobCache(cache);
      expectSameBytes(await store.reader.load(blobs[0] as SavedBlob), content);
      expect(storage.snapshot().requests).toBeLessThanOrEqual(expected);
    }
  });

  it('is passed by by streams and ranges', async () => {
    const { store, blobs } = await storeWith(contentOf(20_000));
    const cache = new NaiveCache();
    store.setBlobCache(cache);
    const address = blobs[0] as SavedBlob;
    for await (const _ of store.streamBlob(address));
    for await (const _ of store.streamBlob(address, { range: { offset: 5, length: 10 } }));
    expect([cache.gets, cache.sets]).toEqual([0, 0]);
  });

  it('is no longer asked once it was taken away', async () => {
    const { storage, store, blobs } = await storeWith(contentOf(20_000));
    store.setBlobCache(new NaiveCache());
    await store.reader.load(blobs[0] as SavedBlob);
    store.setBlobCache(undefined);
    storage.reset();
    await store.reader.load(blobs[0] as SavedBlob);
    expect(storage.snapshot().requests).toBeGreaterThan(0);
  });

  it('does not hide that the store has lost a content it never had', async () => {
    const { storage, store, blobs } = await storeWith(contentOf(20_000));
    store.setBlobCache(await MemoryCache.open());
    await storage.delete(await namesOf(storage, 'data/'));
    expect(await codeOf(store.reader.load(blobs[0] as SavedBlob))).toBe('CONTENT_NOT_FOUND');
  });

  it('does not hide that a record lies of the length', async () => {
    const { store, blobs } = await storeWith(contentOf(20_000));
    store.setBlobCache(await MemoryCache.open());
    const address = blobs[0] as SavedBlob;
    await store.reader.load(address);
    expect(await codeOf(store.reader.load({ ...address, bytes: 19_999 }))).toBe('RECORD_DAMAGED');
    expectSameBytes(await store.reader.load(address), contentOf(20_000));
  });

  it('verifies all of a content that is hashed in turns', async () => {
    const content = contentOf(17 * MIB);
    const { storage, store, blobs } = await storeWith(content);
    const cache = new NaiveCache();
    store.setBlobCache(cache);
    const address = blobs[0] as SavedBlob;
    await store.reader.load(address);
    storage.reset();
    expectSameBytes(await store.reader.load(address), content);
    expect(storage.snapshot().requests).toBe(0);
    for (const at of [9 * MIB, 17 * MIB - 1]) {
      cache.entries.set(address.key, withFlippedBit(content, 8 * at));
      expectSameBytes(await store.reader.load(address), content);
    }
    expect(storage.snapshot().requests).toBeGreaterThan(0);
  });

  it.each([null, 5, 'memory', {}, { get: () => {}, set: () => {} }])('cannot be %j', async (cache) => {
    const { store } = await storeWith();
    expect(await codeOf(() => store.setBlobCache(cache as never))).toBe('INVALID_ARGUMENT');
  });
});

describe('memory', () => {
  it('of what was loaded is the caller’s alone, though the cache keeps the very array', async () => {
    // Large enough to be gathered from chunks, into memory of its own.
    const content = contentOf(600_000);
    const { storage, store, blobs } = await storeWith(content);
    store.setBlobCache(new NaiveCache());
    const address = blobs[0] as SavedBlob;
    const loaded = [await store.reader.load(address)];
    storage.reset();
    // Others load it before anybody changes anything, and all from the cache.
    for (let i = 0; i < 3; i++) loaded.push(await store.reader.load(address));
    expect(storage.snapshot().requests).toBe(0);
    for (const [index, bytes] of loaded.entries()) {
      expectSameBytes(bytes, content);
      bytes.fill(index);
    }
    expectSameBytes(await store.reader.load(address), content);
  });

  it('is not shared by those who load at once', async () => {
    const content = contentOf(600_000);
    const { store, blobs } = await storeWith(content);
    const cache = new NaiveCache();
    store.setBlobCache(cache);
    cache.entries.set((blobs[0] as SavedBlob).key, new Uint8Array(content));
    const loaded = await Promise.all([0, 1, 2].map(() => store.reader.load(blobs[0] as SavedBlob)));
    for (const bytes of loaded) {
      expectSameBytes(bytes, content);
      bytes.fill(1);
    }
  });

  it.each(['memory', 'disk'])('%s: what a caller changes does not change what others load', async (kind) => {
    const content = contentOf(20_000);
    const { store, blobs } = await storeWith(content);
    const cache = kind === 'disk' ? await DiskCache.open(newFolder()) : await MemoryCache.open();
    store.setBlobCache(cache);
    for (let turn = 0; turn < 3; turn++) {
      const loaded = await store.reader.load(blobs[0] as SavedBlob);
      expectSameBytes(loaded, content);
      new Float64Array(loaded.buffer).fill(turn);
    }
    if (cache instanceof DiskCache) await cache.close();
  });

  it('begins where typed arrays can begin, though the cache gives a part of a larger buffer', async () => {
    const content = contentOf(4000);
    const { store, blobs } = await storeWith(content);
    const pool = Buffer.concat([Buffer.alloc(3), content, Buffer.alloc(3)]);
    const cache = new NaiveCache();
    cache.get = async () => pool.subarray(3, 4003);
    store.setBlobCache(cache);
    const loaded = await store.reader.load(blobs[0] as SavedBlob);
    expect([loaded.constructor, loaded.byteOffset, loaded.buffer.byteLength]).toEqual([Uint8Array, 0, 4000]);
    loaded.fill(9);
    expectSameBytes(pool.subarray(3, 4003), content);
  });
});

describe('a cache that fails', () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  const reject = (): Promise<never> => Promise.reject(new Error('boom'));
  const FAILING: [string, Partial<ByteCache>, string[]][] = [
    ['throws', { get: boom, set: boom }, ['get', 'set']],
    ['rejects', { get: reject, set: reject }, ['get', 'set']],
    [
      'gives other bytes, and cannot delete',
      { get: async () => contentOf(20_000, 9), delete: reject },
      ['verify', 'delete'],
    ],
    ['gives too few', { get: async () => contentOf(19_999) }, ['verify']],
    ['gives text', { get: async () => 'text' as never }, ['get']],
    ['gives null', { get: async () => null as never }, []],
    ['answers at once', { get: (() => undefined) as never, set: (() => undefined) as never }, []],
  ];

  it.each(FAILING)('%s: costs speed only, and is told once', async (_title, failing, told) => {
    const content = contentOf(20_000);
    const { store, blobs } = await storeWith(content);
    const cache = Object.assign(new NaiveCache(), failing);
    const failures = failuresOf(cache);
    store.setBlobCache(cache);
    for (let turn = 0; turn < 3; turn++) {
      expectSameBytes(await store.reader.load(blobs[0] as SavedBlob), content);
    }
    expect(failures.map(({ operation }) => operation)).toEqual(told);
    for (const { error } of failures) expect(error).toBeInstanceOf(Error);
  });

  it('has what it gave wrongly deleted', async () => {
    const { store, blobs } = await storeWith(contentOf(20_000));
    const cache = new NaiveCache();
    store.setBlobCache(cache);
    const { key } = blobs[0] as SavedBlob;
    cache.entries.set(key, contentOf(5));
    cache.set = async () => {};
    await store.reader.load({ key });
    expect(cache.entries.has(key)).toBe(false);
  });

  it('is told again for another cache', async () => {
    const { store, blobs } = await storeWith(contentOf(20_000));
    const failures = failuresOf();
    for (let i = 0; i < 2; i++) {
      store.setBlobCache(Object.assign(new NaiveCache(), { get: boom }));
      await store.reader.load(blobs[0] as SavedBlob);
    }
    expect(failures).toHaveLength(2);
  });
});

describe('a cache that hangs', () => {
  /** Answers `get` when it is let go. */
  class HangingCache extends NaiveCache {
    readonly waiting: ((bytes?: Uint8Array) => void)[] = [];
    readonly signals: (AbortSignal | undefined)[] = [];

    override get(_key: string, options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined> {
      this.gets++;
      this.signals.push(options?.signal);
      return new Promise((resolve) => this.waiting.push(resolve));
    }
  }

  it('costs the time that it is given, once; it is asked again when its calls have ended and it has rested', async () => {
    const content = contentOf(20_000);
    const { store, blobs } = await storeWith(content);
    const cache = new HangingCache();
    const failures = failuresOf(cache);
    store.reader.useCache(new GuardedCache(cache, { timeoutMs: 5, restMs: 0 }));
    const load = async (): Promise<void> =>
      expectSameBytes(await store.reader.load(blobs[0] as SavedBlob), content);
    await load();
    await load();
    await load();
    expect([cache.gets, cache.sets]).toEqual([1, 0]);
    expect(cache.signals[0]?.aborted).toBe(true);
    expect(failures).toMatchObject([{ operation: 'get', error: { code: 'STORAGE_UNAVAILABLE' } }]);
    cache.waiting[0]?.();
    await setImmediate();
    await load();
    expect(cache.gets).toBe(2);
  });

  it('is left alone for a while, though its calls have ended', async () => {
    const { store, blobs } = await storeWith(contentOf(20_000));
    const cache = new HangingCache();
    store.reader.useCache(new GuardedCache(cache, { timeoutMs: 5, restMs: 60_000 }));
    await store.reader.load(blobs[0] as SavedBlob);
    cache.waiting[0]?.();
    await setImmediate();
    await store.reader.load(blobs[0] as SavedBlob);
    expect(cache.gets).toBe(1);
  });

  it.each(['set', 'delete'] as const)('in %s costs no more than that either', async (method) => {
    const content = contentOf(20_000);
    const { store, blobs } = await storeWith(content);
    const cache = new NaiveCache();
    const { key } = blobs[0] as SavedBlob;
    cache.entries.set(key, contentOf(3));
    cache[method] = () => new Promise(() => {});
    const failures = failuresOf(cache);
    store.reader.useCache(new GuardedCache(cache, { timeoutMs: 5 }));
    expectSameBytes(await store.reader.load({ key }), content);
    expect(failures.map(({ operation }) => operation)).toEqual(['verify', method]);
  });

  it('is waited for longer where there is more to move', async () => {
    const content = contentOf(8 * MIB);
    const { storage, store, blobs } = await storeWith(content);
    const cache = new NaiveCache();
    cache.get = () => new Promise((resolve) => setTimeout(() => resolve(new Uint8Array(content)), 50));
    store.reader.useCache(new GuardedCache(cache, { timeoutMs: 1 }));
    expectSameBytes(await store.reader.load(blobs[0] as SavedBlob), content);
    expect(storage.snapshot().requests).toBe(0);
  });

  it('does not keep an abort waiting', async () => {
    const { store, blobs } = await storeWith(contentOf(20_000));
    const cache = new HangingCache();
    const failures = failuresOf(cache);
    store.setBlobCache(cache);
    const controller = new AbortController();
    const load = store.reader.load(blobs[0] as SavedBlob, { signal: controller.signal });
    controller.abort();
    expect(await codeOf(load)).toBe('ABORTED');
    expect(cache.signals[0]?.aborted).toBe(true);
    expect(failures).toEqual([]);
    const aborted = store.reader.load(blobs[0] as SavedBlob, { signal: controller.signal });
    expect(await codeOf(aborted)).toBe('ABORTED');
    expect(cache.gets).toBe(1);
  });

  it('leaves no listener on the caller’s signal', async () => {
    const { store, blobs } = await storeWith(contentOf(20_000));
    store.setBlobCache(new NaiveCache());
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    for (let turn = 0; turn < 3; turn++) await store.reader.load(blobs[0] as SavedBlob, { signal });
    expect(listeners).toBe(0);
  });
});
