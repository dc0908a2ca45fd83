import { channel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { CacheHit } from '../../src/cache/entry-reader.ts';
import { TaskCache } from '../../src/cache/task-cache.ts';
import type { TaskCacheFailure } from '../../src/cache/task-cache-failures.ts';
import { entryName } from '../../src/format/cache-names.ts';
import { damagedMarkOf, isDamagedMark } from '../../src/format/content-names.ts';
import type { StorageCapabilities } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { type FaultPlan, FaultStorage } from '../../src/storage/fault.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { bodyOf, cloneOf, codeOf, mergeInto, namesOf } from '../content/storages.ts';
import { noise } from '../flow/fixtures.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { contentOf, entryOfTask, heldBy, inlineEntry, keyOf, storedEntry } from './fixtures.ts';

const key = keyOf('a');
const HOUR_MS = 3_600_000;
const failures: TaskCacheFailure[] = [];
const listen = (message: unknown): void => void failures.push(message as TaskCacheFailure);
channel('stowage:task-cache-failed').subscribe(listen);
afterAll(() => void channel('stowage:task-cache-failed').unsubscribe(listen));
afterEach(() => void failures.splice(0));

function cacheOf(storage: ConstructorParameters<typeof StorageDecorator>[0], options = {}): TaskCache {
  return new TaskCache(contentOf(storage), options);
}

async function hitOf(cache: TaskCache, of = key): Promise<CacheHit> {
  const found = await cache.lookup(of);
  if (found.status !== 'hit') throw new Error(`a miss: ${found.reason}`);
  return found;
}

describe('a cache', () => {
  it('has what was stored, and costs one GET where it is inline', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const cache = cacheOf(storage);
    expect(await cache.lookup(key)).toEqual({ status: 'miss', reason: 'absent' });
    const entry = inlineEntry('yes', { durationMs: 12.4 });
    expect(await cache.store(key, entry)).toEqual({ stored: true });
    storage.reset();
    const hit = await hitOf(cache);
    expect(hit.entry).toMatchObject({ ...entry, key, leaseToken: 0, durationMs: 12 });
    expect(storage.snapshot()).toMatchObject({ requests: 1, get: { calls: 1 } });
    expect(failures).toEqual([]);
  });

  it.each(['memory', 'local'])('is the same for every process (%s)', async (type) => {
    const storage = type === 'memory' ? new MemoryStorage() : await LocalStorage.open(scratchFolder());
    const entry = await entryOfTask(storage, { small: 1, large: noise(600_000), medium: noise(20_000) });
    expect(await cacheOf(storage).store(key, entry)).toEqual({ stored: true });
    expect((await hitOf(cacheOf(storage))).entry.table).toEqual(entry.table);
    const copied = await cloneOf(storage);
    expect((await hitOf(cacheOf(copied))).entry.source).toEqual(entry.source);
  });

  it('gives whoever comes second the first one', async () => {
    const storage = new MemoryStorage();
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => cacheOf(storage).store(key, inlineEntry(`value ${i}`))),
    );
    expect(all.filter(({ stored }) => stored)).toHaveLength(1);
    const { entry } = await hitOf(cacheOf(storage));
    for (const result of all) {
      if (!result.stored) {
        expect(result.reason).toBe('exists');
        expect(heldBy(result.winner?.entry)).toBe(heldBy(entry));
      }
    }
  });

  it('replaces just the entry that was seen', async () => {
    const cache = cacheOf(new MemoryStorage());
    await cache.store(key, inlineEntry('first'));
    const { seen } = await hitOf(cache);
    expect(await cache.store(key, inlineEntry('second'), { replaces: seen })).toEqual({ stored: true });
    const late = await cache.store(key, inlineEntry('late'), { replaces: seen });
    expect(late).toMatchObject({ stored: false, reason: 'exists' });
    expect(heldBy(late.stored ? undefined : late.winner?.entry)).toBe('second');
  });

  it('stores a first entry where the one to replace was evicted', async () => {
    const cache = cacheOf(new MemoryStorage());
    await cache.store(key, inlineEntry('first'));
    const { seen } = await hitOf(cache);
    await cache.evict(key);
    await cache.evict(key);
    expect(await cache.lookup(key)).toMatchObject({ reason: 'absent' });
    expect(await cache.store(key, inlineEntry('second'), { replaces: seen })).toEqual({ stored: true });
    expect(heldBy((await hitOf(cache)).entry)).toBe('second');
  });

  it('lets entries expire by their own age and by that of the caller', async () => {
    let nowMs = Date.parse('2026-03-01T12:00:00.000Z');
    const cache = cacheOf(new MemoryStorage(), { nowMs: () => nowMs });
    await cache.store(key, inlineEntry('old', { expiresAt: '2026-03-01T13:00:00.000Z' }));
    nowMs += 10_000;
    expect(await cache.lookup(key, { maxAgeMs: 10_001 })).toMatchObject({ status: 'hit' });
    expect(await cache.lookup(key, { maxAgeMs: 10_000 })).toMatchObject({ reason: 'expired' });
    expect(await cache.lookup(key, { maxAgeMs: 0 })).toMatchObject({ reason: 'expired' });
    expect(await cache.lookup(key)).toMatchObject({ status: 'hit' });
    nowMs += 3_590_000;
    const miss = await cache.lookup(key);
    expect(miss).toMatchObject({ reason: 'expired', entry: { task: 'judge' } });
    // Whoever comes without having looked replaces it too.
    expect(await cache.store(key, inlineEntry('new'))).toEqual({ stored: true });
    expect(heldBy((await hitOf(cache)).entry)).toBe('new');
  });

  it('works where entries can be replaced only without a condition', async () => {
    class NoIfMatch extends StorageDecorator {
      override get capabilities(): StorageCapabilities {
        return { ...this.inner.capabilities, ifMatch: false };
      }
    }
    const cache = cacheOf(new NoIfMatch(new MemoryStorage()));
    await cache.store(key, inlineEntry('first'));
    const { seen } = await hitOf(cache);
    expect(await cache.store(key, inlineEntry('second'), { replaces: seen })).toEqual({ stored: true });
    expect(await cache.store(key, inlineEntry('third'), { replaces: seen })).toMatchObject({ stored: false });
    expect(heldBy((await hitOf(cache)).entry)).toBe('second');
  });

  it('replaces entries that do not count for their signature', async () => {
    const storage = new MemoryStorage();
    await cacheOf(storage, { signingKeys: false }).store(key, inlineEntry('planted'));
    const cache = cacheOf(storage, { signingKeys: 'a secret of at least thirty-two bytes' });
    const miss = await cache.lookup(key);
    expect(miss).toMatchObject({ reason: 'unsigned' });
    expect(miss).not.toHaveProperty('entry');
    expect(await cache.store(key, inlineEntry('mine'))).toEqual({ stored: true });
    expect(heldBy((await hitOf(cache)).entry)).toBe('mine');
    const other = cacheOf(storage, { signingKeys: 'a secret of somebody else and just as long' });
    const left = await other.lookup(key);
    expect(left).toMatchObject({ reason: 'unknown-key' });
    expect(String('error' in left && left.error)).toContain('is signed by a key that is not in the ring');
    const [{ signedBy = '' }] = [(await hitOf(cache)).entry];
    const namesake = { id: signedBy, secret: 'a secret of somebody else and just as long' };
    expect(await cacheOf(storage, { signingKeys: [namesake] }).lookup(key)).toMatchObject({
      reason: 'forged',
    });
  });

  it('lists and counts its entries, the damaged ones too', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    const keys = Array.from({ length: 60 }, (_, i) => keyOf(i)).sort();
    for (const [i, each] of keys.entries()) {
      await cache.store(each, inlineEntry(i, { task: i % 2 ? 'odd' : 'even', durationMs: 10 }));
    }
    await storage.overwrite(entryName(keys[0] as string), new Uint8Array(7));
    const acquired = await cache.acquire(key);
    if (acquired.status === 'held') await acquired.lease.release();
    const listed = [];
    for await (const each of cache.entries()) listed.push(each);
    expect(listed.map((each) => each.key)).toEqual(keys);
    expect(listed.map((each) => heldBy(each.entry))).toEqual(
      [undefined, ...keys.keys()].filter((v) => v !== 0),
    );
    expect(listed[0]).toMatchObject({ problem: 'damaged', bytes: 7 });
    const statistics = await cache.statistics();
    expect(statistics).toMatchObject({ entries: 60, unreadable: 1, durationMs: 590 });
    expect([...statistics.tasks].map(([task, { entries }]) => [task, entries])).toEqual([
      ['even', 29],
      ['odd', 30],
    ]);
    for (const prefix of ['', (keys[5] as string).slice(0, 2), (keys[5] as string).slice(0, 9)]) {
      const found = [];
      for await (const each of cache.entries({ keyPrefix: prefix })) found.push(each.key);
      expect(found).toEqual(keys.filter((each) => each.startsWith(prefix)));
    }
  });

  it.each<[string, (cache: TaskCache) => unknown]>([
    ['a key that is none', (cache) => cache.lookup('abc')],
    ['a key in capitals', (cache) => cache.store(key.toUpperCase(), inlineEntry('x'))],
    ['an unknown option', (cache) => cache.lookup(key, { maxAge: 5 } as never)],
    ['an age that is none', (cache) => cache.lookup(key, { maxAgeMs: Number.NaN })],
    ['a lease that is too short', (cache) => cache.acquire(key, { leaseMs: 1 })],
    ['a prefix that is none', (cache) => cache.entries({ keyPrefix: '../' })],
    ['a time-out of nothing', () => cacheOf(new MemoryStorage(), { cacheTimeoutMs: 0 })],
    ['no options of its own', () => new TaskCache(contentOf(new MemoryStorage()), null as never)],
    ['a clock that is none', () => cacheOf(new MemoryStorage(), { nowMs: 5 as never })],
    ['an unknown option of its own', () => cacheOf(new MemoryStorage(), { timeoutMs: 5 })],
  ])('refuses %s', async (_, call) => {
    expect(await codeOf(async () => call(cacheOf(new MemoryStorage())))).toBe('INVALID_ARGUMENT');
  });
});

