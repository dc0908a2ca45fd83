import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { tableFromArrays, tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { noise, scratchFolder, stowage } from '../cli/fixture.ts';
import { propertyRuns } from '../property.ts';
import { type Response, type Served, serveStore } from './served.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const raw = noise(300_000, 7);
const long = 'héllo\n'.repeat(50_000);
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const HOSTILE = 'a"b; set-cookie: x=y;..;ü\u202e.png';
const IN = 'Train/r1/make/0/0';

beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await mkdir(join(folder, 'dir/sub'), { recursive: true });
  await writeFile(join(folder, 'dir/a.txt'), 'in a directory');
  await writeFile(join(folder, 'dir/sub/b.html'), '<script>alert(1)</script>');
  await writeFile(join(folder, 'outside.txt'), 'outside');
  await flow.task({ runId: 'r1', stepName: 'make', taskId: '0' }, async (task) => {
    const report = task.report('summary', { title: 'Summary' });
    report.text('<b>bold</b>');
    await task.saveArtifacts({
      raw,
      long,
      plot: png,
      empty: new Uint8Array(0),
      weights: Float64Array.of(0.5, Number.NaN),
      metrics: { auc: 0.91, '</script>': '\u2028' },
      lone: 'a\ud800b',
      svg: await task.files.fromData('x.svg', Buffer.from(SVG)),
      page: await task.files.fromData('x.html', Buffer.from('<script>alert(1)</script>')),
      lies: await task.files.fromData('x.html', Buffer.from('<script>'), { mediaType: 'image/png' }),
      dir: await task.directories.fromLocal(join(folder, 'dir')),
      outside: await task.files.existing(pathToFileURL(join(folder, 'outside.txt'))),
      table: tableFromArrays({ x: Int32Array.of(1, 2, 3) }),
      [HOSTILE]: png,
    });
  });
  const failing = flow.task({ runId: 'r1', stepName: 'make', taskId: '1' }, async (task) => {
    await task.saveArtifacts({ partial: [1, 2] });
    throw new Error('boom');
  });
  await failing.catch(() => {});
});

function content(
  page: Served,
  artifact: string,
  headers?: Record<string, string>,
  query = '',
): Promise<Response> {
  return page.get(`content/${IN}/${encodeURIComponent(artifact)}${query}`, headers);
}

