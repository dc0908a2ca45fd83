import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StowageErrorCode } from '../../src/errors.ts';
import type { S3StorageOptions } from '../../src/storage/s3/options.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { errorOf } from '../flow/fixtures.ts';
import { type FaultyProxy, startFaultyProxy } from '../servers/faulty-proxy.ts';
import { newClient } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const MIB = 1024 * 1024;
const text = (value: string) => new TextEncoder().encode(value);

/** The code that every operation of a storage fails with. */
async function codesOf(storage: S3Storage): Promise<(StowageErrorCode | undefined)[]> {
  const failures = await storage.delete(['a', 'b']);
  const list = async () => {
    for await (const _ of storage.list({ prefix: '' })) break;
  };
  const errors = [
    await errorOf(storage.head('a')),
    await errorOf(storage.get('a')),
    await errorOf(storage.create('a', text('x'))),
    await errorOf(storage.overwrite('a', text('x'))),
    await errorOf(list),
    ...failures.map(({ error }) => error as Error & { code?: StowageErrorCode }),
  ];
  return [...new Set(errors.map(({ code }) => code))];
}

async function withStorage<T>(
  options: S3StorageOptions,
  work: (storage: S3Storage) => Promise<T>,
): Promise<T> {
  const storage = await S3Storage.open(options);
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}

for (const server of s3Servers()) {
  describe(`what ${server.name} refuses`, () => {
    const inUse = useS3Server(server);
    const { isReal } = server;
    const singleWriter = !isReal;

    it('a bucket that does not exist is NO_SUCH_BUCKET, whatever is asked first', async () => {
      const options = { ...inUse.access(), bucket: 'no-such-bucket', singleWriter };
      expect(await withStorage(options, codesOf)).toEqual(['NO_SUCH_BUCKET']);
      const error = await withStorage(options, (storage) => errorOf(storage.head('a')));
      expect(error.message).toMatch(/bucket "no-such-bucket" at 127\.0\.0\.1.*create it, or correct/);
    });

    it.runIf(isReal)('a wrong key or secret is STORAGE_CREDENTIALS, whatever is asked first', async () => {
      const place = await inUse.newPlace();
      const { accessKeyId, secretAccessKey } = place.credentials;
      for (const credentials of [
        { accessKeyId: 'wrong', secretAccessKey },
        { accessKeyId, secretAccessKey: 'wrong' },
      ]) {
        expect(await withStorage({ ...place, credentials }, codesOf)).toEqual(['STORAGE_CREDENTIALS']);
      }
    });

    it.runIf(isReal)('bytes that were changed on their way are not stored', async () => {
      const place = await inUse.newPlace();
      const proxy = await startFaultyProxy(place.endpoint);
      await withStorage({ ...place, endpoint: proxy.url, partBytes: 5 * MIB }, async (storage) => {
        await storage.create('first', text('x'));
        proxy.plan = (method, path) =>
          method === 'PUT' && !path.includes('conditional-writes') ? { kind: 'flip' } : undefined;
        for (const call of [
          () => storage.create('a', text('small')),
          () => storage.create('a', new Uint8Array(20 * MIB + 1)),
          () => storage.overwrite('a', text('small')),
        ]) {
          const error = await errorOf(call, 'STORAGE_UNAVAILABLE');
          expect(error.message).toMatch(/bytes that arrived are not those that were sent/);
        }
        expect(await storage.head('a')).toBeUndefined();
      });
      await proxy.stop();
    });

    it('a client that is passed in is used, and left alone when the storage is closed', async () => {
      const { bucket, prefix, ...access } = await inUse.newPlace();
      const { client } = await newClient(access);
      for (const name of ['a', 'b']) {
        const work = (storage: S3Storage) => storage.create(name, text('x'));
        expect(await withStorage({ bucket, prefix, client, singleWriter }, work)).toBe(true);
      }
      client.destroy();
    });

    it.runIf(isReal)(
      'a client that is passed in and repeats by itself makes no false conflict of an answer that was lost',
      async () => {
        const { bucket, prefix, ...access } = await inUse.newPlace();
        const { client } = await newClient(access);
        const lost = new Set<string>();
        client.middlewareStack.add(
          (next) => async (args) => {
            const answer = await next(args);
            const { method, path, query } = args.request as {
              method: string;
              path: string;
              query: Record<string, string>;
            };
            const isLast =
              (method === 'PUT' && path.endsWith('/mine')) ||
              (method === 'POST' && query.uploadId !== undefined);
            if (!isLast || lost.has(path)) return answer;
            lost.add(path);
            throw Object.assign(new Error('socket hang up'), { name: 'TimeoutError' });
          },
          { step: 'finalizeRequest', priority: 'low' },
        );
        const isCreated = await withStorage({ bucket, prefix, client, singleWriter }, async (storage) => {
          const parts = (async function* () {
            yield new Uint8Array(9 * 1024 * 1024);
          })();
          return [await storage.create('mine', text('x')), await storage.create('mine-too', parts)];
        });
        expect([...isCreated, lost.size]).toEqual([true, true, 2]);
        client.destroy();
      },
    );

    it('names that a prefix makes too long are INVALID_NAME before anything is sent', async () => {
      const place = await inUse.newPlace();
      const prefix = [place.prefix, ...Array.from({ length: 4 }, () => 'p'.repeat(80))]
        .filter(Boolean)
        .join('/');
      await withStorage({ ...place, prefix, singleWriter }, async (storage) => {
        const name = Array.from({ length: 4 }, () => 'n'.repeat(200)).join('/');
        for (const call of [
          () => storage.create(name, text('x')),
          () => storage.get(name),
          () => storage.head(name),
          () => storage.overwrite(name, text('x')),
          async () => storage.uri(name),
        ]) {
          const error = await errorOf(call, 'INVALID_NAME');
          expect(error.message).toMatch(/1,?024/);
        }
        expect(await storage.delete([name])).toMatchObject([{ name, error: { code: 'INVALID_NAME' } }]);
        const fits = name.slice(0, 1024 - prefix.length - 1);
        expect(await storage.create(fits, text('x'))).toBe(true);
      });
    });
  });
}

