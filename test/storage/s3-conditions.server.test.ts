import { describe, expect, it } from 'vitest';
import type { StorageCapabilities } from '../../src/storage/contract.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { storageConformance } from '../../src/testing/index.ts';
import { errorOf, noise, objectNames } from '../flow/fixtures.ts';
import { startFaultyProxy } from '../servers/faulty-proxy.ts';
import { s3rver, s3Servers, useS3Server } from '../servers/s3-servers.ts';

const MIB = 1024 * 1024;
const text = (value: string) => new TextEncoder().encode(value);
async function* stream(bytes: Uint8Array) {
  yield bytes;
}

describe('a server that ignores conditional writes', () => {
  const inUse = useS3Server(s3rver);

  it('is refused before the first write, with what that would mean, and can be read', async () => {
    const storage = await S3Storage.open(await inUse.newPlace());
    for (const call of [
      () => storage.create('a', text('x')),
      () => storage.create('a', stream(text('x'))),
      () => storage.create('a', stream(noise(9 * MIB))),
      () => storage.overwrite('a', text('x'), { ifMatch: '"1"' }),
    ]) {
      const error = await errorOf(call, 'STORAGE_UNSUPPORTED');
      expect(error.message).toMatch(/several writers.*singleWriter: true/);
    }
    expect(await storage.get('a')).toBeUndefined();
    expect(await objectNames(storage)).toEqual([]);
    expect(await storage.overwrite('beat', text('x'))).not.toBe('');
    await storage.close();
  });

  describe('for a single writer keeps the other promises', () => {
    let place: ReturnType<typeof inUse.newPlace> | undefined;
    const open = async () => {
      place ??= inUse.newPlace();
      return S3Storage.open({ ...(await place), singleWriter: true });
    };
    const capabilities = { createIfAbsent: false, ifMatch: false } as StorageCapabilities;
    for (const one of storageConformance()) {
      const isNeeded = one.requires?.(capabilities) ?? true;
      const isFaulty = s3rver.faults.some((fault) => one.name.startsWith(fault));
      it.runIf(isNeeded && !isFaulty)(one.name, () => one.run(open));
    }
  });

  it('serves a single writer, large objects included; its capabilities say no more than that', async () => {
    const storage = await S3Storage.open({ ...(await inUse.newPlace()), singleWriter: true });
    expect(storage.capabilities).toMatchObject({ createIfAbsent: false, ifMatch: false });
    expect(await storage.create('large', stream(noise(9 * MIB)))).toBe(true);
    expect(await storage.create('large', stream(noise(9 * MIB, 2)))).toBe(false);
    expect((await storage.get('large'))?.body).toHaveLength(9 * MIB);
    const version = await storage.overwrite('beat', text('1'));
    await storage.overwrite('beat', text('2'), { ifMatch: version });
    await errorOf(storage.overwrite('beat', text('3'), { ifMatch: version }), 'PRECONDITION_FAILED');
    await storage.close();
  });
});

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`trying out ${server.name}`, () => {
    const inUse = useS3Server(server);

    it('takes two requests the first time, one later, and none after the first write', async () => {
      const place = await inUse.newPlace();
      const proxy = await startFaultyProxy(place.endpoint);
      for (const expected of [2, 1]) {
        const storage = await S3Storage.open({ ...place, endpoint: proxy.url });
        proxy.seen.length = 0;
        await Promise.all(['a', 'b', 'c'].map((name) => storage.create(name + expected, text(name))));
        await storage.create(`d${expected}`, text('d'));
        const trials = proxy.seen.filter((line) => line.includes('/tmp/conditional-writes'));
        expect(trials).toHaveLength(expected);
        expect(proxy.seen).toHaveLength(expected + 4);
        await storage.close();
      }
      await proxy.stop();
    });

    it('is repeated after a passing fault, and by whoever comes next', async () => {
      const place = await inUse.newPlace();
      const proxy = await startFaultyProxy(place.endpoint);
      proxy.plan = (_, __, count) => (count < 2 ? { kind: 'lost' } : undefined);
      const storage = await S3Storage.open({ ...place, endpoint: proxy.url });
      await errorOf(storage.create('a', text('a')), 'STORAGE_UNAVAILABLE');
      await errorOf(storage.create('a', text('a')), 'STORAGE_UNAVAILABLE');
      expect(await storage.create('a', text('a'))).toBe(true);
      await storage.close();
      await proxy.stop();
    });

    it('leaves nothing that is listed', async () => {
      const storage = await S3Storage.open(await inUse.newPlace());
      await storage.create('a', stream(noise(9 * MIB)));
      const version = await storage.overwrite('b', text('1'));
      await storage.overwrite('b', text('2'), { ifMatch: version });
      expect(await objectNames(storage)).toEqual(['a', 'b']);
      const folders: string[] = [];
      for await (const page of storage.list({ prefix: '', depth: 'one' })) folders.push(...page.folders);
      expect(folders).toEqual([]);
      await storage.close();
    });
  });
}
