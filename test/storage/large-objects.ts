import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { noise } from '../flow/fixtures.ts';

const MIB = 1024 * 1024;

/** A place where large objects are tried, anew for each test, with parts as small as the service allows. */
export interface LargePlace {
  partBytes: number;
  storage: () => DataStoreStorage;
  /** Opens another storage of the same place. */
  open: () => Promise<DataStoreStorage>;
  /** How many bytes each of those has that create one name at once. */
  races: readonly { from: 'streams' | 'bytes' | 'both'; bytesOf: (racer: number) => number }[];
  /** How long an object is whose reading is cut off. */
  longBytes: number;
  memory: MemoryBound;
  /** How much may be read of a stream before it is known that its name is taken, in bytes. */
  mostReadInVain: number;
  /** That nothing stays of uploads that ended, or of those that lost a race. */
  expectNothingLeft: (by: 'ended' | 'losers') => Promise<void>;
}

/** What goes through memory when an object is far larger than that, in parts of `partBytes`. */
export interface MemoryBound {
  open: () => Promise<DataStoreStorage>;
  totalBytes: number;
  partBytes: number;
  /** So many parts are read at once. */
  windowParts: number;
  /** At most so many parts are in memory on the way up, and at any time. */
  mostPartsUp: number;
  mostParts: number;
}

