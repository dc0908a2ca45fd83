import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StowageError } from '../../../src/errors.ts';
import { AzureStorage } from '../../../src/storage/azure.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { GcsStorage } from '../../../src/storage/gcs.ts';
import { RetryStorage } from '../../../src/storage/retry.ts';
import { S3Storage } from '../../../src/storage/s3.ts';
import { errorOf, objectNames } from '../../flow/fixtures.ts';
import { type FaultyProxy, startFaultyProxy } from '../../servers/faulty-proxy.ts';

/** A service that something else answers for, and what of its own answers would be cut short. */
interface Service {
  name: string;
  open(url: string): Promise<DataStoreStorage>;
  /** Of the service's own answers; without it the SDK of Azure reads none. */
  contentType: string;
  /** Pages of a listing that are none, though they may look like one. */
  noListings: string[];
  /** What the error of such an answer says. */
  says: RegExp;
}

const KEYS = { accessKeyId: 'key', secretAccessKey: 'secret' };
const SIGN_IN = '<html><head><title>Sign in</title></head><body>Welcome</body></html>';
const BROKEN_PAGE = '<!doctype html><p>Welcome<br>';
const s3Page = (rest: string) =>
  `<?xml version="1.0"?><ListBucketResult><Contents><Key>gc/1</Key></Contents>${rest}</ListBucketResult>`;

const services: Service[] = [
  {
    name: 'S3',
    contentType: 'application/xml',
    open: (endpoint) =>
      S3Storage.open({
        bucket: 'data',
        endpoint,
        region: 'us-east-1',
        credentials: KEYS,
        singleWriter: true,
      }),
    noListings: [
      '<ListBucketResult/>',
      s3Page(''),
      s3Page('<IsTruncated>true</IsTruncated>'),
      s3Page('<IsTruncated>true</IsTruncated><NextContinuationToken/>'),
    ],
    says: /does not speak/,
  },
  {
    name: 'Azure',
    contentType: 'application/xml',
    open: (url) =>
      AzureStorage.open({
        container: 'data',
        endpoint: `${url}/account`,
        account: 'account',
        accountKey: 'a2V5',
      }),
    noListings: [
      '<EnumerationResults/>',
      '<?xml version="1.0"?><EnumerationResults><Blobs/></EnumerationResults>',
      // The SDK takes this for the last page.
      '<?xml version="1.0"?><EnumerationResults ServiceEndpoint="http://a/" ContainerName="data"><Prefix>gc/</Prefix><MaxResults>1</MaxResults><Blobs><Blob><Name>gc/1</Name><Properties><Last-Modified>Tue, 01 Dec 2026 12:00:00 GMT</Last-Modified><Etag>0x1</Etag><Content-Length>1</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob></Blobs></EnumerationResults>',
      '<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker>mark',
    ],
    says: /not one of Azure/,
  },
  {
    name: 'Google Cloud Storage',
    contentType: 'application/json',
    open: (apiEndpoint) => GcsStorage.open({ bucket: 'data', apiEndpoint }),
    noListings: ['{"items":[{"name":"gc/1"}]}', '{"kind":"storage#object","name":"gc/1"}', '[]'],
    says: /does not speak/,
  },
];

describe.each(services)('a listing of $name', ({ open, contentType, noListings, says }) => {
  const { proxy, given } = useService(open);

  it.each(['', SIGN_IN, BROKEN_PAGE, '{}', 'null', ...noListings])('is not %j, with 200', async (body) => {
    const headers = { 'content-type': contentType };
    proxy().plan = () => ({ kind: 'answer', status: 200, headers, body });
    const error = await errorOf(objectNames(given(), 'gc/'), 'STORAGE_FAILED');
    expect(error.message).toMatch(/The list of "gc\/" failed: /);
    expect(error.message).toMatch(says);
    // In vain it would be asked again.
    expect(proxy().seen).toHaveLength(1);
  });
});

describe.each(services)('a delete on $name', ({ open, contentType }) => {
  const { proxy, given } = useService(open);

  it.each([
    ['', 200],
    [SIGN_IN, 200],
    ['{}', 200],
    [BROKEN_PAGE, 203],
  ])('is not done because something answers %j, with %i', async (body, status) => {
    const headers = { 'content-type': contentType };
    proxy().plan = () => ({ kind: 'answer', status, headers, body });
    for (const names of [['a'], ['a', 'b', 'c']]) {
      const failures = await given().delete(names);
      expect(failures.map(({ name }) => name).sort()).toEqual(names);
      for (const { error } of failures) expect(error).toMatchObject({ code: 'STORAGE_FAILED' });
    }
  });
});

