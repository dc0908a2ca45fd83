import { describe, expect, it } from 'vitest';
import { entryName } from '../../../src/format/cache-names.ts';
import { CACHE_USES_FOLDER } from '../../../src/format/cache-uses.ts';
import { checkStore } from '../../../src/maintenance/fsck/check-store.ts';
import { applyRetention } from '../../../src/maintenance/retention/apply-retention.ts';
import { planRetention } from '../../../src/maintenance/retention/plan-retention.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { CountStorage } from '../../../src/storage/count.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { objectNames, openFlow } from '../../flow/fixtures.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const START_MS = Date.now();

/** Calls a task with each input, `days` after the start, in a process of its own. Resolves to the keys. */
async function call(
  storage: DataStoreStorage,
  days: number,
  inputs: readonly number[],
  mode: 'auto' | 'readonly' = 'auto',
): Promise<string[]> {
  const flow = await openFlow({ storage, cache: { nowMs: () => START_MS + days * DAY_MS } });
  const task = flow.cachedTask({ name: 'double', version: '1', run: async (n: number) => 2 * n });
  const keys: string[] = [];
  for (const n of inputs) keys.push((await task.detailed(n, { mode })).key);
  await flow.close();
  return keys;
}

const uses = (storage: DataStoreStorage): Promise<string[]> => objectNames(storage, CACHE_USES_FOLDER);

async function isThere(storage: DataStoreStorage, key: string | undefined): Promise<boolean> {
  return (await storage.head(entryName(key ?? ''))) !== undefined;
}

describe('entries of the cache by their last use', () => {
  it('stay as long as they were a hit lately, and go otherwise', async () => {
    const storage = new MemoryStorage();
    const [used, unused] = await call(storage, 0, [1, 2]);
    await call(storage, 20, [1, 1, 1]);
    const policy = { cache: { keepUsedWithin: '10d' } };
    const at = (days: number) => ({ store: storage, policy, nowMs: START_MS + days * DAY_MS });
    expect((await planRetention(at(9))).cache).toMatchObject({ entries: 0, kept: 2 });
    expect((await planRetention(at(25))).cache).toMatchObject({ entries: 1, kept: 1 });
    await applyRetention({ ...at(25), evenEverything: true });
    expect([await isThere(storage, used), await isThere(storage, unused)]).toEqual([true, false]);
    await applyRetention({ ...at(35), evenEverything: true });
    expect(await isThere(storage, used)).toBe(false);
    expect(await uses(storage)).toEqual([]);
  });

  it('cost hits no request, and a process one a day', async () => {
    const storage = new MemoryStorage();
    await call(storage, 0, [1, 2, 3]);
    await call(storage, 0.5, [1, 2, 3]);
    expect(await uses(storage)).toEqual([]); // their age says as much
    const counting = new CountStorage(storage);
    const flow = await openFlow({ storage: counting, cache: { nowMs: () => START_MS + 3 * DAY_MS } });
    const task = flow.cachedTask({ name: 'double', version: '1', run: async (n: number) => 2 * n });
    for (let round = 0; round < 5; round += 1) for (const n of [1, 2, 3]) await task(n);
    expect(counting.snapshot().create.calls).toBe(0);
    await flow.close();
    expect(counting.snapshot().create.calls).toBe(1);
    expect(await uses(storage)).toHaveLength(1);
  });

  it('are not told by calls that only read, nor fail what cannot write', async () => {
    const storage = new MemoryStorage();
    await call(storage, 0, [1]);
    await call(storage, 3, [1], 'readonly');
    const refusing = new FaultStorage(storage, (operation) =>
      operation === 'create' ? { kind: 'before' } : undefined,
    );
    await call(refusing, 3, [1]);
    expect(await uses(storage)).toEqual([]);
  });

  it('are records that a check reads, and that cost nothing where they are damaged', async () => {
    const storage = new MemoryStorage();
    const [key] = await call(storage, 0, [1]);
    await call(storage, 3, [1]);
    const [name = ''] = await uses(storage);
    const problems = async (): Promise<unknown[]> => {
      const found: unknown[] = [];
      for await (const { object, problem } of checkStore({ store: storage })) found.push([object, problem]);
      return found;
    };
    expect(await problems()).toEqual([]);
    const { body } = (await storage.get(name)) as { body: Uint8Array };
    await storage.overwrite(name, body.subarray(0, body.length - 5));
    expect(await problems()).toEqual([[name, 'damaged']]);
    const plan = await planRetention({
      store: storage,
      policy: { cache: { keepUsedWithin: '30d' } },
      nowMs: START_MS + 20 * DAY_MS,
    });
    expect(plan.warnings).toMatchObject([{ kind: 'unreadable' }]);
    expect(plan.cache).toMatchObject({ entries: 0, kept: 1 });
    expect(await isThere(storage, key)).toBe(true);
  });
});