/** Registers the tests of large objects that every service has to pass. */
export function testLargeObjects({ partBytes: PART, storage: given, open, ...place }: LargePlace): void {
  it('around the sizes where one request becomes many, come back whole, from bytes and streams', async () => {
    const storage = given();
    const content = noise(6 * PART);
    const sizes = [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 5 * PART, 5 * PART + 1, 6 * PART];
    for (const bytes of sizes) {
      const body = content.subarray(0, bytes);
      expect(await storage.create(`bytes-${bytes}`, body)).toBe(true);
      expect(await storage.create(`stream-${bytes}`, streamOf(body))).toBe(true);
      for (const kind of ['bytes', 'stream']) {
        const read = await storage.get(`${kind}-${bytes}`);
        expect([read?.bytes, sha256(read?.body)], `${kind} ${bytes}`).toEqual([bytes, sha256(body)]);
      }
    }
    await place.expectNothingLeft('ended');
  });

  it('a large range is exactly the slice, and more than maxBytes is refused by its length', async () => {
    const storage = given();
    const content = noise(5 * PART + 17);
    await storage.create('a', content);
    for (const [offset, length] of [
      [0, PART],
      [1, 3 * PART],
      [PART, 2 * PART + 1],
      [7, 10 * PART],
      [5 * PART + 16, 5 * PART],
      [5 * PART + 17, 1],
    ] as const) {
      const read = await storage.get('a', { range: { offset, length } });
      expect(sha256(read?.body)).toBe(sha256(content.subarray(offset, offset + length)));
      expect(read?.bytes).toBe(content.length);
    }
    const tooLarge = { code: 'OBJECT_TOO_LARGE', details: { maxBytes: PART } };
    await expect(storage.get('a', { maxBytes: PART })).rejects.toMatchObject(tooLarge);
    const range = { offset: 1, length: 3 * PART };
    await expect(storage.get('a', { maxBytes: PART, range })).rejects.toMatchObject(tooLarge);
    expect((await storage.get('a', { range: { offset: 0, length: 1 } }))?.body).toHaveLength(1);
  });

  it('a range that ends past a shorter object is what there is', async () => {
    const storage = given();
    for (const bytes of [0, 1, PART, PART + 1, 2 * PART, 2 * PART + 1]) {
      const content = noise(bytes);
      await storage.create(`a-${bytes}`, content);
      const read = await storage.get(`a-${bytes}`, { range: { offset: 0, length: 10 * PART } });
      expect([read?.bytes, sha256(read?.body)], `${bytes}`).toEqual([bytes, sha256(content)]);
    }
  });

  it.each(place.races)(
    'of 50 that create one at once, in parts, from $from, exactly one wins',
    { timeout: 300_000 },
    async ({ from, bytesOf }) => {
      const others = [given(), await open()];
      const isBytes = (racer: number): boolean => from === 'bytes' || (from === 'both' && racer % 3 === 0);
      const racers = Array.from({ length: 50 }, async (_, i) => {
        const body = noise(bytesOf(i), i + 1);
        const won = await others[i % 2]?.create('race', isBytes(i) ? body : streamOf(body));
        return won ? sha256(body) : undefined;
      });
      const winners = (await Promise.all(racers)).filter((digest) => digest !== undefined);
      expect(winners).toHaveLength(1);
      expect(sha256((await given().get('race'))?.body)).toBe(winners[0]);
      await place.expectNothingLeft('losers');
      await others[1]?.close();
    },
  );

  it('a name that is taken is found out before the bytes go up', async () => {
    const storage = given();
    await storage.create('a', new Uint8Array(1));
    let taken = 0;
    async function* counted() {
      for await (const chunk of streamOf(noise(10 * PART), Math.floor(PART / 10))) {
        taken += chunk.length;
        yield chunk;
      }
    }
    expect(await storage.create('a', counted())).toBe(false);
    expect(taken).toBeLessThan(place.mostReadInVain);
    expect((await storage.head('a'))?.bytes).toBe(1);
  });

  it('far larger ones than memory go up and come down within it', { timeout: 300_000 }, async () => {
    const { totalBytes, partBytes, windowParts, mostPartsUp, mostParts } = place.memory;
    const large = await place.memory.open();
    const before = liveBufferBytes();
    let peak = 0;
    const look = (): void => {
      peak = Math.max(peak, liveBufferBytes() - before);
    };
    const up = createHash('sha256');
    async function* stream() {
      const chunk = noise(MIB);
      for (let at = 0; at < totalBytes; at += MIB) {
        chunk.fill(at / MIB, 0, 1000);
        up.update(chunk);
        yield chunk;
        if (at % (10 * MIB) === 0) look();
      }
    }
    expect(await large.create('huge', stream())).toBe(true);
    expect(peak).toBeGreaterThan(partBytes);
    expect(peak).toBeLessThan(mostPartsUp * partBytes);
    const down = createHash('sha256');
    const length = windowParts * partBytes;
    for (let offset = 0; offset < totalBytes; offset += length) {
      const read = await large.get('huge', { range: { offset, length } });
      down.update(read?.body ?? '');
      look();
    }
    expect(down.digest('hex')).toBe(up.digest('hex'));
    expect(peak).toBeLessThan(mostParts * partBytes);
    await large.close();
  });

  it('an abort, a failure, a close in the middle leave nothing to be seen', async () => {
    const storage = given();
    async function* until(end: () => unknown) {
      yield* streamOf(noise(2 * PART + 1));
      await end();
      yield* streamOf(noise(PART));
    }
    const aborted = new AbortController();
    const abort = until(() => aborted.abort());
    await expect(storage.create('a', abort, { signal: aborted.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const failure = new Error('the source broke');
    const breaking = until(() => Promise.reject(failure));
    await expect(storage.create('a', breaking)).rejects.toBe(failure);
    const other = await open();
    // What never says more must not keep the storage from closing.
    const silent = until(() => Promise.race([other.close(), new Promise(() => {})]));
    await expect(other.create('a', silent)).rejects.toMatchObject({ code: 'STORAGE_CLOSED' });
    expect(await storage.head('a')).toBeUndefined();
    for await (const page of storage.list({ prefix: 'a' })) expect(page.objects).toEqual([]);
    // What they left is in nobody's way, and gone with the next one.
    expect(await storage.create('a', streamOf(noise(2 * PART)))).toBe(true);
    await place.expectNothingLeft('ended');
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(noise(2 * PART)));
  });

  it('a read that is aborted in the middle ends, and the storage reads on', async () => {
    const storage = given();
    const content = noise(place.longBytes);
    await storage.create('a', content);
    const abort = new AbortController();
    const reads = Array.from({ length: 12 }, () => storage.get('a', { signal: abort.signal }));
    await sleep(20);
    abort.abort();
    for (const read of await Promise.allSettled(reads)) {
      if (read.status === 'rejected') expect(read.reason).toMatchObject({ code: 'ABORTED' });
    }
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(content));
  });
}

export async function* streamOf(bytes: Uint8Array, chunkBytes = 100_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? 'nothing')
    .digest('hex');
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