it('of details that a listing of S3 leaves out, the objects are asked', async () => {
  const proxy = await startFaultyProxy('http://127.0.0.1:9');
  const storage = await (services[0] as Service).open(proxy.url);
  const modified = 'Tue, 01 Dec 2026 10:00:00 GMT';
  proxy.plan = (method, path) => {
    if (method === 'GET')
      return { kind: 'answer', status: 200, body: s3Page('<IsTruncated>false</IsTruncated>') };
    return {
      kind: 'answer',
      status: path === '/data/gc/1' ? 200 : 404,
      headers: { etag: '"a"', 'last-modified': modified },
    };
  };
  const found: unknown[] = [];
  for await (const page of storage.list({ prefix: 'gc/', details: true })) found.push(...page.objects);
  expect(found).toEqual([{ name: 'gc/1', bytes: 0, modifiedAtMs: Date.parse(modified) }]);
  expect(await objectNames(storage, 'gc/')).toEqual(['gc/1']);
  expect(proxy.seen.map((line) => line.split(' ')[0])).toEqual(['GET', 'HEAD', 'GET']);
  await storage.close();
  await proxy.stop();
});

describe('a delete of many on S3', () => {
  const { proxy, given } = useService((services[0] as Service).open);
  const answer = (...keys: string[]) => {
    const deleted = keys.map((key) => `<Deleted><Key>${key}</Key></Deleted>`).join('');
    return { kind: 'answer' as const, status: 200, body: `<DeleteResult>${deleted}</DeleteResult>` };
  };

  it('is done for the names that the answer confirms, and asked again for the others', async () => {
    const asked: number[] = [];
    proxy().plan = (method, path, count) => {
      asked.push(count);
      if (count === 0) return answer('a', 'c');
      return method === 'DELETE' && path.startsWith('/data/b') ? { kind: 'answer', status: 204 } : answer();
    };
    expect(await given().delete(['a', 'b', 'c'])).toEqual([]);
    expect(asked).toHaveLength(2);
  });

  it('has failed for those that no answer ever confirms', async () => {
    proxy().plan = (method) => (method === 'POST' ? answer('a', 'other') : undefined);
    expect(await given().delete(['a', 'b', 'c'])).toMatchObject([
      { name: 'b', error: { code: 'STORAGE_UNAVAILABLE' } },
      { name: 'c', error: { code: 'STORAGE_UNAVAILABLE' } },
    ]);
  });

  it('of one name that is answered by 200, as some servers do, is done once the name is missing', async () => {
    const isThere = {
      kind: 'answer' as const,
      status: 206,
      headers: { etag: '"a"', 'content-range': 'bytes 0-0/1' },
      body: 'x',
    };
    const missing = { kind: 'answer' as const, status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' };
    for (const [look, codes] of [
      [missing, []],
      [isThere, ['STORAGE_FAILED']],
    ] as const) {
      proxy().plan = (method) => (method === 'DELETE' ? { kind: 'answer', status: 200 } : look);
      const failures = await given().delete(['a']);
      expect(failures.map(({ error }) => (error as StowageError).code)).toEqual(codes);
    }
  });

  it('wants to be told of every name', async () => {
    const bodies: string[] = [];
    const { S3Client } = await import('@aws-sdk/client-s3');
    const client = new S3Client({ endpoint: proxy().url, region: 'us-east-1', credentials: KEYS });
    client.middlewareStack.add(
      (next) => (args) => {
        bodies.push(String((args.request as { body?: unknown }).body));
        return next(args);
      },
      { step: 'finalizeRequest' },
    );
    proxy().plan = () => answer('a', 'b');
    const storage = await S3Storage.open({ bucket: 'data', client, singleWriter: true });
    expect(await storage.delete(['a', 'b'])).toEqual([]);
    expect(bodies[0]).toContain('<Key>a</Key>');
    expect(bodies[0]).not.toContain('Quiet');
    client.destroy();
  });
});

/** A storage of the service behind retries, whose requests all go to a proxy that answers by itself. */
function useService(open: Service['open']): { proxy: () => FaultyProxy; given: () => DataStoreStorage } {
  let proxy: FaultyProxy;
  let storage: DataStoreStorage;
  beforeAll(async () => {
    proxy = await startFaultyProxy('http://127.0.0.1:9');
  });
  afterAll(() => proxy.stop());
  beforeEach(async () => {
    storage = new RetryStorage(await open(proxy.url), { sleep: async () => {}, maxAttempts: 3 });
    proxy.seen.length = 0;
    return () => storage.close();
  });
  return { proxy: () => proxy, given: () => storage };
}
