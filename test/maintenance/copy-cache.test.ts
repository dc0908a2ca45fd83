import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FlowDataStore } from '../../src/flow/flow-data-store.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { noise, objectNames, openFlow } from '../flow/fixtures.ts';

afterEach(() => vi.unstubAllEnvs());

let runs = 0;
function define(flow: FlowDataStore, maxAge?: number) {
  return flow.cachedTask({
    name: 'square',
    version: '1',
    maxAge,
    run: ({ n, bytes }: { n: number; bytes?: number }) => {
      runs += 1;
      return { square: n * n, noise: noise(bytes ?? 1, n) };
    },
  });
}

async function filled(storage: DataStoreStorage = new MemoryStorage()): Promise<DataStoreStorage> {
  const task = define(await openFlow({ storage }));
  await task({ n: 2 }, { runId: 'r1' });
  await task({ n: 3, bytes: 50_000 }, { runId: 'r1' });
  await task({ n: 4, bytes: 300_000 }, { runId: 'r2' });
  return storage;
}

describe('the cache of a store that is copied', () => {
  it('has the same hits in the target, inline and by content, which can be recorded there', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    const result = await copyStore({ from, to });
    expect(result).toMatchObject({ problems: [], entries: { copied: 3, present: 0, refused: 0, failed: 0 } });
    runs = 0;
    const flow = await openFlow({ storage: to });
    for (const input of [{ n: 2 }, { n: 3, bytes: 50_000 }, { n: 4, bytes: 300_000 }]) {
      const hit = await define(flow).detailed(input, { runId: 'r9', recordHit: true });
      expect(hit).toMatchObject({ hit: true, value: { square: input.n ** 2 } });
      expect(hit.recorded).toMatch(/^r9\/square\//);
    }
    expect(runs).toBe(0);
    expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 0, present: 3 });
  });

  it('keeps the age of its entries', async () => {
    let nowMs = Date.now() - 3_600_000;
    const from = new MemoryStorage();
    const cache = { nowMs: () => nowMs };
    await define(await openFlow({ storage: from, cache }))({ n: 2 });
    const to = new MemoryStorage();
    await copyStore({ from, to });
    nowMs += 3_600_000;
    const task = define(await openFlow({ storage: to, cache }), 1_800_000);
    expect(await task.detailed({ n: 2 })).toMatchObject({ hit: false, missReason: 'expired' });
  });

  it('comes as far as the runs that are copied', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    const result = await copyStore({ from, to, flowName: 'Test', runId: 'r2' });
    expect(result.entries).toMatchObject({ copied: 1, refused: 0 });
    expect((await objectNames(to, 'cache/')).length).toBe(1);
  });

  it('leaves out what names another attempt there, and what cannot be read, and calls neither a problem', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    const other = await openFlow({ storage: to });
    const { key } = await define(other).keyOf({ n: 2 });
    const spec = { runId: 'r1', stepName: 'square', taskId: key.slice(0, 20) };
    await other.task(spec, (task) => task.saveArtifacts({ output: 'something else' }));
    const third = (await objectNames(from, 'cache/')).at(-1) as string;
    await from.delete([third]);
    await from.create(third, Buffer.from('garbage'));
    const result = await copyStore({ from, to, flowName: 'Test', runId: 'r1' });
    expect(result.entries.copied + result.entries.refused + result.entries.failed).toBeGreaterThan(1);
    expect(result.problems.every(({ path }) => !path.includes('cache'))).toBe(true);
    runs = 0;
    await define(await openFlow({ storage: to }))({ n: 2 });
    expect(runs).toBe(1);
  });

  it('is signed anew by the key that is set, and left out where signed entries meet none', async () => {
    vi.stubEnv('STOWAGE_CACHE_KEY', 'a'.repeat(40));
    const from = await filled();
    const to = new MemoryStorage();
    expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 3 });
    runs = 0;
    expect((await define(await openFlow({ storage: to })).detailed({ n: 2 })).hit).toBe(true);
    vi.unstubAllEnvs();
    const unsigned = new MemoryStorage();
    expect((await copyStore({ from, to: unsigned })).entries).toMatchObject({ copied: 0, refused: 3 });
    vi.stubEnv('STOWAGE_CACHE_KEY', 'b'.repeat(40));
    expect((await copyStore({ from, to: new MemoryStorage() })).entries).toMatchObject({ refused: 3 });
  });
});