describe('what a service answers', () => {
  let proxy: FaultyProxy;
  let storage: S3Storage;
  beforeAll(async () => {
    proxy = await startFaultyProxy('http://127.0.0.1:9');
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    const options = { bucket: 'data', endpoint: proxy.url, region: 'us-east-1', credentials };
    storage = await S3Storage.open({ ...options, singleWriter: true });
  });
  afterAll(async () => {
    await storage.close();
    await proxy.stop();
  });

  /** Errors as AWS gives them, and those of servers that are like it. */
  const answers: [number, string, StowageErrorCode, RegExp][] = [
    [403, 'AccessDenied', 'STORAGE_NOT_PERMITTED', /s3:ListBucket/],
    [403, 'InvalidAccessKeyId', 'STORAGE_CREDENTIALS', /access key/],
    [403, 'SignatureDoesNotMatch', 'STORAGE_CREDENTIALS', /secret/],
    [400, 'ExpiredToken', 'STORAGE_CREDENTIALS', /renew/],
    [403, 'RequestTimeTooSkewed', 'STORAGE_CREDENTIALS', /set the clock/],
    [404, 'NoSuchBucket', 'NO_SUCH_BUCKET', /create it/],
    [301, 'PermanentRedirect', 'INVALID_ARGUMENT', /region eu-west-1.*\?region=/],
    [400, 'AuthorizationHeaderMalformed', 'INVALID_ARGUMENT', /another region/],
    [400, 'InvalidBucketName', 'INVALID_ARGUMENT', /address/],
    [400, 'KeyTooLongError', 'INVALID_NAME', /shorten the prefix/],
    [503, 'SlowDown', 'STORAGE_UNAVAILABLE', /too much at a time/],
    [503, 'ServiceUnavailable', 'STORAGE_UNAVAILABLE', /try again/],
    [500, 'InternalError', 'STORAGE_UNAVAILABLE', /try again/],
    [429, 'WhateverTheyCallIt', 'STORAGE_UNAVAILABLE', /too much/],
    [502, 'NobodyKnows', 'STORAGE_UNAVAILABLE', /try again/],
    [507, 'InsufficientStorage', 'STORAGE_FULL', /make room/],
    [403, 'QuotaExceeded', 'STORAGE_FULL', /quota/],
    [403, 'InvalidObjectState', 'STORAGE_FAILED', /restore it/],
    [501, 'NotImplemented', 'STORAGE_UNSUPPORTED', /another server/],
    [418, 'Teapot', 'STORAGE_FAILED', /see the cause/],
  ];
  it.each(answers)('%i %s is %s and says what to do', async (status, s3Code, code, message) => {
    const body = `<?xml version="1.0"?><Error><Code>${s3Code}</Code><Message>as it is</Message></Error>`;
    const headers = {
      'x-amz-bucket-region': 'eu-west-1',
      'x-amz-request-id': 'R1',
      date: new Date().toUTCString(),
    };
    proxy.plan = () => ({ kind: 'answer', status, headers, body });
    for (const call of [() => storage.get('some/name'), () => storage.overwrite('some/name', text('x'))]) {
      const error = await errorOf(call, code);
      expect(error.message).toMatch(message);
      expect(error.message).toContain('"some/name"');
      expect(error.message).toContain(s3Code);
      expect(error.details).toMatchObject({ name: 'some/name', s3Code, status, requestId: 'R1' });
      expect(error.cause).toBeInstanceOf(Error);
    }
  });

  it('tells of one name among many that could not be deleted', async () => {
    const failed =
      '<Error><Key>locked</Key><Code>AccessDenied</Code><Message>no</Message></Error>' +
      '<Error><Key>busy</Key><Code>InternalError</Code><Message>later</Message></Error>';
    const deleted = '<Deleted><Key>gone</Key></Deleted>';
    const body = `<?xml version="1.0"?><DeleteResult>${deleted}${failed}</DeleteResult>`;
    proxy.plan = () => ({ kind: 'answer', status: 200, body });
    expect(await storage.delete(['gone', 'locked', 'busy'])).toMatchObject([
      { name: 'locked', error: { code: 'STORAGE_NOT_PERMITTED' } },
      { name: 'busy', error: { code: 'STORAGE_UNAVAILABLE' } },
    ]);
  });

  it('refuses names that come out of order', async () => {
    const page = (keys: string[], more: boolean) =>
      `<?xml version="1.0"?><ListBucketResult>${keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}` +
      `<IsTruncated>${more}</IsTruncated>${more ? '<NextContinuationToken>t</NextContinuationToken>' : ''}</ListBucketResult>`;
    proxy.plan = (_, path) => {
      const body = path.includes('continuation-token') ? page(['a'], false) : page(['b', 'c'], true);
      return { kind: 'answer', status: 200, body };
    };
    const names: string[] = [];
    const list = async () => {
      for await (const { objects } of storage.list({ prefix: '' }))
        names.push(...objects.map(({ name }) => name));
    };
    await errorOf(list, 'STORAGE_UNSUPPORTED');
    expect(names).toEqual(['b', 'c']);
  });
});

