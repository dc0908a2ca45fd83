import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    const [start, end] =
      from === undefined ? [0, bytes.length] : [Number(from), Math.min(Number(to) + 1, bytes.length)];
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
    const { origin } = await serve((_request, response) => response.writeHead(status).end('no'));
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
    const flow = await openFlow();
    const ref = await flow.files.remote(`http://127.0.0.1:${port}/x`);
    const error = await errorOf(ref.bytes(), 'REFERENCE_UNREADABLE');
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
