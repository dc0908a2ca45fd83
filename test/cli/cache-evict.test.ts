import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStorage, registerStorage } from '../../src/index.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { keyOf } from '../cache/fixtures.ts';
import { entryFile, makeCache } from './cache-fixture.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let made = 0;

async function newCache() {
  made += 1;
  const store = join(folder, `store-${made}`);
  return { store, ...(await makeCache(store)) };
}

async function keysLeft(store: string): Promise<string[]> {
  const { entries } = await json(store, ['cache', 'ls']);
  return entries.map(({ key }: { key: string }) => key);
}

describe('stowage cache evict', () => {
  it('is a dry run until --yes, and says what it would do', async () => {
    const { store, first, second, newer, embedded } = await newCache();
    const dry = await stowage(store, ['cache', 'evict', '--task', 'judge']);
    expect(dry).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^would evict 3 entries: \d+ B, took .* to make$/m),
      stderr: 'stowage: nothing was evicted. To evict: --yes\n',
    });
    expect(dry.stdout).toMatch(new RegExp(`^${first.slice(0, 12)} +judge`, 'm'));
    expect(await keysLeft(store)).toHaveLength(4);
    const planned = await json(store, ['cache', 'evict', '--task', 'judge']);
    expect(planned).toMatchObject({ dryRun: true, entries: 3, evicted: 0, unreadable: 0, failures: 0 });
    expect(planned.keys.sort()).toEqual([first, second, newer].sort());

    const done = await stowage(store, ['cache', 'evict', '--task', 'judge', '--yes']);
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^evicted 3 entries: \d+ B, took .* to make\n$/),
      stderr: '',
    });
    expect(await keysLeft(store)).toEqual([embedded]);
    // The next call runs again.
    expect(await makeCache(store)).toMatchObject({ first });
    expect(await keysLeft(store)).toHaveLength(4);
  });

  it('by keys, each once', async () => {
    const { store, first, second, newer, embedded } = await newCache();
    const args = ['cache', 'evict', first.slice(0, 10), first, second, '-y'];
    expect(await json(store, args)).toMatchObject({ dryRun: false, entries: 2, evicted: 2 });
    expect((await keysLeft(store)).sort()).toEqual([embedded, newer].sort());
  });

  it('evicts nothing unless every key is found', async () => {
    const { store, first } = await newCache();
    const { code, stderr } = await stowage(store, ['cache', 'evict', first, 'ffffffffffff0', '--yes']);
    expect(code).toBe(1);
    expect(stderr).toContain('no entry whose key begins with ffffffffffff0');
    expect(await keysLeft(store)).toHaveLength(4);
  });

  it('by scope, by age, and all', async () => {
    const { store, newer, embedded } = await newCache();
    expect(await json(store, ['cache', 'evict', '--older-than', '7d', '--yes'])).toMatchObject({
      evicted: 2,
    });
    expect((await keysLeft(store)).sort()).toEqual([embedded, newer].sort());
    expect(await json(store, ['cache', 'evict', '--scope', 'shared', '--yes'])).toMatchObject({
      evicted: 1,
      keys: [embedded],
      bytes: 50_000,
    });
    expect(await json(store, ['cache', 'evict', '--all', '--yes'])).toMatchObject({
      evicted: 1,
      keys: [newer],
    });
    expect(await keysLeft(store)).toEqual([]);
    expect(await stowage(store, ['cache', 'evict', '--all', '--yes'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'stowage: no entry matches.\n',
    });
  });

  it('takes damaged entries away, by key and with --all', async () => {
    const { store } = await newCache();
    for (const name of ['a', 'b']) {
      const file = entryFile(store, keyOf(name));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, 'no record');
    }
    const dry = await stowage(store, ['cache', 'evict', keyOf('a')]);
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('1 entry unreadable') });
    expect((await stowage(store, ['cache', 'evict', keyOf('a'), '--yes'])).code).toBe(0);
    expect(existsSync(entryFile(store, keyOf('a')))).toBe(false);
    expect(await json(store, ['cache', 'evict', '--all', '--yes'])).toMatchObject({
      evicted: 5,
      unreadable: 1,
    });
    expect(await keysLeft(store)).toEqual([]);
  });

  it('3: what could be evicted is; 1: where nothing could', async () => {
    const { store, first, second } = await newCache();
    let failing: readonly string[] = [first];
    registerStorage('cache-stuck', async () => {
      const plan = (operation: string, name: string) =>
        operation === 'delete' && failing.some((key) => name.includes(key))
          ? ({ kind: 'before' } as const)
          : undefined;
      return new FaultStorage(await openStorage(store), plan);
    });
    const some = await stowage('cache-stuck:', ['cache', 'evict', first, second, '--yes', '--json']);
    expect(some.code).toBe(3);
    expect(JSON.parse(some.stdout)).toMatchObject({
      entries: 2,
      evicted: 1,
      failures: 1,
      keys: [second],
      failed: [{ key: first, code: 'STORAGE_UNAVAILABLE' }],
    });
    expect(JSON.parse(some.stderr).error.message).toContain('(1 entry of 2 could not be evicted.)');
    failing = [''];
    const none = await stowage('cache-stuck:', ['cache', 'evict', '--all', '--yes']);
    expect(none).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('3 entries of 3') });
    expect(await keysLeft(store)).toHaveLength(3);
  });

  it.each([
    [[], 'Name what to evict'],
    [['--yes'], 'Name what to evict'],
    [['abc', '--task', 'judge'], 'Name keys, or choose by'],
    [['--all', '--older-than', '7d'], 'Name keys, or choose by'],
    [['judge'], '"judge" is no key.'],
    [['--older-than', 'old'], '--older-than is an age'],
  ])('2: %j', async (args, said) => {
    const { code, stderr } = await stowage(join(folder, 'store-1'), ['cache', 'evict', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(said);
  });
});