describe('a hit', () => {
  const large = noise(600_000);

  /** An entry that refers to content of every kind, from rows and from inside values. */
  async function everyKind(): Promise<MemoryStorage> {
    const storage = new MemoryStorage();
    const content = contentOf(storage);
    const nested = await content.saveBlobs([noise(5000, 3), noise(400_000, 4)]);
    const [plain] = await content.saveData([{ name: 'report.html', data: noise(9000, 5) }]);
    const rows = await entryOfTask(storage, { small: noise(30_000, 6), large, note: 'inline' });
    const refs = [...nested, plain].map((saved) => ({
      place: '',
      kind: 'key' as const,
      name: saved?.key ?? '',
    }));
    const [first, ...others] = rows.table.artifacts;
    const artifacts = [{ ...(first as NonNullable<typeof first>), refs }, ...others];
    const stored = await cacheOf(storage).store(key, { ...rows, table: { artifacts } });
    expect(stored).toEqual({ stored: true });
    return storage;
  }

  it('is a miss once anything it refers to is gone, at any depth, or marked as damaged', async () => {
    const storage = await everyKind();
    const names = (await namesOf(storage)).filter((name) => /^(data|manifests|packs|plain)\//.test(name));
    expect(names.filter((name) => name.startsWith('packs/')).length).toBeGreaterThan(1);
    expect(names.filter((name) => name.startsWith('plain/'))).toHaveLength(1);
    expect(names.filter((name) => name.startsWith('manifests/'))).toHaveLength(3);
    expect(names.filter((name) => name.startsWith('data/'))).toHaveLength(2);
    for (const name of names) {
      const purged = await cloneOf(storage);
      await purged.delete([name]);
      const miss = await cacheOf(purged).lookup(key);
      expect(miss, name).toMatchObject({ status: 'miss', reason: 'purged', entry: { task: 'judge' } });
      // The task runs, the entry is replaced, the next call hits.
      const replaced = await cacheOf(purged).store(key, inlineEntry('again'), { replaces: miss.seen });
      expect(replaced).toEqual({ stored: true });
      expect((await cacheOf(purged).lookup(key)).status).toBe('hit');

      const marked = await cloneOf(storage);
      await marked.create(damagedMarkOf(name), new Uint8Array(0));
      expect(await cacheOf(marked).lookup(key), name).toMatchObject({ status: 'miss', reason: 'damaged' });

      const cut = await cloneOf(storage);
      await cut.overwrite(name, (await bodyOf(cut, name)).slice(0, -1));
      expect(await cacheOf(cut).lookup(key), name).toMatchObject({ status: 'miss', reason: 'damaged' });
    }
    expect(await cacheOf(storage).lookup(key)).toMatchObject({ status: 'hit' });
  });

  it('may rest on another copy of its content', async () => {
    const storage = await everyKind();
    const other = new MemoryStorage();
    await entryOfTask(other, { small: noise(30_000, 6), large }, 'other');
    const first = (await namesOf(storage, 'manifests/')).filter((name) => !isDamagedMark(name));
    await mergeInto(storage, other);
    const entry = await storedEntry(storage, key);
    for (const { content } of entry.table.artifacts) if (content) await storage.delete([content.copy]);
    expect(first.length).toBeGreaterThan(0);
    expect(await cacheOf(storage).lookup(key)).toMatchObject({ status: 'hit' });
  });

  it('costs as many requests as it says', async () => {
    const storage = new MemoryStorage();
    const requests = async (artifacts: Record<string, unknown>, task: string): Promise<object> => {
      const entry = await entryOfTask(storage, artifacts, task);
      const counted = new CountStorage(storage);
      await cacheOf(storage).store(keyOf(task), entry);
      await hitOf(cacheOf(counted), keyOf(task));
      const { get, list, head } = counted.snapshot();
      return { get: get.calls, list: list.calls, head: head.calls };
    };
    expect(await requests({ a: 1, b: 'two' }, 'inline')).toEqual({ get: 1, list: 0, head: 0 });
    expect(await requests({ a: noise(20_000) }, 'small')).toEqual({ get: 1, list: 1, head: 0 });
    expect(await requests({ a: noise(20_000), b: noise(20_000, 2) }, 'two')).toEqual({
      get: 1,
      list: 2,
      head: 0,
    });
    expect(await requests({ a: noise(40_000_000, 9) }, 'large')).toEqual({ get: 2, list: 2, head: 0 });
  });
});

describe('a cache that fails', () => {
  const failing = (plan: FaultPlan): { cache: TaskCache; inner: MemoryStorage } => {
    const inner = new MemoryStorage();
    return { cache: cacheOf(new FaultStorage(inner, plan), { cacheTimeoutMs: 60 }), inner };
  };

  it('is a miss, stores nothing, serializes nothing, and says so once', async () => {
    const { cache } = failing(() => ({ kind: 'before' }));
    for (let i = 0; i < 3; i++) {
      expect(await cache.lookup(keyOf(i))).toMatchObject({ status: 'miss', reason: 'unavailable' });
      expect(await cache.store(keyOf(i), inlineEntry(i))).toMatchObject({
        stored: false,
        reason: 'unavailable',
      });
      expect(await cache.acquire(keyOf(i))).toMatchObject({ status: 'unserialized' });
    }
    expect(failures.map(({ operation, reason, key: of }) => [operation, reason, of])).toEqual([
      ['lookup', 'unavailable', keyOf(0)],
      ['store', 'unavailable', keyOf(0)],
      ['acquire', 'unavailable', keyOf(0)],
    ]);
  });

  it('by errors of any kind is one that fails', async () => {
    const { cache } = failing(() => ({ kind: 'before', error: new TypeError('a bug') }));
    expect(await cache.lookup(key)).toMatchObject({ reason: 'unavailable', error: { message: 'a bug' } });
    expect(await cache.store(key, inlineEntry('x'))).toMatchObject({ stored: false, reason: 'unavailable' });
    expect(await cache.acquire(key)).toMatchObject({ status: 'unserialized', error: { message: 'a bug' } });
  });

  it('by being slow is waited for no longer than cacheTimeoutMs, over several calls too', async () => {
    const { cache, inner } = failing(() => ({ kind: 'delay', ms: HOUR_MS }));
    expect(await cache.lookup(key)).toMatchObject({ reason: 'unavailable' });
    const deadline = cache.deadline();
    expect(await cache.lookup(key, { deadline })).toMatchObject({ reason: 'unavailable' });
    expect(await cache.acquire(key, { deadline })).toMatchObject({ status: 'unserialized' });
    expect(await cache.store(key, inlineEntry('x'), { deadline })).toMatchObject({ reason: 'unavailable' });
    expect(await namesOf(inner)).toEqual([]);
  });

  it('by never answering, signal or not, is waited for no longer', async () => {
    class Deaf extends StorageDecorator {
      override get = (): Promise<never> => new Promise(() => {});
      override async *list(): AsyncGenerator<never> {
        await new Promise(() => {});
      }
    }
    const cache = cacheOf(new Deaf(new MemoryStorage()), { cacheTimeoutMs: 40 });
    expect(await cache.lookup(key)).toMatchObject({ reason: 'unavailable' });
    expect(await cache.store(key, inlineEntry('x'))).toMatchObject({ reason: 'unavailable' });
    expect(await cache.acquire(key)).toMatchObject({ status: 'unserialized' });
  });

  it('while the content of an entry is looked at is a miss', async () => {
    const inner = new MemoryStorage();
    await cacheOf(inner).store(key, await entryOfTask(inner, { a: noise(20_000), b: noise(400_000) }));
    const faulty = new FaultStorage(inner, (operation, name) =>
      operation === 'list' && /^(data|manifests)/.test(name) ? { kind: 'before' } : undefined,
    );
    expect(await cacheOf(faulty).lookup(key)).toMatchObject({ status: 'miss', reason: 'unavailable' });
  });

  it('by flipped bits on the way is never a wrong hit', async () => {
    const inner = new MemoryStorage();
    await cacheOf(inner).store(key, inlineEntry('yes'));
    for (let bit = 0; bit < 4000; bit += 11) {
      const found = await cacheOf(new FaultStorage(inner, () => ({ kind: 'flip', bit }))).lookup(key);
      expect(found).toMatchObject({ status: 'miss', reason: 'damaged' });
    }
  });

  it('tells of entries that do not count, once for each reason', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    for (const each of [1, 2]) {
      await storage.create(entryName(keyOf(each)), new Uint8Array(9));
      expect(await cache.lookup(keyOf(each))).toMatchObject({ reason: 'damaged' });
    }
    expect(failures.map(({ operation, reason }) => `${operation} ${reason}`)).toEqual(['lookup damaged']);
  });

  it('ends at once, and throws, when the caller aborts', async () => {
    const { cache } = failing(() => ({ kind: 'delay', ms: 30_000 }));
    const waiting = cacheOf(new FaultStorage(new MemoryStorage(), () => ({ kind: 'delay', ms: 30_000 })));
    for (const each of [cache, waiting]) {
      for (const call of [
        (signal: AbortSignal) => each.lookup(key, { signal }),
        (signal: AbortSignal) => each.store(key, inlineEntry('x'), { signal }),
        (signal: AbortSignal) => each.acquire(key, { signal }),
        (signal: AbortSignal) => each.evict(key, { signal }),
      ]) {
        expect(await codeOf(call(AbortSignal.abort()))).toBe('ABORTED');
        if (each === waiting) {
          const ending = new AbortController();
          const running = codeOf(call(ending.signal));
          await sleep(5);
          ending.abort();
          expect(await running).toBe('ABORTED');
        }
      }
    }
    expect(failures).toEqual([]);
  });

  it('cannot evict silently', async () => {
    const { cache } = failing(() => ({ kind: 'before' }));
    expect(await codeOf(cache.evict(key))).toBe('STORAGE_UNAVAILABLE');
  });
});
