import { gzipSync } from 'node:zlib';
import { beforeEach, expect, it } from 'vitest';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { noise } from '../flow/fixtures.ts';
import { describeOnFakeGcs, type GcsPlace, putBehindItsBack } from '../servers/gcs-buckets.ts';
import { sha256, streamOf, testLargeObjects } from './large-objects.ts';

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

  testLargeObjects({
    partBytes: PART,
    storage: () => storage,
    open: () => GcsStorage.open({ ...place, partBytes: PART }),
    races: (['streams', 'bytes'] as const).map((from) => ({ from, bytesOf: () => 5 * PART + 1 })),
    longBytes: 60 * PART,
    // Cloud Storage looks when an upload begins, fake-gcs-server when it ends.
    mostReadInVain: Number.POSITIVE_INFINITY,
    // One part under way, one that is filled and waits, one that fills, and the first, which is held to the end; or a window.
    memory: {
      open: () => GcsStorage.open({ ...place, apiEndpoint: server.url() }),
      totalBytes: 200 * MIB,
      partBytes: 8 * MIB,
      windowParts: 4,
      mostPartsUp: 5,
      mostParts: 12,
    },
    // Every session that did not end as an object was cancelled.
    expectNothingLeft: async () => {
      const ended = new Set(requestsOf('DELETE').map(({ path }) => uploadIdOf(path)));
      for (const { path, headers } of requestsOf('PUT')) {
        if (!headers['content-range']?.endsWith('/*')) ended.add(uploadIdOf(path));
      }
      const begun = new Set(requestsOf('PUT').map(({ path }) => uploadIdOf(path)));
      expect([...begun].filter((id) => !ended.has(id))).toEqual([]);
    },
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

  it('are read by ranges of one generation', async () => {
    const content = noise(8 * PART + 17);
    await storage.create('a', content);
    server.sessions().seen.length = 0;
    const whole = await storage.get('a');
    expect(sha256(whole?.body)).toBe(sha256(content));
    const [first, ...others] = requestsOf('GET');
    expect(first?.headers.range).toBe(`bytes=0-${PART - 1}`);
    expect(others).toHaveLength(8);
    for (const { path } of others) expect(path).toContain(`generation=${whole?.version}`);
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
});

function uploadIdOf(path: string): string | undefined {
  return /[?&]upload_id=([^&]+)/.exec(path)?.[1];
}
