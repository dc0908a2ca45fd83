import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, openFlow } from '../flow/fixtures.ts';
import { until } from '../waiting.ts';

type Warning = Error & { code?: string };

const warnings: Warning[] = [];
const note = (warning: Warning): void => void warnings.push(warning);
beforeAll(() => void process.on('warning', note));
afterAll(() => void process.off('warning', note));
beforeEach(() => void warnings.splice(0));

/** What was warned of so far: Node.js tells it with the next tick. */
async function warned(): Promise<(string | undefined)[]> {
  await setImmediate();
  return warnings.map(({ code }) => code);
}

describe("what a version 'auto' does not see", () => {
  const PROMPT = 'Be kind';
  const helper = (text: string): string => `${PROMPT}: ${text}`;
  const judge = (text: string): string => helper(text) + PROMPT;

  it('is told by name, once in the process, with how to make it count', async () => {
    for (let turn = 0; turn < 2; turn++) {
      const flow = await openFlow();
      const define = (options: object = {}) =>
        flow.cachedTask({ name: 'judge', version: 'auto', run: judge, ...options });
      for (const input of ['a', 'b']) await define()(input);
      expect(await warned()).toEqual(turn === 0 ? ['STOWAGE_UNSEEN_VARIABLES'] : []);
      expect(warnings.splice(0)[0]?.message ?? '').toMatch(
        turn === 0
          ? /"judge" of flow "Test".*uses helper, PROMPT: .*`dependsOn`.*`config` with their names, .*`salt`/
          : /^$/,
      );
    }
    const flow = await openFlow();
    const told = async (options: object) => {
      await flow.cachedTask({ name: 'judge', version: 'auto', run: judge, ...options })('c');
      await warned();
      return warnings.splice(0).map(({ message }) => / uses (.*?): a change/.exec(message)?.[1]);
    };
    expect(await told({ dependsOn: [helper] })).toEqual(['PROMPT']);
    expect(await told({ dependsOn: [helper], config: { PROMPT } })).toEqual([]);
    expect(await told({ dependsOn: [helper], ignoredVariables: ['PROMPT'] })).toEqual([]);
    expect(await told({ run: (text: string) => text, dependsOn: [judge] })).toEqual([
      'helper (in dependsOn[0]), PROMPT (in dependsOn[0])',
    ]);
    const environment = { run: () => process.env.STOWAGE_TEST_MODEL ?? 'none' };
    expect(await told(environment)).toEqual(['process.env.STOWAGE_TEST_MODEL']);
    expect(await told({ ...environment, config: { STOWAGE_TEST_MODEL: 'none' } })).toEqual([]);
    expect(await told({ run: (text: string) => text.trim() })).toEqual([]);
    // As compilers make of imports.
    const [prompts_1, helper_1] = [{ PROMPT }, { helper }];
    const compiled = { run: (text: string) => prompts_1.PROMPT + helper_1.helper(text) };
    expect(await told(compiled)).toEqual(['prompts_1.PROMPT, helper_1.helper']);
    expect(await told({ ...compiled, dependsOn: [helper], config: { PROMPT } })).toEqual([]);
    expect(await told({ ...compiled, ignoredVariables: ['prompts_1', 'helper_1.helper'] })).toEqual([]);
  });

  it("is an error of each call with freeVariables: 'error', unless it counts", async () => {
    const flow = await openFlow();
    const define = (options: object = {}) =>
      flow.cachedTask({ name: 'strict', version: 'auto', freeVariables: 'error', run: judge, ...options });
    const task = define();
    for (const call of [() => task('a'), () => task('a'), () => task.plan(['a']), () => task.keyOf('a')]) {
      const error = await errorOf(call(), 'INVALID_ARGUMENT');
      expect(error.message).toContain('uses helper, PROMPT');
      expect(error.details).toMatchObject({ task: 'strict', variables: ['helper', 'PROMPT'] });
    }
    expect(await define({ dependsOn: [helper], config: { PROMPT } })('a')).toBe('Be kind: aBe kind');
    expect(await warned()).toEqual([]);
    for (const options of [{ freeVariables: 'no' }, { version: '1' }, { ignoredVariables: 'PROMPT' }]) {
      expect(() => define(options)).toThrow(/freeVariables|ignoredVariables/);
    }
  });

  it('is told to who subscribes, in place of a warning', async () => {
    const told: unknown[] = [];
    const listen = (message: unknown): void => void told.push(message);
    subscribe('stowage:cached-task-warning', listen);
    const flow = await openFlow();
    await flow.cachedTask({ name: 'subscribed', version: 'auto', run: judge })('a');
    unsubscribe('stowage:cached-task-warning', listen);
    expect(await warned()).toEqual([]);
    expect(told).toMatchObject([{ code: 'STOWAGE_UNSEEN_VARIABLES', flow: 'Test', task: 'subscribed' }]);
  });
});

