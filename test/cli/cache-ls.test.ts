import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../src/format/record.ts';
import { FlowDataStore, openStorage, registerStorage, StowageError } from '../../src/index.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { Newest } from '../../src/views/cache-entries.ts';
import { inlineEntry, keyOf } from '../cache/fixtures.ts';
import { test } from '../property.ts';
import { type CachedKeys, entryFile, makeCache, SECRET, withCacheOf } from './cache-fixture.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
let keys: CachedKeys;
beforeAll(async () => {
  keys = await makeCache(store);
});

async function keysOf(...args: string[]): Promise<string[]> {
  const { entries } = await json(store, ['cache', 'ls', ...args]);
  return entries.map(({ key }: { key: string }) => key);
}

/** Puts bytes where the entry of a key lies. */
function plant(at: string, key: string, bytes: string | Uint8Array): void {
  const file = entryFile(at, key);
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  writeFileSync(file, bytes);
}

describe('stowage cache ls', () => {
  it('tells in a narrow terminal too which attempt made an entry', async () => {
    for (const columns of [80, 40]) {
      const { stdout } = await stowage(store, ['cache', 'ls'], { columns });
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
      expect(stdout).toContain('ATTEMPT');
      expect(stdout.match(/Train\//g)?.length, stdout).toBeGreaterThanOrEqual(3);
    }
  });

  it('--offset goes on behind those that were listed, until there are no more', async () => {
    const { first, second, newer, embedded } = keys;
    expect(await json(store, ['cache', 'ls', '--limit', '3'])).toMatchObject({ next: 3, matching: 4 });
    expect(await keysOf('--limit', '2', '--offset', '1')).toEqual([newer, second]);
    const last = await json(store, ['cache', 'ls', '--offset', '3']);
    expect(last.entries.map(({ key }: { key: string }) => key)).toEqual([first]);
    expect(last).not.toHaveProperty('next');
    expect(await keysOf('--offset', '4')).toEqual([]);
    expect(await stowage(store, ['cache', 'ls', '--offset', '4'])).toMatchObject({ code: 0, stdout: '' });
    expect((await stowage(store, ['cache', 'ls', '--offset', '-1'])).code).toBe(2);
    expect(embedded).toBe((await keysOf())[0]);
  });

  it('lists the entries, newest first', async () => {
    const { first, second, newer, embedded } = keys;
    expect(await keysOf()).toEqual([embedded, newer, second, first]);
    const { total, matching, entries } = await json(store, ['cache', 'ls']);
    expect({ total, matching }).toEqual({ total: 4, matching: 4 });
    expect(entries[2]).toEqual({
      key: second,
      status: 'live',
      createdAt: expect.any(String),
      entryBytes: expect.any(Number),
      task: 'judge',
      version: '3',
      scope: 'flow Train',
      durationMs: expect.any(Number),
      bytes: expect.any(Number),
      inlineBytes: entries[2].bytes,
      attempt: expect.stringMatching(new RegExp(`^Train/.*/judge/${second.slice(0, 20)}/0$`)),
    });
    expect(entries[0]).toMatchObject({ task: 'embed', bytes: 50_000, inlineBytes: 0, scope: 'shared' });
  });

  it('is a table whose attempts can be shown', async () => {
    const { stdout } = await stowage(store, ['cache', 'ls']);
    expect(stdout).toMatch(/^KEY +TASK +VERSION +SCOPE +STORED +TOOK +SIZE +ATTEMPT$/m);
    expect(stdout).toMatch(/^[0-9a-f]{12} {2}judge +3 +flow Train +40 d ago +/m);
    const path = /Train\/\S+\/embed\/\S+/.exec(stdout)?.[0] as string;
    expect((await stowage(store, ['show', path])).code).toBe(0);
  });

  it('chooses by task, scope and age', async () => {
    const { first, second, newer, embedded } = keys;
    expect(await keysOf('--task', 'judge')).toEqual([newer, second, first]);
    expect(await keysOf('--scope', 'shared')).toEqual([embedded]);
    expect(await keysOf('--scope', 'Train')).toEqual([newer, second, first]);
    expect(await keysOf('--scope', 'flow Train')).toEqual([newer, second, first]);
    expect(await keysOf('--older-than', '7d')).toEqual([second, first]);
    expect(await keysOf('--since', '7d')).toEqual([embedded, newer]);
    expect(await keysOf('--older-than', '7d', '--since', '30d', '--task', 'judge')).toEqual([second]);
  });

  it('says how many are left out, and what was meant where nothing matches', async () => {
    const { stdout, stderr } = await stowage(store, ['cache', 'ls', '-n', '1']);
    expect(stdout.trim().split('\n')).toHaveLength(2);
    expect(stderr).toBe('stowage: 3 older not shown; all of them: --limit all\n');
    expect((await stowage(store, ['cache', 'ls', '--task', 'jugde'])).stderr).toBe(
      'stowage: none of 4 entries matches. Did you mean judge?\n',
    );
    expect((await stowage(store, ['cache', 'ls', '--scope', 'Trian'])).stderr).toContain(
      'Did you mean Train?',
    );
    const usage = await stowage(store, ['cache', 'ls', '--older-than', 'long']);
    expect(usage).toMatchObject({ code: 2, stderr: expect.stringContaining('--older-than is an age') });
  });

  it('shows no value', async () => {
    for (const args of [
      ['ls'],
      ['stats'],
      ['show', keys.first],
      ['explain', keys.newer],
      ['evict', '--all'],
    ]) {
      const [text, document] = [[], ['--json']].map((more) => stowage(store, ['cache', ...args, ...more]));
      expect(`${(await text)?.stdout}${(await document)?.stdout}`).not.toContain(SECRET);
    }
  });
});

describe('a cache that is empty, or not there', () => {
  const commands = [
    ['ls'],
    ['stats'],
    ['show', 'abc'],
    ['explain', 'abc'],
    ['evict', '--all'],
    ['evict', 'abc'],
  ];

  it.each(commands)('10: no such store, and none is made: %s', async (...args) => {
    const { code, stdout, stderr } = await stowage(join(folder, 'nowhere'), ['cache', ...args]);
    expect({ code, stdout }).toEqual({ code: 10, stdout: '' });
    expect(stderr).toContain('There is no store at');
    expect(readdirSync(folder)).not.toContain('nowhere');
  });

  it('is told in a remark', async () => {
    const empty = join(folder, 'empty');
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: empty });
    await flow.createRun({ runId: 'r1' });
    for (const command of ['ls', 'stats']) {
      expect(await stowage(empty, ['cache', command])).toMatchObject({
        code: 0,
        stdout: '',
        stderr: 'stowage: the cache has no entries yet.\n',
      });
    }
    expect(await json(empty, ['cache', 'ls'])).toEqual({ total: 0, matching: 0, entries: [] });
    expect(await json(empty, ['cache', 'stats'])).toMatchObject({ total: { entries: 0, oldestAt: null } });
    expect(await stowage(empty, ['cache', 'show', 'abc'])).toMatchObject({
      code: 1,
      stderr: 'stowage: The cache has no entries yet.\n',
    });
  });
});