describe('a content', () => {
  it('is its bytes, its text, the elements of a typed array, a table as it lies', async () => {
    const page = await serveStore(store);
    expect((await content(page, 'raw')).body).toEqual(Buffer.from(raw));
    expect((await content(page, 'empty')).body.length).toBe(0);
    expect((await content(page, 'long')).body.toString()).toBe(long);
    expect((await content(page, 'weights')).body).toEqual(
      Buffer.from(Float64Array.of(0.5, Number.NaN).buffer),
    );
    const table = await content(page, 'table');
    expect(table.headers['content-disposition']).toContain('filename="table.arrows"');
    expect(tableFromIPC(table.body).numRows).toBe(3);
    expect((await content(page, 'lone')).body.toString()).toBe('a\ufffdb');
  });

  it('of any other value is the JSON that stowage get writes', async () => {
    const page = await serveStore(store);
    const { body, headers } = await content(page, 'metrics');
    expect(body).toEqual((await stowage(store, ['get', IN, 'metrics'])).bytes);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect((await page.get('content/Train/r1/make/1/0/partial')).body.toString()).toMatch(/^\[1, ?2\]\n$/);
  });

  it('of a reference is the file, and of a directory the entry that is named', async () => {
    const page = await serveStore(store);
    expect((await content(page, 'svg')).body.toString()).toBe(SVG);
    const entry = await content(page, 'dir', {}, '?entry=a.txt');
    expect([entry.body.toString(), entry.headers['content-type']]).toEqual([
      'in a directory',
      'text/plain; charset=utf-8',
    ]);
    for (const [query, status] of [
      ['', 400],
      ['?entry=', 404],
      ['?entry=../outside.txt', 404],
      ['?entry=sub', 404],
      ['?entry=%2fetc%2fpasswd', 404],
    ] as const)
      expect((await content(page, 'dir', {}, query)).status, query).toBe(status);
    expect((await content(page, 'raw', {}, '?entry=a')).status).toBe(400);
  });

  it('outside of the store is read to be saved, and not to be shown', async () => {
    const page = await serveStore(store);
    expect((await content(page, 'outside')).status).toBe(400);
    const saved = await content(page, 'outside', {}, '?download');
    expect([saved.status, saved.body.toString()]).toEqual([200, 'outside']);
    expect(saved.headers['content-type']).toBe('application/octet-stream');
    expect(saved.headers.etag).toMatch(/^W\//);
  });

  it('is shown by a type that runs nothing, and else only saved', async () => {
    const page = await serveStore(store);
    for (const [artifact, type, isShown] of [
      ['plot', 'image/png', true],
      ['svg', 'image/svg+xml', true],
      ['page', 'application/octet-stream', false],
      ['lies', 'application/octet-stream', false],
      ['raw', 'application/octet-stream', false],
      ['weights', 'application/octet-stream', false],
      ['long', 'text/plain; charset=utf-8', true],
    ] as const) {
      const { headers } = await content(page, artifact);
      expect(headers['content-type'], artifact).toBe(type);
      expect(headers['content-disposition']?.startsWith('inline'), artifact).toBe(isShown);
      expect(headers['content-security-policy'], artifact).toMatch(/^sandbox; default-src 'none';/);
      expect(headers['x-content-type-options']).toBe('nosniff');
      const saved = await content(page, artifact, {}, '?download');
      expect(saved.headers['content-disposition'], artifact).toMatch(/^attachment; filename="[\w.]+";/);
    }
    const html = await content(page, 'dir', {}, '?entry=sub/b.html');
    expect(html.headers['content-type']).toBe('application/octet-stream');
  });

  it('with a hostile name is one header, and no other', async () => {
    const page = await serveStore(store);
    const { status, headers } = await content(page, HOSTILE, {}, '?download');
    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('set-cookie');
    expect(headers['content-disposition']).toMatch(
      /^attachment; filename="[\w. ()-]+"; filename\*=UTF-8''[\w.~!*%-]+$/,
    );
  });

  it('that there is not is told in the envelope', async () => {
    const page = await serveStore(store);
    for (const path of [`${IN}/none`, 'Train/r1/make/0/7/raw', 'Train/r9/make/0/0/raw', 'No/r1/make/0/0/raw'])
      expect(JSON.parse((await page.get(`content/${path}`)).body.toString()), path).toMatchObject({
        error: { code: expect.stringMatching(/_NOT_FOUND$/) },
      });
  });
});

describe('a range of a content', () => {
  it('equals the slice, whichever it is', async () => {
    const page = await serveStore(store);
    const bytes = Buffer.from(raw);
    const offset = fc.integer({ min: 0, max: bytes.length + 10 });
    await fc.assert(
      fc.asyncProperty(offset, offset, async (one, other) => {
        const [first, last] = one < other ? [one, other] : [other, one];
        const { status, body, headers } = await content(page, 'raw', { range: `bytes=${first}-${last}` });
        expect(status).toBe(first >= bytes.length ? 416 : 206);
        if (status === 416) return;
        expect(body.equals(bytes.subarray(first, last + 1))).toBe(true);
        expect(headers['content-length']).toBe(String(body.length));
        expect(headers['content-range']).toBe(`bytes ${first}-${first + body.length - 1}/${bytes.length}`);
      }),
      { numRuns: propertyRuns },
    );
  });

  it('is asked for by its beginning, its end, or in part of a directory', async () => {
    const page = await serveStore(store);
    expect((await content(page, 'long', { range: 'bytes=-6' })).body.toString()).toBe('éllo\n');
    expect((await content(page, 'svg', { range: 'bytes=5-9' })).body.toString()).toBe(SVG.slice(5, 10));
    expect((await content(page, 'dir', { range: 'bytes=3-' }, '?entry=a.txt')).body.toString()).toBe(
      'a directory',
    );
  });

  it('of no bytes is 416, and one of another form all of it', async () => {
    const page = await serveStore(store);
    const none = await content(page, 'raw', { range: 'bytes=300000-' });
    expect([none.status, none.headers['content-range']]).toEqual([416, 'bytes */300000']);
    expect((await content(page, 'empty', { range: 'bytes=0-' })).status).toBe(416);
    for (const range of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=9-1']) {
      const { status, body } = await content(page, 'raw', { range });
      expect([status, body.length], range).toEqual([200, 300_000]);
    }
    expect((await content(page, 'metrics', { range: 'bytes=0-1' })).status).toBe(200);
  });

  it('counts only for the content that it was asked of (If-Range), and equal content is not sent again', async () => {
    const page = await serveStore(store);
    const { etag = '' } = (await content(page, 'raw')).headers;
    expect(etag).toMatch(/^"[\w%-]+"$/);
    const range = 'bytes=0-9';
    expect((await content(page, 'raw', { range, 'if-range': etag })).status).toBe(206);
    for (const other of ['"other"', `W/${etag}`, 'Wed, 21 Oct 2015 07:28:00 GMT'])
      expect((await content(page, 'raw', { range, 'if-range': other })).status, other).toBe(200);
    const again = await content(page, 'raw', { 'if-none-match': `"x", ${etag}` });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    expect((await content(page, 'plot')).headers.etag).not.toBe(etag);
  });
});

describe('a report', () => {
  it('is HTML of which nothing runs, in a frame of the page', async () => {
    const page = await serveStore(store);
    const { status, headers, body } = await page.get(`report/${IN}/summary`);
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(body.toString()).toContain('&lt;b&gt;bold');
    expect(headers['content-security-policy']).toBe(
      "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    );
    expect(headers).not.toHaveProperty('x-frame-options');
  });

  it('that cannot be read is an error to be read in its frame, in which nothing runs', async () => {
    const page = await serveStore(store);
    const none = await page.get(`report/${IN}/${encodeURIComponent('<i>none')}`);
    expect([none.status, none.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    expect(none.headers['content-security-policy']).toMatch(
      /^sandbox; default-src 'none'.*frame-ancestors 'self'/,
    );
    expect(none.headers).not.toHaveProperty('x-frame-options');
    expect(none.body.toString()).toMatch(/<strong>REPORT_NOT_FOUND<\/strong> There is no .*&lt;i&gt;none/);
    const saved = await page.get(`report/${IN}/none?download`);
    expect(saved.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it('is saved under its name where somebody asks for it', async () => {
    const page = await serveStore(store);
    const shown = await page.get(`report/${IN}/summary`);
    const { headers, body } = await page.get(`report/${IN}/summary?download`);
    expect(headers['content-disposition']).toMatch(/^attachment; filename="summary\.html"/);
    expect(body).toEqual(shown.body);
  });
});
