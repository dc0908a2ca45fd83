import { channel } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import type { CachedTask } from '../../src/cached-tasks/cached-task.ts';
import type { UnrecordedTask } from '../../src/cached-tasks/record.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { objectNames, openFlow } from '../flow/fixtures.ts';

/** A task of two traced calls that fails after them as often as `failures` says. */
function twoCalls(
  flow: FlowDataStore,
  failures: number,
): { ran: string[]; task: CachedTask<string, number>; fail: (times: number) => void } {
  const ran: string[] = [];
  let left = failures;
  const task = flow.cachedTask({
    name: 'two-calls',
    version: '1',
    retry: { attempts: 2 },
    run: async (input: string, ctx) => {
      const call = ctx.trace('call', async (what: string) => {
        ran.push(what);
        return ran.length;
      });
      const sum = (await call(`${input} a`)) + (await call(`${input} b`));
      if (left-- > 0) throw new Error('busy');
      return sum;
    },
  });
  return {
    ran,
    task,
    fail: (times) => {
      left = times;
    },
  };
}

describe('traces of a cached task', () => {
  it('are replayed by the next try, and by a later call', async () => {
    const flow = await openFlow();
    const { ran, task, fail } = twoCalls(flow, 1);
    expect(await task('x')).toBe(3);
    expect(ran).toEqual(['x a', 'x b']);
    fail(2);
    await expect(task('y')).rejects.toThrow('busy');
    expect(await task('y')).toBe(7);
    expect(ran).toEqual(['x a', 'x b', 'y a', 'y b']);
  });

  it('of a call that asks for a new result are replayed by its own tries only', async () => {
    const flow = await openFlow();
    const { ran, task, fail } = twoCalls(flow, 2);
    await expect(task('x')).rejects.toThrow('busy');
    fail(1);
    expect((await task.detailed('x', { mode: 'refresh' })).value).toBe(7);
    expect(ran).toEqual(['x a', 'x b', 'x a', 'x b']);
  });

  it('are neither recorded nor replayed where nothing is written', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const { ran, task } = twoCalls(flow, 1);
    expect((await task.detailed('x', { mode: 'readonly' })).value).toBe(7);
    expect(ran).toHaveLength(4);
    expect(await objectNames(storage, 'partial/')).toEqual([]);
  });

  it('cost their records, and no error, where the store fails', async () => {
    const told: UnrecordedTask[] = [];
    const note = (message: unknown): unknown => told.push(message as UnrecordedTask);
    channel('stowage:cached-task-unrecorded').subscribe(note);
    afterThisTest(() => channel('stowage:cached-task-unrecorded').unsubscribe(note));
    const storage = new FaultStorage(new MemoryStorage(), (operation, name) =>
      operation === 'create' && name.startsWith('partial/') ? { kind: 'before' } : undefined,
    );
    const flow = await openFlow({ storage });
    const { ran, task } = twoCalls(flow, 0);
    expect(await task('x')).toBe(3);
    expect(ran).toEqual(['x a', 'x b']);
    expect(told).toHaveLength(1);
  });
});