describe('a cache with entries that cannot be read', () => {
  const garbage = keyOf('garbage');
  const newer = keyOf('newer');

  it('12: shows damaged ones as such, with all the rest', async () => {
    const copy = join(folder, 'damaged');
    await makeCache(copy);
    plant(copy, garbage, 'no record');
    plant(copy, keyOf('other'), encodeRecord({ format: 1, kind: 'cache-entry', key: garbage }));
    writeFileSync(join(copy, 'cache', garbage.slice(0, 3), 'junk.json'), 'not an entry');
    const { code, stdout, stderr } = await stowage(copy, ['cache', 'ls']);
    expect(code).toBe(12);
    expect(stdout).toMatch(new RegExp(`^${garbage.slice(0, 12)} +damaged`, 'm'));
    expect(stdout.trim().split('\n')).toHaveLength(1 + 6);
    expect(stderr).toContain('(And 1 more of the cache.)');
    expect(stderr).toMatch(/; to remove it: stowage cache evict <key>\n$/);
    const stats = await stowage(copy, ['cache', 'stats']);
    expect(stats.code).toBe(12);
    expect(stats.stdout).toMatch(/^damaged +2$/m);
    const document = JSON.parse((await stowage(copy, ['cache', 'stats', '--json'])).stdout);
    expect(document).toMatchObject({ unreadable: { damaged: 2 }, total: { entries: 6 } });
    // What is filtered by a name that they do not tell does not concern them.
    expect((await stowage(copy, ['cache', 'ls', '--task', 'judge'])).code).toBe(0);
  });

  it('3: tells those of a newer release', async () => {
    const copy = join(folder, 'newer');
    await makeCache(copy);
    plant(copy, newer, encodeRecord({ format: 99, kind: 'cache-entry', key: newer }));
    const { code, stdout } = await stowage(copy, ['cache', 'ls']);
    expect(code).toBe(3);
    expect(stdout).toMatch(new RegExp(`^${newer.slice(0, 12)} +newer-format`, 'm'));
    expect((await stowage(copy, ['cache', 'show', newer])).stdout).toContain('a newer release wrote it');
  });

  it('3: one that the storage does not give hides no other', async () => {
    const { first } = keys;
    const error = new StowageError('STORAGE_NOT_PERMITTED', 'The entry may not be read.');
    registerStorage('cache-denied', async () => {
      const isDenied = (operation: string, name: string): boolean =>
        operation === 'get' && name.includes(first);
      return new FaultStorage(await openStorage(store), (operation, name) =>
        isDenied(operation, name) ? { kind: 'before', error } : undefined,
      );
    });
    const { code, stdout, stderr } = await stowage('cache-denied:', ['cache', 'ls']);
    expect({ code, stderr }).toEqual({ code: 3, stderr: 'stowage: The entry may not be read.\n' });
    expect(stdout).toMatch(new RegExp(`^${first.slice(0, 12)} +unavailable`, 'm'));
    expect(stdout.trim().split('\n')).toHaveLength(1 + 4);
    const shown = await stowage('cache-denied:', ['cache', 'show', first]);
    expect(shown).toMatchObject({ code: 3, stdout: expect.stringContaining('the storage failed') });
    expect(await json('cache-denied:', ['cache', 'evict', first])).toMatchObject({
      entries: 1,
      unreadable: 1,
    });
  });

  it('shows that one has expired', async () => {
    const copy = join(folder, 'expired');
    await makeCache(copy);
    await withCacheOf(copy, (cache) =>
      cache.store(keyOf('old'), inlineEntry('x', { expiresAt: '2020-01-31T08:00:00.000Z' })),
    );
    const { code, stdout } = await stowage(copy, ['cache', 'ls']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${keyOf('old').slice(0, 12)} +judge +expired`, 'm'));
  });
});

describe('stowage cache stats', () => {
  it('counts by task', async () => {
    const { total, unreadable, tasks } = await json(store, ['cache', 'stats']);
    expect(unreadable).toEqual({});
    expect(tasks).toMatchObject([
      { task: 'embed', entries: 1, bytes: 50_000, inlineBytes: 0 },
      { task: 'judge', entries: 3 },
    ]);
    expect(tasks[1].inlineBytes).toBe(tasks[1].bytes);
    for (const member of ['entries', 'durationMs', 'bytes', 'inlineBytes', 'entryBytes'])
      expect(total[member]).toBe(tasks[0][member] + tasks[1][member]);
    expect(total).toMatchObject({ oldestAt: tasks[1].oldestAt, newestAt: tasks[0].newestAt });
    const { stdout } = await stowage(store, ['cache', 'stats']);
    expect(stdout).toMatch(/^TASK +ENTRIES +TOOK +SIZE +INLINE +OLDEST +NEWEST$/m);
    expect(stdout).toMatch(/^judge +3 .* 40 d ago +\d+ (min|h) ago$/m);
    expect(stdout).toMatch(/^all +4 /m);
  });
});

describe('what it asks of the storage', () => {
  it('reading writes nothing, and takes one listing and one request for each entry', async () => {
    const memory = 'memory:cache-ls-requests';
    const { first, newer } = await makeCache(memory);
    let counted: CountStorage | undefined;
    registerStorage('cache-counted', async () => {
      counted = new CountStorage(await openStorage(memory));
      return counted;
    });
    const costOf = async (...args: string[]): Promise<object> => {
      expect(await stowage('cache-counted:', ['cache', ...args])).toMatchObject({ code: 0 });
      const { list, get, create, overwrite, delete: deleted, head } = (counted as CountStorage).snapshot();
      expect([create.calls, overwrite.calls, deleted.calls, head.calls]).toEqual([0, 0, 0, 0]);
      return { list: list.calls, get: get.calls - 1 }; // one opens the store
    };
    expect(await costOf('ls')).toEqual({ list: 1, get: 4 });
    expect(await costOf('ls', '-n', '1')).toEqual({ list: 1, get: 4 });
    expect(await costOf('stats')).toEqual({ list: 1, get: 4 });
    expect(await costOf('show', first)).toEqual({ list: 1, get: 2 });
    expect(await costOf('explain', newer, first)).toEqual({ list: 2, get: 2 });
    expect(await costOf('explain', newer)).toEqual({ list: 2, get: 5 });
    expect(await costOf('evict', '--all')).toEqual({ list: 1, get: 4 });
  });

  test.prop([fc.array(fc.integer({ min: 0, max: 50 })), fc.integer({ min: 1, max: 10 })])(
    'the newest are kept, and no more than twice as many at any time',
    (times, limit) => {
      const newest = new Newest<number>(limit);
      for (const time of times) newest.add(time, time);
      expect(newest.items()).toEqual([...times].sort((a, b) => b - a).slice(0, limit));
    },
  );
});
