import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadline } from '../../src/async/deadline.ts';
import { EntryReader } from '../../src/cache/entry-reader.ts';
import { Lease } from '../../src/cache/lease.ts';
import { type LeaseClock, LeaseQueue } from '../../src/cache/lease-queue.ts';
import { type AcquireOptions, TaskCache } from '../../src/cache/task-cache.ts';
import { leaseName, parseLeaseName } from '../../src/format/cache-names.ts';
import { encodeLease } from '../../src/format/lease-record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { codeOf, namesOf, ObservedStorage } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';
import { until } from '../waiting.ts';
import { contentOf, heldBy, inlineEntry, keyOf } from './fixtures.ts';

const key = keyOf('a');

function cacheOf(storage: DataStoreStorage, options = {}): TaskCache {
  return new TaskCache(contentOf(storage), options);
}

async function held(cache: TaskCache, options: AcquireOptions = {}): Promise<Lease> {
  const acquired = await cache.acquire(key, options);
  if (acquired.status !== 'held') throw new Error(`not held: ${acquired.status}`);
  return acquired.lease;
}

async function tokensIn(storage: DataStoreStorage): Promise<number[]> {
  const found = (await namesOf(storage, 'cache/')).flatMap((name) => parseLeaseName(name) ?? []);
  return found.filter(({ kind }) => kind === 'json').map(({ token }) => token);
}

/** One of those that call a serialized task. */
async function callOnce(storage: DataStoreStorage, run: (token: number) => unknown, leaseMs = 60_000) {
  const cache = cacheOf(storage);
  const found = await cache.lookup(key);
  if (found.status === 'hit') return heldBy(found.entry);
  const acquired = await cache.acquire(key, { seen: found.seen, leaseMs });
  if (acquired.status === 'hit') return heldBy(acquired.entry);
  if (acquired.status !== 'held') throw new Error(acquired.status, { cause: acquired });
  await using lease = acquired.lease;
  const value = (await run(lease.token)) as string;
  const stored = await cache.store(key, inlineEntry(value), { lease, replaces: found.seen });
  return stored.stored ? value : heldBy(stored.winner?.entry);
}

