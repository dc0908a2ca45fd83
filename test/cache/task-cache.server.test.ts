import { describe, expect, it } from 'vitest';
import { TaskCache } from '../../src/cache/task-cache.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { namesOf } from '../content/storages.ts';
import { noise } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { contentOf, entryOfTask, heldBy, inlineEntry, keyOf } from './fixtures.ts';

const key = keyOf('a');

/** What holds in every bucket; each storage that `open` gives is another process's, as far as the bucket can tell. */
function cacheInABucket(newBucket: () => Promise<() => Promise<DataStoreStorage>>): void {
  it('hits in other processes, until anything that the entry refers to is gone', async () => {
    const open = await newBucket();
    const storage = await open();
    const entry = await entryOfTask(storage, { note: 1, small: noise(20_000), large: noise(700_000, 2) });
    expect(await new TaskCache(contentOf(storage)).store(key, entry)).toEqual({ stored: true });
    const other = new TaskCache(contentOf(await open()));
    expect(await other.lookup(key)).toMatchObject({ status: 'hit', entry });
    const [pack] = await namesOf(storage, 'packs/');
    await storage.delete([pack as string]);
    const miss = await other.lookup(key);
    expect(miss).toMatchObject({ status: 'miss', reason: 'purged', content: { artifact: 'large' } });
    expect(await other.store(key, inlineEntry('again'), { replaces: miss.seen })).toEqual({ stored: true });
    const late = await new TaskCache(contentOf(storage)).store(key, inlineEntry('late'), {
      replaces: miss.seen,
    });
    expect(late).toMatchObject({ stored: false, reason: 'exists' });
    const listed = [];
    for await (const each of other.entries()) listed.push(heldBy(each.entry));
    expect(listed).toEqual(['again']);
    await other.evict(key);
    expect(await other.lookup(key)).toMatchObject({ reason: 'absent' });
  });

  it('lets one of many run a serialized task', async () => {
    const open = await newBucket();
    const runs: number[] = [];
    const call = async (i: number): Promise<unknown> => {
      const cache = new TaskCache(contentOf(await open()), { cacheTimeoutMs: 60_000 });
      const acquired = await cache.acquire(key, { leaseMs: 30_000 });
      if (acquired.status === 'hit') return heldBy(acquired.entry);
      if (acquired.status !== 'held') throw new Error(acquired.status, { cause: acquired });
      await using lease = acquired.lease;
      runs.push(lease.token);
      const stored = await cache.store(key, inlineEntry(`by ${i}`), { lease });
      expect(stored).toEqual({ stored: true });
      return `by ${i}`;
    };
    const values = await Promise.all(Array.from({ length: 6 }, (_, i) => call(i)));
    expect(runs).toEqual([1]);
    expect(new Set(values).size).toBe(1);
  });

  it('gives a key to the next owner, and the one before cannot overwrite', async () => {
    const open = await newBucket();
    const [early, other] = [new TaskCache(contentOf(await open())), new TaskCache(contentOf(await open()))];
    const first = await early.acquire(key);
    if (first.status !== 'held') throw new Error(first.status);
    await first.lease.release();
    const second = await other.acquire(key);
    if (second.status !== 'held') throw new Error(second.status);
    expect(await early.store(key, inlineEntry('late'), { lease: first.lease })).toMatchObject({
      reason: 'fenced',
    });
    expect(await other.store(key, inlineEntry('new'), { lease: second.lease })).toEqual({ stored: true });
    await second.lease.release();
    expect((await namesOf(await open(), 'cache/')).filter((name) => name.endsWith('.released'))).toHaveLength(
      1,
    );
  });
}

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`a cache in a bucket of ${server.name}`, () => {
    const inUse = useS3Server(server);
    cacheInABucket(async () => {
      const place = await inUse.newPlace();
      return async () => new RetryStorage(await S3Storage.open(place));
    });
  });
}

describe('a cache in a container of Azure', () => {
  const azurite = useAzurite();
  cacheInABucket(async () => {
    const place = await azurite.newPlace();
    return async () => new RetryStorage(await AzureStorage.open(place));
  });
});

describeOnFakeGcs('a cache in a bucket', (server) => {
  cacheInABucket(async () => {
    const place = await server.newPlace();
    return async () => new RetryStorage(await GcsStorage.open(place));
  });
});
