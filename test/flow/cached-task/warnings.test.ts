import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../../src/flow/flow-data-store.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { openFlow } from '../fixtures.ts';

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
    expect(warnings[0]?.message).toMatch(/"step" of flow "Test" share results.*version "1".*another name/);
    for (const run of [trim, shout]) await flow.cachedTask({ name: 'step', version: '1', run })('b');
    for (const run of [trim, shout]) await flow.cachedTask({ name: 'step', version: '2', run })('b');
    expect(await warned()).toHaveLength(1);
    for (const run of [trim, shout]) await flow.cachedTask({ name: 'other', version: '1', run })('b');
    expect(await warned()).toHaveLength(2);
  });

  it('whose source is the same are made wherever a function defines a task', async () => {
    const flow = await openFlow();
    const define = (suffix: string) =>
      flow.cachedTask({ name: 'inside', version: '1', run: (text: string) => text + suffix });
    await define('a')('text');
    await define('b')('text');
    await flow.cachedTask({ name: 'bound', version: '1', run: trim.bind(undefined) })('text');
    await flow.cachedTask({ name: 'bound', version: '1', run: shout.bind(undefined) })('text');
    expect(await warned()).toEqual([]);
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
        /"j" of flow "Test" ran.*: EACCES: permission denied\. .*mode: 'readonly'/,
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
