import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openStorage } from '../../src/storage/open.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Driver } from '../../src/storage/s3/driver.ts';
import { checkS3Options, type S3StorageOptions } from '../../src/storage/s3/options.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { errorOf, scratchFolder } from '../flow/fixtures.ts';
import { type FaultyProxy, startFaultyProxy } from '../servers/faulty-proxy.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const text = (value: string) => new TextEncoder().encode(value);
const isSdkLoaded = () =>
  Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('client-s3'));

const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));

describe('the AWS SDK', () => {
  it('is not loaded before a storage is opened, and warns of no version of Node.js then', async () => {
    await openStorage('memory:');
    expect(isSdkLoaded()).toBe(false);
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    await (await S3Storage.open({ bucket: 'data', region: 'us-east-1', credentials })).close();
    expect(isSdkLoaded()).toBe(true);
    await new Promise(setImmediate);
    expect(warnings.filter((warning) => warning.includes('NodeVersionSupport'))).toEqual([]);
    expect(process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED).toBeUndefined();
  });
});

describe('the surroundings', () => {
  beforeEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('without credentials are STORAGE_CREDENTIALS, and say what to set', async () => {
    const error = await errorOf(openStorage('s3://data?region=us-east-1'), 'STORAGE_CREDENTIALS');
    expect(error.message).toMatch(/no credentials were found.*AWS_ACCESS_KEY_ID/);
  });

  it('with a role that may not be assumed are STORAGE_CREDENTIALS, and no matter of the bucket', async () => {
    const folder = scratchFolder();
    const role = 'role_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base';
    const keys = 'aws_access_key_id = key\naws_secret_access_key = secret';
    writeFileSync(
      join(folder, 'config'),
      `[default]\nregion = us-east-1\n${role}\n[profile base]\n${keys}\n`,
    );
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
    const tokens = await startFaultyProxy('http://127.0.0.1:9');
    const said = '<Error><Code>AccessDenied</Code><Message>User is not authorized.</Message></Error>';
    tokens.plan = () => ({ kind: 'answer', status: 403, body: `<ErrorResponse>${said}</ErrorResponse>` });
    vi.stubEnv('AWS_ENDPOINT_URL_STS', tokens.url);
    const error = await errorOf(openStorage('s3://data'), 'STORAGE_CREDENTIALS');
    expect(error.message).toMatch(/gives out credentials refuses.*AWS_ROLE_ARN/);
    expect(tokens.seen.length).toBeGreaterThan(0);
    await tokens.stop();
    await new Promise(setImmediate);
    expect(warnings.filter((warning) => warning.includes('NodeVersionSupport'))).toEqual([]);
  });

  it('without a region are INVALID_ARGUMENT on AWS, and do with an endpoint', async () => {
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    const error = await errorOf(openStorage('s3://data', { s3: { credentials } }), 'INVALID_ARGUMENT');
    expect(error.message).toMatch(/AWS_REGION/);
    const storage = await openStorage('s3://data?endpoint=http://127.0.0.1:9', { s3: { credentials } });
    expect(storage.type).toBe('s3');
    await storage.close();
  });

  it.each([
    ['AWS_ENDPOINT_URL', '127.0.0.1:17070'],
    ['AWS_ENDPOINT_URL_S3', 'localhost:9000'],
  ])(
    'with an endpoint in %s that is no URL say which, and what to write before it',
    async (variable, endpoint) => {
      vi.stubEnv(variable, endpoint);
      const error = await errorOf(openStorage('s3://data'), 'INVALID_ARGUMENT');
      expect(error.message).toContain(`${variable} is "${endpoint}"`);
      expect(error.message).toMatch(/write http:\/\/ or https:\/\/ before the host/);
    },
  );

  it('tell AWS, which is taken at its word, from servers that must show what they do', async () => {
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    const driverTo = async (options: Partial<S3StorageOptions>) => {
      return S3Driver.open(checkS3Options({ bucket: 'data', region: 'eu-west-1', credentials, ...options }));
    };
    expect(await driverTo({})).toMatchObject({
      isAws: true,
      place: 'bucket "data" at data.s3.eu-west-1.amazonaws.com',
    });
    for (const endpoint of ['https://s3.eu-west-1.amazonaws.com', 'https://s3.cn-north-1.amazonaws.com.cn']) {
      expect((await driverTo({ endpoint })).isAws).toBe(true);
    }
    for (const endpoint of ['https://x.r2.cloudflarestorage.com', 'https://amazonaws.com.example.org']) {
      expect((await driverTo({ endpoint })).isAws).toBe(false);
    }
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://localhost:9000');
    expect(await driverTo({})).toMatchObject({ isAws: false, place: 'bucket "data" at localhost:9000' });
  });

  describe('at a server', () => {
    const [server] = s3Servers();
    if (!server) throw new Error('there is always one');
    const inUse = useS3Server(server);
    const singleWriter = !server.isReal;
    let proxy: FaultyProxy;
    beforeEach(async () => {
      proxy = await startFaultyProxy(inUse.access().endpoint);
      return () => proxy.stop();
    });

    it('are found by the SDK itself: endpoint, region and credentials of the environment', async () => {
      const place = await inUse.newPlace();
      vi.stubEnv('AWS_ENDPOINT_URL_S3', proxy.url);
      vi.stubEnv('AWS_REGION', place.region);
      vi.stubEnv('AWS_ACCESS_KEY_ID', place.credentials.accessKeyId);
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', place.credentials.secretAccessKey);
      const storage = await openStorage(`s3://${place.bucket}/${place.prefix}x`, { s3: { singleWriter } });
      expect(await storage.create('a', text('x'))).toBe(true);
      expect(storage.uri('a')).toBe(`s3://${place.bucket}/${place.prefix}x/a`);
      // The bucket is in the path.
      expect(proxy.seen.every((line) => line.includes(` /${place.bucket}`))).toBe(true);
      await storage.close();
    });

    it('openStorage puts retries around it, and a limit of calls within them', async () => {
      const { bucket, prefix, credentials, region } = await inUse.newPlace();
      const address = `s3a://${bucket}/${prefix}?endpoint=${proxy.url}&region=${region}`;
      let waits = 0;
      const sleep = async () => {
        waits += 1;
      };
      const options = { s3: { credentials, singleWriter }, retry: { sleep }, maxInFlight: 2 };
      const storage = await openStorage(address, options);
      expect(storage).toBeInstanceOf(RetryStorage);
      await storage.create('a', text('x'));
      let underWay = 0;
      let most = 0;
      proxy.plan = () => {
        underWay += 1;
        most = Math.max(most, underWay);
        setImmediate(() => {
          underWay -= 1;
        });
        return proxy.seen.length % 3 === 0 ? { kind: 'lost' } : undefined;
      };
      const read = await Promise.all(Array.from({ length: 20 }, () => storage.get('a')));
      expect(read.every((object) => object?.bytes === 1)).toBe(true);
      expect(waits).toBeGreaterThan(3);
      expect(most).toBeLessThanOrEqual(2);
      await storage.close();
      await errorOf(storage.get('a'), 'STORAGE_CLOSED');
    });

    it('need no permission to write for reading: nothing is tried out', async () => {
      const place = await inUse.newPlace();
      const storage = await S3Storage.open({ ...place, endpoint: proxy.url, singleWriter });
      await storage.get('a');
      await storage.head('a');
      for await (const _ of storage.list({ prefix: '' }));
      await storage.delete(['a']);
      expect(proxy.seen.filter((line) => line.startsWith('PUT'))).toEqual([]);
      await storage.close();
    });
  });
});
