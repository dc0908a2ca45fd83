import { describe, expect, it } from 'vitest';
import { registerStorage } from '../../src/index.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { makeCache } from './cache-fixture.ts';
import { json, stowage } from './fixture.ts';

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`stowage cache on a bucket of ${server.name}`, () => {
    const inUse = useS3Server(server);

    it('lists, shows, explains, counts and evicts', async () => {
      const place = await inUse.newPlace();
      const scheme = `cache-${server.name}`;
      const open = async (): Promise<RetryStorage> => new RetryStorage(await S3Storage.open(place));
      registerStorage(scheme, open);
      const store = `${scheme}:`;
      const { first, second, newer, embedded } = await makeCache(await open());
      const { entries } = await json(store, ['cache', 'ls', '--task', 'judge']);
      expect(entries.map(({ key }: { key: string }) => key)).toEqual([newer, second, first]);
      expect(await json(store, ['cache', 'show', embedded.slice(0, 12)])).toMatchObject({ status: 'hit' });
      expect(await json(store, ['cache', 'explain', newer])).toMatchObject({
        a: { key: first },
        differences: [{ message: 'version "3" -> "4"' }],
      });
      expect((await json(store, ['cache', 'stats'])).total.entries).toBe(4);
      expect(await json(store, ['cache', 'evict', '--older-than', '7d', '--yes'])).toMatchObject({
        evicted: 2,
      });
      expect((await json(store, ['cache', 'ls'])).total).toBe(2);
      expect((await stowage(store, ['cache', 'show', first])).code).toBe(1);
    });
  });
}
