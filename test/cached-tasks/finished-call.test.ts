import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CachedCallOptions } from '../../src/cached-tasks/options.ts';
import { entryName } from '../../src/format/cache-names.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openFlow } from '../flow/fixtures.ts';

/** As of a process that dies when its attempt is done, and its entry not yet written. */
class WithoutEntries extends StorageDecorator {
  override async create(...args: Parameters<StorageDecorator['create']>): Promise<boolean> {
    if (/^cache\/[^.]*\.json$/.test(args[0])) throw new Error('died');
    return super.create(...args);
  }
}

const RUN: CachedCallOptions = { runId: 'r' };
const LARGE = new Uint8Array(20_000).map((_, i) => (i * i) % 251);

/** A task of a process of its own. */
async function processOn(storage: DataStoreStorage, options: object = {}, flowOptions: object = {}) {
  const flow = await openFlow({ storage, ...flowOptions });
  const ran: unknown[] = [];
  const run = (input: unknown) => {
    ran.push(input);
    return input === 'large' ? LARGE : input;
  };
  return { flow, ran, task: flow.cachedTask({ name: 'pay', version: '1', ...options, run }) };
}

async function crashed(storage: DataStoreStorage, input: unknown, options: object = {}) {
  const { task } = await processOn(new WithoutEntries(storage), options);
  expect(await task.detailed(input, RUN)).toMatchObject({ hit: false, stored: false });
}

describe('a result whose process died before it was stored', () => {
  it.each([
    ['small', {}],
    [undefined, {}],
    ['large', {}],
    ['under a lease', { serialize: true, leaseMs: 20 }],
    ['not too old', { maxAge: '1h' }],
  ])('is found by the next call of the run, and by all others then: %s', async (input, options) => {
    const storage = new MemoryStorage();
    await crashed(storage, input, options);
    const next = await processOn(storage, options);
    const value = input === 'large' ? LARGE : input;
    const found = await next.task.detailed(input, RUN);
    const pathspec = `r/pay/${found.key.slice(0, 20)}/0`;
    expect(found).toMatchObject({ value, hit: true, stored: true, provenance: { pathspec } });
    expect(found.durationMs).toBeGreaterThanOrEqual(0);
    const later = await processOn(storage, options);
    expect(await later.task.detailed(input)).toMatchObject({ value, hit: true, provenance: { pathspec } });
    expect(await later.task.detailed(input, RUN)).toMatchObject({ hit: true });
    expect([...next.ran, ...later.ran]).toEqual([]);
    const entry = await next.flow.cache.lookup(found.key);
    expect(entry.entry?.table.artifacts.map(({ name }) => name)).toEqual(['output']);
  });

  it('is not looked for by calls that want none: refresh, off, readonly', async () => {
    for (const mode of ['refresh', 'off', 'readonly'] as const) {
      const storage = new MemoryStorage();
      await crashed(storage, 1);
      const { task, ran } = await processOn(storage);
      expect(await task.detailed(1, { ...RUN, mode })).toMatchObject({ hit: false });
      expect(ran).toEqual([1]);
    }
  });

  const cases: [
    string,
    (storage: MemoryStorage) => Promise<{ options?: object; flow?: object } | undefined>,
  ][] = [
    [
      'that was evicted',
      async (storage) => {
        await crashed(storage, 1);
        const { task } = await processOn(storage);
        await task.evict(1);
        return {};
      },
    ],
    [
      'that was stored and evicted',
      async (storage) => {
        const { task } = await processOn(storage);
        await task(1, RUN);
        await task.evict(1);
        return {};
      },
    ],
    [
      'that is older than it may be',
      async (storage) => {
        await crashed(storage, 1);
        await sleep(5);
        return { options: { maxAge: 1 } };
      },
    ],
    [
      'of a call that was to stay apart from the cache',
      async (storage) => {
        const { task } = await processOn(storage);
        await task(1, { ...RUN, mode: 'off' });
        return {};
      },
    ],
    [
      'that anybody could have made, where entries are signed',
      async (storage) => {
        await crashed(storage, 1);
        return { flow: { cache: { signingKeys: [{ id: 'a', secret: new Uint8Array(32) }] } } };
      },
    ],
    [
      'of a task under the same name that is none of the cache',
      async (storage) => {
        const { flow, task } = await processOn(storage);
        const { key } = await task.keyOf(1);
        const spec = { runId: 'r', stepName: 'pay', taskId: key.slice(0, 20) };
        await flow.task(spec, (open) => open.saveArtifacts({ output: 'planted' }));
        return {};
      },
    ],
    [
      'that was given up since',
      async (storage) => {
        await crashed(storage, 1);
        const { key } = await (await processOn(storage)).task.keyOf(1);
        await storage.create(`flows/Test/r/pay/${key.slice(0, 20)}/0.PURGED`, new Uint8Array(0));
        return {};
      },
    ],
  ];
  it.each(cases)('is none %s: the function runs', async (_, prepare) => {
    const storage = new MemoryStorage();
    const { options = {}, flow = {} } = (await prepare(storage)) ?? {};
    const { task, ran } = await processOn(storage, options, flow);
    expect(await task.detailed(1, RUN)).toMatchObject({ value: 1, hit: false, stored: true });
    expect(ran).toEqual([1]);
  });

  it('runs anew where its content is gone, or in another run', async () => {
    const storage = new MemoryStorage();
    await crashed(storage, 'large');
    const other = await processOn(storage);
    expect(await other.task.detailed('large', { runId: 's', mode: 'off' })).toMatchObject({ hit: false });
    const names: string[] = [];
    for await (const { objects } of storage.list({ prefix: 'data/' }))
      names.push(...objects.map(({ name }) => name));
    await storage.delete(names);
    const { task, ran } = await processOn(storage);
    expect(await task.detailed('large', RUN)).toMatchObject({ value: LARGE, hit: false, stored: true });
    expect(ran).toEqual(['large']);
  });

  it('costs nothing where there is none', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const { task } = await processOn(storage);
    await task(1, RUN);
    storage.reset();
    const { key } = await task.detailed(2, RUN);
    expect(storage.snapshot().requests).toBe(5);
    expect(await storage.head(entryName(key))).toBeDefined();
  });
});
