import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { QUESTIONS, SWITCHES } from '../../src/page/questions.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from '../cli/fixture.ts';
import { startStowage } from '../cli/running.ts';
import { type Served, send, serveStore } from './served.ts';

const folder = scratchFolder();
let store: string;

beforeAll(async () => {
  store = await makeStore(folder);
});

function portOf({ url }: Served): string {
  return new URL(url).port;
}

describe('a question', () => {
  it('is answered by what the command line prints with --json', async () => {
    const page = await serveStore(store);
    expect((await page.ask('runs?limit=2')).result).toEqual(await json(store, ['runs', '--limit', '2']));
    expect((await page.ask(`show?arg=${encodeURIComponent(RUN)}`)).result).toEqual(
      await json(store, ['show', RUN]),
    );
  });

  it('is compressed from 1 KB on, where the browser takes that', async () => {
    const page = await serveStore(store);
    const path = `api/show?arg=${encodeURIComponent(RUN)}`;
    const zipped = await page.get(path, { 'accept-encoding': 'br, gzip' });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    for (const encoding of ['', 'br', 'gzip;q=0']) {
      const plain = await page.get(path, { 'accept-encoding': encoding });
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.body).toEqual(zipped.body);
    }
    const short = await page.get('api/runs?limit=1', { 'accept-encoding': 'gzip' });
    expect(short.headers['content-encoding']).toBeUndefined();
  });

  it.each([
    ['api/show?arg=Train/none', 404, 'RUN_NOT_FOUND'],
    ['api/show?arg=a//b', 400, 'USAGE'],
    ['api/runs?limit=-1', 400, 'USAGE'],
    ['api/runs?store=/etc', 400, 'USAGE'],
    ['api/find?index=/tmp/x', 400, 'USAGE'],
    ['api/runs?limit=1&json=', 400, 'USAGE'],
    ['api/find?all-attempts=1', 400, 'USAGE'],
    ['api/rm?arg=Train', 404, 'REFUSED'],
    ['api/__proto__', 404, 'REFUSED'],
    ['api/fsck?repair=', 400, 'USAGE'],
    ['api/gc?yes=', 400, 'USAGE'],
    ['api/%E0%A4%A', 400, 'USAGE'],
    ['page.js/../../etc/passwd', 404, 'REFUSED'],
    ['..%2f..%2fetc%2fpasswd', 404, 'REFUSED'],
    ['content/../../../../0/passwd', 400, 'INVALID_NAME'],
    ['report/..%2f../%2e%2e/x/y/0/passwd?download', 400, 'INVALID_NAME'],
    ['constructor', 404, 'REFUSED'],
    ['content/Train/x/y/z/0', 404, 'REFUSED'],
    ['content/a/b/c/d/latest/e', 404, 'REFUSED'],
  ])('that cannot be answered says so, in the same envelope: %s', async (path, status, code) => {
    const page = await serveStore(store);
    const answer = await page.get(path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code } });
  });

  it('that begins with dashes is an argument, and no option', async () => {
    const page = await serveStore(store);
    const other = join(folder, 'elsewhere');
    for (const path of [
      `runs?tag=&arg=--store&arg=${other}`,
      `runs?arg=--store=${other}`,
      'runs?arg=--debug',
    ]) {
      expect(await page.ask(path), path).not.toHaveProperty('result.runs.0');
      expect((await page.ask(path)).error?.code ?? 'none', path).toMatch(
        /^(USAGE|INVALID_NAME|RUN_NOT_FOUND|none)$/,
      );
    }
  });

  it('is one of two hundred at once, and each is answered', async () => {
    const page = await serveStore(store);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => page.ask(`runs?limit=${1 + (index % 4)}`)),
    );
    for (const [index, { status, result }] of answers.entries()) {
      expect(status).toBe(200);
      expect((result as { runs: unknown[] }).runs).toHaveLength(1 + (index % 4));
    }
  }, 60_000);
});

