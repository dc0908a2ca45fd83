import { mkdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { canonicalAddress, rootOf } from '../../src/storage/canonical-address.ts';
import { namedAddress } from '../../src/storage/named-address.ts';
import { openStorage } from '../../src/storage/open.ts';
import { errorOf } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { scratchFolder } from './scratch.ts';

const folder = scratchFolder();
mkdirSync(join(folder, 'real/raw'), { recursive: true });
symlinkSync(join(folder, 'real'), join(folder, 'link'));

afterEach(() => {
  vi.unstubAllEnvs();
});

async function addressOf(given: string): Promise<{ identity: string; uri: string }> {
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AZURE_STORAGE_KEY', 'a2V5');
  await using storage = await openStorage(given);
  return canonicalAddress(given, storage);
}

/** Addresses that mean one place, by the one they come to. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  [pathToFileURL(join(folder, 'real/raw')).href]: [
    join(folder, 'real/raw'),
    `${join(folder, 'real/raw')}///`,
    join(folder, 'real/../real/./raw'),
    join(folder, 'link/raw'),
    relative(process.cwd(), join(folder, 'real/raw')),
    pathToFileURL(join(folder, 'link/raw')).href,
  ],
  [pathToFileURL(join(folder, 'real/new/deep')).href]: [
    join(folder, 'real/new/deep'),
    join(folder, 'link/new/deep/'),
  ],
  'memory:raw': ['memory:raw'],
  'memory:raw of A/B%': ['memory:raw of A/B%'],
  's3://bucket/a/b': [
    's3://bucket/a/b',
    's3a://bucket/a/b/',
    's3n://bucket//a/b',
    's3://bucket/a/b?endpoint=https://s3.eu-central-1.amazonaws.com',
  ],
  's3://bucket/a?endpoint=http%3A%2F%2F127.0.0.1%3A9000': [
    's3://bucket/a?endpoint=http://127.0.0.1:9000',
    's3a://bucket/a/?endpoint=http%3A%2F%2F127.0.0.1%3A9000/',
    's3://bucket/a?endpoint=HTTP://127.0.0.1:9000',
  ],
  'gs://bucket/a': [
    'gs://bucket/a',
    'gcs://bucket/a/',
    'gs://bucket/a?apiEndpoint=https://storage.googleapis.com',
  ],
  'az://raw/a?endpoint=https%3A%2F%2Facct.blob.core.windows.net': [
    'az://raw/a?account=acct',
    'azure://raw/a/?endpoint=https://acct.blob.core.windows.net',
  ],
  'az://raw/raw?endpoint=http%3A%2F%2F127.0.0.1%3A10000%2Fraw': [
    'az://raw/raw?endpoint=http://127.0.0.1:10000/raw',
    'abfs://raw/raw//?account=raw&endpoint=http://127.0.0.1:10000/raw/',
  ],
};

describe('the one form of an address', () => {
  it.each(Object.entries(SAME))('%s has these spellings', async (canonical, spellings) => {
    const found = await Promise.all(spellings.map(addressOf));
    expect(found.map(({ uri }) => uri)).toEqual(spellings.map(() => canonical));
    expect(new Set(found.map(({ identity }) => identity)).size).toBe(1);
  });

  it('opens the same place again, as what it is itself', async () => {
    for (const canonical of Object.keys(SAME)) expect((await addressOf(canonical)).uri).toBe(canonical);
  });

  it('is told by its text alone, whatever the environment says', async () => {
    const identities = new Map<string, string>();
    for (const uri of [...Object.keys(SAME), 's3://bucket/a?region=eu-west-1', 'gs://bucket']) {
      identities.set(uri, (await addressOf(uri)).identity);
    }
    vi.stubEnv('AWS_ENDPOINT_URL_S3', 'http://localhost:9000/');
    vi.stubEnv('STORAGE_EMULATOR_HOST', 'localhost:4443');
    for (const [uri, identity] of identities) expect(namedAddress(uri)?.identity).toBe(identity);
  });

  it('keeps a host of a customer of AWS, which is no host of S3', async () => {
    const uri = 's3://bucket/a?endpoint=https%3A%2F%2Fminio-1.us-east-1.elb.amazonaws.com';
    expect((await addressOf(uri)).uri).toBe(uri);
  });

  it('differs where places do', async () => {
    const all = [
      ...Object.values(SAME).map(([first]) => first as string),
      's3://bucket/a',
      's3://bucket/A/b',
      'gs://bucket/a/b',
    ];
    const identities = await Promise.all(all.map(async (given) => (await addressOf(given)).identity));
    expect(new Set(identities).size).toBe(all.length);
  });

  it('keeps how to get there, which does not tell places apart', async () => {
    const plain = await addressOf('s3://bucket/a');
    const far = await addressOf('s3://bucket/a?region=us-west-2&forcePathStyle=true');
    expect(far).toEqual({
      identity: plain.identity,
      uri: 's3://bucket/a?region=us-west-2&forcePathStyle=true',
    });
  });

  it('names the endpoint that the environment named, so that others find it too', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', 'http://localhost:9000/');
    expect((await addressOf('s3://bucket/a')).uri).toBe(
      's3://bucket/a?endpoint=http%3A%2F%2Flocalhost%3A9000',
    );
    vi.stubEnv('STORAGE_EMULATOR_HOST', 'localhost:4443');
    expect((await addressOf('gs://bucket/a')).uri).toBe(
      'gs://bucket/a?apiEndpoint=http%3A%2F%2Flocalhost%3A4443',
    );
  });

  it('tells buckets of one name on two servers apart, though only their storages are known', async () => {
    const found = [];
    for (const endpoint of ['http://127.0.0.1:9000', 'http://127.0.0.1:9001', undefined]) {
      vi.stubEnv('AWS_REGION', 'eu-central-1');
      await using storage = await openStorage('s3://bucket/a', {
        s3: { endpoint, credentials: { accessKeyId: 'key', secretAccessKey: 'secret' } },
      });
      found.push(canonicalAddress(rootOf(storage), storage).identity);
    }
    expect(found).toEqual([
      's3://bucket/a?endpoint=http%3A%2F%2F127.0.0.1%3A9000',
      's3://bucket/a?endpoint=http%3A%2F%2F127.0.0.1%3A9001',
      's3://bucket/a',
    ]);
  });

  it('there is none of a storage in memory without a name', async () => {
    expect((await errorOf(addressOf('memory:'), 'INVALID_ARGUMENT')).message).toContain('memory:raw');
  });

  const segment = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
  test.prop([fc.array(segment, { minLength: 1, maxLength: 4 }), fc.nat(3), fc.boolean()], {
    numRuns: propertyRuns,
  })('is the same however many slashes and dots a path has', async (segments, slashes, isUrl) => {
    const path = join(folder, ...segments);
    const spelling = isUrl ? pathToFileURL(path).href : join(folder, '.', ...segments, 'x', '..');
    const [plain, other] = await Promise.all([addressOf(path), addressOf(spelling + '/'.repeat(slashes))]);
    expect(other).toEqual(plain);
  });
});
