import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StowageErrorCode } from '../../src/errors.ts';
import { defaultCredential } from '../../src/storage/azure/identity.ts';
import type { AzureStorageOptions } from '../../src/storage/azure/options.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import { errorOf } from '../flow/fixtures.ts';
import { type AzurePlace, useAzurite } from '../servers/azure-containers.ts';
import { AZURITE_ACCOUNT, AZURITE_KEY } from '../servers/azurite.ts';
import { type FaultyProxy, startFaultyProxy } from '../servers/faulty-proxy.ts';

const WRONG_KEY = Buffer.alloc(64, 7).toString('base64');
const HOUR_MS = 3_600_000;
const text = (value: string) => new TextEncoder().encode(value);

describe('what goes wrong with Azure', () => {
  const azurite = useAzurite();
  let place: AzurePlace;
  beforeAll(async () => {
    place = await azurite.newPlace();
    const storage = await AzureStorage.open({ ...place });
    await storage.create('a', text('a'));
    await storage.close();
  });

  const sas = (
    options: { fromMs?: number; untilMs?: number; permissions?: string; container?: string } = {},
  ) =>
    generateBlobSASQueryParameters(
      {
        containerName: options.container ?? place.container,
        permissions: ContainerSASPermissions.parse(options.permissions ?? 'racwdl'),
        startsOn: new Date(Date.now() + (options.fromMs ?? -HOUR_MS)),
        expiresOn: new Date(Date.now() + (options.untilMs ?? HOUR_MS)),
      },
      new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY),
    ).toString();

  const withoutKey = () => ({ container: place.container, endpoint: azurite.endpoint() });

  /** Every operation of a storage with these options fails with the code, and its message says so. */
  async function expectAll(
    options: AzureStorageOptions,
    code: StowageErrorCode,
    message: RegExp,
    operations = ['get', 'head', 'list', 'create', 'overwrite', 'delete'],
  ): Promise<void> {
    const storage = await AzureStorage.open(options);
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => storage.get('a'),
      head: () => storage.head('a'),
      list: () => storage.list({ prefix: '' })[Symbol.asyncIterator]().next(),
      create: () => storage.create('new', text('new')),
      overwrite: () => storage.overwrite('new', text('new')),
      delete: async () => {
        const [failure] = await storage.delete(['a']);
        throw failure?.error ?? new Error('nothing failed');
      },
    };
    for (const operation of operations) {
      const error = await errorOf(calls[operation] as () => Promise<unknown>);
      expect({ operation, code: error.code, message: error.message }).toEqual({
        operation,
        code,
        message: expect.stringMatching(message),
      });
      for (const secret of [AZURITE_KEY, WRONG_KEY, 'sig=']) expect(error.message).not.toContain(secret);
    }
    await storage.close();
  }

  it('no such container', () =>
    expectAll({ ...place, container: 'there-is-none' }, 'NO_SUCH_BUCKET', /no such container.*create it/));

  it('no such account at the endpoint', () =>
    expectAll(
      {
        container: place.container,
        account: 'other',
        accountKey: WRONG_KEY,
        endpoint: azurite.endpoint().replace(AZURITE_ACCOUNT, 'other'),
      },
      'NO_SUCH_BUCKET',
      /no such account/,
    ));

  it('a wrong key', () =>
    expectAll(
      { ...withoutKey(), accountKey: WRONG_KEY },
      'STORAGE_CREDENTIALS',
      /key, the signature or the token is wrong/,
    ));

  it('a SAS that has expired, or was signed by a wrong key', async () => {
    const options = withoutKey();
    await expectAll(
      { ...options, sasToken: sas({ fromMs: -9 * HOUR_MS, untilMs: -HOUR_MS }) },
      'STORAGE_CREDENTIALS',
      /expired.*pass a new one/,
    );
    const forged = sas().replace(/sig=[^&]*/, `sig=${encodeURIComponent(WRONG_KEY)}`);
    await expectAll({ ...options, sasToken: forged }, 'STORAGE_CREDENTIALS', /is wrong/);
  });

  it('a SAS that may not do it; what it may do it does', async () => {
    const options = { ...withoutKey(), sasToken: `?${sas({ permissions: 'rl' })}` };
    await expectAll(options, 'STORAGE_NOT_PERMITTED', /Storage Blob Data Contributor/, [
      'create',
      'overwrite',
      'delete',
    ]);
    const storage = await AzureStorage.open(options);
    expect((await storage.get('a'))?.body).toEqual(text('a'));
    expect(await storage.head('missing')).toBeUndefined();
    expect(storage.uri('a')).toBe(`${azurite.endpoint()}/${place.container}/a`);
    await storage.close();
    const { connectionString: _, ...named } = place;
    const ofSas = `BlobEndpoint=${azurite.endpoint()};SharedAccessSignature=${sas()};AccountName=${AZURITE_ACCOUNT}`;
    const writer = await AzureStorage.open({ ...named, connectionString: ofSas });
    expect(await writer.create('by-sas', text('x'))).toBe(true);
    expect(await writer.delete(['by-sas'])).toEqual([]);
    await writer.close();
  });

  it('tokens by an unencrypted connection', () => {
    const credential = {
      getToken: async () => ({ token: 'secret', expiresOnTimestamp: Date.now() + HOUR_MS }),
    };
    return expectAll({ ...withoutKey(), credential }, 'INVALID_ARGUMENT', /https:/);
  });

  it('a credential that gives no token', async () => {
    const why = Object.assign(new Error('No subscription. Run az login.'), {
      name: 'CredentialUnavailableError',
    });
    const credential = { getToken: () => Promise.reject(why) };
    const endpoint = azurite.endpoint().replace('http:', 'https:');
    await expectAll(
      { ...withoutKey(), endpoint, credential },
      'STORAGE_CREDENTIALS',
      /no credentials were found.*az login/s,
    );
  });

  it('no credentials at all: those of @azure/identity are tried, and say what they miss', async () => {
    const env = { ...process.env };
    for (const name of Object.keys(process.env))
      if (/^(AZURE|MSI|IDENTITY)_/.test(name)) delete process.env[name];
    // Only what looks into the environment, and not for services in the network.
    process.env.AZURE_TOKEN_CREDENTIALS = 'EnvironmentCredential';
    try {
      const endpoint = azurite.endpoint().replace('http:', 'https:');
      const options = { container: place.container, endpoint };
      await expectAll(options, 'STORAGE_CREDENTIALS', /no credentials were found.*AZURE_CLIENT_ID/s, ['get']);
    } finally {
      process.env = env;
    }
  });

  it('no credentials, and no @azure/identity', async () => {
    const missing = '@azure/identity-that-nobody-installed';
    const error = await errorOf(
      defaultCredential(() => import(missing)),
      'STORAGE_CREDENTIALS',
    );
    expect(error.message).toMatch(/npm install @azure\/identity/);
    expect(error.details).toEqual({ package: '@azure/identity' });
  });

  describe('at a wrong endpoint', () => {
    it('nobody listens, which may pass', () =>
      expectAll(
        { ...withoutKey(), endpoint: `http://127.0.0.1:9/${AZURITE_ACCOUNT}`, accountKey: WRONG_KEY },
        'STORAGE_UNAVAILABLE',
        /ECONNREFUSED/,
      ));

    it('there is no such host', () =>
      expectAll(
        {
          container: place.container,
          account: 'nosuchaccount',
          endpoint: 'https://nosuchaccount.blob.invalid',
          accountKey: WRONG_KEY,
        },
        'STORAGE_FAILED',
        /no host of that name/,
      ));

    it('it speaks no TLS', () =>
      expectAll(
        { ...withoutKey(), endpoint: azurite.endpoint().replace('http:', 'https:'), accountKey: WRONG_KEY },
        'STORAGE_FAILED',
        /TLS/,
      ));

    it.each([200, 404])('it is another server, which answers %i', async (status) => {
      const server = createServer((incoming, outgoing) => {
        incoming.resume().on('end', () => {
          outgoing.writeHead(status, { 'content-type': 'text/html' }).end('<!doctype html><p>Welcome<br>');
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${AZURITE_ACCOUNT}`;
      const operations = status === 200 ? ['get', 'head'] : undefined;
      await expectAll(
        { ...withoutKey(), endpoint, accountKey: WRONG_KEY },
        'STORAGE_FAILED',
        /not one of Azure/,
        operations,
      );
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
  });

  describe('what only the real service says', () => {
    let proxy: FaultyProxy;
    beforeAll(async () => {
      proxy = await startFaultyProxy(new URL(azurite.endpoint()).origin);
    });
    afterAll(() => proxy.stop());

    it.each<[number, string, StowageErrorCode, RegExp, string?]>([
      [
        403,
        'AuthenticationFailed',
        'STORAGE_CREDENTIALS',
        /is wrong/,
        'The MAC signature found in the HTTP request is not the same.',
      ],
      [
        403,
        'AuthenticationFailed',
        'STORAGE_CREDENTIALS',
        /pass a new one/,
        'Signature not valid in the specified time frame',
      ],
      [403, 'AuthenticationFailed', 'STORAGE_CREDENTIALS', /set the clock/, 'Request date header too old'],
      [
        401,
        'InvalidAuthenticationInfo',
        'STORAGE_CREDENTIALS',
        /pass a new one/,
        'Lifetime validation failed. The token is expired.',
      ],
      [401, 'NoAuthenticationInformation', 'STORAGE_CREDENTIALS', /no credentials/],
      [403, 'KeyBasedAuthenticationNotPermitted', 'STORAGE_CREDENTIALS', /Entra ID/],
      [403, 'AuthorizationFailure', 'STORAGE_NOT_PERMITTED', /network rules/],
      [403, 'AuthorizationPermissionMismatch', 'STORAGE_NOT_PERMITTED', /Storage Blob Data Reader/],
      [403, 'AccountIsDisabled', 'STORAGE_NOT_PERMITTED', /disabled/],
      [403, 'SomethingNew', 'STORAGE_NOT_PERMITTED', /may not do that/],
      [400, 'AccountRequiresHttps', 'INVALID_ARGUMENT', /https:/],
      [400, 'InvalidUri', 'INVALID_NAME', /1,024 characters and 254 segments/],
      [400, 'OutOfRangeInput', 'INVALID_NAME', /254 segments/],
      [409, 'BlobArchived', 'STORAGE_FAILED', /archive tier/],
      [409, 'ContainerBeingDeleted', 'NO_SUCH_BUCKET', /no such container/],
      [409, 'SystemInUse', 'STORAGE_UNAVAILABLE', /try again/],
      [503, 'ServerBusy', 'STORAGE_UNAVAILABLE', /too much at a time/],
      [507, 'SomethingNew', 'STORAGE_FULL', /make room/],
      [418, 'SomethingNew', 'STORAGE_FAILED', /see the cause/],
    ])('%i %s is %s: %s', async (status, azureCode, code, message, detail) => {
      const storage = await AzureStorage.open({ ...place, endpoint: `${proxy.url}/${AZURITE_ACCOUNT}` });
      const said = `<AuthenticationErrorDetail>${detail}</AuthenticationErrorDetail>`;
      const body = `<?xml version="1.0"?><Error><Code>${azureCode}</Code><Message>No.\nTime:now</Message>${detail ? said : ''}</Error>`;
      const headers = {
        'x-ms-error-code': azureCode,
        'content-type': 'application/xml',
        'x-ms-request-id': 'r7',
      };
      proxy.plan = () => ({ kind: 'answer', status, headers, body });
      for (const call of [() => storage.get('a'), () => storage.head('a')]) {
        const error = await errorOf(call, code);
        expect(error.message).toMatch(message);
        expect(error.details).toMatchObject({ name: 'a', azureCode, status, requestId: 'r7' });
      }
      await storage.close();
    });

    it('a clock that is far off is told by the time of the answer', async () => {
      const storage = await AzureStorage.open({ ...place, endpoint: `${proxy.url}/${AZURITE_ACCOUNT}` });
      const date = new Date(Date.now() - HOUR_MS).toUTCString();
      const headers = { 'x-ms-error-code': 'AuthenticationFailed', date };
      proxy.plan = () => ({ kind: 'answer', status: 403, headers });
      expect((await errorOf(storage.head('a'), 'STORAGE_CREDENTIALS')).message).toMatch(/set the clock/);
      await storage.close();
    });
  });
});