describe('a request', () => {
  it('without the token, or with another, gets nothing', async () => {
    const page = await serveStore(store);
    const origin = new URL(page.url).origin;
    const token = new URL(page.url).pathname.split('/')[1] as string;
    const others = [
      '',
      'api/runs',
      `${token.slice(0, -1)}/`,
      `${token}x/api/runs`,
      `${token.toLowerCase()}./`,
    ];
    for (const path of [...others, `x/${token}/api/runs`, `?${token}`]) {
      const { status, body } = await send(`${origin}/${path}`);
      expect(status, path).toBe(403);
      expect(body.toString()).not.toContain(token);
    }
  });

  it('by another host name gets nothing, whatever address that leads to', async () => {
    const page = await serveStore(store);
    const port = portOf(page);
    const bad = [
      'evil.example',
      `evil.example:${port}`,
      `127.0.0.1.evil.example:${port}`,
      '127.0.0.1:1',
      '127.0.0.1',
    ];
    for (const host of [...bad, `0.0.0.0:${port}`, `localhost:${port}:${port}`, `evil@localhost:${port}`]) {
      expect((await page.get('api/runs', { host })).status, host).toBe(403);
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, `LOCALHOST:${port}`]) {
      expect((await page.get('api/runs', { host })).status, host).toBe(200);
    }
  });

  it('that the page of another site makes gets nothing', async () => {
    const page = await serveStore(store);
    const { origin } = new URL(page.url);
    const bad: Record<string, string>[] = [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { origin: origin.replace('http', 'https') },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of bad) {
      const { status, headers: answered } = await page.get('api/runs', headers);
      expect(status, JSON.stringify(headers)).toBe(403);
      expect(Object.keys(answered).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    // A link may lead to the page itself, and to nothing that tells of the store, nor into a frame.
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect((await page.get('', link)).status).not.toBe(403);
    for (const path of ['api/runs', 'api/', 'index.html', 'page.js'])
      expect((await page.get(path, link)).status, path).toBe(403);
    expect((await page.get('', { ...link, 'sec-fetch-dest': 'iframe' })).status).toBe(403);
    expect((await page.get('', { ...link, origin: 'null' })).status).toBe(403);
    for (const headers of [{ origin }, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }]) {
      expect((await page.get('api/runs', headers as Record<string, string>)).status).toBe(200);
    }
  });

  it('by any method but GET and HEAD is refused', async () => {
    const page = await serveStore(store);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const { status, headers } = await send(new URL('api/runs', page.url).href, { method });
      expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
    }
    const head = await send(new URL('api/runs', page.url).href, { method: 'HEAD' });
    expect([head.status, head.body.length]).toEqual([200, 0]);
  });

  it('whose address is of another form, or too long, is refused', async () => {
    const page = await serveStore(store);
    const { pathname } = new URL(page.url);
    for (const path of [`http://evil.example${pathname}api/runs`, `//evil.example${pathname}`, '*'])
      expect((await send(page.url, { path })).status, path).toBe(403);
    expect((await page.get(`api/runs?tag=${'x'.repeat(9_000)}`)).status).toBe(414);
    const many = Array.from({ length: 300 }, () => 'tag=x').join('&');
    expect((await page.get(`api/runs?${many}`)).status).toBe(400);
  });

  it('is answered with headers that let no other site read, frame or guess it', async () => {
    const page = await serveStore(store);
    for (const path of ['api/runs', 'nothing', 'api/nothing']) {
      const { headers } = await page.get(path);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'cross-origin-resource-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
      });
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  // On Linux all of 127.0.0.0/8 leads to whoever listens on every address.
  it.runIf(process.platform === 'linux')('is to be had at 127.0.0.1 alone', async () => {
    const page = await serveStore(store);
    const { port } = new URL(page.url);
    const socket = connect(Number(port), '127.0.0.2');
    expect(
      await once(socket, 'connect').then(
        () => 'connected',
        ({ code }) => code,
      ),
    ).toBe('ECONNREFUSED');
    socket.destroy();
  });
});