describe('a lease', () => {
  it('lets one of many run, and the others have the result', async () => {
    const storage = new MemoryStorage();
    const runs: number[] = [];
    const run = async (token: number) => {
      runs.push(token);
      await sleep(60);
      return `value of ${token}`;
    };
    const values = await Promise.all(Array.from({ length: 16 }, () => callOnce(storage, run)));
    expect(runs).toEqual([1]);
    expect(new Set(values)).toEqual(new Set(['value of 1']));
    expect(await tokensIn(storage)).toEqual([1]);
    expect(await namesOf(storage, 'beats/')).toEqual([]);
  });

  it('goes to the next one when its owner fails', async () => {
    const storage = new MemoryStorage();
    const runs: number[] = [];
    const run = async (token: number) => {
      runs.push(token);
      await sleep(10);
      if (token < 3) throw new Error('no luck');
      return `value of ${token}`;
    };
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => callOnce(storage, run)));
    expect(runs).toEqual([1, 2, 3]);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(2);
    for (const result of results) if (result.status === 'fulfilled') expect(result.value).toBe('value of 3');
  });

  it('costs three requests to take and one to give back, where nobody is in the way', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const lease = await held(cacheOf(storage));
    expect(storage.snapshot()).toMatchObject({ requests: 3, list: { calls: 2 }, create: { calls: 1 } });
    storage.reset();
    await lease.release();
    await lease.release();
    expect(storage.snapshot()).toMatchObject({ requests: 1, create: { calls: 1 } });
  });

  it('has a token that is never given again: not after release, evict, or any number of runs', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    const tokens: number[] = [];
    for (let i = 0; i < 5; i++) {
      const lease = await held(cache);
      tokens.push(lease.token);
      await cache.store(key, inlineEntry(i), { lease });
      await lease.release();
      await cache.evict(key);
      expect(await tokensIn(storage)).toEqual([i + 1]);
    }
    expect(tokens).toEqual([1, 2, 3, 4, 5]);
  });

  it('counts on from the token of an entry, where a copied store has no leases', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    const first = await held(cache);
    await cache.store(key, inlineEntry('a'), { lease: first });
    await first.release();
    const { seen } = await cache.lookup(key);
    await storage.delete(await namesOf(storage, 'cache/').then((names) => names.filter(parseLeaseName)));
    expect((await held(cache, { seen })).token).toBe(2);
  });

  it('is not waited for where the entry that counts is there already', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    await cache.store(key, inlineEntry('there'));
    const acquired = await cache.acquire(key);
    expect(acquired.status === 'hit' && heldBy(acquired.entry)).toBe('there');
    // But whoever saw it, and wants another one, gets the lease.
    const { seen } = await cache.lookup(key);
    expect((await cache.acquire(key, { seen })).status).toBe('held');
  });

  it('of an owner that was overtaken stores nothing, over an entry or over none', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    const late = await held(cache, { leaseMs: 20 });
    await late.release(); // as good as dead: nobody waits for it
    const next = await held(cache);
    expect(await cache.store(key, inlineEntry('late'), { lease: late })).toEqual({
      stored: false,
      reason: 'fenced',
    });
    expect(await cache.store(key, inlineEntry('next'), { lease: next })).toEqual({ stored: true });
    const stored = await cache.store(key, inlineEntry('late'), { lease: late });
    expect(stored).toMatchObject({ stored: false, reason: 'fenced' });
    expect(heldBy(stored.stored ? undefined : stored.winner?.entry)).toBe('next');
    await next.release();
  });

  it('that is lower than the token of an entry does not replace it, though no lease tells', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    const early = await held(cache);
    await early.release();
    const next = await held(cache);
    await cache.store(key, inlineEntry('next', { expiresAt: '2020-01-01T00:00:00.000Z' }), { lease: next });
    await next.release();
    await storage.delete([...(await namesOf(storage, 'cache/'))].filter((name) => parseLeaseName(name)));
    const { seen } = await cache.lookup(key);
    const fenced = { stored: false, reason: 'fenced' };
    expect(await cache.store(key, inlineEntry('late'), { lease: early, replaces: seen })).toEqual(fenced);
    expect(await cache.store(key, inlineEntry('late'), { lease: early })).toEqual(fenced);
    // Without a lease the entry is replaced, and keeps its token, so that the late one is fenced all the same.
    expect(await cache.store(key, inlineEntry('mine'), { replaces: seen })).toEqual({ stored: true });
    const found = await cache.lookup(key);
    expect([heldBy(found.entry), found.entry?.leaseToken]).toEqual(['mine', 2]);
    expect(await cache.store(key, inlineEntry('late'), { lease: early, replaces: found.seen })).toEqual(
      fenced,
    );
    const late = await cache.store(key, inlineEntry('late'), { lease: early });
    expect(late).toMatchObject({ stored: false, reason: 'exists' });
    expect(heldBy(late.stored ? undefined : late.winner?.entry)).toBe('mine');
  });

  it('of who refreshes lets only results count that were begun after it was asked for', async () => {
    const storage = new MemoryStorage();
    const cache = cacheOf(storage);
    await cache.store(key, inlineEntry('before'));
    const { seen } = await cache.lookup(key);
    const running = await held(cache, { seen });
    const looking = [0, 1].map(() => new ObservedStorage(storage));
    const waiting = looking.map((each) => cacheOf(each).acquire(key, { seen, refresh: true }));
    // Both have looked: the second look is a wait after the first.
    await until(() =>
      looking.every(({ calls }) => calls.filter((call) => call.startsWith('list ')).length > 1),
    );
    await cache.store(key, inlineEntry('begun before'), { lease: running, refresh: true, replaces: seen });
    await running.release();
    const next = await Promise.race(waiting);
    const { lease } = next as Extract<typeof next, { status: 'held' }>;
    expect([next.status, lease.token]).toEqual(['held', 2]);
    const stored = await cache.store(key, inlineEntry('begun after'), {
      lease,
      refresh: true,
      replaces: seen,
    });
    expect(stored).toEqual({ stored: true });
    await lease.release();
    const ends = await Promise.all(waiting);
    const hit = ends.find(({ status }) => status === 'hit');
    expect(hit?.status === 'hit' && heldBy(hit.entry)).toBe('begun after');
    // And whoever was overtaken replaces nothing.
    const late = await cache.store(key, inlineEntry('late'), {
      lease: running,
      refresh: true,
      replaces: seen,
    });
    expect(late).toMatchObject({ stored: false, reason: 'fenced' });
  });

  it('cannot be used for another key', async () => {
    const cache = cacheOf(new MemoryStorage());
    const lease = await held(cache);
    expect(await codeOf(cache.store(keyOf('b'), inlineEntry('x'), { lease }))).toBe('INVALID_ARGUMENT');
  });

  it('is got all the same when the answer to its creation is lost', async () => {
    let lost = 0;
    const storage = new FaultStorage(new MemoryStorage(), (operation, name) => {
      if (operation !== 'create' || !name.includes('.lease.') || lost > 0) return undefined;
      lost += 1;
      return { kind: 'after' };
    });
    const lease = await held(cacheOf(storage));
    expect([lost, lease.token]).toEqual([1, 1]);
  });

  it('is not kept by whoever is aborted while it is being taken', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const ending = new AbortController();
    let lists = 0;
    storage.before = (operation) => {
      if (operation === 'list' && ++lists === 2) ending.abort();
    };
    expect(await codeOf(cacheOf(storage).acquire(key, { signal: ending.signal }))).toBe('ABORTED');
    const next = await held(cacheOf(storage)); // at once, rather than after a minute
    expect(next.token).toBe(2);
  });

  it('that is garbage is taken over', async () => {
    const storage = new MemoryStorage();
    await storage.create(leaseName(key, 7), Buffer.from('garbage'));
    const lease = await held(cacheOf(storage), { leaseMs: 40 });
    expect(lease.token).toBe(8);
    await lease.release();
    expect(await tokensIn(storage)).toEqual([8]);
  });

  it('goes past no token that cannot be counted on from', async () => {
    const storage = new MemoryStorage();
    await storage.create(leaseName(key, 999_999_999_999), Buffer.from('planted'));
    const acquired = await cacheOf(storage).acquire(key, { leaseMs: 30 });
    expect(acquired.status).toBe('unserialized');
  });
});

