import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { SeenEntry } from '../../src/cache/entry-reader.ts';
import { Lease } from '../../src/cache/lease.ts';
import { TaskCache } from '../../src/cache/task-cache.ts';
import { entryName, leaseName } from '../../src/format/cache-names.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { ObservedStorage } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';
import { contentOf, heldBy, inlineEntry, keyOf } from './fixtures.ts';

const key = keyOf('a');
const numRuns = propertyRuns;
const CLIENTS = 3;

/** What there is, in the words of the documentation. */
interface Model {
  /** The entry's value, token, and how often it was replaced; `undefined` without one. */
  entry: { value: number; token: number; version: number; damaged: boolean } | undefined;
  /** What each client saw at its last lookup. */
  seen: ({ version: number; token: number } | undefined)[];
  /** The token that each client's lease has; 0 without one. */
  tokens: number[];
  highest: number;
  writes: number;
}

interface Real {
  storage: DataStoreStorage;
  clients: { cache: TaskCache; seen: SeenEntry | undefined; lease: Lease | undefined }[];
}

type Step =
  | { kind: 'lookup' | 'store' | 'refresh' | 'lease' | 'drop'; client: number }
  | { kind: 'evict' | 'damage'; client: number };

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('lookup', 'store', 'refresh', 'lease', 'drop', 'evict', 'damage'),
  client: fc.nat(CLIENTS - 1),
});

/** What storing does to the model, and whether it is told that the entry was stored. */
function storeInModel(model: Model, client: number, value: number, replaces: boolean): string | true {
  const token = model.tokens[client] as number;
  const leased = token > 0;
  if (leased && model.highest > token) return 'fenced';
  const seen = replaces ? model.seen[client] : undefined;
  if (leased && seen && seen.token > token) return 'fenced';
  const { entry } = model;
  const write = (inherited: number): true => {
    model.entry = { value, token: leased ? token : inherited, version: model.writes, damaged: false };
    return true;
  };
  if (!entry) return write(0);
  if (seen?.version === entry.version) return write(seen.token);
  if (!entry.damaged) return 'exists';
  return write(0); // a damaged entry has no token that could be read
}

describe('lookup, store, evict and refresh', () => {
  test.prop([fc.array(step, { maxLength: 40 })], { numRuns })(
    'in any order do what the model does',
    async (steps) => {
      const storage = new MemoryStorage();
      const real: Real = {
        storage,
        clients: Array.from({ length: CLIENTS }, () => ({
          cache: new TaskCache(contentOf(storage)),
          seen: undefined,
          lease: undefined,
        })),
      };
      const model: Model = {
        entry: undefined,
        seen: Array(CLIENTS).fill(undefined),
        tokens: Array(CLIENTS).fill(0),
        highest: 0,
        writes: 0,
      };
      try {
        for (const { kind, client } of steps) {
          model.writes += 1;
          const own = real.clients[client] as Real['clients'][number];
          if (kind === 'lookup') {
            const found = await own.cache.lookup(key);
            const { entry } = model;
            if (!entry) expect(found).toEqual({ status: 'miss', reason: 'absent' });
            else if (entry.damaged) expect(found).toMatchObject({ status: 'miss', reason: 'damaged' });
            else
              expect([found.status, heldBy(found.entry), found.entry?.leaseToken]).toEqual([
                'hit',
                entry.value,
                entry.token,
              ]);
            own.seen = found.seen;
            model.seen[client] = entry && { version: entry.version, token: entry.damaged ? 0 : entry.token };
          } else if (kind === 'store' || kind === 'refresh') {
            const replaces = kind === 'refresh';
            const expected = storeInModel(model, client, model.writes, replaces);
            const stored = await own.cache.store(key, inlineEntry(model.writes), {
              lease: own.lease,
              replaces: replaces ? own.seen : undefined,
            });
            expect(stored.stored || stored.reason).toBe(expected);
            if (!stored.stored && stored.winner) expect(heldBy(stored.winner.entry)).toBe(model.entry?.value);
          } else if (kind === 'lease') {
            await own.lease?.release();
            model.highest += 1;
            model.tokens[client] = model.highest;
            // As if it had been taken over from whoever holds one.
            await storage.create(leaseName(key, model.highest), new Uint8Array(0));
            const held = {
              key,
              token: model.highest,
              session: '0'.repeat(26),
              leaseMs: 60_000,
              earlier: [],
              unended: [],
            };
            own.lease = new Lease(storage, held, 1000);
          } else if (kind === 'drop') {
            await own.lease?.release();
            own.lease = undefined;
            model.tokens[client] = 0;
          } else if (kind === 'evict') {
            await own.cache.evict(key);
            model.entry = undefined;
          } else if (model.entry) {
            await storage.overwrite(entryName(key), Buffer.from(`garbage ${model.writes}`));
            model.entry = { value: 0, token: 0, version: model.writes, damaged: true };
          }
        }
      } finally {
        for (const { lease } of real.clients) await lease?.release();
      }
    },
  );

  test.prop([fc.scheduler(), fc.integer({ min: 2, max: 5 }), fc.boolean()], { numRuns })(
    'at once: one of all that store is told so, and the others have its value',
    async (scheduler, count, replacing) => {
      const inner = new MemoryStorage();
      let replaces: SeenEntry | undefined;
      if (replacing) {
        const cache = new TaskCache(contentOf(inner));
        await cache.store(key, inlineEntry('old'));
        replaces = (await cache.lookup(key)).seen;
      }
      const run = async (i: number) => {
        const storage = new ObservedStorage(inner);
        storage.before = () => scheduler.schedule(Promise.resolve());
        return new TaskCache(contentOf(storage)).store(key, inlineEntry(`value ${i}`), { replaces });
      };
      const all = Promise.all(Array.from({ length: count }, (_, i) => run(i)));
      await scheduler.waitFor(all);
      const results = await all;
      const found = await new TaskCache(contentOf(inner)).lookup(key);
      const winners = results.flatMap(({ stored }, i) => (stored ? [`value ${i}`] : []));
      expect(winners).toEqual([heldBy(found.entry)]);
      for (const result of results) {
        if (!result.stored)
          expect([result.reason, heldBy(result.winner?.entry)]).toEqual(['exists', winners[0]]);
      }
    },
  );

  test.prop([fc.scheduler(), fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 6 })], {
    numRuns,
  })('at once, under leases: the token of the entry never sinks', async (scheduler, tokens) => {
    const inner = new MemoryStorage();
    const cache = new TaskCache(contentOf(inner));
    await cache.store(key, inlineEntry('old'));
    const { seen } = await cache.lookup(key);
    const history: number[] = [];
    const run = async (token: number) => {
      const storage = new ObservedStorage(inner);
      storage.before = async () => {
        await scheduler.schedule(Promise.resolve());
        history.push((await cache.lookup(key)).entry?.leaseToken ?? -1);
      };
      await inner.create(leaseName(key, token), new Uint8Array(0));
      const held = { key, token, session: '0'.repeat(26), leaseMs: 60_000, earlier: [], unended: [] };
      const lease = new Lease(inner, held, 1000);
      await new TaskCache(contentOf(storage)).store(key, inlineEntry(token), { lease, replaces: seen });
      await lease.release();
    };
    await scheduler.waitFor(Promise.all(tokens.map(run)));
    history.push((await cache.lookup(key)).entry?.leaseToken ?? -1);
    expect(history).toEqual([...history].sort((a, b) => a - b));
  });
});
