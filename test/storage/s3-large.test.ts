import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import { S3Storage } from '../../src/storage/s3.ts';
import { noise } from '../flow/fixtures.ts';
import { newClient, unfinishedKeys } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const MIB = 1024 * 1024;
const PART = 5 * MIB;

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`large objects on ${server.name}`, () => {
    const inUse = useS3Server(server);
    let place: Awaited<ReturnType<typeof inUse.newPlace>>;
    let storage: S3Storage;
    beforeEach(async () => {
      place = await inUse.newPlace();
      storage = await S3Storage.open({ ...place, partBytes: PART });
      return () => storage.close();
    });

    it('around the sizes where one request becomes many, come back whole, from bytes and streams', async () => {
      const content = noise(20 * MIB + 1);
      for (const bytes of [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 4 * PART, 4 * PART + 1]) {
        const body = content.subarray(0, bytes);
        expect(await storage.create(`bytes-${bytes}`, body)).toBe(true);
        expect(await storage.create(`stream-${bytes}`, streamOf(body))).toBe(true);
        for (const kind of ['bytes', 'stream']) {
          const read = await storage.get(`${kind}-${bytes}`);
          expect([read?.bytes, sha256(read?.body)], `${kind} ${bytes}`).toEqual([bytes, sha256(body)]);
        }
      }
    });

    it('a large range is exactly the slice, and more than maxBytes is refused by its length', async () => {
      const content = noise(4 * PART + 17);
      await storage.create('a', content);
      for (const [offset, length] of [
        [1, 3 * PART],
        [PART, 2 * PART + 1],
        [7, 10 * PART],
      ] as const) {
        const read = await storage.get('a', { range: { offset, length } });
        expect(sha256(read?.body)).toBe(sha256(content.subarray(offset, offset + length)));
      }
      const tooLarge = { code: 'OBJECT_TOO_LARGE', details: { maxBytes: PART } };
      await expect(storage.get('a', { maxBytes: PART })).rejects.toMatchObject(tooLarge);
      await expect(
        storage.get('a', { maxBytes: PART, range: { offset: 1, length: 3 * PART } }),
      ).rejects.toMatchObject(tooLarge);
      expect((await storage.get('a', { range: { offset: 0, length: 1 } }))?.body).toHaveLength(1);
    });

    it('of 50 that create one at once, in parts, exactly one wins', async () => {
      const others = [storage, await S3Storage.open({ ...place, partBytes: PART })];
      const racers = Array.from({ length: 50 }, (_, i) => {
        const body = noise(PART + 1, i + 1);
        return others[i % 2]?.create('race', streamOf(body)).then((won) => (won ? sha256(body) : undefined));
      });
      const winners = (await Promise.all(racers)).filter((digest) => digest !== undefined);
      expect(winners).toHaveLength(1);
      expect(sha256((await storage.get('race'))?.body)).toBe(winners[0]);
      expect(await unfinishedKeys(place)).toEqual([]);
      await others[1]?.close();
    });

    it('a range that ends past a shorter object is what there is', async () => {
      for (const bytes of [0, 1, PART, PART + 1, 2 * PART, 2 * PART + 1]) {
        const content = noise(bytes);
        await storage.create(`a-${bytes}`, content);
        const read = await storage.get(`a-${bytes}`, { range: { offset: 0, length: 10 * PART } });
        expect([read?.bytes, sha256(read?.body)], `${bytes}`).toEqual([bytes, sha256(content)]);
      }
    });

    it('a name that is taken is found out before the bytes go up', async () => {
      await storage.create('a', new Uint8Array(1));
      let taken = 0;
      async function* counted() {
        for await (const chunk of streamOf(noise(10 * PART))) {
          taken += chunk.length;
          yield chunk;
        }
      }
      expect(await storage.create('a', counted())).toBe(false);
      expect(taken).toBeLessThan(2 * PART);
      expect((await storage.head('a'))?.bytes).toBe(1);
    });

    it('300 MiB go up and come down within bounded memory', { timeout: 180_000 }, async () => {
      const total = 300 * MIB;
      const before = liveBufferBytes();
      let peak = 0;
      const look = () => {
        peak = Math.max(peak, liveBufferBytes() - before);
      };
      const up = createHash('sha256');
      async function* stream() {
        const chunk = noise(MIB);
        for (let at = 0; at < total; at += MIB) {
          chunk.fill(at / MIB, 0, 1000);
          up.update(chunk);
          yield chunk;
          if (at % (20 * MIB) === 0) look();
        }
      }
      expect(await storage.create('huge', stream())).toBe(true);
      const down = createHash('sha256');
      const window = 8 * PART;
      for (let offset = 0; offset < total; offset += window) {
        const read = await storage.get('huge', { range: { offset, length: window } });
        down.update(read?.body ?? '');
        look();
      }
      expect(down.digest('hex')).toBe(up.digest('hex'));
      // Eight parts under way, one that is filled and waits, one that fills; or a window.
      expect(peak).toBeGreaterThan(PART);
      expect(peak).toBeLessThan(12 * PART);
    });

    it('an abort, a failure, a close in the middle leave no upload', async () => {
      const aborted = new AbortController();
      async function* until(end: () => unknown) {
        yield* streamOf(noise(2 * PART + 1));
        await end();
        yield* streamOf(noise(PART));
      }
      const call = storage.create(
        'a',
        until(() => aborted.abort()),
        { signal: aborted.signal },
      );
      await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
      const failure = new Error('the source broke');
      await expect(
        storage.create(
          'a',
          until(() => Promise.reject(failure)),
        ),
      ).rejects.toBe(failure);
      const other = await S3Storage.open({ ...place, partBytes: PART });
      // What never says more must not keep the storage from closing.
      const silent = other.create(
        'a',
        until(() => Promise.race([other.close(), new Promise(() => {})])),
      );
      await expect(silent).rejects.toMatchObject({ code: 'STORAGE_CLOSED' });
      expect(await unfinishedKeys(place)).toEqual([]);
      expect(await storage.head('a')).toBeUndefined();
    });

    it('a read that is aborted in the middle ends, and the storage reads on', async () => {
      await storage.create('a', noise(6 * PART));
      const abort = new AbortController();
      const reads = Array.from({ length: 12 }, () => storage.get('a', { signal: abort.signal }));
      await sleep(20);
      abort.abort();
      for (const read of await Promise.allSettled(reads)) {
        if (read.status === 'rejected') expect(read.reason).toMatchObject({ code: 'ABORTED' });
      }
      expect((await storage.get('a'))?.body).toHaveLength(6 * PART);
    });

    it('uploads that a crash left behind are found when they are old, and can be aborted', async () => {
      const { s3, client } = await newClient(place);
      const Key = `${place.prefix && `${place.prefix}/`}left/behind`;
      await client.send(new s3.CreateMultipartUploadCommand({ Bucket: place.bucket, Key }));
      client.destroy();
      expect(await all(storage.findUnfinishedUploads(3_600_000))).toEqual([]);
      const found = await all(storage.findUnfinishedUploads(-60_000));
      expect(found).toMatchObject([{ name: 'left/behind' }]);
      for (const upload of found) {
        await storage.abortUpload(upload);
        await storage.abortUpload(upload);
      }
      expect(await unfinishedKeys(place)).toEqual([]);
    });
  });
}

async function* streamOf(bytes: Uint8Array, chunkBytes = 1_000_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? 'nothing')
    .digest('hex');
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** The memory of buffers that are in use, without what is only not yet collected. */
function liveBufferBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // The first one leaves the sweeping of buffers to another thread; the second one waits for it.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}