/** Time that passes only while somebody sleeps. */
class FakeClock implements LeaseClock {
  #nowMs = 0;
  onTick: (nowMs: number) => Promise<void> = async () => {};
  nowMs(): number {
    return this.#nowMs;
  }
  random(): number {
    return 1;
  }
  async sleep(ms: number): Promise<void> {
    this.#nowMs += ms;
    await this.onTick(this.#nowMs);
  }
}

describe('whoever waits', () => {
  function queue(storage: DataStoreStorage, clock: LeaseClock, leaseMs = 1000): LeaseQueue {
    const entries = new EntryReader(contentOf(storage), undefined);
    const deadline = new Deadline(10_000, () => clock.nowMs());
    const request = { key, leaseMs, seen: undefined, refresh: false, deadline, releaseTimeoutMs: 10_000 };
    return new LeaseQueue(storage, entries, request, clock);
  }

  it('takes over from an owner that was silent for as long as it said, by the clock of the waiting', async () => {
    const storage = new MemoryStorage();
    const first = await held(cacheOf(storage), { leaseMs: 60_000 });
    const clock = new FakeClock();
    const lease = await queue(storage, clock, 1000).enter();
    expect(lease).toBeInstanceOf(Lease);
    expect((lease as Lease).token).toBe(2);
    expect(clock.nowMs()).toBeGreaterThanOrEqual(60_000);
    expect(clock.nowMs()).toBeLessThan(120_000);
    expect(await first.isNewest()).toBe(false);
  });

  it('waits for as long as the owner gives signs of life', async () => {
    const storage = new MemoryStorage();
    await held(cacheOf(storage), { leaseMs: 4000 });
    const session = (
      JSON.parse(Buffer.from((await storage.get(leaseName(key, 1)))?.body ?? []).toString()) as {
        session: string;
      }
    ).session;
    const clock = new FakeClock();
    const diesAtMs = 100_000;
    let beats = 0;
    clock.onTick = async (nowMs) => {
      while (beats * 1000 < Math.min(nowMs, diesAtMs)) {
        beats += 1;
        await storage.overwrite(`beats/${session}`, Buffer.from(String(beats)));
      }
    };
    const lease = (await queue(storage, clock).enter()) as Lease;
    expect(lease.token).toBe(2);
    expect(clock.nowMs()).toBeGreaterThanOrEqual(diesAtMs + 3000);
    // The beat of the dead goes with its lease.
    await lease.release();
    expect(await namesOf(storage, 'beats/')).toEqual([]);
  });

  it('takes away the signs of life of all that died, also of those whose successor died too', async () => {
    const storage = new MemoryStorage();
    for (const token of [1, 2]) {
      const session = newSessionId();
      await storage.create(leaseName(key, token), encodeLease({ key, token, session, leaseMs: 1000 }));
      await storage.overwrite(`beats/${session}`, Buffer.from('alive'));
    }
    await storage.overwrite('beats/somebody', Buffer.from('alive'));
    const lease = (await queue(storage, new FakeClock()).enter()) as Lease;
    expect(lease.token).toBe(3);
    await lease.release();
    expect(await namesOf(storage, 'beats/')).toEqual(['beats/somebody']);
    expect(await tokensIn(storage)).toEqual([3]);
  });

  it.each([10_000, 100])(
    'waits for a lease that cannot be read no longer than cacheTimeoutMs: %d',
    async (limitMs) => {
      const storage = new MemoryStorage();
      await storage.create(leaseName(key, 1), Buffer.from('garbage'));
      const clock = new FakeClock();
      const deadline = new Deadline(limitMs, () => clock.nowMs());
      const request = {
        key,
        leaseMs: 60_000,
        seen: undefined,
        refresh: false,
        deadline,
        releaseTimeoutMs: limitMs,
      };
      const entries = new EntryReader(contentOf(storage), undefined);
      const lease = await new LeaseQueue(storage, entries, request, clock).enter();
      expect((lease as Lease).token).toBe(2);
      expect(clock.nowMs()).toBeLessThan(limitMs);
    },
  );

  it('takes the result as soon as it is there, also of one that did not hold the lease', async () => {
    const storage = new MemoryStorage();
    await held(cacheOf(storage));
    const clock = new FakeClock();
    clock.onTick = async (nowMs) => {
      if (nowMs > 5000) await cacheOf(storage).store(key, inlineEntry('by the way'));
    };
    const result = await queue(storage, clock).enter();
    expect('entry' in result ? heldBy(result.entry) : result).toBe('by the way');
    expect(clock.nowMs()).toBeLessThan(60_000);
  });

  it('stands faults of the storage that pass, and no longer ones than the deadline', async () => {
    const inner = new MemoryStorage();
    await held(cacheOf(inner));
    const clock = new FakeClock();
    let isDown = false;
    const storage = new FaultStorage(inner, () => (isDown ? { kind: 'before' } : undefined));
    clock.onTick = async (nowMs) => {
      isDown = (nowMs > 2000 && nowMs < 9000) || nowMs > 20_000;
    };
    expect(await codeOf(queue(storage, clock).enter())).toBe('STORAGE_UNAVAILABLE');
    expect(clock.nowMs()).toBeGreaterThan(28_000);
    expect(clock.nowMs()).toBeLessThan(40_000);
  });

  test.prop([fc.scheduler(), fc.integer({ min: 2, max: 5 })], { numRuns: propertyRuns })(
    'in any order: never are two given the same token, and one runs at a time',
    async (scheduler, count) => {
      const inner = new MemoryStorage();
      const tokens: number[] = [];
      let running = 0;
      const run = async () => {
        const storage = new ObservedStorage(inner);
        storage.before = () => scheduler.schedule(Promise.resolve());
        const clock: LeaseClock = {
          nowMs: () => 0,
          random: () => 0,
          sleep: () => scheduler.schedule(Promise.resolve()),
        };
        const lease = (await queue(storage, clock).enter()) as Lease;
        running += 1;
        expect(running).toBe(1);
        tokens.push(lease.token);
        await scheduler.schedule(Promise.resolve());
        running -= 1;
        await lease.release();
      };
      await scheduler.waitFor(Promise.all(Array.from({ length: count }, run)));
      expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
      expect(new Set(tokens).size).toBe(count);
    },
  );
});
