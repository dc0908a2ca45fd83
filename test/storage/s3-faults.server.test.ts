import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { errorOf, noise } from '../flow/fixtures.ts';
import { type FaultyProxy, type ProxyFault, startFaultyProxy } from '../servers/faulty-proxy.ts';
import { unfinishedKeys } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const MIB = 1024 * 1024;
const text = (value: string) => new TextEncoder().encode(value);

/** Faults for the first requests that match, in turn; then none. */
function onRequests(matches: RegExp, ...faults: (ProxyFault | undefined)[]) {
  const left = [...faults];
  return (method: string, path: string) => (matches.test(`${method} ${path}`) ? left.shift() : undefined);
}

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`a storage whose way to ${server.name} is bad`, () => {
    const inUse = useS3Server(server);
    let proxy: FaultyProxy;
    let place: Awaited<ReturnType<typeof inUse.newPlace>>;
    let bare: S3Storage;
    let storage: RetryStorage;

    beforeAll(async () => {
      proxy = await startFaultyProxy(inUse.access().endpoint);
    });
    afterAll(() => proxy.stop());
    beforeEach(async () => {
      proxy.plan = () => undefined;
      place = await inUse.newPlace();
      bare = await S3Storage.open({ ...place, endpoint: proxy.url, partBytes: 5 * MIB });
      storage = new RetryStorage(bare, { sleep: async () => {} });
      // What it tries before its first writes is not what is tested here.
      await bare.create('first', text('x'));
      await bare.create('first-large', streamOf(noise(5 * MIB + 1)));
      proxy.seen.length = 0;
      return () => storage.close();
    });

    const body = noise(11 * MIB);
    const requestsOfALargeCreate = {
      'the beginning of the upload': /^POST .*\?uploads/,
      'a part': /^PUT .*partNumber=2&/,
      'the last part': /^PUT .*partNumber=3&/,
      'the completion': /^POST .*uploadId=/,
    };
    for (const kind of ['lost', 'answer lost'] as const) {
      it.each(Object.entries(requestsOfALargeCreate))(
        `a stream is stored though %s was hit: ${kind}, twice`,
        async (_, matches) => {
          proxy.plan = onRequests(matches, { kind }, { kind });
          expect(await storage.create('large', streamOf(body))).toBe(true);
          expect(sha256((await storage.get('large'))?.body)).toBe(sha256(body));
          // Where the answer to the beginning was lost, nobody knows the upload's id; it is found when it is old.
          const isOrphaned =
            kind === 'answer lost' && matches === requestsOfALargeCreate['the beginning of the upload'];
          expect(await unfinishedKeys(place)).toHaveLength(isOrphaned ? 2 : 0);
        },
      );

      it(`a small create is done though it was ${kind}, and is not taken for another's`, async () => {
        for (const content of [() => text('mine'), () => streamOf(text('mine'))]) {
          const name = `small-${content().constructor.name}`;
          proxy.plan = onRequests(/^PUT /, { kind });
          expect(await storage.create(name, content())).toBe(true);
          expect((await storage.get(name))?.body).toEqual(text('mine'));
          proxy.plan = onRequests(/^PUT /, { kind });
          expect(await storage.create(name, text('mine, too'))).toBe(false);
          proxy.plan = onRequests(/^PUT /, { kind });
          expect(await storage.create(name, streamOf(text('mine')))).toBe(false);
        }
      });
    }

    it('bytes in parts are stored though a part and the answer to the completion were lost', async () => {
      const long = noise(26 * MIB);
      proxy.plan = onRequests(/partNumber=4&|^POST .*uploadId=/, { kind: 'lost' }, undefined, {
        kind: 'answer lost',
      });
      expect(await storage.create('large', long)).toBe(true);
      expect(sha256((await storage.get('large'))?.body)).toBe(sha256(long));
      expect(await storage.create('large', long)).toBe(false);
    });

    it('alone, it tries once and says that the server was not reached', async () => {
      proxy.plan = () => ({ kind: 'lost' });
      await expect(bare.get('first')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
      await expect(bare.create('a', text('x'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
      expect(proxy.seen.filter((line) => line.startsWith('GET'))).toHaveLength(1);
      expect(proxy.seen.filter((line) => line.startsWith('PUT'))).toHaveLength(1);
    });

    it('a body that was cut is an error that passes, and read again as a whole or by its part', async () => {
      await bare.create('small', noise(100_000));
      await bare.create('large', streamOf(body));
      proxy.plan = onRequests(/^GET /, { kind: 'cut' }, undefined, { kind: 'cut' });
      await expect(bare.get('small')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
      expect(sha256((await storage.get('small'))?.body)).toBe(sha256(noise(100_000)));
      proxy.seen.length = 0;
      proxy.plan = onRequests(/^GET /, undefined, { kind: 'cut' }, { kind: 'lost' });
      expect(sha256((await storage.get('large'))?.body)).toBe(sha256(body));
      // The object once, in three parts, and two of them again.
      expect(proxy.seen.filter((line) => line.startsWith('GET'))).toHaveLength(5);
    });

    it('a body whose checksum is another is an error that passes, and read again', async () => {
      const other: ProxyFault = {
        kind: 'answer',
        status: 200,
        headers: { etag: '"a"', 'x-amz-checksum-crc32': 'AAAAAA==' },
        body: 'changed on its way',
      };
      proxy.plan = onRequests(/^GET /, other, other);
      await expect(bare.get('first')).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        message: expect.stringMatching(/bytes that arrived are not those that were sent/),
      });
      expect((await storage.get('first'))?.body).toEqual(text('x'));
    });

    it('parts are of one object, though it is replaced while they are read', async () => {
      const [old, young] = [noise(11 * MIB, 1), noise(11 * MIB, 2)];
      await bare.overwrite('beat', old);
      let gets = 0;
      proxy.plan = async (method) => {
        gets += method === 'GET' ? 1 : 0;
        if (method === 'GET' && gets === 2) await bare.overwrite('beat', young);
        return undefined;
      };
      await expect(bare.get('beat')).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        message: expect.stringMatching(/replaced/),
      });
      await bare.overwrite('beat', old);
      gets = 0;
      expect(sha256((await storage.get('beat'))?.body)).toBe(sha256(young));
      // All of it anew, in three parts, and none of the old parts over and over.
      expect(gets).toBeLessThanOrEqual(6);
    });

    it('what is replaced during every read is given up, as often as any call, and the error says so', async () => {
      const [old, young] = [noise(11 * MIB, 1), noise(11 * MIB, 2)];
      await bare.overwrite('beat', old);
      let gets = 0;
      let isBusy = false;
      proxy.plan = async (method, path) => {
        if (method !== 'GET' || !path.includes('/beat')) return undefined;
        gets += 1;
        if (isBusy) return undefined;
        isBusy = true;
        await bare.overwrite('beat', gets % 2 === 0 ? old : young);
        isBusy = false;
        return undefined;
      };
      const few = new RetryStorage(bare, { sleep: async () => {}, maxAttempts: 3 });
      const error = await errorOf(few.get('beat'), 'STORAGE_UNAVAILABLE');
      expect(error.details).toMatchObject({ operation: 'get', name: 'beat', attempts: 3 });
      expect(error.message).toMatch(/replaced or deleted while it was read/);
      expect(gets).toBeLessThanOrEqual(9);
    });

    it('waits as long as the server asks for', async () => {
      const waitsMs: number[] = [];
      const patient = new RetryStorage(bare, { sleep: async (ms) => void waitsMs.push(ms), random: () => 0 });
      const slowDown: ProxyFault = {
        kind: 'answer',
        status: 503,
        headers: { 'retry-after': '7' },
        body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
      };
      proxy.plan = onRequests(/^GET /, slowDown, slowDown);
      expect(await patient.get('first')).toBeDefined();
      expect(waitsMs).toEqual([7000, 7000]);
    });

    it('a conflict is neither "created" nor "exists": it is tried again', async () => {
      const conflict: ProxyFault = {
        kind: 'answer',
        status: 409,
        body: '<Error><Code>ConditionalRequestConflict</Code><Message>A conflicting operation is under way.</Message></Error>',
      };
      proxy.plan = onRequests(/^PUT /, conflict);
      await expect(bare.create('a', text('a'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
      proxy.plan = onRequests(/^PUT |^POST .*uploadId=/, conflict);
      expect(await storage.create('a', text('a'))).toBe(true);
      proxy.plan = onRequests(/^POST .*uploadId=/, conflict, conflict);
      expect(await storage.create('large', streamOf(body))).toBe(true);
    });

    it('gives up a large create when a part is given up, and leaves nothing', async () => {
      proxy.plan = (method, path) =>
        /partNumber=2&/.test(`${method} ${path}`) ? { kind: 'lost' } : undefined;
      const few = new RetryStorage(bare, { sleep: async () => {}, maxAttempts: 3 });
      for (const content of [noise(26 * MIB), streamOf(body)]) {
        proxy.seen.length = 0;
        await expect(few.create('a', content)).rejects.toMatchObject({
          code: 'STORAGE_UNAVAILABLE',
          details: { operation: 'create', name: 'a', attempts: 3 },
        });
        expect(proxy.seen.filter((line) => line.includes('partNumber=2&'))).toHaveLength(3);
        expect(proxy.seen.filter((line) => line.includes('?uploads'))).toHaveLength(1);
      }
      proxy.plan = () => undefined;
      expect(await bare.head('a')).toBeUndefined();
      expect(await unfinishedKeys(place)).toEqual([]);
    });

    it('is not its own what another one created while it was repeated', async () => {
      for (const [name, content, matches] of [
        ['small', text('mine'), /^PUT .*small/],
        ['large', body, /^POST .*uploadId=/],
      ] as const) {
        const other = await S3Storage.open(place);
        let isFirst = true;
        proxy.plan = async (method, path) => {
          if (!isFirst || !matches.test(`${method} ${path}`)) return undefined;
          isFirst = false;
          await other.create(name, text('theirs'));
          return { kind: 'answer', status: 503 };
        };
        expect(await storage.create(name, streamOf(content))).toBe(false);
        expect((await bare.get(name))?.body).toEqual(text('theirs'));
        await other.close();
      }
      expect(await unfinishedKeys(place)).toEqual([]);
    });

    it('is refused, too, by an answer to the completion that began as a success', async () => {
      const late: ProxyFault = {
        kind: 'answer',
        status: 200,
        body: '<?xml version="1.0" encoding="UTF-8"?><Error><Code>PreconditionFailed</Code><Message>It exists.</Message></Error>',
      };
      proxy.plan = onRequests(/^POST .*uploadId=/, late);
      expect(await bare.create('late', streamOf(body))).toBe(false);
      expect(await unfinishedKeys(place)).toEqual([]);
    });

    it('leaves no upload of its trial of conditions that failed', async () => {
      for (const matches of [/^PUT .*partNumber=1&/, /^POST .*uploadId=/]) {
        const other = await S3Storage.open({ ...place, endpoint: proxy.url, partBytes: 5 * MIB });
        proxy.plan = onRequests(matches, { kind: 'lost' });
        const error = await errorOf(other.create('a', streamOf(body)), 'STORAGE_UNAVAILABLE');
        expect(error.details.name).toBe('tmp/conditional-writes');
        expect(await unfinishedKeys(place)).toEqual([]);
        await other.close();
      }
    });

    const gone: ProxyFault = {
      kind: 'answer',
      status: 404,
      body: '<Error><Code>NoSuchUpload</Code><Message>The specified upload does not exist.</Message></Error>',
    };

    it('is its own what an upload has become that is gone when its completion is repeated', async () => {
      proxy.plan = onRequests(/^POST .*uploadId=/, { kind: 'answer lost' }, gone);
      expect(await storage.create('large', streamOf(body))).toBe(true);
    });

    it('says so when somebody removed the unfinished upload', async () => {
      for (const matches of [/partNumber=3&/, /^POST .*uploadId=/]) {
        proxy.plan = onRequests(matches, gone);
        await expect(storage.create('a', streamOf(body))).rejects.toMatchObject({
          code: 'STORAGE_FAILED',
          message: expect.stringMatching(/removed the unfinished upload/),
        });
      }
    });

    it('refuses a server that gives other bytes than it was asked for', async () => {
      const all: ProxyFault = { kind: 'answer', status: 200, headers: { etag: '"a"' }, body: 'all of it' };
      for (const range of [
        { offset: 4, length: 2 },
        { offset: 0, length: 3 },
      ]) {
        proxy.plan = onRequests(/^GET /, all);
        await expect(storage.get('first', { range })).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' });
      }
      const untold = { ...all, headers: { etag: '"a"', 'transfer-encoding': 'chunked' } };
      proxy.plan = onRequests(/^GET /, untold);
      await expect(storage.get('first')).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' });
      proxy.plan = onRequests(/^GET /, all);
      const whole = await storage.get('first', { range: { offset: 0, length: 9 } });
      expect(whole?.body).toEqual(text('all of it'));
    });

    it('reports the names that a delete did not reach, and deletes them when it is repeated', async () => {
      const names = ['a', 'b', 'c'];
      for (const name of names) await bare.create(name, text(name));
      proxy.plan = onRequests(/^POST .*\?delete/, { kind: 'lost' });
      const failures = await bare.delete(names);
      expect(failures.map(({ name }) => name)).toEqual(names);
      for (const { error } of failures) expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
      proxy.plan = onRequests(/^POST .*\?delete/, { kind: 'answer lost' });
      expect(await storage.delete(names)).toEqual([]);
      expect(await bare.head('a')).toBeUndefined();
    });

    it('an overwrite whose answer was lost is its own', async () => {
      const version = await bare.overwrite('beat', text('1'));
      proxy.plan = onRequests(/^PUT /, { kind: 'answer lost' });
      const next = await storage.overwrite('beat', text('2'), { ifMatch: version });
      expect((await bare.head('beat'))?.version).toBe(next);
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
