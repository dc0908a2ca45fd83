import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { inlineEntry, keyOf } from '../cache/fixtures.ts';
import { type CachedKeys, entryFile, makeCache, withCacheOf } from './cache-fixture.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const RING = `2026-03:${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER_RING = `2026-03:${Buffer.alloc(32, 8).toString('base64')}`;
let keys: CachedKeys;
beforeAll(async () => {
  keys = await makeCache(store);
});
afterEach(() => vi.unstubAllEnvs());

function copyOfStore(name: string): string {
  const copy = join(folder, name);
  cpSync(store, copy, { recursive: true });
  return copy;
}

describe('stowage cache show', () => {
  it('shows what an entry is made of and where it came from', async () => {
    const { first } = keys;
    const shown = await json(store, ['cache', 'show', first.slice(0, 12)]);
    expect(shown).toMatchObject({
      key: first,
      status: 'hit',
      task: 'judge',
      version: '3',
      scope: 'flow Train',
      leaseToken: 0,
      refs: 0,
      madeOf: {
        parts: { task: 'judge', version: '3', scope: { flow: 'Train' }, input: expect.any(String) },
        places: { input: { 'input.prompt': expect.any(String), 'input.of.user': expect.any(String) } },
      },
      artifacts: [{ name: 'output', type: 'object', inline: true }],
    });
    expect(shown).not.toHaveProperty('verified');
    const { stdout } = await stowage(store, ['cache', 'show', first.toUpperCase()]);
    expect(stdout).toContain(`${first.slice(0, 12)}  judge\na hit: all that it refers to is there\n`);
    expect(stdout).toContain(`key        ${first}\n`);
    expect(stdout).toMatch(/^ {2}input\.of\.user +[0-9a-f]{12}$/m);
    expect(stdout).toMatch(/^signature +none$/m);
  });

  it('says why it is no hit: content that is gone', async () => {
    const copy = copyOfStore('purged');
    rmSync(join(copy, 'data'), { recursive: true });
    const { code, stdout } = await stowage(copy, ['cache', 'show', keys.embedded]);
    expect(code).toBe(0);
    expect(stdout).toContain('no hit: the content of artifact output is gone\n');
    const shown = await json(copy, ['cache', 'show', keys.embedded]);
    expect(shown).toMatchObject({ status: 'purged', lost: { artifact: 'output' }, task: 'embed' });
  });

  it('12: says why it is no hit: the entry is damaged', async () => {
    const copy = copyOfStore('flipped');
    const file = entryFile(copy, keys.first);
    const bytes = readFileSync(file);
    bytes[40] = (bytes[40] as number) ^ 1;
    rmSync(file);
    writeFileSync(file, bytes);
    const { code, stdout, stderr } = await stowage(copy, ['cache', 'show', keys.first]);
    expect(code).toBe(12);
    expect(stdout).toContain('no hit: the entry is damaged');
    expect(stderr).toContain('is damaged');
  });

  it('says when it expired, and under which lease it was stored', async () => {
    const copy = copyOfStore('leased');
    const expiresAt = '2020-01-31T08:00:00.000Z';
    await withCacheOf(copy, (cache) => cache.store(keyOf('old'), inlineEntry('x', { expiresAt })));
    const { stdout } = await stowage(copy, ['cache', 'show', keyOf('old')]);
    expect(stdout).toMatch(/^no hit: it expired \d+ y ago$/m);
    expect(stdout).toContain('what it was made of is not told');
    expect(await json(copy, ['cache', 'show', keyOf('old')])).toMatchObject({ status: 'expired', expiresAt });
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: copy });
    const once = flow.cachedTask({ name: 'once', version: '1', serialize: true, run: () => 1 });
    const { key } = await once.detailed();
    expect((await stowage(copy, ['cache', 'show', key])).stdout).toMatch(/^lease +1$/m);
  });

  it('tells whether its signature holds', async () => {
    const signed = join(folder, 'signed');
    const plain = await makeCache(signed);
    vi.stubEnv('STOWAGE_CACHE_KEY', RING);
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: signed });
    const task = flow.cachedTask({ name: 'sealed', version: '1', run: () => 1 });
    const { key } = await task.detailed();
    expect((await stowage(signed, ['cache', 'show', key])).stdout).toMatch(
      /^signature +by 2026-03, verified$/m,
    );
    expect(await json(signed, ['cache', 'show', key])).toMatchObject({ status: 'hit', verified: true });
    expect((await stowage(signed, ['cache', 'show', plain.first])).stdout).toContain(
      'no hit: it is not signed',
    );
    const listed = await stowage(signed, ['cache', 'ls']);
    expect(listed.code).toBe(0);
    expect(listed.stdout).toMatch(/^[0-9a-f]{12} +unsigned/m);
    expect(listed.stderr).toContain('4 entries not signed by a key in STOWAGE_CACHE_KEY');

    vi.stubEnv('STOWAGE_CACHE_KEY', OTHER_RING);
    const forged = await stowage(signed, ['cache', 'show', key]);
    expect(forged.stdout).toContain('no hit: its signature is of no key in STOWAGE_CACHE_KEY');
    expect(forged.stdout).toMatch(/^signature +by 2026-03, forged$/m);
    expect(await json(signed, ['cache', 'show', key])).toMatchObject({ status: 'forged', verified: false });
    const explained = await stowage(signed, ['cache', 'explain', key]);
    expect(explained).toMatchObject({ code: 1, stderr: expect.stringContaining('is forged') });

    vi.stubEnv('STOWAGE_CACHE_KEY', OTHER_RING.replace('2026-03:', '2026-04:'));
    const left = await stowage(signed, ['cache', 'show', key]);
    expect(left.stdout).toContain('no hit: it is signed by a key that is not in STOWAGE_CACHE_KEY');
    expect(left.stdout).toMatch(/^signature +by 2026-03, which is not in STOWAGE_CACHE_KEY$/m);
    const unexplained = await stowage(signed, ['cache', 'explain', key]);
    expect(unexplained).toMatchObject({ code: 1, stderr: expect.stringContaining('not in the ring') });

    vi.stubEnv('STOWAGE_CACHE_KEY', undefined);
    expect((await stowage(signed, ['cache', 'show', key])).stdout).toContain(
      'by 2026-03, not verified: STOWAGE_CACHE_KEY is not set',
    );
    vi.stubEnv('STOWAGE_CACHE_KEY', 'short');
    expect(await stowage(signed, ['cache', 'ls'])).toMatchObject({ code: 2 });
  });
});

