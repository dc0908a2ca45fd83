import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { isTrusted } from '../../src/content/places/named-places.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { encodePlace, placeIdOf, placeRecordName } from '../../src/format/place-records.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { canonicalAddress } from '../../src/storage/canonical-address.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { namedAddress } from '../../src/storage/named-address.ts';
import { openStorage, registerStorage } from '../../src/storage/open.ts';
import { stowage } from '../cli/fixture.ts';
import { errorOf, noise, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

const AZURITE = 'http://127.0.0.1:10000/devstoreaccount1';
const ATTEMPT = 'flows/Test/r/fit/0/0';

/** A host of somebody else, who keeps what is sent to it. */
let host: Server;
let endpoint: string;
let seen: string[] = [];

beforeAll(async () => {
  host = createServer((request, response) => {
    request.resume();
    seen.push(`${request.url} ${JSON.stringify(request.headers)}`);
    response.writeHead(403).end();
  });
  await new Promise<void>((listening) => host.listen(0, '127.0.0.1', listening));
  endpoint = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
});
afterAll(() => host.close());

beforeEach(() => {
  seen = [];
  // Whoever opens the store has credentials of their own.
  vi.stubEnv('AZURE_STORAGE_ACCOUNT', 'victim');
  vi.stubEnv('AZURE_STORAGE_SAS_TOKEN', 'sv=2024-01-01&sig=SECRET');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDVICTIM');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'SECRET');
  vi.stubEnv('AWS_REGION', 'us-east-1');
});
afterEach(() => vi.unstubAllEnvs());

/** Addresses on that host, as a record could hold them. */
const ADDRESSES: Readonly<Record<string, () => string>> = {
  s3: () => `s3://data/raw?endpoint=${endpoint}&region=us-east-1`,
  azure: () => `az://data/raw?account=victim&endpoint=${endpoint}`,
  gcs: () => `gs://data/raw?apiEndpoint=${endpoint}`,
  'a scheme of the program': () => `far://${endpoint.slice(7)}/raw`,
};

beforeAll(() => {
  registerStorage('far', async (uri) => {
    await fetch(uri.replace('far:', 'http:'), { headers: { authorization: 'SECRET' } });
    return new MemoryStorage('far');
  });
});

/** A store that somebody prepared: an artifact of a task lies at the address, and so does what is to come of its run. */
async function prepared(uri: string, id?: string): Promise<string> {
  const folder = join(scratchFolder(), 'store');
  await using flow = await FlowDataStore.open({ flowName: 'Test', storage: folder });
  await flow.task({ runId: 'r', stepName: 'fit', taskId: '0', rawDataPath: 'memory:prepared' }, (task) =>
    task.saveArtifacts({ x: noise(30_000), y: noise(300_000) }),
  );
  await using storage = await LocalStorage.open(folder);
  const before = (await flow.caStore.places())[0]?.id as string;
  const place = id ?? placeIdOf(namedAddress(uri)?.identity ?? uri);
  await storage.create(placeRecordName(place), encodePlace({ place, uri, names: 'exact' }));
  const metadata = await rewrite(storage, `${ATTEMPT}.metadata.json`, (text) =>
    text.replaceAll(before, place),
  );
  await rewrite(storage, `${ATTEMPT}.DONE`, (text) => {
    return JSON.stringify({ ...JSON.parse(text), metadataDigest: digestHex(metadata) });
  });
  await rewrite(storage, 'runs/Test/r/created.json', (text) => {
    return JSON.stringify({ ...JSON.parse(text), rawDataPath: uri });
  });
  return folder;
}

async function rewrite(
  storage: DataStoreStorage,
  name: string,
  change: (text: string) => string,
): Promise<Uint8Array> {
  const object = await storage.get(name);
  const { digest: _, ...record } = decodeRecord(object?.body as Uint8Array, name);
  const bytes = encodeRecord(JSON.parse(change(JSON.stringify(record))));
  await storage.overwrite(name, bytes);
  return bytes;
}

async function open(storage: string, options: object = {}): Promise<FlowDataStore> {
  return FlowDataStore.open({ flowName: 'Test', storage, ...options });
}

describe('an address that a prepared store names', () => {
  describe.each(Object.entries(ADDRESSES))('on %s', (_kind, address) => {
    it('is sent nothing by who reads, and the error says what to do', async () => {
      await using flow = await open(await prepared(address()));
      const task = await flow.getTaskDataStore('r/fit/0');
      const error = await errorOf(task.get('x'), 'PLACE_NOT_TRUSTED');
      expect(error.message).toContain('openPlace');
      expect(error.details).toMatchObject({ placeUri: address() });
      await errorOf(async () => {
        for await (const _piece of task.streamArtifact('y'));
      }, 'PLACE_NOT_TRUSTED');
      expect(seen).toEqual([]);
    });

    it('is sent nothing by who works in its run, and no attempt is opened', async () => {
      await using flow = await open(await prepared(address()));
      const spec = { runId: 'r', stepName: 'fit', taskId: '1' };
      const work = () => flow.task(spec, (task) => task.saveArtifacts({ x: noise(30_000) }));
      await errorOf(work, 'PLACE_NOT_TRUSTED');
      await errorOf(flow.getTaskDataStore('r/fit/1', { allowNotDone: true }), 'TASK_NOT_FOUND');
      await flow.task({ ...spec, rawDataPath: flow.datastoreRoot }, (task) => task.saveArtifacts({ x: 1 }));
      expect(seen).toEqual([]);
    });

    it('is sent nothing by a copy, which reports the attempt and copies the rest', async () => {
      const from = await prepared(address());
      const to = join(scratchFolder(), 'to');
      const { problems } = await copyStore({ from, to });
      expect(problems).toMatchObject([{ error: { code: 'PLACE_NOT_TRUSTED' } }]);
      expect(seen).toEqual([]);
    });

    it('is sent nothing by commands', async () => {
      const store = await prepared(address());
      const commands = [
        ['get', 'Test/r/fit/0', 'x', '-o', join(scratchFolder(), 'x')],
        ['stat'],
        ['uploads'],
        ['show', 'Test/r/fit/0'],
        ['put', 'Test/r/fit/2', `x=${import.meta.filename}`],
        ['diff', 'Test/r/fit/0', 'Test/r/fit/0'],
      ];
      for (const command of commands) await stowage(store, command);
      await stowage(undefined, ['copy', store, join(scratchFolder(), 'to')]);
      expect(seen).toEqual([]);
    });

    it('is opened by openPlace, which knows what to send', async () => {
      const asked: string[] = [];
      const openPlace = async (uri: string): Promise<DataStoreStorage> => {
        asked.push(uri);
        return openStorage('memory:prepared');
      };
      await using flow = await open(await prepared(address()), { openPlace });
      // What was prepared lies under another id there, which only an error of the place itself tells.
      await errorOf((await flow.getTaskDataStore('r/fit/0')).get('x'), 'PLACE_NOT_FOUND');
      expect(asked).toEqual([address()]);
    });
  });

  it('is opened once the environment configures its endpoint', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', `${endpoint}/`);
    await using flow = await open(await prepared(`s3://data/raw?endpoint=${endpoint}`));
    await errorOf((await flow.getTaskDataStore('r/fit/0')).get('x'), 'STORAGE_FAILED'); // what answers is no S3
    expect(seen.length).toBeGreaterThan(0);
  });

  it('is opened by a flow that was given its server as rawDataPath', async () => {
    const rawDataPath = `s3://other?endpoint=${endpoint}/`;
    await using flow = await open(await prepared(`s3://data/raw?endpoint=${endpoint}`), { rawDataPath });
    await errorOf((await flow.getTaskDataStore('r/fit/0')).get('x'), 'STORAGE_FAILED');
    expect(seen.length).toBeGreaterThan(0);
  });

  it('is damage where the id is not that of the address', async () => {
    const id = placeIdOf('s3://mine/raw');
    await using flow = await open(await prepared('s3://others/raw', id));
    await errorOf((await flow.getTaskDataStore('r/fit/0')).get('x'), 'RECORD_DAMAGED');
    vi.stubEnv('AWS_ENDPOINT_URL', endpoint);
    expect(await flow.caStore.places()).toEqual(
      expect.arrayContaining([
        { id, uri: undefined, problem: expect.objectContaining({ code: 'RECORD_DAMAGED' }) },
      ]),
    );
    expect(seen).toEqual([]);
  });
});

