import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FileReadOptions } from '../../src/references/file-source.ts';
import { HttpFile } from '../../src/references/http-file.ts';
import type { RetryOptions } from '../../src/storage/retry-policy.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, noise, openFlow, scratchFolder } from '../flow/fixtures.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Site {
  /** `http://127.0.0.1:<port>`. */
  origin: string;
  requests: IncomingMessage[];
}

async function serve(answer: Answer): Promise<Site> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterThisTest(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** As a server of files does it. */
function file(read: () => { bytes: Uint8Array; etag?: string }): Answer {
  return ({ headers, method }, response) => {
    const { bytes, etag } = read();
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
    const [start, end] =
      from === undefined
        ? [0, bytes.length]
        : [Number(from), Math.min(Number(to || bytes.length) + 1, bytes.length)];
    if (etag) response.setHeader('etag', etag);
    if (from !== undefined && start >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
      return;
    }
    if (from !== undefined) response.setHeader('content-range', `bytes ${start}-${end - 1}/${bytes.length}`);
    response.writeHead(from === undefined ? 200 : 206, { 'content-length': end - start });
    response.end(method === 'HEAD' ? undefined : bytes.subarray(start, end));
  };
}

describe('a file behind http:', () => {
  it('is read whole, in parts and to disk, and is a value', async () => {
    const bytes = noise(3_000_000);
    const { origin } = await serve(file(() => ({ bytes, etag: '"1"' })));
    const flow = await openFlow();
    const seen = await flow.files.existing(`${origin}/a%20b.bin?signature=abc`, { mediaType: 'x/y' });
    expect(seen).toMatchObject({ name: 'a b.bin', size: 3_000_000 });
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) => task.saveArtifacts({ seen }));
    const loaded = await (await flow.getTaskDataStore('r/s/0')).get<typeof seen>('seen');
    for (const ref of [seen, loaded, await flow.files.remote(`${origin}/x`)]) {
      expect(Buffer.from(await ref.bytes())).toEqual(Buffer.from(bytes));
      expect(Buffer.from(await ref.range(1_000, 50))).toEqual(Buffer.from(bytes.subarray(1_000, 1_050)));
      expect((await ref.range(2_999_990, 50)).length).toBe(10);
      expect((await ref.range(5_000_000, 50)).length).toBe(0);
      expect((await ref.range(5, 0)).length).toBe(0);
      expect(await ref.exists()).toBe(true);
    }
    const folder = scratchFolder();
    await loaded.download(folder);
    expect(readdirSync(folder)).toEqual(['a b.bin']);
    expect(loaded.digest).toBe(seen.digest);
  });

  it('that was changed is told by its ETag, before the first byte', async () => {
    let etag = '"1"';
    const { origin } = await serve(file(() => ({ bytes: Buffer.from(etag), etag })));
    const flow = await openFlow();
    const ref = await flow.files.existing(`${origin}/x`);
    etag = '"2"';
    for (const read of [ref.bytes(), ref.range(0, 1)]) {
      const error = await errorOf(read, 'REFERENCE_CHANGED');
      expect(error.message).toContain('"2"');
    }
  });

  it.each([
    [404, 'REFERENCE_NOT_FOUND'],
    [410, 'REFERENCE_NOT_FOUND'],
    [401, 'REFERENCE_UNREADABLE'],
    [403, 'REFERENCE_UNREADABLE'],
    [500, 'REFERENCE_UNREADABLE'],
    [503, 'REFERENCE_UNREADABLE'],
  ] as const)('with the answer %i is %s, and a download leaves nothing', async (status, code) => {
    // Not tried again: nobody waits for so long.
    const headers = { 'retry-after': '86400' };
    const { origin } = await serve((_request, response) => response.writeHead(status, headers).end('no'));
    const flow = await openFlow();
    await errorOf(flow.files.existing(`${origin}/x`), code);
    const ref = await flow.files.remote(`${origin}/x?signature=secret`);
    const folder = scratchFolder();
    const error = await errorOf(ref.download(join(folder, 'x')), code);
    expect(error.message).not.toContain('secret');
    expect(readdirSync(folder)).toEqual([]);
    if (code === 'REFERENCE_UNREADABLE') expect(error.details.status).toBe(status);
    else expect(await ref.exists()).toBe(false);
  });

  it('follows redirects, to which no credentials go, and no more than ten', async () => {
    const target = await serve(file(() => ({ bytes: Buffer.from('found') })));
    const { origin } = await serve(({ url = '' }, response) => {
      const left = Number(url.slice(1));
      const location = left === 0 ? `${target.origin}/x` : `/${left - 1}`;
      response.writeHead(left % 2 ? 301 : 307, { location, 'set-cookie': 'a=b' }).end();
    });
    const flow = await openFlow();
    expect(await (await flow.files.remote(`${origin}/9`)).text()).toBe('found');
    for (const { headers } of target.requests) {
      expect(headers.cookie).toBeUndefined();
      expect(headers.authorization).toBeUndefined();
    }
    const error = await errorOf((await flow.files.remote(`${origin}/10`)).text(), 'REFERENCE_UNREADABLE');
    expect(error.message).toContain('more than 10 times');
  });

  it('is followed from https: to https:, and not to http:', async () => {
    const pem = readFileSync(new URL('self-signed.pem', import.meta.url));
    const plain = await serve(file(() => ({ bytes: Buffer.from('anybody could have written this') })));
    const server = createTlsServer({ key: pem, cert: pem }, ({ url }, response) => {
      if (url === '/file') response.end('found');
      else response.writeHead(302, { location: url === '/down' ? `${plain.origin}/x` : '/file' }).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { NODE_TLS_REJECT_UNAUTHORIZED: before } = process.env;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; // nobody signed its certificate
    afterThisTest(() => {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
      server.closeAllConnections();
      server.close();
    });
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const flow = await openFlow();
    expect(await (await flow.files.remote(`${origin}/stay`)).text()).toBe('found');
    const error = await errorOf((await flow.files.remote(`${origin}/down`)).text(), 'REFERENCE_UNREADABLE');
    expect(error.message).toContain('redirected');
    expect(plain.requests).toEqual([]);
  });

  it.each(['file:///etc/passwd', 'ftp://host/x', 'http://me:secret@host/x', 'data:text/plain,x', 'http://'])(
    'is not followed to %s',
    async (location) => {
      const { origin } = await serve((_request, response) => response.writeHead(302, { location }).end());
      const flow = await openFlow();
      const error = await errorOf((await flow.files.remote(`${origin}/x`)).text(), 'REFERENCE_UNREADABLE');
      expect(error.message).toContain('redirected');
      expect(error.message).not.toContain('secret');
    },
  );

  it('of a server that ignores ranges is no part of it', async () => {
    const { origin } = await serve((_request, response) => response.end('all of it'));
    const flow = await openFlow();
    const ref = await flow.files.remote(`${origin}/x`);
    const error = await errorOf(ref.range(0, 3), 'REFERENCE_UNREADABLE');
    expect(error.message).toContain('Range');
    expect(await ref.text()).toBe('all of it');
  });

  it('of a server that gives another part is refused', async () => {
    const { origin } = await serve((_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 5-7/20' }).end('abc');
    });
    const flow = await openFlow();
    await errorOf((await flow.files.remote(`${origin}/x`)).range(0, 3), 'REFERENCE_UNREADABLE');
  });

  it('that ends before its length is an error, whatever was given of it', async () => {
    const { origin } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 1_000 });
      response.write('abc', () => response.destroy());
    });
    const flow = await openFlow();
    await errorOf((await flow.files.remote(`${origin}/x`)).bytes(), 'REFERENCE_UNREADABLE');
  });

  it('of unknown length is read, and bounded by maxBytes', async () => {
    let isClosed = false;
    const { origin } = await serve((_request, response) => {
      response.on('close', () => {
        isClosed = true;
      });
      const more = (): void => {
        if (!isClosed) response.write(noise(100_000), more);
      };
      more();
    });
    const flow = await openFlow();
    const ref = await flow.files.remote(`${origin}/endless`);
    await errorOf(ref.bytes({ maxBytes: 1_000_000 }), 'CONTENT_TOO_LARGE');
    await expect.poll(() => isClosed).toBe(true); // the connection is not kept
  });

  it('ends when it is aborted, while the server says nothing', async () => {
    const controller = new AbortController();
    const { origin } = await serve(() => controller.abort());
    const flow = await openFlow();
    const ref = await flow.files.remote(`${origin}/x`);
    await errorOf(ref.bytes({ signal: controller.signal }), 'ABORTED');
    await errorOf(ref.stat({ signal: controller.signal }), 'ABORTED');
  });

  it('of a server that is not there says so', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const file = new HttpFile(`http://127.0.0.1:${port}/x`, undefined, { firstContactBudgetMs: 20 });
    const error = await errorOf(collected(file), 'REFERENCE_UNREADABLE');
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('of a server without HEAD is looked at all the same', async () => {
    const bytes = noise(100_000);
    const { origin } = await serve((request, response) => {
      if (request.method === 'HEAD') response.writeHead(405).end();
      else file(() => ({ bytes }))(request, response);
    });
    const flow = await openFlow();
    expect((await flow.files.existing(`${origin}/x`)).size).toBe(100_000);
  });
});

