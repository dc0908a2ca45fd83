import { expect, it } from 'vitest';
import type { DataStoreStorage, ListPage } from '../../src/storage/contract.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { errorOf } from '../flow/fixtures.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { describeOnServices } from './far-services.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** Retries that wait in a time of their own, as long as they may. */
function patience(onWait: (waits: number) => Promise<void> = async () => {}) {
  const waitsMs: number[] = [];
  let nowMs = 0;
  const sleep = async (ms: number): Promise<void> => {
    nowMs += ms;
    await onWait(waitsMs.push(ms));
  };
  return { waitsMs, options: { sleep, nowMs: () => nowMs, random: () => 1 } };
}

describeOnServices('first contact', (findWay) => {
  it('is given up soon where nobody listens', async () => {
    const { origin, openThrough } = await findWay();
    const proxy = await startFaultyProxy(origin);
    await proxy.stop();
    const bare = await openThrough(proxy.url);
    const pages = (storage: DataStoreStorage): AsyncIterator<ListPage> =>
      storage.list({ prefix: '' })[Symbol.asyncIterator]();
    const calls: ((storage: DataStoreStorage) => Promise<unknown>)[] = [
      (storage) => storage.get('a'),
      (storage) => storage.head('a'),
      (storage) => storage.create('a', text('x')),
      (storage) => storage.create('a', new Uint8Array(40 * 1024 * 1024)),
      (storage) => storage.overwrite('a', text('x')),
      (storage) => pages(storage).next(),
      async (storage) => Promise.reject((await storage.delete(['a']))[0]?.error),
    ];
    for (const call of calls) {
      const { waitsMs, options } = patience();
      const error = await errorOf(call(new RetryStorage(bare, options)), 'STORAGE_UNAVAILABLE');
      expect(error.message).toMatch(/Gave up on .*ECONNREFUSED\. Nothing has ever answered there/);
      expect(waitsMs, error.message).toEqual([100, 200, 400, 800, 1600]);
    }
    await bare.close();
  });

  it('once made, has a server that stops waited for until it is back', async () => {
    const { origin, openThrough } = await findWay();
    let proxy = await startFaultyProxy(origin);
    const { port } = new URL(proxy.url);
    const { waitsMs, options } = patience(async (waits) => {
      if (waits === 8) proxy = await startFaultyProxy(origin, Number(port));
    });
    const storage = new RetryStorage(await openThrough(proxy.url), options);
    expect(await storage.get('a')).toBeUndefined();
    await proxy.stop();
    expect(await storage.create('a', text('x'))).toBe(true);
    expect(waitsMs).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800]);
    expect((await storage.get('a'))?.body).toEqual(text('x'));
    await storage.close();
    await proxy.stop();
  });
});
