import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StowageErrorCode } from '../../src/errors.ts';
import { AnswerError, classify } from '../../src/storage/gcs/errors.ts';
import type { GcsStorageOptions } from '../../src/storage/gcs/options.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { errorOf } from '../flow/fixtures.ts';
import { readSources } from '../house/imports.ts';
import { type FaultyProxy, startFaultyProxy } from '../servers/faulty-proxy.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { scratchFolder } from './scratch.ts';

const text = (value: string) => new TextEncoder().encode(value);
const folder = scratchFolder();

/** The codes that the operations of a storage fail with. */
async function codesOf(storage: GcsStorage): Promise<(StowageErrorCode | undefined)[]> {
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
  options: GcsStorageOptions,
  work: (storage: GcsStorage) => Promise<T>,
): Promise<T> {
  const storage = await GcsStorage.open(options);
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}

describeOnFakeGcs('what the service refuses', (server) => {
  it('a bucket that does not exist is NO_SUCH_BUCKET, whatever is asked first', async () => {
    const options = { apiEndpoint: server.url(), bucket: 'no-such-bucket' };
    expect(await withStorage(options, codesOf)).toEqual(['NO_SUCH_BUCKET']);
    for (const ask of ['head', 'get'] as const) {
      const error = await withStorage(options, (storage) => errorOf(storage[ask]('a')));
      expect(error.message).toMatch(/bucket "no-such-bucket" at 127\.0\.0\.1.*create it, or correct/);
    }
  });

  it('what is missing from a bucket that exists is asked for once', async () => {
    const place = await server.newPlace();
    server.sessions().seen.length = 0;
    await withStorage(place, async (storage) => {
      for (let i = 0; i < 3; i += 1) expect(await storage.get('a')).toBeUndefined();
    });
    // The first time the bucket was looked for as well.
    expect(server.sessions().seen).toHaveLength(4);
  });

  it('names that a prefix makes too long are INVALID_NAME before anything is sent', async () => {
    const prefix = Array.from({ length: 4 }, () => 'p'.repeat(80)).join('/');
    await withStorage({ ...(await server.newPlace()), prefix }, async (storage) => {
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

  it('a version that no object can have is PRECONDITION_FAILED', async () => {
    await withStorage(await server.newPlace(), async (storage) => {
      await storage.overwrite('a', text('x'));
      for (const ifMatch of ['', '0', '-1', '1.5', '"etag"', '9'.repeat(19), '9'.repeat(40)]) {
        await errorOf(storage.overwrite('a', text('y'), { ifMatch }), 'PRECONDITION_FAILED');
      }
      expect((await storage.get('a'))?.body).toEqual(text('x'));
    });
  });

  it('a media type that is none is refused', async () => {
    await withStorage(await server.newPlace(), async (storage) => {
      for (const contentType of ['', 'text/plain\r\nX-Other: 1', 'tëxt']) {
        await errorOf(storage.create('a', text('x'), { contentType }), 'INVALID_ARGUMENT');
      }
      expect(await storage.create('a', text('x'), { contentType: 'text/html; charset=utf-8' })).toBe(true);
    });
  });

  it('media type, class, cache control and key of what is written are said', async () => {
    const place = await server.newPlace();
    const options = {
      ...place,
      storageClass: 'NEARLINE',
      kmsKeyName: 'projects/p/k',
      partBytes: 262_144,
    } as const;
    await withStorage(options, async (storage) => {
      server.sessions().seen.length = 0;
      await storage.create('small', text('x'), { contentType: 'text/html' });
      await storage.create(
        'large',
        (async function* () {
          yield new Uint8Array(300_000);
        })(),
        { contentType: 'text/html' },
      );
      for (const name of ['small', 'large']) {
        const answer = await fetch(`${server.url()}/storage/v1/b/${place.bucket}/o/${name}`);
        expect(await answer.json()).toMatchObject({
          contentType: 'text/html',
          storageClass: 'NEARLINE',
          cacheControl: 'private, max-age=0, no-transform',
        });
      }
      // fake-gcs-server knows no keys.
      const uploads = server.sessions().seen.filter(({ method }) => method === 'POST');
      for (const { path } of uploads) expect(path).toContain('kmsKeyName=projects%2Fp%2Fk');
    });
  });

  it('a client of one’s own signs every request, and the user’s project pays', async () => {
    const place = await server.newPlace();
    const client = new Storage({ ...place, useAuthWithCustomEndpoint: true, projectId: 'p' });
    const user = { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r' };
    const credentials = client.authClient.fromJSON(user);
    credentials.setCredentials({ access_token: 'token', expiry_date: Date.now() + 3_600_000 });
    client.authClient.cachedCredential = credentials as typeof client.authClient.cachedCredential;
    server.sessions().seen.length = 0;
    const options = { bucket: place.bucket, client, userProject: 'payer', partBytes: 262_144 };
    await withStorage(options, async (storage) => {
      await storage.create('large', new Uint8Array(2_000_000));
      await storage.get('large');
      await storage.head('large');
      await storage.delete(['large']);
    });
    const { seen } = server.sessions();
    expect(seen.length).toBeGreaterThan(15);
    expect(new Set(seen.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer token']));
    for (const { path } of seen) expect(path).toContain('userProject=payer');
  });

  it('an emulator is sent no credentials, however it is named', async () => {
    const { bucket } = await server.newPlace();
    vi.stubEnv('STORAGE_EMULATOR_HOST', `${server.sessions().url}/storage/v1/`);
    server.sessions().seen.length = 0;
    await withStorage({ bucket }, (storage) => storage.create('a', text('x')));
    vi.unstubAllEnvs();
    expect(server.sessions().seen.length).toBeGreaterThan(0);
    for (const { headers } of server.sessions().seen) expect(headers.authorization).toBeUndefined();
  });
});

describe('what a service answers', () => {
  let proxy: FaultyProxy;
  let storage: GcsStorage;
  beforeAll(async () => {
    proxy = await startFaultyProxy('http://127.0.0.1:9');
    storage = await GcsStorage.open({ bucket: 'data', apiEndpoint: proxy.url });
  });
  afterAll(async () => {
    await storage.close();
    await proxy.stop();
  });

  /** Errors as Cloud Storage gives them: status, reason, message. */
  const answers: [number, string, string, StowageErrorCode, RegExp][] = [
    [
      400,
      'invalid',
      'Provided CRC32C "a" doesn\'t match calculated CRC32C "b".',
      'STORAGE_UNAVAILABLE',
      /bytes/,
    ],
    [
      400,
      'required',
      'Bucket is a requester pays bucket but no user project provided.',
      'INVALID_ARGUMENT',
      /userProject/,
    ],
    [400, 'invalid', "Invalid bucket name: '..'", 'INVALID_ARGUMENT', /address/],
    [
      400,
      'invalid',
      'The maximum object length is 1024 characters, but got a name with 1025.',
      'INVALID_NAME',
      /shorten/,
    ],
    [400, 'parseError', 'Parse Error', 'STORAGE_FAILED', /see what the service says/],
    [401, 'authError', 'Invalid Credentials', 'STORAGE_CREDENTIALS', /renew/],
    [
      401,
      'required',
      'Anonymous caller does not have storage.objects.get access.',
      'STORAGE_CREDENTIALS',
      /gcloud auth/,
    ],
    [
      403,
      'forbidden',
      'me@x does not have storage.objects.list access.',
      'STORAGE_NOT_PERMITTED',
      /Storage Object User/,
    ],
    [
      403,
      'accountDisabled',
      'The billing account for the owning project is disabled.',
      'STORAGE_NOT_PERMITTED',
      /billing/,
    ],
    [
      403,
      'retentionPolicyNotMet',
      'Object is subject to a retention policy.',
      'STORAGE_NOT_PERMITTED',
      /lifted/,
    ],
    [403, 'forbidden', 'Object is under active Temporary hold.', 'STORAGE_NOT_PERMITTED', /hold/],
    [403, 'rateLimitExceeded', 'Rate Limit Exceeded', 'STORAGE_UNAVAILABLE', /too much/],
    [409, 'conflict', 'The object was changed meanwhile.', 'STORAGE_UNAVAILABLE', /who won/],
    [429, 'rateLimitExceeded', 'The object exceeded the rate limit.', 'STORAGE_UNAVAILABLE', /too much/],
    [500, 'internalError', 'We encountered an internal error.', 'STORAGE_UNAVAILABLE', /try again/],
    [503, 'backendError', 'Backend Error', 'STORAGE_UNAVAILABLE', /try again/],
    [408, 'uploadBrokenConnection', 'The request timed out', 'STORAGE_UNAVAILABLE', /try again/],
    [501, 'notImplemented', 'Not Implemented', 'STORAGE_UNSUPPORTED', /another server/],
    [507, 'full', 'Insufficient Storage', 'STORAGE_FULL', /make room/],
  ];
  it.each(answers)('%i %s "%s" is %s and says what to do', async (status, reason, said, code, message) => {
    const error = { code: status, message: said, errors: [{ domain: 'global', reason, message: said }] };
    const headers = { 'x-guploader-uploadid': 'R1' };
    proxy.plan = () => ({ kind: 'answer', status, headers, body: JSON.stringify({ error }) });
    for (const call of [() => storage.get('some/name'), () => storage.overwrite('some/name', text('x'))]) {
      const failure = await errorOf(call, code);
      expect(failure.message).toMatch(message);
      expect(failure.message).toContain('"some/name"');
      expect(failure.message).toContain(said);
      expect(failure.details).toMatchObject({ name: 'some/name', reason, status, requestId: 'R1' });
    }
  });

  it.each([
    [429, 'STORAGE_UNAVAILABLE'],
    [502, 'STORAGE_UNAVAILABLE'],
    [401, 'STORAGE_CREDENTIALS'],
    [403, 'STORAGE_NOT_PERMITTED'],
    [404, 'STORAGE_FAILED'],
    [405, 'STORAGE_FAILED'],
    [302, 'STORAGE_FAILED'],
    [200, 'STORAGE_FAILED'],
  ] as const)('%i with a page of HTML is %s', async (status, code) => {
    proxy.plan = () => ({ kind: 'answer', status, body: '<html>Some other server</html>' });
    expect(await codesOf(storage)).toEqual([code]);
    const error = await errorOf(storage.get('a'));
    if (code === 'STORAGE_FAILED') expect(error.message).toMatch(/JSON API.*correct apiEndpoint/);
  });

  it('says it in plain text at times, of a bucket as well: Google is not taken for another server', () => {
    const answer = new AnswerError(404, {}, 'Not Found', false);
    expect(classify(answer, true).meaning.code).toBe('NO_SUCH_BUCKET');
    expect(classify(answer, false).meaning.code).toBe('STORAGE_FAILED');
  });

  it('tells of each name that could not be deleted why', async () => {
    proxy.plan = (_, path) => {
      const status = path.endsWith('/locked') ? 403 : path.endsWith('/busy') ? 503 : 204;
      const error = { errors: [{ reason: status === 403 ? 'retentionPolicyNotMet' : 'backendError' }] };
      return { kind: 'answer', status, body: status === 204 ? '' : JSON.stringify({ error }) };
    };
    const failures = await storage.delete(['gone', 'locked', 'busy']);
    expect(failures.sort((a, b) => a.name.localeCompare(b.name))).toMatchObject([
      { name: 'busy', error: { code: 'STORAGE_UNAVAILABLE' } },
      {
        name: 'locked',
        error: { code: 'STORAGE_NOT_PERMITTED', message: expect.stringMatching(/retention/) },
      },
    ]);
  });
});

describe('a server that is not there', () => {
  const bucket = 'data';
  let port: number;
  beforeAll(async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses connections: STORAGE_UNAVAILABLE, because it may be starting', async () => {
    const apiEndpoint = `http://127.0.0.1:${port}`;
    expect(await withStorage({ bucket, apiEndpoint }, codesOf)).toEqual(['STORAGE_UNAVAILABLE']);
    const error = await withStorage({ bucket, apiEndpoint }, (storage) => errorOf(storage.get('a')));
    expect(error.message).toMatch(/ECONNREFUSED.*check the endpoint/);
  });

  it('has a name that nobody knows: STORAGE_FAILED at once', async () => {
    await withStorage({ bucket, apiEndpoint: 'http://no-such-host.invalid' }, async (storage) => {
      const error = await errorOf(storage.get('a'), 'STORAGE_FAILED');
      expect(error.message).toMatch(/no-such-host\.invalid.*correct the endpoint/);
    });
  });

  it('speaks no TLS: STORAGE_FAILED', async () => {
    const proxy = await startFaultyProxy('http://127.0.0.1:9');
    await withStorage({ bucket, apiEndpoint: proxy.url.replace('http:', 'https:') }, async (storage) => {
      const error = await errorOf(storage.get('a'), 'STORAGE_FAILED');
      expect(error.message).toMatch(/TLS.*https or http/);
    });
    await proxy.stop();
  });

  it('keeps silent: STORAGE_UNAVAILABLE after the time-out', async () => {
    const proxy = await startFaultyProxy('http://127.0.0.1:9');
    proxy.plan = () => ({ kind: 'silence' });
    await withStorage({ bucket, apiEndpoint: proxy.url, requestTimeoutMs: 200 }, async (storage) => {
      const error = await errorOf(storage.get('a'), 'STORAGE_UNAVAILABLE');
      expect(error.message).toMatch(/ETIMEDOUT/);
    });
    await proxy.stop();
  });
});

describe('a server that falls silent in the middle of an answer', () => {
  it('is STORAGE_UNAVAILABLE after the time-out', async () => {
    const server = createServer((_, outgoing) => {
      const headers = {
        'x-goog-generation': '1',
        'content-range': 'bytes 0-99/100',
        'content-length': '100',
      };
      outgoing.writeHead(206, headers).write('the beginning');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const apiEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await withStorage({ bucket: 'data', apiEndpoint, requestTimeoutMs: 200 }, async (storage) => {
      const error = await errorOf(storage.get('a'), 'STORAGE_UNAVAILABLE');
      expect(error.message).toMatch(/ETIMEDOUT/);
    });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('credentials', () => {
  // Nothing in the surroundings names any, and this is no machine of Google's.
  beforeEach(() => {
    for (const name of ['GOOGLE_APPLICATION_CREDENTIALS', 'google_application_credentials'])
      vi.stubEnv(name, '');
    for (const name of ['HOME', 'APPDATA']) vi.stubEnv(name, folder);
    vi.stubEnv('METADATA_SERVER_DETECTION', 'none');
    vi.stubEnv('STORAGE_EMULATOR_HOST', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('that are not there are STORAGE_CREDENTIALS, whatever is asked first', async () => {
    const options = { bucket: 'data', projectId: 'p' };
    expect(await withStorage(options, codesOf)).toEqual(['STORAGE_CREDENTIALS']);
    const error = await withStorage(options, (storage) => errorOf(storage.get('a')));
    expect(error.message).toMatch(
      /no credentials.*gcloud auth application-default login.*GOOGLE_APPLICATION/,
    );
    expect(error.cause).toBeInstanceOf(Error);
  });

  it('in a file that is not there are STORAGE_CREDENTIALS', async () => {
    const options = { bucket: 'data', keyFilename: `${folder}/missing.json` };
    const error = await withStorage(options, (storage) => errorOf(storage.get('a'), 'STORAGE_CREDENTIALS'));
    expect(error.message).toContain('missing.json');
  });

  it('that cannot sign are STORAGE_CREDENTIALS, and the key is not repeated', async () => {
    const credentials = { type: 'service_account', client_email: 'me@x', private_key: 'secret' };
    const options = { bucket: 'data', credentials };
    const error = await withStorage(options, (storage) => errorOf(storage.get('a'), 'STORAGE_CREDENTIALS'));
    expect(error.message).not.toContain('secret');
  });

  it.each([
    [400, { error: 'invalid_grant', error_description: 'expired' }, 'STORAGE_CREDENTIALS'],
    [503, { error: 'unavailable' }, 'STORAGE_UNAVAILABLE'],
  ] as const)('that a service gives out: %i %j is %s', async (status, answer, code) => {
    const proxy = await startFaultyProxy('http://127.0.0.1:9');
    proxy.plan = () => ({ kind: 'answer', status, body: JSON.stringify(answer) });
    const credentials = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${proxy.url}/v1/token`,
      credential_source: { file: import.meta.filename },
    };
    await withStorage({ bucket: 'data', credentials }, async (storage) => {
      await errorOf(storage.get('a'), code);
    });
    await proxy.stop();
  });
});

describe('google-auth-library', () => {
  it('where it is missing, opening says how to install it', async () => {
    vi.resetModules();
    vi.doMock('google-auth-library', () => {
      throw new Error('Cannot find package');
    });
    const { GcsStorage: Fresh } = await import('../../src/storage/gcs.ts');
    const opened = Fresh.open({ bucket: 'data' });
    await expect(opened).rejects.toMatchObject({
      code: 'STORAGE_UNSUPPORTED',
      message: expect.stringMatching(/npm install google-auth-library@10/),
    });
    vi.doUnmock('google-auth-library');
    vi.resetModules();
  });

  it('is named by no type, so that nobody needs it to read ours', () => {
    const files = [...readSources()].filter(([file]) => /^storage\/gcs[./]/.test(file));
    expect(files.length).toBeGreaterThan(5);
    for (const [file, { text: source, imports }] of files) {
      const named = imports.filter(({ specifier }) => /^(@google-cloud|google-auth-library)/.test(specifier));
      expect(
        named.filter(({ kind }) => kind !== 'dynamic'),
        file,
      ).toEqual([]);
      expect(source, file).not.toMatch(/^export.*(@google-cloud\/|google-auth-library)/m);
    }
  });
});

describe('options', () => {
  it.each([
    [{}, /no name of a bucket/],
    [{ bucket: 'a/b' }, /no name of a bucket/],
    [{ bucket: 'a', buckets: 1 }, /has no option buckets/],
    [{ bucket: 'a', prefix: 'a//b' }, /prefix/],
    [{ bucket: 'a', partBytes: 1_000_000 }, /multiple of 262144/],
    [{ bucket: 'a', partBytes: 1 }, /a whole number of bytes from 262144/],
    [{ bucket: 'a', concurrency: 0 }, /concurrency/],
    [{ bucket: 'a', requestTimeoutMs: Number.NaN }, /requestTimeoutMs/],
    [{ bucket: 'a', storageClass: 'GLACIER' }, /storageClass of GcsStorage.open must be one of STANDARD/],
    [{ bucket: 'a', client: {}, credentials: {} }, /client decides/],
    [{ bucket: 'a', apiEndpoint: 'http://' }, /is no endpoint/],
  ])('%j is refused', async (options, message) => {
    await expect(GcsStorage.open(options as GcsStorageOptions)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });
});

describe('addresses', () => {
  it.each([
    ['gs://bucket', 'gs://bucket/a b'],
    ['gcs://bucket/', 'gs://bucket/a b'],
    ['GS://bucket/some/Where%20/', 'gs://bucket/some/Where%20/a b'],
    ['gs://bucket/p?apiEndpoint=http://localhost:1&projectId=p&userProject=q', 'gs://bucket/p/a b'],
  ])('%s is understood', async (address, uri) => {
    await withStorage(await optionsOf(address), async (storage) => expect(storage.uri('a b')).toBe(uri));
  });

  it.each([
    ['gs://', /names no bucket/],
    ['gs:bucket', /names no bucket/],
    ['gs://key:secret@bucket/p', /no "@" or ":"/],
    ['gs://bucket?endpoint=x', /not endpoint=x/],
    ['gs://bucket/a//b', /prefix/],
  ])('%s is refused, and no secret repeated', async (address, message) => {
    const error = await errorOf(GcsStorage.open(address), 'INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('secret');
  });

  async function optionsOf(address: string): Promise<GcsStorageOptions> {
    const { parseGcsAddress } = await import('../../src/storage/gcs/address.ts');
    return parseGcsAddress(address);
  }
});
