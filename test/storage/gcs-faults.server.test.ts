import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { noise } from '../flow/fixtures.ts';
import { type FaultyProxy, type ProxyFault, startFaultyProxy } from '../servers/faulty-proxy.ts';
import { describeOnFakeGcs, type GcsPlace } from '../servers/gcs-buckets.ts';
import type { GcsSessions } from '../servers/gcs-sessions.ts';

const PART = 256 * 1024;
const text = (value: string) => new TextEncoder().encode(value);

const SIMPLE = /^POST .*uploadType=multipart/;
const BEGINNING = /^POST .*uploadType=resumable/;
const PART_OR_END = /^PUT .*upload_id=/;
const CANCEL = /^DELETE .*upload_id=/;
const CONTENT = /^GET .*alt=media/;

/** Faults for the first requests that match, in turn; then none. */
function onRequests(matches: RegExp, ...faults: (ProxyFault | undefined)[]) {
  const left = [...faults];
  return (method: string, path: string) => (matches.test(`${method} ${path}`) ? left.shift() : undefined);
}

describeOnFakeGcs('a storage whose way to the service is bad', (server) => {
  let proxy: FaultyProxy;
  let sessions: GcsSessions;
  let place: GcsPlace;
  let bare: GcsStorage;
  let storage: RetryStorage;

  beforeAll(async () => {
    sessions = server.sessions();
    proxy = await startFaultyProxy(sessions.url);
  });
  afterAll(() => proxy?.stop());
  beforeEach(async () => {
    proxy.plan = () => undefined;
    sessions.tamper = () => undefined;
    place = await server.newPlace();
    bare = await GcsStorage.open({ ...place, apiEndpoint: proxy.url, partBytes: PART });
    storage = new RetryStorage(bare, { sleep: async () => {} });
    // What it tries before its first writes is not what is tested here.
    await bare.create('first', text('x'));
    await bare.create('first-large', streamOf(noise(PART)));
    proxy.seen.length = 0;
    return () => storage.close();
  });
  const count = (matches: RegExp) => proxy.seen.filter((line) => matches.test(line)).length;

  const body = noise(3 * PART + 5);
  const evenBody = noise(3 * PART);
  /** Which of the requests of a large create are hit: so many before them are not. */
  const requestsOfALargeCreate: [string, RegExp, number][] = [
    ['the beginning of the upload', BEGINNING, 0],
    ['the first part', PART_OR_END, 0],
    ['a part', PART_OR_END, 1],
    ['the end', PART_OR_END, 3],
  ];
  for (const kind of ['lost', 'answer lost'] as const) {
    it.each(requestsOfALargeCreate)(
      `a stream is stored though %s was hit: ${kind}, twice`,
      async (_, matches, before) => {
        for (const [name, content] of Object.entries({ uneven: body, even: evenBody })) {
          proxy.plan = onRequests(matches, ...Array(before).fill(undefined), { kind }, { kind });
          expect(await storage.create(name, streamOf(content))).toBe(true);
          expect(sha256((await storage.get(name))?.body)).toBe(sha256(content));
          expect(await storage.create(name, streamOf(content))).toBe(false);
        }
      },
    );

    it(`a small create is done though it was ${kind}, and is not taken for another's`, async () => {
      for (const content of [() => text('mine'), () => streamOf(text('mine'))]) {
        const name = `small-${content().constructor.name}`;
        proxy.plan = onRequests(SIMPLE, { kind });
        expect(await storage.create(name, content())).toBe(true);
        expect((await storage.get(name))?.body).toEqual(text('mine'));
        proxy.plan = onRequests(SIMPLE, { kind });
        expect(await storage.create(name, text('mine, too'))).toBe(false);
        proxy.plan = onRequests(SIMPLE, { kind });
        expect(await storage.create(name, streamOf(text('mine')))).toBe(false);
      }
    });
  }

  it('bytes in parts are stored though a part and the answer to the end were lost', async () => {
    const long = noise(5 * PART + 1);
    const [lost, answerLost] = [{ kind: 'lost' }, { kind: 'answer lost' }] as const;
    proxy.plan = onRequests(PART_OR_END, undefined, lost, ...Array(5).fill(undefined), answerLost);
    expect(await storage.create('large', long)).toBe(true);
    expect(sha256((await storage.get('large'))?.body)).toBe(sha256(long));
    expect(await storage.create('large', long)).toBe(false);
    expect(await storage.create('large', noise(5 * PART + 1, 2))).toBe(false);
  });

  it('only what the service did not keep of a part is sent again', async () => {
    const keepOnly = [100_000, 0, PART - 1, undefined, 1];
    sessions.tamper = ({ headers }) => {
      const isPart = /^bytes \d/.test(headers['content-range'] ?? '');
      const bytes = isPart ? keepOnly.shift() : undefined;
      return bytes === undefined || bytes === 0 ? undefined : { keepOnly: bytes };
    };
    expect(await storage.create('a', streamOf(body))).toBe(true);
    expect(keepOnly).toEqual([]);
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(body));
  });

  it('a server that keeps nothing is given up, and the session cancelled', async () => {
    const few = new RetryStorage(bare, { sleep: async () => {}, maxAttempts: 3 });
    const keepsNothing: ProxyFault = { kind: 'answer', status: 308 };
    proxy.plan = (method, path) => (PART_OR_END.test(`${method} ${path}`) ? keepsNothing : undefined);
    await expect(few.create('a', streamOf(body))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      details: { operation: 'create', name: 'a', attempts: 3 },
    });
    expect(count(CANCEL)).toBe(1);
    expect(await bare.head('a')).toBeUndefined();
  });

  it.each([404, 410])(
    'a session that is gone (%i) begins anew for bytes, and is told of a stream',
    async (status) => {
      const gone: ProxyFault = { kind: 'answer', status };
      proxy.plan = onRequests(PART_OR_END, undefined, gone);
      await expect(storage.create('stream', streamOf(body))).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        message: expect.stringMatching(/upload it again/),
      });
      expect(await bare.head('stream')).toBeUndefined();
      proxy.plan = onRequests(PART_OR_END, undefined, gone);
      const long = noise(6 * PART);
      expect(await storage.create('bytes', long)).toBe(true);
      expect(sha256((await bare.get('bytes'))?.body)).toBe(sha256(long));
    },
  );

  it('a session that is gone after it had ended is known by its object', async () => {
    // The answer to the end is lost, and the session with it.
    proxy.plan = onRequests(
      PART_OR_END,
      ...Array(3).fill(undefined),
      { kind: 'answer lost' },
      {
        kind: 'answer',
        status: 410,
      },
    );
    expect(await storage.create('mine', streamOf(body))).toBe(true);
    proxy.plan = onRequests(PART_OR_END, undefined, { kind: 'answer', status: 410 });
    expect(await storage.create('mine', streamOf(noise(3 * PART, 2)))).toBe(false);
    expect(sha256((await bare.get('mine'))?.body)).toBe(sha256(body));
  });

  it('a name that another took meanwhile is theirs', async () => {
    async function* slow() {
      yield* streamOf(body);
      await bare.create('a', text('theirs'));
    }
    expect(await storage.create('a', slow())).toBe(false);
    expect((await bare.get('a'))?.body).toEqual(text('theirs'));
  });

  it('the beginning of an upload may tell already that the name is taken', async () => {
    // fake-gcs-server tells it at the end only.
    const refused = { kind: 'answer', status: 412, body: '{"error":{"code":412}}' } as const;
    proxy.plan = onRequests(BEGINNING, refused, refused);
    expect(await storage.create('a', streamOf(body))).toBe(false);
    expect(await storage.create('a', noise(6 * PART))).toBe(false);
    expect(count(PART_OR_END)).toBe(0);
  });

  it('bytes that were changed on their way are not stored', async () => {
    const flip = (bytes: Buffer) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(copy.length - 100_000) ^ 1, copy.length - 100_000);
      return copy;
    };
    sessions.tamper = ({ method }, bytes) =>
      method !== 'GET' && bytes.length > 200_000 ? { body: flip(bytes) } : undefined;
    const changed = { code: 'STORAGE_UNAVAILABLE', message: expect.stringMatching(/bytes that arrived/) };
    // The service itself refuses these...
    await expect(bare.create('a', noise(PART))).rejects.toMatchObject(changed);
    await expect(bare.overwrite('a', noise(PART))).rejects.toMatchObject(changed);
    // ... and these as well, but fake-gcs-server does not look at the checksum that the last part brings.
    await expect(bare.create('a', streamOf(body))).rejects.toMatchObject(changed);
    expect(await bare.head('a')).toBeUndefined();
    sessions.tamper = () => undefined;
    expect(await bare.create('a', streamOf(body))).toBe(true);
  });

  it('bytes that were changed on their way back are not given, nor those that were cut', async () => {
    await bare.create('small', noise(100_000));
    await bare.create('large', streamOf(body));
    proxy.plan = onRequests(CONTENT, { kind: 'cut' }, undefined, { kind: 'cut' });
    await expect(bare.get('small')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(sha256((await storage.get('small'))?.body)).toBe(sha256(noise(100_000)));
    proxy.seen.length = 0;
    proxy.plan = onRequests(CONTENT, undefined, { kind: 'cut' }, { kind: 'lost' });
    expect(sha256((await storage.get('large'))?.body)).toBe(sha256(body));
    // The object once, in four parts, and two of them again.
    expect(count(CONTENT)).toBe(6);
    const [answer] = await contentOf(proxy.url, place.bucket, 'small');
    const other = { ...answer, body: 'x'.repeat(100_000) };
    proxy.plan = onRequests(CONTENT, other, other);
    await expect(bare.get('small')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/bytes that arrived/),
    });
    expect(sha256((await storage.get('small'))?.body)).toBe(sha256(noise(100_000)));
  });

  it('an object that is replaced while it is read is read again, of one piece', async () => {
    const [before, after] = [noise(3 * PART, 7), noise(4 * PART, 8)];
    await bare.overwrite('a', before);
    const replace = () => {
      let isDue = true;
      sessions.tamper = ({ path }) => {
        if (isDue && path.includes('generation=')) {
          isDue = false;
          return { path: path.replace(/generation=\d+/, 'generation=1') };
        }
        return undefined;
      };
    };
    replace();
    await expect(bare.get('a')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/replaced or deleted/),
    });
    await bare.overwrite('a', after);
    replace();
    proxy.seen.length = 0;
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(after));
    // All of it anew, in four parts, and none of the old parts over and over; and the bucket once, which might be gone.
    expect(count(CONTENT)).toBeLessThanOrEqual(8);
  });

  it('what is replaced during every read is given up, as often as any call, and the error says so', async () => {
    await bare.overwrite('a', noise(3 * PART, 7));
    sessions.tamper = ({ path }) =>
      path.includes('generation=') ? { path: path.replace(/generation=\d+/, 'generation=1') } : undefined;
    proxy.seen.length = 0;
    const few = new RetryStorage(bare, { sleep: async () => {}, maxAttempts: 3 });
    await expect(few.get('a')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/3 times.*replaced or deleted while it was read/),
      details: { operation: 'get', name: 'a', attempts: 3 },
    });
    expect(count(CONTENT)).toBeLessThanOrEqual(9);
  });

  it('alone, it tries once and says that the server was not reached', async () => {
    proxy.plan = () => ({ kind: 'lost' });
    await expect(bare.get('first')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(proxy.seen).toHaveLength(1);
    await expect(bare.create('a', text('x'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    // The connection was lost: it looks once whether the write took effect.
    expect(proxy.seen.slice(1).map((line) => line.split(' ', 1)[0])).toEqual(['POST', 'GET']);
  });

  it('waits as long as the server asks for', async () => {
    const waitsMs: number[] = [];
    const patient = new RetryStorage(bare, { sleep: async (ms) => void waitsMs.push(ms), random: () => 0 });
    const slowDown: ProxyFault = { kind: 'answer', status: 429, headers: { 'retry-after': '7' } };
    proxy.plan = onRequests(/^GET /, slowDown, { ...slowDown, status: 503 });
    expect(await patient.get('first')).toBeDefined();
    expect(waitsMs).toEqual([7000, 7000]);
  });

  it('gives up a large create when a part is given up, and cancels the session', async () => {
    proxy.plan = (method, path) => (PART_OR_END.test(`${method} ${path}`) ? { kind: 'lost' } : undefined);
    const few = new RetryStorage(bare, { sleep: async () => {}, maxAttempts: 3 });
    for (const content of [noise(6 * PART), streamOf(body)]) {
      proxy.seen.length = 0;
      await expect(few.create('a', content)).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        details: { operation: 'create', name: 'a', attempts: 3 },
      });
      expect([count(BEGINNING), count(PART_OR_END), count(CANCEL)]).toEqual([1, 3, 1]);
    }
    expect(await bare.head('a')).toBeUndefined();
  });

  it('reports the names that a delete did not reach, and deletes them when it is repeated', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) await bare.create(name, text(name));
    proxy.plan = onRequests(/^DELETE .*\/o\/[ab]$/, { kind: 'lost' }, { kind: 'answer lost' });
    const failures = await bare.delete(names);
    expect(failures.map(({ name }) => name).sort()).toEqual(['a', 'b']);
    for (const { error } of failures) expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    proxy.plan = onRequests(/^DELETE /, { kind: 'answer lost' });
    expect(await storage.delete(names)).toEqual([]);
    expect(await bare.head('a')).toBeUndefined();
  });

  it('an overwrite whose answer was lost is its own', async () => {
    const version = await bare.overwrite('beat', text('1'));
    proxy.plan = onRequests(SIMPLE, { kind: 'answer lost' });
    const next = await storage.overwrite('beat', text('2'), { ifMatch: version });
    expect((await bare.head('beat'))?.version).toBe(next);
  });

  it('an abort ends what waits for an answer, at once', async () => {
    proxy.plan = () => ({ kind: 'silence' });
    for (const call of [
      (signal: AbortSignal) => storage.get('first', { signal }),
      (signal: AbortSignal) => storage.head('first', { signal }),
      (signal: AbortSignal) => storage.create('a', text('x'), { signal }),
      (signal: AbortSignal) => storage.overwrite('a', text('x'), { signal }),
      (signal: AbortSignal) => storage.delete(['a', 'b'], { signal }),
    ]) {
      proxy.seen.length = 0;
      const abort = new AbortController();
      const called = call(abort.signal).catch((error: unknown) => error);
      while (proxy.seen.length === 0) await new Promise(setImmediate);
      abort.abort();
      expect(await called).toMatchObject({ code: 'ABORTED' });
    }
  });

  it('refuses a server that gives other bytes than it was asked for', async () => {
    const headers = { 'x-goog-generation': '5', 'last-modified': new Date(0).toUTCString() };
    const all: ProxyFault = { kind: 'answer', status: 200, headers, body: 'all of it' };
    for (const range of [
      { offset: 4, length: 2 },
      { offset: 0, length: 3 },
    ]) {
      proxy.plan = onRequests(CONTENT, all);
      await expect(storage.get('first', { range })).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' });
    }
    proxy.plan = onRequests(CONTENT, all);
    expect((await storage.get('first'))?.body).toEqual(text('all of it'));
  });

  it.each([
    ['of a simple upload', SIMPLE, 'multipart'],
    ['of a resumable upload', BEGINNING, 'resumable'],
  ])('refuses to write to a server that ignores conditions %s', async (_, __, type) => {
    sessions.tamper = ({ path }) =>
      path.includes(`uploadType=${type}`)
        ? { path: path.replace('ifGenerationMatch', 'ignored') }
        : undefined;
    const fresh = await GcsStorage.open({ ...place, prefix: type, apiEndpoint: proxy.url, partBytes: PART });
    await expect(fresh.create('a', streamOf(body))).rejects.toMatchObject({
      code: 'STORAGE_UNSUPPORTED',
      message: expect.stringMatching(/ignores ifGenerationMatch/),
    });
    expect(await fresh.get('a')).toBeUndefined();
    await fresh.close();
  });
});

/** What the service answers to a GET of content, to be given again with another body. */
async function contentOf(
  url: string,
  bucket: string,
  name: string,
): Promise<[ProxyFault & { kind: 'answer' }]> {
  const headers = { range: 'bytes=0-999999999' };
  const answer = await fetch(`${url}/storage/v1/b/${bucket}/o/${name}?alt=media`, { headers });
  await answer.arrayBuffer();
  const kept = ['content-range', 'x-goog-generation', 'x-goog-hash', 'last-modified'];
  const given = Object.fromEntries(kept.map((header) => [header, answer.headers.get(header) ?? '']));
  return [{ kind: 'answer', status: answer.status, headers: given }];
}

async function* streamOf(bytes: Uint8Array, chunkBytes = 100_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? 'nothing')
    .digest('hex');
}
