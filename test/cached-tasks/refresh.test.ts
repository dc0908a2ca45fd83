import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryName } from '../../src/format/cache-names.ts';
import { openStorage } from '../../src/index.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { TMP_FOLDER } from '../../src/storage/local/tmp-folder.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { ObservedStorage } from '../content/storages.ts';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { gate } from '../waiting.ts';

/** More than the steps in which the clock of a storage in memory goes on. */
const A_TICK_MS = 3;

/** A call of a process of its own, whose function returns what the world is when it begins, when it is told to end. */
async function processOn(storage: DataStoreStorage, world: { at: number }, options: object = {}) {
  const flow = await openFlow({ storage });
  const [begun, ended] = [gate(), gate()];
  const run = async (): Promise<number> => {
    const { at } = world;
    begun.open();
    await ended.opened;
    return at;
  };
  const task = flow.cachedTask({ name: 'look', version: '1', ...options, run });
  return { task, begun: begun.opened, end: ended.open };
}

async function now(storage: DataStoreStorage): Promise<number> {
  const flow = await openFlow({ storage });
  const look = flow.cachedTask({ name: 'look', version: '1', run: () => -1 });
  return look(undefined, { mode: 'readonly' });
}

describe('refreshes that overlap', () => {
  // Of each number the first begins a call, and the second ends its function.
  const events = fc.shuffledSubarray([0, 0, 1, 1, 2, 2, 3, 3], { minLength: 8, maxLength: 8 });
  const modes = fc.array(fc.constantFrom('refresh' as const, 'refresh' as const, 'auto' as const), {
    minLength: 4,
    maxLength: 4,
  });

  const inOrder = async (
    order: number[],
    modeOf: ('refresh' | 'auto')[],
    hasEntry: boolean,
    isSerialized: boolean,
  ) => {
    const options = isSerialized ? { serialize: true, leaseMs: 20_000 } : {};
    const storage = new MemoryStorage();
    const world = { at: 0 };
    if (hasEntry) {
      const { task, end } = await processOn(storage, world);
      end();
      await task();
      await sleep(A_TICK_MS);
    }
    const calls = new Map<number, { began: number; result: Promise<number>; end: () => void }>();
    for (const i of order) {
      const call = calls.get(i);
      if (call) call.end();
      else {
        const { task, begun, end } = await processOn(storage, world, options);
        world.at += 1;
        calls.set(i, { began: world.at, result: task(undefined, { mode: modeOf[i] }), end });
        // An automatic one may have found a result, and one under a lease waits for the others to end.
        if (modeOf[i] === 'refresh' && !isSerialized) await begun;
      }
      await sleep(A_TICK_MS);
    }
    let latest = 0;
    for (const [i, { began, result }] of calls) {
      const value = await result;
      if (modeOf[i] === 'auto') continue;
      expect(value).toBeGreaterThanOrEqual(began);
      latest = Math.max(latest, began);
    }
    expect(await now(storage)).toBeGreaterThanOrEqual(latest);
  };

  test.prop([events, modes, fc.boolean()], { numRuns: Math.ceil(propertyRuns / 20) })(
    'return what was begun after they were called, and leave that of the one that began last',
    async (order, modeOf, hasEntry) => inOrder(order, modeOf, hasEntry, false),
  );

  test.prop([events, fc.boolean()], { numRuns: Math.ceil(propertyRuns / 80) })(
    'do so where they wait for each other',
    async (order, hasEntry) => inOrder(order, ['refresh', 'refresh', 'refresh', 'refresh'], hasEntry, true),
  );

  it('share a run in one process only where it has not begun', async () => {
    const world = { at: 1 };
    const { task, begun, end } = await processOn(new MemoryStorage(), world);
    const together = [1, 2].map(() => task.detailed(undefined, { mode: 'refresh' }));
    await begun;
    await sleep(A_TICK_MS);
    world.at = 2;
    const later = task.detailed(undefined, { mode: 'refresh' });
    await sleep(A_TICK_MS);
    end();
    const [one, two, three] = await Promise.all([...together, later]);
    expect([one?.value, two?.value, three?.value]).toEqual([1, 1, 2]);
    expect(one?.recorded).toBe(two?.recorded);
    expect(await task()).toBe(2);
  });
});

describe('a refresh', () => {
  it('does not look for the content of the entry that it replaces', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const world: { output: unknown } = { output: new Uint8Array(100_000).fill(7) };
    const define = async () =>
      (await openFlow({ storage })).cachedTask({ name: 'look', version: '1', run: () => world.output });
    const first = await define();
    await first();
    world.output = 1;
    const task = await define();
    const looksOf = async (mode: 'auto' | 'refresh') => {
      storage.calls.length = 0;
      const { hit } = await task.detailed(undefined, { mode });
      return { hit, looks: storage.calls.filter((call) => /^list (data|manifests)\//.test(call)).length };
    };
    expect(await looksOf('auto')).toMatchObject({ hit: true, looks: expect.toSatisfy((n) => n > 0) });
    expect(await looksOf('refresh')).toEqual({ hit: false, looks: 0 });
    expect(await task()).toBe(1);
  });

  it('returns what it ran where its lease was taken over, whether or not its successor has ended', async () => {
    /** As of a process whose event loop is blocked: its signs of life do not arrive. */
    class Busy extends StorageDecorator {
      override async overwrite(...args: Parameters<StorageDecorator['overwrite']>): Promise<string> {
        return args[0].startsWith('beats/') ? '1' : super.overwrite(...args);
      }
    }
    for (const isFirst of [true, false]) {
      const storage = new MemoryStorage();
      const world = { at: 0 };
      const options = { serialize: true, leaseMs: 40 };
      const old = await processOn(storage, world);
      old.end();
      await old.task();
      const busy = await processOn(new Busy(storage), world, options);
      const next = await processOn(storage, world, { ...options, leaseMs: 20_000 });
      world.at = 1;
      const first = busy.task.detailed(undefined, { mode: 'refresh' });
      await busy.begun;
      world.at = 2;
      const second = next.task.detailed(undefined, { mode: 'refresh' });
      await next.begun;
      expect(await names(storage, '.lease.')).toHaveLength(2);
      if (isFirst) busy.end();
      else next.end();
      await (isFirst ? first : second);
      busy.end();
      next.end();
      expect(await first).toMatchObject({ value: 1, hit: false, stored: false, notStoredReason: 'fenced' });
      expect(await second).toMatchObject({ value: 2, stored: true });
      expect(await now(storage)).toBe(2);
    }
  });

  it('beside a claim that nobody gives up returns what it ran, and says that it was not stored', async () => {
    const folder = join(scratchFolder(), 'store');
    const storage = await openStorage(folder);
    const world = { at: 1 };
    const { task, end } = await processOn(storage, world);
    end();
    const { key } = await task.detailed();
    const name = entryName(key);
    const version = (await storage.head(name))?.version;
    const claim = createHash('sha256').update(`${name}\0${version}`).digest('hex');
    writeFileSync(join(folder, TMP_FOLDER, `claim-${claim}`), '');
    world.at = 2;
    const refreshed = await task.detailed(undefined, { mode: 'refresh' });
    expect(refreshed).toMatchObject({ value: 2, hit: false, stored: false, notStoredReason: 'contended' });
  });
});

async function names(storage: DataStoreStorage, part: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { objects } of storage.list({ prefix: '' }))
    found.push(...objects.map(({ name }) => name));
  return found.filter((name) => name.includes(part) && name.endsWith('.json'));
}