describe('the store of a page', () => {
  it('stays as it is, whatever is asked', async () => {
    const own = await makeStore(scratchFolder());
    const page = await serveStore(own);
    const before = treeOf(own);
    const [task] = [`${RUN}/fit/2`];
    const asked = Object.entries(QUESTIONS).flatMap(([command, options]) => [
      command,
      ...[RUN, task, `${task}/0`, 'Train'].map((path) => `${command}?arg=${path}`),
      `${command}?arg=Other/r1&arg=Other/r2`,
      ...options.map((name) => `${command}?arg=${RUN}&${name}=${SWITCHES.has(name) ? '' : '1'}`),
    ]);
    const codes = await Promise.all(
      [...asked.map((one) => `api/${one}`), `content/${task}/0/weights`, `report/${task}/0/none`].map(
        async (path) => (await page.get(path.replace(' ', '%20'))).status,
      ),
    );
    expect(codes.filter((code) => code === 200).length).toBeGreaterThan(Object.keys(QUESTIONS).length);
    expect(codes.filter((code) => code >= 500)).toEqual([]);
    expect(treeOf(own)).toEqual(before);
  });

  it('that is not there is told at once', async () => {
    const { code, stderr } = await stowage(join(folder, 'none'), ['ui', '--json']);
    expect([code, JSON.parse(stderr).error.code]).toEqual([10, 'NO_SUCH_STORE']);
  });

  it('that goes away is told, and is shown again when it comes back, or another in its place', async () => {
    const scratch = scratchFolder();
    const own = await makeStore(scratch);
    const page = await serveStore(own);
    expect((await page.ask('runs')).status).toBe(200);
    await rename(own, `${own}.away`);
    expect((await page.ask('runs')).error?.code).toBe('NO_SUCH_STORE');
    expect((await page.ask('stat')).error?.code).toBe('NO_SUCH_STORE');
    await rename(`${own}.away`, own);
    expect((await page.ask('runs')).status).toBe(200);
    await rename(own, `${own}.away`);
    await makeStore(scratch);
    const [first, second] = [await page.ask('runs'), await page.ask('runs')];
    expect([first.error?.code ?? 'shown', second.status]).toEqual([
      expect.stringMatching(/^(STORE_GONE|shown)$/),
      200,
    ]);
  });
});

describe('stowage ui', () => {
  it('says on one line where the page is, as JSON too', async () => {
    const page = await serveStore(store);
    expect(page.stdout.text).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/\n$/);
    expect(page.stderr.text).toContain('Ctrl-C ends it');
    const other = startStowage(store, ['ui', '--json']);
    await other.stdout.has('\n');
    other.interrupt();
    await other.ended;
    expect(JSON.parse(other.stdout.text)).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/) });
  });

  it('says what to do about a port that is in use, or is none', async () => {
    const page = await serveStore(store);
    const taken = await stowage(store, ['ui', '--port', portOf(page), '--json']);
    expect([taken.code, JSON.parse(taken.stderr).error.code]).toEqual([1, 'PORT_IN_USE']);
    for (const port of ['65536', 'x', '-1', '']) {
      expect((await stowage(store, ['ui', `--port=${port}`])).code, port).toBe(2);
    }
  });

  it('ends with requests under way, and answers none afterwards', async () => {
    const running = startStowage(store, ['ui']);
    await running.stdout.has('\n');
    const url = running.stdout.text.trim();
    const asked = Array.from({ length: 50 }, () =>
      send(new URL('api/stat', url).href).catch(() => undefined),
    );
    asked.push(send(new URL(`follow/log?arg=${RUN}/report/0`, url).href).catch(() => undefined));
    await Promise.race(asked);
    running.interrupt();
    expect(await running.ended).toBe(130);
    await Promise.all(asked);
    await expect(send(url)).rejects.toThrow('ECONNREFUSED');
  });
});

/** Every file of a store with its bytes and when it was written. */
function treeOf(store: string): string[] {
  return readdirSync(store, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const stat = statSync(join(store, name));
      const bytes = stat.isFile() ? readFileSync(join(store, name)).toString('base64') : '';
      return `${name} ${stat.mtimeMs} ${bytes}`;
    });
}
