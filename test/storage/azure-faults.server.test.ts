import { createHash } from 'node:crypto';
import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { GetOptions, RepeatStep } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { noise } from '../flow/fixtures.ts';
import { type AzurePlace, clientOf, uncommittedBlocks, useAzurite } from '../servers/azure-containers.ts';
import { type FaultyProxy, type ProxyFault, startFaultyProxy } from '../servers/faulty-proxy.ts';

const MIB = 1024 * 1024;
const PART = MIB;
const text = (value: string) => new TextEncoder().encode(value);

/** Faults for the first requests that match, in turn; then none. */
function onRequests(matches: RegExp, ...faults: (ProxyFault | undefined)[]) {
  const left = [...faults];
  return (method: string, path: string) => (matches.test(`${method} ${path}`) ? left.shift() : undefined);
}

/** What the service answers, in its own form. */
function refusal(status: number, code: string, message = code, headers = {}): ProxyFault {
  return {
    kind: 'answer',
    status,
    headers: { 'x-ms-error-code': code, 'content-type': 'application/xml', ...headers },
    body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  };
}

describe('a storage whose way to Azure is bad', () => {
  const azurite = useAzurite();
  let proxy: FaultyProxy;
  let place: AzurePlace;
  let bare: AzureStorage;
  let storage: RetryStorage;

  beforeAll(async () => {
    proxy = await startFaultyProxy(new URL(azurite.endpoint()).origin);
  });
  afterAll(() => proxy.stop());
  beforeEach(async () => {
    proxy.plan = () => undefined;
    place = await azurite.newPlace();
    bare = await AzureStorage.open({ ...place, endpoint: through(proxy.url), partBytes: PART });
    storage = new RetryStorage(bare, { sleep: async () => {} });
    await bare.create('first', text('x'));
    proxy.seen.length = 0;
    return () => storage.close();
  });
  const through = (url: string) => url + new URL(azurite.endpoint()).pathname;

  const body = noise(2 * PART + 100_000);
  const FIRST_BLOCK = /comp=block&/;
  const COMMIT = /comp=blocklist/;
  const requestsOfALargeCreate = {
    'the look before': /^HEAD /,
    'a block': FIRST_BLOCK,
    'the commit': COMMIT,
  };
  it('a client that is passed in and repeats by itself makes no false conflict of an answer that was lost', async () => {
    const connectionString = place.connectionString.replace(azurite.endpoint(), through(proxy.url));
    const containerClient = clientOf({ ...place, connectionString });
    const passedIn = await AzureStorage.open({ containerClient, partBytes: PART });
    proxy.plan = onRequests(/^PUT .*\/mine$/, { kind: 'answer lost' });
    expect(await passedIn.create('mine', text('x'))).toBe(true);
    proxy.plan = onRequests(COMMIT, { kind: 'answer lost' });
    const parts = (async function* () {
      yield body;
    })();
    expect(await passedIn.create('mine-too', parts)).toBe(true);
    expect(await passedIn.create('mine', text('y'))).toBe(false);
    await passedIn.close();
  });

  for (const kind of ['lost', 'answer lost'] as const) {
    it.each(Object.entries(requestsOfALargeCreate))(
      `a stream is stored though %s was hit: ${kind}, twice`,
      async (_, matches) => {
        proxy.plan = onRequests(matches, { kind }, { kind });
        expect(await storage.create('large', streamOf(body))).toBe(true);
        expect(sha256((await storage.get('large'))?.body)).toBe(sha256(body));
        expect(await uncommittedBlocks(place)).toEqual({});
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

  it('bytes in blocks are stored though a block and the answer to the commit were lost', async () => {
    const long = noise(5 * PART + 1);
    proxy.plan = onRequests(/comp=block/, { kind: 'lost' }, ...Array(5), { kind: 'answer lost' });
    expect(await storage.create('large', long)).toBe(true);
    expect(sha256((await storage.get('large'))?.body)).toBe(sha256(long));
    expect(await storage.create('large', long)).toBe(false);
  });

  it('alone, it tries once and says that the service was not reached', async () => {
    proxy.plan = () => ({ kind: 'lost' });
    await expect(bare.get('first')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await expect(bare.create('a', streamOf(text('x')))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
    await expect(bare.delete(['first'])).resolves.toMatchObject([
      { name: 'first', error: { code: 'STORAGE_UNAVAILABLE' } },
    ]);
    await expect(bare.list({ prefix: '' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
    for (const method of ['GET /devstoreaccount1/[^?]*/', 'PUT', 'DELETE', 'GET .*comp=list']) {
      expect(
        proxy.seen.filter((line) => new RegExp(`^${method}`).test(line)),
        method,
      ).toHaveLength(1);
    }
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

  it('a listing that was cut goes on', async () => {
    for (const name of ['b', 'c', 'd']) await bare.create(name, text(name));
    proxy.plan = onRequests(/comp=list/, { kind: 'cut' }, { kind: 'lost' });
    const listed: string[] = [];
    for await (const page of storage.list({ prefix: '' }))
      listed.push(...page.objects.map(({ name }) => name));
    expect(listed).toEqual(['b', 'c', 'd', 'first']);
  });

  it('an object that is replaced while it is read is not read half and half, but again', async () => {
    const replacement = noise(body.length, 7);
    let isReplaced = false;
    class Meddling extends StorageDecorator {
      override get(name: string, options: GetOptions = {}) {
        const { repeatStep: repeat = (step) => step() } = options;
        const repeatStep: RepeatStep = async (step) => {
          if (!isReplaced) await bare.overwrite(name, replacement);
          isReplaced = true;
          return repeat(step);
        };
        return this.inner.get(name, { ...options, repeatStep });
      }
    }
    await bare.overwrite('beat', body);
    await expect(new Meddling(bare).get('beat')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/replaced/),
    });
    isReplaced = false;
    await bare.overwrite('beat', body);
    proxy.seen.length = 0;
    const patient = new RetryStorage(new Meddling(bare), { sleep: async () => {} });
    expect(sha256((await patient.get('beat'))?.body)).toBe(sha256(replacement));
    // In three parts each time, and none of them over and over.
    expect(proxy.seen.filter((line) => line.startsWith('GET')).length).toBeLessThanOrEqual(6);
  });

  it('waits as long as the service asks for', async () => {
    const waitsMs: number[] = [];
    const patient = new RetryStorage(bare, { sleep: async (ms) => void waitsMs.push(ms), random: () => 0 });
    const busy = refusal(503, 'ServerBusy', 'Ingress is over the account limit.', { 'retry-after': '7' });
    proxy.plan = onRequests(/^GET /, busy, busy);
    expect(await patient.get('first')).toBeDefined();
    proxy.plan = onRequests(/^PUT /, busy);
    expect(await patient.create('a', text('a'))).toBe(true);
    expect(waitsMs).toEqual([7000, 7000, 7000]);
  });

  it('tries again what the service could not do, and what only a proxy answered', async () => {
    for (const fault of [
      refusal(500, 'InternalError'),
      refusal(500, 'OperationTimedOut'),
      { kind: 'answer', status: 502, body: '<html><body>Bad Gateway</body></html>' } as const,
      { kind: 'answer', status: 504 } as const,
      { kind: 'answer', status: 429 } as const,
    ]) {
      for (const call of [
        () => storage.get('first'),
        () => storage.head('first'),
        () => storage.create(`new-${Math.random()}`, text('x')),
      ]) {
        proxy.plan = onRequests(/./, fault);
        expect(await call()).toBeTruthy();
      }
    }
  });

  it('a conflict that is not "exists" is an error, unless the blob is there', async () => {
    for (const [status, code] of [
      [409, 'BlobImmutableDueToPolicy'],
      [412, 'LeaseIdMissing'],
      [409, 'InvalidBlobType'],
    ] as const) {
      for (const [matches, content] of [
        [/^PUT /, () => text('x')],
        [COMMIT, () => streamOf(body)],
      ] as const) {
        const name = `${code}-${content().constructor.name}`;
        proxy.plan = onRequests(matches, refusal(status, code));
        await expect(storage.create(name, content())).rejects.toMatchObject({ details: { azureCode: code } });
        proxy.plan = () => undefined;
        expect(await storage.create(name, content())).toBe(true);
        proxy.plan = onRequests(matches, refusal(status, code));
        expect(await storage.create(name, content())).toBe(false);
      }
    }
  });

  it('412 and 403 of a SAS that may only create mean "exists" when something is created', async () => {
    for (const [status, code] of [
      [412, 'ConditionNotMet'],
      [403, 'UnauthorizedBlobOverwrite'],
    ] as const) {
      proxy.plan = onRequests(/^PUT /, refusal(status, code));
      expect(await bare.create('a', text('a'))).toBe(false);
      proxy.plan = onRequests(COMMIT, refusal(status, code));
      expect(await bare.create('a', streamOf(body))).toBe(false);
    }
    proxy.plan = onRequests(/^PUT /, refusal(403, 'UnauthorizedBlobOverwrite'));
    await expect(bare.overwrite('a', text('a'))).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' });
    const lease = refusal(412, 'LeaseIdMissing', 'There is currently a lease on the blob.');
    proxy.plan = onRequests(/^PUT /, lease);
    await expect(bare.overwrite('a', text('a'), { ifMatch: '"0x1"' })).rejects.toMatchObject({
      code: 'STORAGE_NOT_PERMITTED',
    });
  });

  it('looks who wrote where the service hung up on a write', async () => {
    proxy.plan = onRequests(/^PUT /, { kind: 'answer lost' }, { kind: 'lost' }, { kind: 'lost' });
    expect(await bare.create('a', text('mine'))).toBe(true);
    expect(await bare.create('a', text('mine'))).toBe(false);
    await expect(bare.create('b', text('mine'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
  });

  it('gives up a large create when a block is given up', async () => {
    const isSecondBlock = (path: string): boolean => {
      const id = new URL(path, proxy.url).searchParams.get('blockid') ?? '';
      return Buffer.from(id, 'base64').toString().endsWith('-000001');
    };
    proxy.plan = (_, path) => (isSecondBlock(path) ? { kind: 'lost' } : undefined);
    const few = new RetryStorage(bare, { sleep: async () => {}, maxAttempts: 3 });
    for (const content of [noise(5 * PART + 1), streamOf(noise(5 * PART + 1))]) {
      proxy.seen.length = 0;
      await expect(few.create('a', content)).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        details: { operation: 'create', name: 'a', attempts: 3 },
      });
      expect(proxy.seen.filter((line) => isSecondBlock(line.split(' ')[1] as string))).toHaveLength(3);
      expect(proxy.seen.filter((line) => COMMIT.test(line))).toEqual([]);
    }
    proxy.plan = () => undefined;
    expect(await bare.head('a')).toBeUndefined();
  });

  it('reports the names that a delete did not reach, and deletes them when it is repeated', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) await bare.create(name, text(name));
    proxy.plan = onRequests(/^DELETE .*\/b$/, { kind: 'lost' }, { kind: 'answer lost' });
    const failures = await bare.delete(names);
    expect(failures).toMatchObject([{ name: 'b', error: { code: 'STORAGE_UNAVAILABLE' } }]);
    expect(await storage.delete(names)).toEqual([]);
    expect(await bare.head('b')).toBeUndefined();
  });

  it('reports what must not be deleted', async () => {
    const blob = clientOf(place).getBlobClient('first');
    const lease = blob.getBlobLeaseClient();
    await lease.acquireLease(-1);
    await expect(storage.delete(['first', 'gone'])).resolves.toMatchObject([
      { name: 'first', error: { code: 'STORAGE_NOT_PERMITTED', details: { azureCode: 'LeaseIdMissing' } } },
    ]);
    await lease.releaseLease();
    await blob.createSnapshot();
    await expect(storage.delete(['first'])).resolves.toMatchObject([
      { name: 'first', error: { code: 'STORAGE_NOT_PERMITTED', details: { azureCode: 'SnapshotsPresent' } } },
    ]);
    expect(await storage.head('first')).toBeDefined();
  });

  it('an overwrite whose answer was lost is its own', async () => {
    const version = await bare.overwrite('beat', text('1'));
    proxy.plan = onRequests(/^PUT /, { kind: 'answer lost' });
    const next = await storage.overwrite('beat', text('2'), { ifMatch: version });
    expect((await bare.head('beat'))?.version).toBe(next);
  });

  it.each(['none', '*', '"a", "b"', ''])('%j is no version of any object', async (ifMatch) => {
    await expect(bare.overwrite('first', text('y'), { ifMatch })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    expect((await bare.get('first'))?.body).toEqual(text('x'));
  });

  it('refuses an account with a hierarchical namespace as soon as it shows', async () => {
    const isFile = { 'x-ms-resource-type': 'file', etag: '"0x1"', 'last-modified': new Date().toUTCString() };
    proxy.plan = onRequests(/^HEAD /, { kind: 'answer', status: 200, headers: isFile });
    await expect(storage.head('first')).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' });
    proxy.plan = onRequests(/^GET /, { kind: 'answer', status: 206, headers: isFile, body: 'x' });
    await expect(storage.get('first')).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' });
    const listing =
      '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="" ContainerName="c"><Blobs><Blob>' +
      `<Name>flows</Name><Properties><Last-Modified>${new Date().toUTCString()}</Last-Modified><Etag>0x1</Etag>` +
      '<ResourceType>directory</ResourceType><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>' +
      '</Properties></Blob></Blobs><NextMarker /></EnumerationResults>';
    const headers = { 'content-type': 'application/xml' };
    proxy.plan = onRequests(/comp=list/, { kind: 'answer', status: 200, headers, body: listing });
    await expect(storage.list({ prefix: '' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'STORAGE_UNSUPPORTED',
      message: expect.stringMatching(/hierarchical namespace/),
    });
  });

  it('bytes that change on their way are not stored', async () => {
    const target = new URL(azurite.endpoint());
    let isFlipping = true;
    const flipping = createHttpServer((incoming, outgoing) => {
      const { method, headers, url = '' } = incoming;
      const onward = request(new URL(url, target), { method, headers }, (back) => {
        outgoing.writeHead(back.statusCode ?? 502, back.headers);
        back.pipe(outgoing);
      });
      let at = 0;
      incoming.on('data', (chunk: Buffer) => {
        if (isFlipping && at === 0 && !url.includes('blocklist')) chunk[0] = (chunk[0] as number) ^ 1;
        at += chunk.length;
        onward.write(chunk);
      });
      incoming.on('end', () => onward.end());
    });
    await new Promise<void>((resolve) => flipping.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(flipping.address() as AddressInfo).port}`;
    const changed = await AzureStorage.open({ ...place, endpoint: through(url), partBytes: PART });
    const expected = {
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/not those that were sent/),
    };
    await expect(changed.create('a', text('some bytes'))).rejects.toMatchObject(expected);
    await expect(changed.create('a', streamOf(body))).rejects.toMatchObject(expected);
    await expect(changed.overwrite('a', text('some bytes'))).rejects.toMatchObject(expected);
    expect(await changed.head('a')).toBeUndefined();
    isFlipping = false;
    expect(await changed.create('a', streamOf(body))).toBe(true);
    await changed.close();
    flipping.closeAllConnections();
    await new Promise((resolve) => flipping.close(resolve));
  });

  it('ends a request on which nothing moves, before the answer and in its body', async () => {
    let hello = '';
    const silent = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.write(hello));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const waiting = await AzureStorage.open({ ...place, endpoint: through(url), requestTimeoutMs: 300 });
    await expect(waiting.get('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await expect(waiting.create('a', text('x'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    hello =
      'HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/10\r\nETag: "0x1"\r\n' +
      `Last-Modified: ${new Date().toUTCString()}\r\n\r\n12345`;
    await expect(waiting.get('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await waiting.close();
    await new Promise((resolve) => silent.close(resolve));
  });
});

async function* streamOf(bytes: Uint8Array, chunkBytes = 1_000_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? 'nothing')
    .digest('hex');
}