describe('a hit that a function of other source made', () => {
  const mean = (numbers: number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const sameMean = new Function(
    'return (numbers) => /* as before */ numbers.reduce((sum, x) => (sum + x), 0) / numbers.length',
  )() as typeof mean;
  const median = (numbers: number[]): number => numbers.toSorted()[numbers.length >> 1] ?? 0;

  it.each([false, true])(
    'is told, once in the process, and in the result (serialize: %s)',
    async (serialize) => {
      const storage = new MemoryStorage();
      const call = async (run: typeof mean, times = 1) => {
        const flow = await openFlow({ storage });
        const task = flow.cachedTask({ name: `mean ${serialize}`, version: '1', serialize, run });
        let result = await task.detailed([1, 2, 6]);
        for (let turn = 1; turn < times; turn++) result = await task.detailed([1, 2, 6]);
        return {
          hit: result.hit,
          value: result.value,
          other: result.otherSource,
          told: (await warned()).length,
        };
      };
      expect(await call(mean)).toEqual({ hit: false, value: 3, other: false, told: 0 });
      expect(await call(mean)).toEqual({ hit: true, value: 3, other: false, told: 0 });
      expect(await call(sameMean)).toEqual({ hit: true, value: 3, other: false, told: 0 });
      expect(await call(median, 3)).toEqual({ hit: true, value: 3, other: true, told: 1 });
      expect(warnings[0]).toMatchObject({ code: 'STOWAGE_OTHER_SOURCE' });
      expect(warnings[0]?.message).toMatch(
        /"mean .*" of flow "Test".*other source.*version "1".*another version/,
      );
      expect(await call(median)).toEqual({ hit: true, value: 3, other: true, told: 1 });
      expect(await call(median.bind(null))).toMatchObject({ hit: true, other: false, told: 1 });
    },
  );

  it('is none where entries say nothing of their source, or nonsense', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'mean', version: '1', run: mean });
    const { key } = await task.detailed([1]);
    const found = await flow.cache.lookup(key);
    if (found.status !== 'hit') throw new Error('no hit');
    for (const keyDescription of [null, 1, [], { places: 1 }, { places: { version: [] } }]) {
      await flow.cache.evict(key);
      await flow.cache.store(key, { ...found.entry, keyDescription });
      expect(await flow.cachedTask({ name: 'mean', version: '1', run: median }).detailed([1])).toMatchObject({
        hit: true,
        otherSource: false,
      });
    }
    expect(await warned()).toEqual(['STOWAGE_CACHED_TASK_REDEFINED']);
  });
});

describe('two definitions of one name and version', () => {
  const trim = (text: string): string => text.trim();
  const shout = (text: string): string => text.toUpperCase();

  it('whose functions differ are warned of, once for each name', async () => {
    const flow = await openFlow();
    const first = flow.cachedTask({ name: 'step', version: '1', run: trim });
    const second = flow.cachedTask({ name: 'step', version: '1', run: shout });
    expect(await first(' a ')).toBe('a');
    expect(await warned()).toEqual([]);
    expect(await second(' a ')).toBe('a'); // what the warning is about
    expect(await warned()).toEqual(['STOWAGE_CACHED_TASK_REDEFINED']);
    expect(warnings[0]?.message).toMatch(/"step" of flow "Test" share results.*version "1".*two names/);
    for (const run of [trim, shout]) await flow.cachedTask({ name: 'step', version: '1', run })('b');
    for (const run of [trim, shout]) await flow.cachedTask({ name: 'step', version: '2', run })('b');
    expect(await warned()).toHaveLength(1);
    for (const run of [trim, shout]) await flow.cachedTask({ name: 'other', version: '1', run })('b');
    expect(await warned()).toHaveLength(2);
  });

  it('of one source are warned of where they close over something, unless that counts or is said not to', async () => {
    const flow = await openFlow();
    let sentinels = 0;
    const define = (name: string, suffix: string, options: object = {}) =>
      flow.cachedTask({ name, version: '1', run: (text: string) => text + suffix, ...options });
    const both = async (name: string, optionsFor: (suffix: string) => object = () => ({})) => {
      for (const suffix of ['a', 'b', 'b', 'a']) await define(name, suffix, optionsFor(suffix))('text');
      await settled();
      return (await warned()).splice(0);
    };
    // Code is read in the background: what there was to tell has been told when something later was.
    const settled = async () => {
      const name = `later ${++sentinels}`;
      for (const suffix of ['a', 'b']) await define(name, suffix)('text');
      await until(() => warnings.some(({ message }) => message.includes(name)));
      warnings.splice(
        warnings.findIndex(({ message }) => message.includes(name)),
        1,
      );
    };
    expect(await both('closed')).toEqual(['STOWAGE_CACHED_TASK_REDEFINED']);
    expect(warnings.splice(0)[0]?.message).toMatch(/same source, but suffix may differ.*config: { suffix }/);
    expect(await both('closed')).toEqual([]); // once for each name
    expect(await both('configured', (suffix) => ({ config: { suffix } }))).toEqual([]);
    expect(await both('ignored', () => ({ ignoredVariables: ['suffix'] }))).toEqual([]);
    expect(await both('auto', () => ({ version: 'auto' }))).toEqual([
      'STOWAGE_UNSEEN_VARIABLES',
      'STOWAGE_CACHED_TASK_REDEFINED',
    ]);
    warnings.splice(0);
    expect(await both('auto configured', (suffix) => ({ version: 'auto', config: { suffix } }))).toEqual([]);
    const nothing = () => (text: string) => text.trim();
    for (const version of ['1', 'auto'])
      for (const run of [nothing(), nothing()]) await define('made anew', '', { version, run })('text');
    await settled();
    expect(await warned()).toEqual([]);
    for (const run of [trim.bind(undefined), shout.bind(undefined)])
      await flow.cachedTask({ name: 'bound', version: '1', run })('text');
    await settled();
    expect(await warned()).toEqual(['STOWAGE_CACHED_TASK_REDEFINED']);
  });

  it('that share no results are two tasks', async () => {
    const flow = await openFlow();
    const other = await openFlow();
    const define = (of: FlowDataStore, run: typeof trim, options: object) =>
      of.cachedTask({ name: 'apart', version: '1', ...options, run })('text');
    const differences: object[] = [
      { version: '2' },
      { version: 'auto' },
      { scope: 'global' },
      { salt: 's' },
      { config: { model: 'large' } },
      { interfaceVersion: '1' },
    ];
    await define(flow, trim, {});
    await define(other, shout, {});
    for (const difference of differences) await define(flow, shout, difference);
    await define(flow, trim, { version: 'auto' });
    expect(await warned()).toEqual([]);
  });
});