it.skipIf(process.platform === 'win32')(
  'a place whose path has what URLs encode is read by later processes',
  async () => {
    for (const name of ['a\\b', 'a%2Fb', 'a[1]~^|', 'a?b#c', ' a\nb ', 'it\'s "ä"']) {
      const folder = scratchFolder();
      await using flow = await open(join(folder, 'store'));
      await flow.task({ runId: 'r', stepName: 'fit', taskId: '0', rawDataPath: join(folder, name) }, (task) =>
        task.saveArtifacts({ x: noise(30_000) }),
      );
      await using later = await open(join(folder, 'store'));
      const x = await (await later.getTaskDataStore('r/fit/0')).get<Uint8Array>('x');
      expect(Buffer.compare(x, noise(30_000)), name).toBe(0);
    }
  },
);

describe('credentials', () => {
  const check = (uri: string, home: DataStoreStorage, addresses: string[] = []): string => {
    return isTrusted(uri, { home, addresses }) ? 'opened' : 'not opened';
  };
  const memory = new MemoryStorage('home');

  it.each([
    's3://bucket/raw',
    's3a://bucket/raw?region=eu-west-1',
    's3://bucket/raw?endpoint=https://s3.eu-west-1.amazonaws.com',
    's3://bucket/raw?endpoint=https://s3.dualstack.us-gov-west-1.amazonaws.com',
    's3://bucket/raw?endpoint=https://s3.cn-north-1.amazonaws.com.cn',
    'gs://bucket/raw',
    'gs://bucket/raw?apiEndpoint=https://storage.googleapis.com',
    'az://raw/a?account=others',
    'az://raw/a?endpoint=https://others.blob.core.windows.net',
    'abfss://raw@others.dfs.core.windows.net/a',
    'az://others.z01.blob.storage.azure.net/raw/a',
    'memory:raw',
  ])('go to the services themselves: %s', (uri) => {
    expect(check(uri, memory)).toBe('opened');
  });

  it.each([
    's3://bucket/raw?endpoint=https://s3.amazonaws.com.evil.example',
    's3://bucket/raw?endpoint=https://evil.example/s3.amazonaws.com',
    's3://bucket/raw?endpoint=https://evils3.amazonaws.com',
    's3://bucket/raw?endpoint=https://s3.amazonaws.com@evil.example',
    's3://bucket/raw?endpoint=https://user:key@s3.amazonaws.com',
    's3://bucket/raw?endpoint=https://evil.example\\@s3.amazonaws.com',
    's3://bucket/raw?endpoint=https://evil.example%23@s3.amazonaws.com',
    's3://bucket/raw?endpoint=https://s3.amazonaws.com:8443',
    's3://bucket/raw?endpoint=http://s3.amazonaws.com',
    's3://bucket/raw?endpoint=https://ec2-203-0-113-7.compute-1.amazonaws.com',
    's3://bucket/raw?endpoint=https://s3-mine-1.us-east-1.elb.amazonaws.com',
    's3://bucket/raw?endpoint=https://a1b2c3.execute-api.us-east-1.amazonaws.com',
    's3://bucket/raw?endpoint=https://s3.amazonaws.com&endpoint=https://evil.example',
    's3://key:secret@evil.example/raw',
    's3://bucket:9000/raw',
    'gs://bucket/raw?apiEndpoint=https://storage.googleapis.com.evil.example',
    'gs://bucket/raw?apiEndpoint=https://evilgoogleapis.com',
    'gs://bucket/raw?apiEndpoint=http://storage.googleapis.com',
    'gs://bucket/raw?apiEndpoint=https://storage.googleapis.com:8443',
    'az://raw/a?endpoint=https://victim.blob.core.windows.net.evil.example',
    'az://raw/a?account=victim&endpoint=https://others.blob.core.windows.net',
    'az://raw/a?endpoint=https://victim.blob.evil.example',
    'az://raw/a?endpoint=http://victim.blob.core.windows.net',
    'az://raw/a?endpoint=https://victim.blob.core.windows.net:10000',
    'az://raw/a?endpoint=https://victim.blob.core.windows.net@evil.example',
    'az://victim.blob.evil.example/raw/a',
    'abfss://raw@victim.dfs.evil.example/a',
    'az://raw/a',
    'file://evil.example/share',
    '\\\\evil.example\\share',
    '//evil.example/share',
    './raw',
    '/etc',
    'https://evil.example/raw',
  ])('go to nobody who looks like them: %s', (uri) => {
    expect(check(uri, memory)).toBe('not opened');
  });

  const around = fc.stringMatching(/^[a-z0-9.@:/\\#?%&=-]{1,8}$/);
  const host = fc.constantFrom('s3.amazonaws.com', 's3.eu-west-1.amazonaws.com', 'storage.googleapis.com');
  test.prop([host, around, around, fc.constantFrom('s3', 'gs')], { numRuns: propertyRuns })(
    'go to no host whose address has more around it, unless it is one of the service',
    (name, before, after, scheme) => {
      const text = `https://${before}${name}${after}`;
      const uri = `${scheme}://bucket/raw?${scheme === 's3' ? 'endpoint' : 'apiEndpoint'}=${encodeURIComponent(text)}`;
      if (check(uri, memory) !== 'opened') return;
      expect(text).toMatch(/^https:\/\/[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|googleapis\.com)$/);
    },
  );

  it('go to the endpoint of the store, however it was given, and to no other', async () => {
    await using minio = await openStorage('s3://home/store?endpoint=HTTP://127.0.0.1:9000/');
    await using azurite = await openStorage(`az://home/store?endpoint=${AZURITE}/`);
    await using emulator = await openStorage('gs://home?apiEndpoint=http://127.0.0.1:4443/storage/v1');
    expect(check('s3://raw?endpoint=http%3A%2F%2F127.0.0.1%3A9000', minio)).toBe('opened');
    expect(check(`az://raw?endpoint=${encodeURIComponent(AZURITE)}`, azurite)).toBe('opened');
    expect(check('gs://raw?apiEndpoint=http://127.0.0.1:4443', emulator)).toBe('opened');
    for (const uri of [
      's3://raw?endpoint=http://127.0.0.1:9001',
      's3://raw?endpoint=http://127.0.0.1:9000/other',
      's3://raw?endpoint=http://user@127.0.0.1:9000',
      's3://raw?endpoint=https://127.0.0.1:9000',
      'az://raw?endpoint=http://127.0.0.1:9000',
      'gs://raw?apiEndpoint=http://127.0.0.1:9000',
    ]) {
      expect([uri, check(uri, minio)]).toEqual([uri, 'not opened']);
    }
  });

  it('go to the endpoints that the environment configures', () => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://localhost:9000');
    vi.stubEnv('STORAGE_EMULATOR_HOST', 'localhost:4443');
    vi.stubEnv('AZURE_STORAGE_CONNECTION_STRING', 'UseDevelopmentStorage=true');
    expect(check('s3://raw?endpoint=http://localhost:9000', memory)).toBe('opened');
    expect(check('gs://raw?apiEndpoint=http://localhost:4443', memory)).toBe('opened');
    expect(check(`az://raw?endpoint=${AZURITE}`, memory)).toBe('opened');
    const settings = 'AccountName=dev;AccountKey=a2V5;BlobEndpoint=http://10.0.0.1:10000/dev/;';
    vi.stubEnv('AZURE_STORAGE_CONNECTION_STRING', settings);
    expect(check('az://raw?endpoint=http://10.0.0.1:10000/dev', memory)).toBe('opened');
    expect(check(`az://raw?endpoint=${AZURITE}`, memory)).toBe('not opened');
  });

  it('that are a signature go to no account but that which it is said to be of', () => {
    vi.stubEnv('AZURE_STORAGE_ACCOUNT', '');
    expect(check('az://raw?account=others', memory)).toBe('not opened');
    expect(check('az://raw?account=others', memory, ['az://store?account=others'])).toBe('opened');
  });

  const namesakes = [
    'az://raw?endpoint=https://victim.blob.core.chinacloudapi.cn',
    'az://raw?endpoint=https://victim.blob.core.usgovcloudapi.net',
    'az://victim.z44.blob.storage.azure.net/raw',
  ];
  it.each(namesakes)(
    'that are a signature go to no namesake of that account, in another cloud: %s',
    (uri) => {
      expect(check('az://raw?account=victim', memory)).toBe('opened');
      expect(check(uri, memory)).toBe('not opened');
      expect(check(uri, memory, [uri])).toBe('opened');
      vi.stubEnv('AZURE_STORAGE_ACCOUNT', '');
      vi.stubEnv('AZURE_STORAGE_SAS_TOKEN', '');
      const settings = 'BlobEndpoint=https://victim.blob.core.windows.net/;SharedAccessSignature=sig=SECRET';
      vi.stubEnv('AZURE_STORAGE_CONNECTION_STRING', settings);
      expect(check('az://raw?account=victim', memory)).toBe('opened');
      expect(check(uri, memory)).toBe('not opened');
    },
  );

  it('go to no server of a scheme of the program that it did not name in full', () => {
    const named = ['far://host/store?endpoint=a', 'near:host-a'];
    expect(check('far://host/raw?endpoint=a', memory, named)).toBe('opened');
    expect(check('far://host/raw?endpoint=b', memory, named)).toBe('not opened');
    expect(check('far://host/raw', memory, named)).toBe('not opened');
    expect(check('far://HOST/raw?endpoint=a', memory, named)).toBe('not opened');
    expect(check('near:host-a', memory, named)).toBe('opened');
    expect(check('near:host-b', memory, named)).toBe('not opened');
  });

  it('of this machine, its folders, are for stores of this machine', async () => {
    const folder = scratchFolder();
    const uri = pathToFileURL(join(folder, 'raw')).href;
    await using local = await LocalStorage.open(join(folder, 'store'));
    await using bucket = await openStorage('s3://home/store');
    expect(check(uri, local)).toBe('opened');
    expect(check(uri, bucket)).toBe('not opened');
    expect(check(uri, bucket, [uri])).toBe('opened');
    expect(check(uri, bucket, [`${uri}2`])).toBe('not opened');
  });
});

describe('who pays', () => {
  const recorded = () =>
    `gs://data/raw?apiEndpoint=${encodeURIComponent(endpoint)}&userProject=victims&projectId=theirs`;
  beforeEach(() => vi.stubEnv('STORAGE_EMULATOR_HOST', endpoint));

  it('is never what a store says, for who reads or who works in its run', async () => {
    await using flow = await open(await prepared(recorded()));
    await errorOf((await flow.getTaskDataStore('r/fit/0')).get('x'));
    expect(seen.length).toBeGreaterThan(0);
    const reads = seen.length;
    const spec = { runId: 'r', stepName: 'fit', taskId: '1' };
    await errorOf(() => flow.task(spec, (task) => task.saveArtifacts({ x: noise(30_000) })));
    expect(seen.length).toBeGreaterThan(reads);
    expect(seen.join()).not.toMatch(/victims|theirs/);
  });

  it('is what the program said in an address of that bucket, and of no other', async () => {
    const named = (bucket: string) =>
      `gs://${bucket}/own?userProject=mine&apiEndpoint=${encodeURIComponent(endpoint)}`;
    await using flow = await open(await prepared(recorded()), { rawDataPath: named('data') });
    await errorOf((await flow.getTaskDataStore('r/fit/0')).get('x'));
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every((request) => request.includes('userProject=mine'))).toBe(true);
    seen = [];
    await using other = await open(await prepared(recorded()), { rawDataPath: named('other') });
    await errorOf((await other.getTaskDataStore('r/fit/0')).get('x'));
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.join()).not.toContain('userProject');
  });

  it('is not kept in a store', async () => {
    const storage = await openStorage('gs://data/raw', { gcs: { userProject: 'mine' } });
    const { uri } = canonicalAddress('gs://data/raw?userProject=mine&projectId=p', storage);
    expect(uri).not.toMatch(/mine|projectId/);
  });
});