describe('the first digits of a key', () => {
  it('that several entries have: they are named', async () => {
    const copy = copyOfStore('alike');
    const [a, b] = [`abcd${'0'.repeat(60)}`, `abcd${'1'.repeat(60)}`];
    for (const key of [a, b]) await withCacheOf(copy, (cache) => cache.store(key, inlineEntry('x')));
    expect(await stowage(copy, ['cache', 'show', 'abcd'])).toEqual(
      expect.objectContaining({
        code: 2,
        stderr:
          'stowage: 2 entries begin with abcd: abcd00000000 (judge, just now), abcd11111111 (judge, just now). Give more digits.\n',
      }),
    );
    const { error } = JSON.parse((await stowage(copy, ['cache', 'show', 'abcd', '--json'])).stderr);
    expect(error).toMatchObject({ code: 'USAGE', details: { candidates: [a, b] } });
    expect((await json(copy, ['cache', 'show', 'abcd0'])).key).toBe(a);
    for (let i = 0; i < 12; i++)
      await withCacheOf(copy, (cache) =>
        cache.store(`abcd2${String(i).padStart(59, '0')}`, inlineEntry('x')),
      );
    const many = await stowage(copy, ['cache', 'show', 'abcd']);
    expect(many.stderr).toMatch(
      /^stowage: More than 10 entries begin with abcd: .*, and more\. Give more digits\.\n$/,
    );
  });

  it('that no entry has: near ones are named', async () => {
    const key = keys.first;
    const slip = `${key.slice(0, 5)}${key[5] === '0' ? '1' : '0'}${key.slice(6, 12)}`;
    expect(await stowage(store, ['cache', 'show', slip])).toMatchObject({
      code: 1,
      stderr: `stowage: The cache has no entry whose key begins with ${slip}. Did you mean ${key.slice(0, 12)}?\n`,
    });
    const { error } = JSON.parse((await stowage(store, ['cache', 'show', slip, '--json'])).stderr);
    expect(error).toMatchObject({ code: 'NO_SUCH_ENTRY', details: { suggestions: [key] } });
  });

  it.each(['judge', '', '0x12', 'a'.repeat(65)])('%j is none', async (text) => {
    const { code, stderr } = await stowage(store, ['cache', 'show', text]);
    expect(code).toBe(2);
    expect(stderr).toContain('is no key. A key has');
  });
});