/** Retries that do not wait. */
const AT_ONCE: RetryOptions = { maxAttempts: 4, random: () => 0 };

/** An answer that stands still, until its reader has all that was given of it. */
let standing: { at: number; hangUp: () => void } | undefined;

async function collected(source: HttpFile, options: FileReadOptions = {}): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let at = options.range?.offset ?? 0;
  for await (const piece of source.read(options)) {
    pieces.push(piece);
    at += piece.length;
    if (at === standing?.at) standing.hangUp();
  }
  return Buffer.concat(pieces);
}

describe('a server that fails for a while', () => {
  const bytes = noise(900_000);
  const whole = file(() => ({ bytes, etag: '"1"' }));

  /** Answers the first requests by what is given, one each, and then as a server of files does. */
  async function failing(...first: Answer[]): Promise<Site> {
    return serve((request, response) => (first.shift() ?? whole)(request, response));
  }

  it.each([408, 425, 429, 500, 502, 503, 504])('by the answer %i is asked again', async (status) => {
    const refuse: Answer = (_request, response) => response.writeHead(status).end('later');
    const { origin, requests } = await failing(refuse, refuse, refuse);
    const source = new HttpFile(`${origin}/x`, undefined, AT_ONCE);
    expect(Buffer.compare(await collected(source), bytes)).toBe(0);
    expect(requests).toHaveLength(4);
  });

  it.each([400, 401, 403, 404, 410, 451, 501, 505])('by the answer %i is not', async (status) => {
    const { origin, requests } = await serve((_request, response) => response.writeHead(status).end());
    await errorOf(collected(new HttpFile(`${origin}/x`, undefined, AT_ONCE)));
    expect(requests).toHaveLength(1);
  });

  it('is waited for as long as it asks for, which is told, and within a budget', async () => {
    const refuse: Answer = (_request, response) => response.writeHead(503, { 'retry-after': '7' }).end();
    const waits: number[] = [];
    const sleep = async (ms: number): Promise<void> => {
      waits.push(ms);
    };
    const { origin } = await failing(refuse, refuse);
    const told: unknown[] = [];
    const listener = (message: unknown): unknown => told.push(message);
    subscribe('stowage:retrying', listener);
    afterThisTest(() => unsubscribe('stowage:retrying', listener));
    await collected(new HttpFile(`${origin}/x?signature=secret`, undefined, { sleep, random: () => 0 }));
    expect(waits).toEqual([7_000, 7_000]);
    expect(told).toMatchObject([{ operation: 'get', name: `${origin}/x`, delayMs: 7_000 }, { attempt: 2 }]);
    const always = await serve(refuse);
    const impatient = new HttpFile(`${always.origin}/x`, undefined, { sleep, budgetMs: 6_000 });
    const error = await errorOf(impatient.look({}), 'REFERENCE_UNREADABLE');
    expect(error.details).toMatchObject({ status: 503, attempts: 1 });
    expect(error.message).toContain('503');
    expect(always.requests).toHaveLength(1);
  });

  it('is given up after some tries, with the last answer', async () => {
    const { origin, requests } = await serve((_request, response) => response.writeHead(502).end());
    const error = await errorOf(
      new HttpFile(`${origin}/x`, undefined, AT_ONCE).look({}),
      'REFERENCE_UNREADABLE',
    );
    expect(error.message).toContain('tried 4 times');
    expect(error.details).toMatchObject({ status: 502, attempts: 4 });
    expect(requests).toHaveLength(4);
  });

  it('is not waited for once the call is aborted', async () => {
    const controller = new AbortController();
    const { origin } = await serve((_request, response) => {
      response.writeHead(503, { 'retry-after': '60' }).end(() => controller.abort());
    });
    const { signal } = controller;
    await errorOf(collected(new HttpFile(`${origin}/x`), { signal }), 'ABORTED');
  });

  /** Gives the beginning of what it is asked for, and hangs up once that was read. */
  function breaking(give: number, headers: Record<string, string> = { etag: '"1"' }): Answer {
    return ({ headers: { range } }, response) => {
      const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
      const end = Number(/-(\d+)$/.exec(range ?? '')?.[1] ?? bytes.length - 1) + 1;
      const content = { 'content-length': String(end - start), ...headers };
      const part = range ? { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` } : {};
      response.writeHead(range ? 206 : 200, { ...content, ...part });
      standing = { at: start + give, hangUp: () => response.destroy() };
      if (give === 0) response.destroy();
      else response.write(bytes.subarray(start, start + give));
    };
  }

  it('in the midst of a read goes on where it stood, in parts too', async () => {
    const { origin, requests } = await failing(breaking(100_000), breaking(0), breaking(50_000));
    const source = new HttpFile(`${origin}/x`, undefined, AT_ONCE);
    expect(Buffer.compare(await collected(source), bytes)).toBe(0);
    expect(requests.map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=100000-',
      'bytes=100000-',
      'bytes=150000-',
    ]);
    const part = await failing(breaking(30_000), breaking(30_000));
    const range = { offset: 1_000, length: 200_000 };
    const read = await collected(new HttpFile(`${part.origin}/x`, undefined, AT_ONCE), { range });
    expect(Buffer.compare(read, bytes.subarray(1_000, 201_000))).toBe(0);
    expect(part.requests.at(-1)?.headers.range).toBe('bytes=61000-200999');
  });

  it('goes on by the time of the file as well, and not where nothing tells that it is the same', async () => {
    const dated = { 'last-modified': 'Tue, 01 Dec 2026 10:00:00 GMT' };
    const again: Answer = (request, response) => {
      response.setHeader('last-modified', dated['last-modified']);
      file(() => ({ bytes }))(request, response);
    };
    const { origin } = await failing(breaking(100_000, dated), again);
    const read = await collected(new HttpFile(`${origin}/x`, undefined, AT_ONCE));
    expect(Buffer.compare(read, bytes)).toBe(0);
    for (const headers of [{}, { etag: 'W/"1"' }]) {
      const site = await failing(breaking(100_000, headers as Record<string, string>));
      const error = await errorOf(
        collected(new HttpFile(`${site.origin}/x`, undefined, AT_ONCE)),
        'REFERENCE_UNREADABLE',
      );
      expect(error.message).toContain('broke after 100000 bytes');
      expect(site.requests).toHaveLength(1);
    }
  });

  it('and gives no parts says after how many bytes it broke', async () => {
    const { origin } = await failing(breaking(100_000), (_request, response) => {
      response.writeHead(200, { etag: '"1"' }).end(bytes);
    });
    const error = await errorOf(
      collected(new HttpFile(`${origin}/x`, undefined, AT_ONCE)),
      'REFERENCE_UNREADABLE',
    );
    expect(error.message).toContain('broke after 100000 bytes, and its server');
  });

  it('and has another file afterwards gives none of it', async () => {
    const { origin } = await failing(breaking(100_000), (request, response) =>
      file(() => ({ bytes: noise(900_000, 7), etag: '"2"' }))(request, response),
    );
    await errorOf(collected(new HttpFile(`${origin}/x`, undefined, AT_ONCE)), 'REFERENCE_CHANGED');
  });

  it('leaves a download whole', async () => {
    const hangUp: Answer = (_request, response) => {
      response.writeHead(200, { 'content-length': String(bytes.length), etag: '"1"' });
      response.write(bytes.subarray(0, 100_000), () => response.destroy());
    };
    const { origin } = await failing(hangUp);
    const flow = await openFlow();
    const ref = await flow.files.remote(`${origin}/x`);
    const path = join(scratchFolder(), 'x');
    await ref.download(path);
    expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
  });
});
