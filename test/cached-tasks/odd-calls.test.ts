import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, openFlow, scratchFolder } from '../flow/fixtures.ts';

describe('an input', () => {
  it('that runs code when it is looked at is an error that names the task, and none of its getters runs', async () => {
    const flow = await openFlow();
    const whole = flow.cachedTask({ name: 'whole', version: '1', run: (input: object) => input });
    const part = flow.cachedTask({
      name: 'part',
      version: '1',
      ignoredInputs: ['log'],
      run: (input: { n: number }) => input.n,
    });
    let ran = 0;
    const withGetter = {
      n: 1,
      get log() {
        ran += 1;
        throw new Error('a getter');
      },
    };
    expect((await errorOf(whole(withGetter), 'UNKEYABLE_VALUE')).details).toMatchObject({
      task: 'whole',
      path: 'input.log',
    });
    expect(await part(withGetter)).toBe(1);
    expect(ran).toBe(0);
    const { proxy, revoke } = Proxy.revocable({ n: 1 }, {});
    revoke();
    for (const call of [whole(proxy), part(proxy)]) {
      expect((await errorOf(call, 'UNKEYABLE_VALUE')).details).toMatchObject({ path: 'input' });
    }
  });

  it('whose schema is a union may lack what is ignored', async () => {
    const flow = await openFlow();
    const traceId = z.string().optional();
    const task = flow.cachedTask({
      name: 'union',
      version: '1',
      ignoredInputs: ['traceId'],
      input: z.union([z.object({ a: z.number(), traceId }), z.object({ b: z.number(), traceId })]),
      run: (input) => Object.keys(input).length,
    });
    await task({ a: 1 });
    expect((await task.detailed({ a: 1, traceId: 'x' })).hit).toBe(true);
  });
});

describe('a call', () => {
  it('joins none that may take an older result than it may itself', async () => {
    const flow = await openFlow();
    let runs = 0;
    const define = (options: object) =>
      flow.cachedTask({ name: 'aged', version: '1', run: () => ++runs, ...options });
    const [any, fresh] = [define({}), define({ maxAge: 0 })];
    await any();
    expect(await Promise.all([any(), fresh()])).toEqual([1, 2]);
  });

  it('whose signal is aborted while its schema works ends at once, and so does asking for its key', async () => {
    const flow = await openFlow();
    const stuck = { version: 1, vendor: 'test', validate: () => new Promise<never>(() => {}) } as const;
    const task = flow.cachedTask({
      name: 'stuck',
      version: '1',
      interfaceVersion: '1',
      input: { '~standard': stuck },
      run: () => 1,
    });
    for (const call of [task, task.keyOf, task.evict]) {
      const controller = new AbortController();
      const ended = errorOf(call(undefined, { signal: controller.signal }), 'ABORTED');
      controller.abort();
      await ended;
      await errorOf(call(undefined, { signal: controller.signal }), 'ABORTED');
    }
  });

  it('that is aborted while its input is saved leaves no attempt open', async () => {
    const controller = new AbortController();
    class AbortingStorage extends StorageDecorator {
      override async create(...args: Parameters<StorageDecorator['create']>): Promise<boolean> {
        if (args[0].startsWith('data/')) controller.abort();
        return this.inner.create(...args);
      }
    }
    const flow = await openFlow({ storage: new AbortingStorage(new MemoryStorage()) });
    const task = flow.cachedTask({ name: 'quit', version: '1', run: (text: string) => text.length });
    await errorOf(task('x'.repeat(20_000), { runId: 'r1', signal: controller.signal }), 'ABORTED');
    const statuses = async () =>
      (await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true })).map(({ status }) => status);
    while (`${await statuses()}` === 'open') await sleep(5);
    expect(await statuses()).toEqual(['failed']);
  });

  it('with options of another kind is refused before anything runs', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'map', version: '1', run: (n: number) => n });
    for (const options of [null, { onProgress: 5 }, { concurency: 2 }]) {
      await errorOf(async () => task.map([1], options as never).next(), 'INVALID_ARGUMENT');
    }
  });
});

describe('a retry', () => {
  it.each([
    [
      'retry.when threw Error: no',
      {
        when: () => {
          throw new Error('no');
        },
      },
    ],
    ['retry.when returned a promise', { when: async () => false }],
    [
      'retry.delayMs threw Error: no',
      {
        delayMs: () => {
          throw new Error('no');
        },
      },
    ],
  ])('that cannot be decided keeps the error of the task: %s', async (why, options) => {
    const flow = await openFlow();
    const own = new Error('own');
    let runs = 0;
    const task = flow.cachedTask({
      name: 'undecided',
      version: '1',
      retry: { attempts: 3, ...(options as object) },
      run: () => {
        runs += 1;
        throw own;
      },
    });
    const error = await errorOf(task(), 'INVALID_ARGUMENT');
    expect(error.message).toContain(why);
    expect(error.cause).toBe(own);
    expect(runs).toBe(1);
  });
});

describe('a file to keep', () => {
  it.each(['auto', 'readonly'] as const)('that cannot be is an error in the mode %s too', async (mode) => {
    const flow = await openFlow();
    const file = join(scratchFolder(), 'a');
    writeFileSync(file, 'a');
    const save = (name: unknown, path: unknown) =>
      flow.cachedTask({
        name: 'keeper',
        version: '1',
        run: (_: unknown, ctx) => ctx.files.save(name as string, path as string),
      })(undefined, { mode });
    await errorOf(save('a/b', file), 'INVALID_NAME');
    await errorOf(save(undefined, file), 'INVALID_NAME');
    await errorOf(save('a', `${file}-missing`), 'INVALID_ARGUMENT');
    await errorOf(save('a', undefined), 'INVALID_ARGUMENT');
    await save('a', file);
  });
});