describe('a cache that does not work', () => {
  const refused = new Error('EACCES: permission denied');
  /** A store that can be read and not be written. */
  const readable = () =>
    new FaultStorage(new MemoryStorage(), (operation) =>
      operation === 'create' || operation === 'overwrite' ? { kind: 'before', error: refused } : undefined,
    );

  it('is warned of once for each open flow, with the cause, and each call tells it', async () => {
    const storage = readable();
    for (const flow of [await openFlow({ storage }), await openFlow({ storage })]) {
      warnings.splice(0);
      let runs = 0;
      const task = flow.cachedTask({ name: 'j', version: '1', run: () => ++runs });
      const other = flow.cachedTask({ name: 'k', version: '1', run: () => ++runs });
      expect(await task.detailed()).toMatchObject({
        value: 1,
        stored: false,
        notStoredReason: 'unrecorded',
        notStoredError: refused,
      });
      expect(await warned()).toEqual(['STOWAGE_CACHE_FAILED']);
      const [warning] = warnings;
      expect(warning).toMatchObject({ name: 'StowageWarning', cause: refused });
      expect(warning?.message).toMatch(
        /"j" of flow "Test": recording .* failed \(EACCES: permission denied\); the call returns its result uncached\. .*mode: 'readonly'/,
      );
      expect((await task.detailed()).notStoredError).toBe(refused);
      await other();
      expect(await warned()).toHaveLength(1);
    }
  });

  it('is warned of by a plan that cannot look', async () => {
    const storage = new FaultStorage(new MemoryStorage(), () => ({ kind: 'before' }));
    const flow = await openFlow({ storage });
    const task = flow.cachedTask({ name: 'planned', version: '1', run: () => 1 });
    expect(await task.plan([undefined])).toMatchObject({ misses: 1 });
    expect(await warned()).toEqual(['STOWAGE_CACHE_FAILED']);
  });

  it('is warned of where only the entry cannot be written', async () => {
    const storage = new FaultStorage(new MemoryStorage(), (operation, name) =>
      operation === 'create' && name.startsWith('cache/') ? { kind: 'before', error: refused } : undefined,
    );
    const flow = await openFlow({ storage });
    const task = flow.cachedTask({ name: 'entry', version: '1', run: () => 1 });
    expect(await task.detailed()).toMatchObject({
      stored: false,
      notStoredReason: 'unavailable',
      notStoredError: refused,
    });
    expect(await warned()).toEqual(['STOWAGE_CACHE_FAILED']);
  });

  it('is told to a subscriber instead', async () => {
    const listen = (): void => {};
    subscribe('stowage:cached-task-unrecorded', listen);
    try {
      const flow = await openFlow({ storage: readable() });
      await flow.cachedTask({ name: 'heard', version: '1', run: () => 1 })();
      expect(await warned()).toEqual([]);
    } finally {
      unsubscribe('stowage:cached-task-unrecorded', listen);
    }
  });

  it('is not what a cache that is only read is', async () => {
    const flow = await openFlow({ storage: readable() });
    const task = flow.cachedTask({ name: 'read', version: '1', run: () => 1 });
    expect(await task.detailed(undefined, { mode: 'readonly' })).toMatchObject({
      stored: false,
      notStoredReason: undefined,
      notStoredError: undefined,
    });
    expect(await warned()).toEqual([]);
  });
});
