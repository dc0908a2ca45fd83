import * as sdk from '@azure/storage-blob';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { findAccount } from '../../src/storage/azure/account.ts';
import { accountOfEndpoint, blobUri, parseAzureAddress } from '../../src/storage/azure/address.ts';
import { type AzureStorageOptions, checkAzureOptions } from '../../src/storage/azure/options.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import { errorOf } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { AZURITE_ACCOUNT, AZURITE_KEY } from '../servers/azurite.ts';

const credential = { getToken: async () => null };
const CONNECTION = `DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=${AZURITE_KEY};EndpointSuffix=core.windows.net`;

describe('an address', () => {
  const host = 'https://acct.blob.core.windows.net';
  it.each([
    ['az://data', { container: 'data', prefix: '' }],
    ['AZURE://data/', { container: 'data', prefix: '' }],
    ['az://data/a/b c/%2E/é', { container: 'data', prefix: 'a/b c/%2E/é' }],
    ['abfs://data/a', { container: 'data', prefix: 'a' }],
    ['az://data/a?account=acct', { container: 'data', prefix: 'a', account: 'acct' }],
    [
      'az://data?endpoint=http://127.0.0.1:10000/dev',
      { container: 'data', prefix: '', endpoint: 'http://127.0.0.1:10000/dev' },
    ],
    [
      'az://acct.blob.core.windows.net/data/a/b',
      { container: 'data', prefix: 'a/b', account: 'acct', endpoint: host },
    ],
    [
      'az://acct.blob.core.windows.net/data',
      { container: 'data', prefix: '', account: 'acct', endpoint: host },
    ],
    [
      'abfss://data@acct.dfs.core.windows.net/a',
      { container: 'data', prefix: 'a', account: 'acct', endpoint: host },
    ],
    [
      'abfss://data@acct.z12.blob.storage.azure.net',
      { container: 'data', prefix: '', account: 'acct', endpoint: 'https://acct.z12.blob.storage.azure.net' },
    ],
    [
      'az://data@files.example.com/a',
      { container: 'data', prefix: 'a', endpoint: 'https://files.example.com' },
    ],
  ])('%s is understood', (uri, expected) => {
    expect(parseAzureAddress(uri)).toEqual(expected);
  });

  it.each([
    ['az://', /names no container/],
    ['az:data', /names no container/],
    ['az:///data', /names no container/],
    ['az://acct.blob.core.windows.net', /names no container/],
    ['az://acct.blob.core.windows.net/', /names no container/],
    ['az://127.0.0.1:10000/dev/data', /\?endpoint=/],
    ['az://data?tier=Hot', /account= and endpoint=/],
    ['az://acct.blob.core.windows.net/data?account=other', /two of account/],
  ])('%s is refused', (uri, message) => {
    expect(() => parseAzureAddress(uri)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    'az://me:secret@data/a',
    'az://acct:secret@data@host.net/a',
    'az://data?sv=2024&sig=secret',
    'az://data/a?key=secret',
  ])('no secret of it is repeated', (uri) => {
    expect(() => parseAzureAddress(uri)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => parseAzureAddress(uri)).not.toThrow(/secret/);
  });

  it('tells the account of an endpoint, where it can', () => {
    expect(accountOfEndpoint('https://acct.blob.core.chinacloudapi.cn/')).toBe('acct');
    expect(accountOfEndpoint('http://127.0.0.1:10000/devstoreaccount1')).toBe('devstoreaccount1');
    expect(accountOfEndpoint('http://azurite:10000/acct/')).toBe('acct');
    expect(accountOfEndpoint('http://[::1]:10000/acct')).toBe('acct');
    expect(accountOfEndpoint('http://127.0.0.1:10000/')).toBeUndefined();
    expect(accountOfEndpoint('https://files.example.com/acct')).toBeUndefined();
    expect(accountOfEndpoint('nonsense')).toBeUndefined();
  });

  it('of an object holds no SAS, and can be read back', () => {
    const uri = blobUri('https://acct.blob.core.windows.net/data?sv=1&sig=secret', "a b/#?%/é+'");
    expect(uri).toBe("https://acct.blob.core.windows.net/data/a%20b/%23%3F%25/%C3%A9%2B'");
  });
});

describe('options', () => {
  const valid: AzureStorageOptions = { container: 'data', account: 'acct', accountKey: AZURITE_KEY };
  const client = new ContainerClient('https://acct.blob.core.windows.net/data');

  it.each<[string, Partial<Record<keyof AzureStorageOptions | 'region', unknown>>, RegExp]>([
    ['one that is not known', { region: 'x' }, /has no option region/],
    ['no container', { container: undefined }, /no name of a container/],
    ['a container with capitals', { container: 'Data' }, /no name of a container/],
    ['a container with two hyphens', { container: 'da--ta' }, /no name of a container/],
    ['a short container', { container: 'da' }, /no name of a container/],
    ['two credentials', { sasToken: 'sv=1' }, /accountKey and sasToken are given/],
    ['a tier that must be restored', { tier: 'Archive' }, /none of Hot, Cool, Cold/],
    [
      'parts that are too small',
      { partBytes: 1000 },
      /partBytes of AzureStorage.open must be a whole number of bytes from 1048576/,
    ],
    ['no concurrency', { concurrency: 0 }, /concurrency of AzureStorage.open must be an integer from 1/],
    [
      'no time',
      { requestTimeoutMs: Number.NaN },
      /requestTimeoutMs of AzureStorage.open must be whole milliseconds/,
    ],
    [
      'a client and an account',
      { accountKey: undefined, containerClient: client },
      /leave account and endpoint out/,
    ],
    [
      'a client of another container',
      { account: undefined, accountKey: undefined, containerClient: client, container: 'other' },
      /of the container "data"/,
    ],
  ])('%s is refused', async (_, wrong, message) => {
    const options = { ...valid, ...wrong } as AzureStorageOptions;
    const error = await errorOf(() => AzureStorage.open(options), 'INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain(AZURITE_KEY);
  });

  it('a prefix that no object could have is refused', async () => {
    for (const prefix of ['a//b', '../a', 'a\\b']) {
      await errorOf(() => AzureStorage.open({ ...valid, prefix }), 'INVALID_ARGUMENT');
    }
  });
});

describe('account and credentials', () => {
  const find = (options: AzureStorageOptions, env: NodeJS.ProcessEnv = {}) =>
    findAccount(sdk, checkAzureOptions({ container: 'data', ...options }), env);
  const keyOf = (account: string) => expect.objectContaining({ accountName: account });
  const blobs = (account: string) => `https://${account}.blob.core.windows.net`;

  it('come from the options', async () => {
    expect(await find({ connectionString: CONNECTION })).toEqual({
      endpoint: blobs('mine'),
      credential: keyOf('mine'),
    });
    expect(await find({ account: 'acct', accountKey: AZURITE_KEY })).toEqual({
      endpoint: blobs('acct'),
      credential: keyOf('acct'),
    });
    expect(await find({ account: 'acct', sasToken: '?sv=1&sig=2' })).toEqual({
      endpoint: blobs('acct'),
      sas: 'sv=1&sig=2',
    });
    expect(await find({ account: 'acct', credential })).toEqual({ endpoint: blobs('acct'), credential });
    const endpoint = 'https://acct.blob.core.usgovcloudapi.net/';
    expect(await find({ endpoint, accountKey: AZURITE_KEY })).toEqual({
      endpoint: endpoint.slice(0, -1),
      credential: keyOf('acct'),
    });
    const local = `http://127.0.0.1:10000/${AZURITE_ACCOUNT}`;
    expect(await find({ connectionString: 'UseDevelopmentStorage=true' })).toEqual({
      endpoint: local,
      credential: keyOf(AZURITE_ACCOUNT),
    });
    expect(
      await find({ connectionString: CONNECTION, endpoint: 'https://blobs.example.com/mine-and-yours' }),
    ).toEqual({
      endpoint: 'https://blobs.example.com/mine-and-yours',
      credential: keyOf('mine'),
    });
  });

  it('come from the environment, if it is of the same account', async () => {
    const mine = { endpoint: blobs('mine'), credential: keyOf('mine') };
    const ofMine = { AZURE_STORAGE_CONNECTION_STRING: CONNECTION };
    expect(await find({}, ofMine)).toEqual(mine);
    expect(await find({ account: 'mine' }, ofMine)).toEqual(mine);
    expect(await find({ endpoint: blobs('mine') }, ofMine)).toEqual(mine);
    const key = { AZURE_STORAGE_ACCOUNT: 'mine', AZURE_STORAGE_KEY: AZURITE_KEY };
    expect(await find({}, key)).toEqual(mine);
    expect(await find({ account: 'acct' }, { AZURE_STORAGE_KEY: AZURITE_KEY })).toEqual({
      endpoint: blobs('acct'),
      credential: keyOf('acct'),
    });
    expect(await find({}, { AZURE_STORAGE_ACCOUNT: 'mine', AZURE_STORAGE_SAS_TOKEN: 'sv=1' })).toEqual({
      endpoint: blobs('mine'),
      sas: 'sv=1',
    });
    expect(await find({ credential }, { ...key })).toEqual({ endpoint: blobs('mine'), credential });
  });

  it('of another account in the environment do not count', async () => {
    for (const env of [
      { AZURE_STORAGE_CONNECTION_STRING: CONNECTION },
      { AZURE_STORAGE_ACCOUNT: 'mine', AZURE_STORAGE_KEY: AZURITE_KEY },
      { AZURE_STORAGE_ACCOUNT: 'mine', AZURE_STORAGE_SAS_TOKEN: 'sv=1' },
    ]) {
      const found = await find({ account: 'acct' }, env);
      expect(found.endpoint).toBe(blobs('acct'));
      expect(found.sas).toBeUndefined();
      expect(found.credential).not.toBeInstanceOf(StorageSharedKeyCredential);
      expect(found.credential).toHaveProperty('getToken');
    }
  });

  it.each<[string, AzureStorageOptions, RegExp]>([
    ['nothing that says which account', {}, /which account/],
    [
      'a key without an account',
      { accountKey: AZURITE_KEY, endpoint: 'https://files.example.com' },
      /name of its account/,
    ],
    ['a key that is none', { account: 'acct', accountKey: 'my password' }, /not Base64/],
    ['an account that is none', { account: 'My-Account', accountKey: AZURITE_KEY }, /no name of an account/],
    [
      'an endpoint that is none',
      { account: 'acct', accountKey: AZURITE_KEY, endpoint: 'acct.blob.core.windows.net' },
      /no URL/,
    ],
    [
      'an endpoint with a SAS',
      { endpoint: 'https://acct.blob.core.windows.net/?sv=1&sig=password' },
      /as sasToken/,
    ],
    ['a connection string that is none', { connectionString: 'AccountName=x' }, /cannot be used/],
    [
      'a connection string of another account',
      { connectionString: CONNECTION, account: 'acct' },
      /account "mine", not of "acct"/,
    ],
  ])('%s is refused', async (_, options, message) => {
    const error = await errorOf(find(options), 'INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain(AZURITE_KEY);
    expect(error.message).not.toContain('password');
  });
});

describe('a storage', () => {
  const azurite = useAzurite();

  it('is opened by its address, or with a client, which stays the caller’s', async () => {
    const place = await azurite.newPlace();
    const address = `az://${place.container}/some/prefix?endpoint=${azurite.endpoint()}`;
    const storage = await AzureStorage.open(address, { accountKey: AZURITE_KEY });
    expect(await storage.create('a', new Uint8Array(3))).toBe(true);
    expect(storage.uri('a')).toBe(`${azurite.endpoint()}/${place.container}/some/prefix/a`);
    const containerClient = new ContainerClient(place.connectionString, place.container, {
      retryOptions: { maxTries: 1 },
    });
    const other = await AzureStorage.open({ containerClient });
    expect((await other.head('some/prefix/a'))?.bytes).toBe(3);
    await other.close();
    expect(await containerClient.getBlobClient('some/prefix/a').exists()).toBe(true);
    await storage.close();
  });

  it('keeps what it is told of media type and tier', async () => {
    const place = await azurite.newPlace();
    const storage = await AzureStorage.open({ ...place, tier: 'Cool', partBytes: 1024 * 1024 });
    await storage.create('page.html', new Uint8Array(3), { contentType: 'text/html' });
    await storage.create('large', new Uint8Array(5 * 1024 * 1024));
    const container = new ContainerClient(place.connectionString, place.container);
    const page = await container.getBlobClient('page.html').getProperties();
    expect(page).toMatchObject({ contentType: 'text/html', accessTier: 'Cool', blobType: 'BlockBlob' });
    const large = await container.getBlobClient('large').getProperties();
    expect(large).toMatchObject({ contentType: 'application/octet-stream', accessTier: 'Cool' });
    await storage.close();
  });
});
