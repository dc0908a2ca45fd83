import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** What a channel carries from now on. */
function heard<T>(name: string): T[] {
  const messages: T[] = [];
  const listen = (message: unknown): void => void messages.push(message as T);
  subscribe(name, listen);
  endings.push(() => unsubscribe(name, listen));
  return messages;
}

describe('a cache', () => {
  it('that is down never fails a task, and is reported once', async () => {
    const storage = new FaultStorage(new MemoryStorage(), () => ({ kind: 'before' }));
    const flow = await openFlow({ storage });
    const failures = heard<{ operation: string }>('stowage:task-cache-failed');
    const unrecorded = heard<{ task: string }>('stowage:cached-task-unrecorded');
    let runs = 0;
    const task = flow.cachedTask({ name: 'down', version: '1', serialize: true, run: () => ++runs });
    expect(await task.detailed()).toMatchObject({
      value: 1,
      hit: false,
      stored: false,
      missReason: 'unavailable',
      notStoredReason: 'unrecorded',
      provenance: undefined,
    });
    expect(await task()).toBe(2);
    expect(failures.filter(({ operation }) => operation === 'lookup')).toHaveLength(1);
    expect(unrecorded[0]).toMatchObject({ task: 'down' });
  });

  it('that never answers delays a task no longer than cacheTimeoutMs', async () => {
    const storage = new FaultStorage(new MemoryStorage(), () => ({ kind: 'delay', ms: 3_600_000 }));
    const flow = await openFlow({ storage });
    const task = flow.cachedTask({ name: 'slow', version: '1', cacheTimeoutMs: 200, run: () => 'value' });
    // Without a limit it would be hours.
    expect(await task.detailed()).toMatchObject({ value: 'value', stored: false });
  });

  it('that goes down while the task runs costs the record only', async () => {
    let isDown = false;
    const memory = new MemoryStorage();
    const storage = new FaultStorage(memory, () => (isDown ? { kind: 'before' } : undefined));
    const flow = await openFlow({ storage });
    const task = flow.cachedTask({
      name: 'midway',
      version: '1',
      run: (_: unknown, ctx) => {
        ctx.log('before');
        isDown = true;
        ctx.log('after');
        return 'value';
      },
    });
    expect(await task.detailed()).toMatchObject({
      value: 'value',
      stored: false,
      notStoredReason: 'unrecorded',
    });
    isDown = false;
    expect(await objectNames(memory, 'cache/')).toEqual([]);
    expect(await task.detailed()).toMatchObject({ hit: false, stored: false });
  });

  it('full of garbage is a miss, and is written anew', async () => {
    for (const garbage of ['', '{}', 'not json', '{"format":1', '\0'.repeat(10_000)]) {
      const flow = await openFlow();
      let runs = 0;
      const task = flow.cachedTask({ name: 'garbage', version: '1', run: () => ++runs });
      const { key } = await task.keyOf(undefined);
      await flow.storage.create(`cache/${key.slice(0, 3)}/${key}.json`, Buffer.from(garbage));
      expect(await task.detailed()).toMatchObject({ value: 1, missReason: 'damaged', stored: true });
      expect(await task.detailed()).toMatchObject({ value: 1, hit: true });
    }
  });

  it('whose entries are not signed by a key of the ring is no cache: nobody can plant a result', async () => {
    const storage = new MemoryStorage();
    const ring = [{ id: 'a', secret: 'a'.repeat(32) }];
    let runs = 0;
    const define = async (signingKeys: { id: string; secret: string }[] | false) =>
      (await openFlow({ storage, cache: { signingKeys } })).cachedTask({
        name: 'signed',
        version: '1',
        run: () => ++runs,
      });
    await (await define(false))();
    expect(await (await define(ring)).detailed()).toMatchObject({
      value: 2,
      missReason: 'unsigned',
      stored: true,
    });
    expect(await (await define(ring)).detailed()).toMatchObject({ value: 2, hit: true });
    const rotated = await define([{ id: 'b', secret: 'b'.repeat(32) }, ...ring]);
    expect(await rotated.detailed()).toMatchObject({ value: 2, hit: true });
    const other = await define([{ id: 'a', secret: 'c'.repeat(32) }]);
    expect(await other.detailed()).toMatchObject({ value: 3, missReason: 'forged' });
  });

  it('whose hit is recorded records what the entry names, not what was planted in its place', async () => {
    const storage = new MemoryStorage();
    const call = async (value: string, where: MemoryStorage, runId: string) =>
      (await openFlow({ storage: where }))
        .cachedTask({ name: 'planted', version: '1', run: () => value })
        .detailed(undefined, { runId, recordHit: true });
    await call('own', storage, 'r1');
    const planted = new MemoryStorage();
    await call('planted', planted, 'r1');
    for (const name of await objectNames(planted, 'flows/')) {
      await storage.delete([name]);
      await storage.create(name, (await planted.get(name))?.body as Uint8Array);
    }
    const unrecorded = heard<{ error: { code: string } }>('stowage:cached-task-unrecorded');
    expect(await call('again', storage, 'r2')).toMatchObject({
      value: 'own',
      hit: true,
      recorded: undefined,
    });
    expect(unrecorded.map(({ error }) => error.code)).toEqual(['RECORD_DAMAGED']);
  });

  it('that is aborted throws, and records the abort with the attempt', async () => {
    const flow = await openFlow();
    const controller = new AbortController();
    const task = flow.cachedTask({
      name: 'aborted',
      version: '1',
      run: (_: unknown, ctx) =>
        new Promise((_resolve, reject) => {
          ctx.signal.addEventListener('abort', () => reject(new Error('stopped')));
          controller.abort();
        }),
    });
    await errorOf(task(undefined, { signal: controller.signal, runId: 'r1' }), 'ABORTED');
    for (;;) {
      const [attempt] = await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true });
      if (attempt?.status !== 'open') {
        expect(attempt?.error?.message).toBe('stopped');
        break;
      }
    }
  });
});
