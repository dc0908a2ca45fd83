import { describe, expect, it } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { DataStoreStorage, ListPage } from '../../src/storage/contract.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { errorOf } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** The way to a service: the origin of its endpoint, and a storage that goes through another one. */
interface Way {
  origin: string;
  openThrough: (origin: string) => Promise<DataStoreStorage>;
}

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

function describeFirstContact(findWay: () => Promise<Way>): void {
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
      expect(waitsMs, error.message).toEqual([100, 200, 400, 800]);
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
}

for (const server of s3Servers()) {
  describe(`first contact with ${server.name}`, () => {
    const inUse = useS3Server(server);
    describeFirstContact(async () => {
      const place = await inUse.newPlace();
      const singleWriter = !server.isReal;
      const openThrough = (endpoint: string) => S3Storage.open({ ...place, endpoint, singleWriter });
      return { origin: place.endpoint, openThrough };
    });
  });
}

describe('first contact with Azure', () => {
  const azurite = useAzurite();
  describeFirstContact(async () => {
    const place = await azurite.newPlace();
    const { origin, pathname } = new URL(azurite.endpoint());
    return {
      origin,
      openThrough: (through) => AzureStorage.open({ ...place, endpoint: through + pathname }),
    };
  });
});

describeOnFakeGcs('first contact with Cloud Storage', (server) => {
  describeFirstContact(async () => {
    const place = await server.newPlace();
    const openThrough = (apiEndpoint: string) => GcsStorage.open({ ...place, apiEndpoint });
    return { origin: place.apiEndpoint, openThrough };
  });
});