describe('a server that is not there', () => {
  const options = {
    bucket: 'data',
    region: 'us-east-1',
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  };

  it('refuses connections: STORAGE_UNAVAILABLE, because it may be starting', async () => {
    const proxy = await startFaultyProxy('http://127.0.0.1:9');
    await proxy.stop();
    expect(await withStorage({ ...options, endpoint: proxy.url }, codesOf)).toEqual(['STORAGE_UNAVAILABLE']);
    const error = await withStorage({ ...options, endpoint: proxy.url }, (storage) =>
      errorOf(storage.get('a')),
    );
    expect(error.message).toMatch(/ECONNREFUSED.*check the endpoint/);
  });

  it('has a name that nobody knows: STORAGE_FAILED at once', async () => {
    const endpoint = 'http://no-such-host.invalid:9000';
    await withStorage({ ...options, endpoint }, async (storage) => {
      const error = await errorOf(storage.get('a'), 'STORAGE_FAILED');
      expect(error.message).toMatch(/no-such-host\.invalid.*correct the endpoint/);
    });
  });

  it('speaks no TLS: STORAGE_FAILED', async () => {
    const proxy = await startFaultyProxy('http://127.0.0.1:9');
    const endpoint = proxy.url.replace('http:', 'https:');
    await withStorage({ ...options, endpoint }, async (storage) => {
      const error = await errorOf(storage.get('a'), 'STORAGE_FAILED');
      expect(error.message).toMatch(/TLS.*https or http/);
    });
    await proxy.stop();
  });

  it.each([200, 301, 403, 404])('is another server, which answers %i: STORAGE_FAILED', async (status) => {
    const proxy = await startFaultyProxy('http://127.0.0.1:9');
    for (const body of [
      '<!doctype html><p>Welcome<br>',
      '404 page not found',
      '{"detail":"Not Found"}',
      '',
    ]) {
      proxy.plan = () => ({ kind: 'answer', status, headers: { 'content-type': 'text/html' }, body });
      await withStorage({ ...options, endpoint: proxy.url }, async (storage) => {
        for (const call of [
          () => storage.get('stowage.json'),
          () => storage.create('a', text('x')),
          () => storage.overwrite('a', text('x')),
        ]) {
          const error = await errorOf(call, 'STORAGE_FAILED');
          expect(error.message).toMatch(/does not speak the protocol of S3.*correct the endpoint/);
        }
        // An answer to HEAD says too little to be known by, unless it is a success.
        if (status === 200 || status === 404) await errorOf(storage.head('a'), 'STORAGE_FAILED');
      });
    }
    await proxy.stop();
  });

  it('keeps silent: STORAGE_UNAVAILABLE after the time-out', async () => {
    const proxy = await startFaultyProxy('http://127.0.0.1:9');
    proxy.plan = () => ({ kind: 'silence' });
    await withStorage({ ...options, endpoint: proxy.url, requestTimeoutMs: 200 }, async (storage) => {
      const error = await errorOf(storage.get('a'), 'STORAGE_UNAVAILABLE');
      expect(error.message).toMatch(/TimeoutError/);
    });
    await proxy.stop();
  });
});
