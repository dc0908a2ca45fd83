import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, it } from 'vitest';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { noise } from '../flow/fixtures.ts';
import { describeOnFakeGcs, type GcsPlace, putBehindItsBack } from '../servers/gcs-buckets.ts';

const MIB = 1024 * 1024;
const PART = 256 * 1024;

describeOnFakeGcs('large objects', (server) => {
  let place: GcsPlace;
  let storage: GcsStorage;
  beforeEach(async () => {
    place = await server.newPlace();
    storage = await GcsStorage.open({ ...place, partBytes: PART });
    // What it tries before its first writes is not what is tested here.
    await storage.create('first', streamOf(noise(PART)));
    server.sessions().seen.length = 0;
    return () => storage.close();
  });
  const requestsOf = (method: string) =>
    server.sessions().seen.filter((request) => request.method === method);

  it('around the sizes where one request becomes many, come back whole, from bytes and streams', async () => {
    const content = noise(8 * PART + 1);
    const sizes = [PART - 1, PART, PART + 1, 2 * PART, 4 * PART, 4 * PART + 1, 5 * PART, 8 * PART + 1];
    for (const bytes of sizes) {
      const body = content.subarray(0, bytes);
      expect(await storage.create(`bytes-${bytes}`, body)).toBe(true);
      expect(await storage.create(`stream-${bytes}`, streamOf(body))).toBe(true);
      for (const kind of ['bytes', 'stream']) {
        const read = await storage.get(`${kind}-${bytes}`);
        expect([read?.bytes, sha256(read?.body)], `${kind} ${bytes}`).toEqual([bytes, sha256(body)]);
      }
    }
  });

  it('are sent in parts of one size, the last one with the length and checksum of all', async () => {
    for (const bytes of [3 * PART + 5, 3 * PART]) {
      server.sessions().seen.length = 0;
      await storage.create(`a-${bytes}`, streamOf(noise(bytes)));
      const ranges = requestsOf('PUT').map(({ headers }) => headers['content-range']);
      const three = [0, 1, 2].map((i) => `bytes ${i * PART}-${(i + 1) * PART - 1}/*`);
      const last = bytes % PART === 0 ? `bytes */${bytes}` : `bytes ${3 * PART}-${bytes - 1}/${bytes}`;
      expect(ranges).toEqual([...three, last]);
      expect(requestsOf('PUT').map(({ headers }) => Boolean(headers['x-goog-hash']))).toEqual([
        ...[false, false, false],
        true,
      ]);
    }
  });

  it('are read by ranges of one generation; a large range is exactly the slice', async () => {
    const content = noise(8 * PART + 17);
    await storage.create('a', content);
    server.sessions().seen.length = 0;
    const whole = await storage.get('a');
    expect(sha256(whole?.body)).toBe(sha256(content));
    const [first, ...others] = requestsOf('GET');
    expect(first?.headers.range).toBe(`bytes=0-${PART - 1}`);
    expect(others).toHaveLength(8);
    for (const { path } of others) expect(path).toContain(`generation=${whole?.version}`);
    for (const [offset, length] of [
      [1, 3 * PART],
      [PART, 2 * PART + 1],
      [7, 10 * PART],
    ] as const) {
      const read = await storage.get('a', { range: { offset, length } });
      expect(sha256(read?.body)).toBe(sha256(content.subarray(offset, offset + length)));
    }
  });

  it('more than maxBytes is refused by its length, and no more is asked for', async () => {
    await storage.create('a', noise(8 * PART));
    server.sessions().seen.length = 0;
    const tooLarge = { code: 'OBJECT_TOO_LARGE', details: { maxBytes: 1000 } };
    await expect(storage.get('a', { maxBytes: 1000 })).rejects.toMatchObject(tooLarge);
    const range = { offset: 1, length: 3 * PART };
    await expect(storage.get('a', { maxBytes: 1000, range })).rejects.toMatchObject(tooLarge);
    const ranges = requestsOf('GET').map(({ headers }) => headers.range);
    expect(ranges).toEqual(['bytes=0-999', 'bytes=1-1000']);
  });

  it('what somebody else stored compressed is given as it is stored', async () => {
    // fake-gcs-server would unpack it on its way, as Cloud Storage does.
    const packed = gzipSync(Buffer.alloc(100_000));
    await putBehindItsBack(server.url(), place.bucket, { name: 'gz', contentEncoding: 'gzip' }, packed);
    expect((await storage.head('gz'))?.bytes).toBe(packed.length);
    expect(sha256((await storage.get('gz'))?.body)).toBe(sha256(packed));
    const part = await storage.get('gz', { range: { offset: 10, length: 20 } });
    expect(sha256(part?.body)).toBe(sha256(packed.subarray(10, 30)));
  });

  it.each(['streams', 'bytes'])(
    'of 50 that create one at once, in parts, from %s, exactly one wins',
    async (kind) => {
      const others = [storage, await GcsStorage.open({ ...place, partBytes: PART })];
      const racers = Array.from({ length: 50 }, async (_, i) => {
        const body = noise(5 * PART + 1, i + 1);
        const won = await others[i % 2]?.create('race', kind === 'bytes' ? body : streamOf(body));
        return won ? sha256(body) : undefined;
      });
      const winners = (await Promise.all(racers)).filter((digest) => digest !== undefined);
      expect(winners).toHaveLength(1);
      expect(sha256((await storage.get('race'))?.body)).toBe(winners[0]);
      await others[1]?.close();
    },
  );

  it('200 MiB go up and come down within bounded memory', { timeout: 180_000 }, async () => {
    const partBytes = 8 * MIB;
    const large = await GcsStorage.open({ ...place, apiEndpoint: server.url() });
    const total = 200 * MIB;
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
        if (at % (10 * MIB) === 0) look();
      }
    }
    expect(await large.create('huge', stream())).toBe(true);
    // One part under way, one that is filled and waits, one that fills, and the first, which is held to the end.
    expect(peak).toBeGreaterThan(partBytes);
    expect(peak).toBeLessThan(5 * partBytes);
    const down = createHash('sha256');
    const window = 4 * partBytes;
    for (let offset = 0; offset < total; offset += window) {
      const read = await large.get('huge', { range: { offset, length: window } });
      down.update(read?.body ?? '');
      look();
    }
    expect(down.digest('hex')).toBe(up.digest('hex'));
    expect(peak).toBeLessThan(3 * window);
    await large.close();
  });

  it('an abort, a failure, a close in the middle leave nothing, and cancel the session', async () => {
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
    const other = await GcsStorage.open({ ...place, partBytes: PART });
    // What never says more must not keep the storage from closing.
    const silent = other.create(
      'a',
      until(() => Promise.race([other.close(), new Promise(() => {})])),
    );
    await expect(silent).rejects.toMatchObject({ code: 'STORAGE_CLOSED' });
    expect(requestsOf('DELETE').map(({ path }) => /upload_id=/.test(path))).toEqual([true, true, true]);
    expect(await storage.head('a')).toBeUndefined();
  });

  it('a read that is aborted in the middle ends, and the storage reads on', async () => {
    await storage.create('a', noise(60 * PART));
    const abort = new AbortController();
    const reads = Array.from({ length: 12 }, () => storage.get('a', { signal: abort.signal }));
    await sleep(20);
    abort.abort();
    for (const read of await Promise.allSettled(reads)) {
      if (read.status === 'rejected') expect(read.reason).toMatchObject({ code: 'ABORTED' });
    }
    expect((await storage.get('a'))?.body).toHaveLength(60 * PART);
  });
});

async function* streamOf(bytes: Uint8Array, chunkBytes = 100_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function sha256(bytes: Uint8Array | undefined): string {
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
