import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, noise, scratchFolder } from '../cli/fixture.ts';
import { type Response, serveStore } from './served.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const sources = join(folder, 'sources');
const HOSTILE = 'a"b; x=y;ü\u202e.html';
const LONG = `${'d'.repeat(90)}/${'f'.repeat(90)}.ts`;
const large = Buffer.from(noise(300_000, 3));
const fileName = (response: Response): string | undefined => response.headers['content-disposition'];

beforeAll(async () => {
  mkdirSync(join(sources, 'd'.repeat(90)), { recursive: true });
  writeFileSync(join(sources, 'main.ts'), 'run();', { mode: 0o755 });
  writeFileSync(join(sources, HOSTILE), '<script>alert(1)</script>');
  writeFileSync(join(sources, LONG), 'export {};');
  writeFileSync(join(sources, 'large.bin'), large);
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.createRun({ runId: 'r1', code: sources });
  await flow.createRun({ runId: 'bare' });
});

describe('the code of a run', () => {
  it('is saved file by file, by ranges as well, and never shown', async () => {
    const page = await serveStore(store);
    const { files } = await json(store, ['code', 'Train/r1']);
    for (const { path, size } of files as { path: string; size: number }[]) {
      const saved = await page.get(`code/Train/r1?entry=${encodeURIComponent(path)}`);
      expect([saved.status, saved.headers['content-length']]).toEqual([200, String(size)]);
      expect(saved.body).toEqual(readFileSync(join(sources, path)));
      expect(saved.headers['content-type']).toBe('application/octet-stream');
      expect(fileName(saved)).toMatch(/^attachment; filename="[\w. ()-]+"; filename\*=UTF-8''[\w.%-]+$/);
    }
    const part = await page.get('code/Train/r1?entry=large.bin', { range: 'bytes=70000-170000' });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 70000-170000/300000']);
    expect(part.body).toEqual(large.subarray(70_000, 170_001));
  });

  it('is saved as a whole, as an archive that tar takes apart, and goes on where it broke off', async () => {
    const page = await serveStore(store);
    const saved = await page.get('code/Train/r1');
    expect([saved.status, fileName(saved)]).toEqual([
      200,
      'attachment; filename="sources.tar"; filename*=UTF-8\'\'sources.tar',
    ]);
    expect(saved.headers['content-length']).toBe(String(saved.body.length));
    const range = `bytes=200000-`;
    const rest = await page.get('code/Train/r1', { range, 'if-range': saved.headers.etag ?? '' });
    expect([rest.status, rest.body.equals(saved.body.subarray(200_000))]).toEqual([206, true]);
    const archive = join(folder, 'sources.tar');
    writeFileSync(archive, saved.body);
    const out = join(folder, 'out');
    mkdirSync(out);
    await promisify(execFile)('tar', ['-xf', archive, '-C', out], {
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    expect(readdirSync(join(out, 'sources')).sort()).toEqual(readdirSync(sources).sort());
    for (const path of ['main.ts', HOSTILE, LONG, 'large.bin'])
      expect(readFileSync(join(out, 'sources', path))).toEqual(readFileSync(join(sources, path)));
    expect(statSync(join(out, 'sources', 'main.ts')).mode & 0o111).toBe(0o111);
    expect(statSync(join(out, 'sources', 'large.bin')).mode & 0o111).toBe(0);
  });

  it('is nothing beside its own files', async () => {
    const page = await serveStore(store);
    for (const path of [
      'code/Train/r1?entry=',
      'code/Train/r1?entry=../store',
      'code/Train/r1?entry=%2fetc%2fpasswd',
      'code/Train/bare',
      'code/Train/none',
      'code/Train',
      'code/Train/r1/main.ts',
    ])
      expect((await page.get(path)).status, path).toBe(404);
    expect((await page.ask('code?arg=Train/r1&output=/tmp/x')).status).toBe(400);
  });
});
