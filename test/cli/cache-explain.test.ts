import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { cacheKey, FlowDataStore } from '../../src/index.ts';
import { keyDistance } from '../../src/views/nearest-entry.ts';
import { inlineEntry, keyOf } from '../cache/fixtures.ts';
import { test } from '../property.ts';
import { type CachedKeys, makeCache, withCacheOf } from './cache-fixture.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
let keys: CachedKeys;
beforeAll(async () => {
  keys = await makeCache(store);
});

describe('stowage cache explain', () => {
  it('tells which parts of two entries differ, and where', async () => {
    const told = await json(store, ['cache', 'explain', keys.first.slice(0, 8), keys.second.slice(0, 8)]);
    expect(told).toMatchObject({
      a: { key: keys.first, task: 'judge' },
      b: { key: keys.second },
      different: true,
      same: expect.arrayContaining(['task', 'scope', 'version', 'config']),
      differences: [{ part: 'input', path: 'input.prompt', change: 'changed' }],
    });
    const { stdout } = await stowage(store, ['cache', 'explain', keys.first, keys.second]);
    expect(stdout).toMatch(new RegExp(`^--- {2}${keys.first.slice(0, 12)} {2}judge {2}40 d ago`, 'm'));
    expect(stdout).toMatch(new RegExp(`^\\+\\+\\+ {2}${keys.second.slice(0, 12)} {2}judge`, 'm'));
    expect(stdout).toMatch(/^input +input\.prompt changed$/m);
    expect(stdout).toMatch(/^version +the same$/m);
  });

  it('compares with the nearest: the same call, though another entry differs as little', async () => {
    // `second` is newer than `first`, and both versions of the prompt differ from `newer` in one place or two.
    const told = await json(store, ['cache', 'explain', keys.newer]);
    expect(told).toMatchObject({
      a: { key: keys.first },
      b: { key: keys.newer },
      among: 2,
      differences: [{ part: 'version', message: 'version "3" -> "4"' }],
    });
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
    const task = flow.cachedTask({
      name: 'judge',
      version: '4',
      config: { temperature: 0 },
      run: async (_: { prompt: string; of: { user: string } }) => 1,
    });
    await task({ prompt: 'Another, of the same version, and later', of: { user: 'sesame-open-4711' } });
    expect(await json(store, ['cache', 'explain', keys.newer])).toMatchObject({
      a: { key: keys.first },
      among: 3,
    });
  });

  it('of entries of two tasks', async () => {
    const { stdout } = await stowage(store, ['cache', 'explain', keys.embedded, keys.first]);
    expect(stdout).toMatch(/^task +task "embed" -> "judge"$/m);
    expect(stdout).toMatch(/^scope +scope name "shared" -> flow "Train"$/m);
    expect(stdout).toMatch(/^config +config added$/m);
  });

  it('of an entry with itself: nothing differs', async () => {
    expect(await json(store, ['cache', 'explain', keys.first, keys.first])).toMatchObject({
      different: false,
      differences: [],
    });
  });

  it('1: where there is nothing to compare with', async () => {
    const { code, stderr } = await stowage(store, ['cache', 'explain', keys.embedded]);
    expect(code).toBe(1);
    expect(stderr).toContain('The cache has no other entry of embed to compare');
    expect((await stowage(store, ['cache', 'explain', keys.first, 'ffffffff0'])).code).toBe(1);
  });

  it('1: an entry that does not say what its key was made of, or says it of another key', async () => {
    const copy = join(folder, 'foreign');
    const { first } = await makeCache(copy);
    await withCacheOf(copy, async (cache) => {
      const found = await cache.lookup(first);
      const description = found.status === 'hit' ? found.entry.keyDescription : null;
      await cache.store(keyOf('own'), inlineEntry('x'));
      await cache.store(keyOf('copied'), inlineEntry('x', { keyDescription: description }));
    });
    for (const key of [keyOf('own'), keyOf('copied')]) {
      const { code, stderr } = await stowage(copy, ['cache', 'explain', key, first, '--json']);
      expect(code).toBe(1);
      expect(JSON.parse(stderr).error.code).toBe('NOT_EXPLAINED');
    }
    // They are not in the way of others.
    expect(await json(copy, ['cache', 'explain', first])).toMatchObject({ among: 2 });
  });
});

describe('how far two keys are from each other', () => {
  const inputs = fc.jsonValue({ maxDepth: 3 });
  const keyFor = (input: unknown, version: string) => cacheKey({ taskName: 'judge', version, input });

  test.prop([inputs, inputs, fc.constantFrom('1', '2')])(
    'is 0 for equal keys only, and the same from either side',
    (a, b, version) => {
      const [one, other] = [keyFor(a, '1'), keyFor(b, version)];
      expect(keyDistance(one, other) === 0).toBe(one.key === other.key);
      expect(keyDistance(one, other)).toBe(keyDistance(other, one));
    },
  );

  test.prop([fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 8 }), fc.nat(7)])(
    'counts the places that differ',
    (names, count) => {
      const changed = Math.min(count, names.length);
      const input = Object.fromEntries(names.map((name) => [`m${name}`, 0]));
      const other = Object.fromEntries(names.map((name, index) => [`m${name}`, index < changed ? 1 : 0]));
      expect(keyDistance(keyFor(input, '1'), keyFor(other, '1'))).toBe(changed);
      expect(keyDistance(keyFor(input, '1'), keyFor(other, '2'))).toBe(changed + 1);
    },
  );
});
