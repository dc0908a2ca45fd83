import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { TASK_BRAND } from '../../src/flow/task-brand.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, openFlow } from '../flow/fixtures.ts';
import { gate, until } from '../waiting.ts';

/** Creates what `isHeld` names only once it is opened, as a storage that hangs. */
class GatedStorage extends StorageDecorator {
  open: () => void = () => {};
  readonly #isHeld: (name: string) => boolean;
  readonly #opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });

  constructor(isHeld: (name: string) => boolean) {
    super(new MemoryStorage());
    this.#isHeld = isHeld;
  }

  override async create(...args: Parameters<StorageDecorator['create']>): Promise<boolean> {
    if (this.#isHeld(args[0])) await this.#opened;
    return this.inner.create(...args);
  }
}

/** How often a file is open in this process. */
function openTimes(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false; // that of the listing itself
    }
  }).length;
}

describe('a call', () => {
  it.runIf(existsSync('/proc/self/fd'))('leaves no file open that it saves too late', async () => {
    const path = join(realpathSync(mkdtempSync(join(tmpdir(), 'late-'))), 'plot.svg');
    writeFileSync(path, 'x'.repeat(100));
    const flow = await openFlow();
    const controller = new AbortController();
    let late: Promise<unknown> | undefined;
    const task = flow.cachedTask({
      name: 'late',
      version: '1',
      run: async (_: undefined, ctx) => {
        controller.abort();
        late = errorOf(ctx.files.save('plot', path), 'ABORTED');
        await late;
      },
    });
    await errorOf(task(undefined, { signal: controller.signal }), 'ABORTED');
    await late;
    await until(() => openTimes(path) === 0);
    rmSync(dirname(path), { recursive: true });
  });

  it('ends at once when its caller aborts, in every mode, though the function goes on', async () => {
    const flow = await openFlow();
    for (const mode of ['auto', 'refresh', 'readonly', 'off'] as const) {
      const controller = new AbortController();
      let release: () => void = () => {};
      const task = flow.cachedTask({
        name: 'deaf',
        version: mode,
        run: () => {
          controller.abort();
          return new Promise<void>((resolve) => {
            release = resolve;
          });
        },
      });
      await errorOf(task(undefined, { mode, signal: controller.signal }), 'ABORTED');
      release();
    }
  });

  it('that is serialized does not wait for its lease to be released longer than cacheTimeoutMs', async () => {
    const storage = new GatedStorage((name) => name.endsWith('.released'));
    const flow = await openFlow({ storage });
    // All else that the cache does takes no time, however busy the machine is.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    afterThisTest(() => clock.mockRestore());
    const task = flow.cachedTask({
      name: 'held',
      version: '1',
      serialize: true,
      cacheTimeoutMs: 100,
      run: () => 'value',
    });
    expect(await task.detailed()).toMatchObject({ value: 'value', stored: true });
    storage.open();
  });

  it.each([false, true])(
    'that refreshes takes no earlier result where the lookup failed (serialized: %s)',
    async (serialize) => {
      let isDown = false;
      const storage = new FaultStorage(new MemoryStorage(), (operation, name) =>
        isDown && operation === 'get' && name.startsWith('cache/') ? { kind: 'before' } : undefined,
      );
      const flow = await openFlow({ storage });
      let runs = 0;
      const task = flow.cachedTask({
        name: 'refreshed',
        version: '1',
        serialize,
        run: () => {
          isDown = false;
          return ++runs;
        },
      });
      expect(await task()).toBe(1);
      isDown = true;
      const refreshed = task.detailed(undefined, { mode: 'refresh' });
      expect(await refreshed).toMatchObject({ value: 2, stored: true });
      expect(await task()).toBe(2);
    },
  );

  it('that joins one of another run is recorded in its own, where that is asked for', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'joined', version: '1', run: () => sleep(10, 'value') });
    const [one, other] = await Promise.all([
      task.detailed(undefined, { runId: 'r1' }),
      task.detailed(undefined, { runId: 'r2', recordHit: true }),
    ]);
    expect([one.recorded, other.recorded].map((path) => path?.split('/')[0])).toEqual(['r1', 'r2']);
    const clone = await flow.getTaskDataStore(other.recorded as string);
    expect(await clone.get('output')).toBe('value');
  });

  it('from what a task left behind is no part of it: a pool that goes on may call it again', async () => {
    const flow = await openFlow();
    const later: Promise<unknown>[] = [];
    const ended = gate();
    const task = flow.cachedTask({
      name: 'pool',
      version: '1',
      run: async (n: number): Promise<number> => {
        if (later.length === 0) later.push(ended.opened.then(() => task.detailed(n, { mode: 'refresh' })));
        return n;
      },
    });
    await task(1, { runId: 'r1' });
    ended.open();
    const [same] = await Promise.all(later);
    expect(same).toMatchObject({ value: 1, hit: false });
    expect((same as { recorded: string }).recorded).not.toMatch(/^r1\//);
  });
});

describe('errors', () => {
  it.each([[undefined], [null], ['text'], [Object.freeze(new Error('frozen'))], [Object.create(null)]])(
    'of any kind come out as they were thrown: %j',
    async (thrown) => {
      const flow = await openFlow();
      let runs = 0;
      const task = flow.cachedTask({
        name: 'thrower',
        version: '1',
        retry: { attempts: 2 },
        run: () => {
          runs += 1;
          throw thrown;
        },
      });
      const ended = await task(undefined, { runId: 'r1' }).then(
        () => 'no error',
        (error: unknown) => ({ error }),
      );
      expect(ended).toEqual({ error: thrown });
      expect(runs).toBe(2);
      const attempts = await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true });
      expect(attempts.map(({ status }) => status)).toEqual(['failed']);
    },
  );

  it.each([[Number.NaN], [-1], ['5'], [undefined], [2 ** 40]])(
    'keep their place where retry.delayMs returns %s',
    async (delay) => {
      const flow = await openFlow();
      const own = new Error('own');
      const task = flow.cachedTask({
        name: 'delayed',
        version: '1',
        retry: { attempts: 2, delayMs: (() => delay) as never },
        run: () => {
          throw own;
        },
      });
      expect((await errorOf(task(), 'INVALID_ARGUMENT')).cause).toBe(own);
    },
  );

  it('of the inputs come after the results of the inputs before', async () => {
    const flow = await openFlow();
    async function* inputs() {
      yield* [1, 2, 3];
      throw new Error('bad line');
    }
    const task = flow.cachedTask({ name: 'lines', version: '1', run: (n: number) => sleep(20, n) });
    const values: unknown[] = [];
    const all = async (): Promise<void> => {
      for await (const outcome of task.map(inputs())) values.push(outcome.ok && outcome.value);
    };
    await expect(all()).rejects.toThrow('bad line');
    expect(values).toEqual([1, 2, 3]);
  });

  it('of onProgress end the whole', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'watched', version: '1', run: (n: number) => n });
    const all = async (): Promise<void> => {
      const onProgress = (): void => {
        throw new Error('no terminal');
      };
      for await (const _ of task.map([1, 2, 3], { onProgress }));
    };
    await expect(all()).rejects.toThrow('no terminal');
  });
});

describe('what a task says', () => {
  it('never throws, and tells what was dropped', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({
      name: 'talker',
      version: '1',
      run: (_: unknown, ctx) => {
        ctx.log({
          [inspect.custom]() {
            throw new Error('not to be printed');
          },
        });
        ctx.log('x'.repeat(9 * 1024 * 1024));
        return ctx.pathspec;
      },
    });
    const attempt = await flow.getTaskDataStore((await task()) as string);
    const text = await attempt.loadLogs('task', 'stdout');
    expect(text).toMatch(/^\[a value that cannot be printed\]\n\[1 lines? (was|were) dropped/);
  });

  it('on a storage that hangs keeps the task waiting no longer than cacheTimeoutMs', async () => {
    const storage = new GatedStorage((name) => name.startsWith('logs/'));
    const flow = await openFlow({ storage });
    const task = flow.cachedTask({
      name: 'stuck',
      version: '1',
      cacheTimeoutMs: 200,
      run: (_: unknown, ctx) => {
        ctx.log('hello');
        return 'value';
      },
    });
    expect(await task.detailed()).toMatchObject({ value: 'value', stored: false });
    storage.open();
  });

  it('and makes after its end is gone or refused', async () => {
    const flow = await openFlow();
    const { existsSync } = await import('node:fs');
    for (const fails of [false, true]) {
      const kept: { folder?: string; late?: () => string } = {};
      const task = flow.cachedTask({
        name: 'folders',
        version: String(fails),
        run: (_: unknown, ctx) => {
          writeFileSync(join(ctx.workDir, 'a'), 'a');
          kept.folder = ctx.workDir;
          if (fails) throw new Error('own');
        },
      });
      await task().catch(() => {});
      expect(existsSync(kept.folder as string)).toBe(false);
      const lazy = flow.cachedTask({
        name: 'lazy',
        version: String(fails),
        run: (_: unknown, ctx) => {
          kept.late = () => ctx.workDir;
          if (fails) throw new Error('own');
        },
      });
      await lazy().catch(() => {});
      expect(kept.late).toThrow('has ended');
    }
  });
});

describe('many calls in one task', () => {
  it('make Node.js warn of no leak, though they share a signal', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'shared', version: '1', run: (n: number) => sleep(1, n) });
    const warnings: Error[] = [];
    const listen = (warning: Error): void => {
      if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning);
    };
    process.on('warning', listen);
    const { signal } = new AbortController();
    const inputs = Array.from({ length: 40 }, (_, n) => n);
    for (const mode of ['off', 'auto', 'readonly'] as const) {
      await Promise.all(inputs.map((n) => task(n, { mode, signal })));
      for await (const { ok } of task.map(inputs, { mode, concurrency: 40, signal })) expect(ok).toBe(true);
    }
    await sleep(0);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  it('are not refused when the task can note no more of what it read', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'noted', version: '1', run: (n: number) => n });
    const taskOf = (pathspec: string): TaskDataStore =>
      ({ [TASK_BRAND]: true, flowName: 'Test', pathspec }) as never;
    const values = await flow.task({ runId: 'r1', stepName: 's', taskId: '0' }, async (outer) => {
      for (let i = 0; i < 50_000; i++) outer.recordRead(taskOf(`r/s/${i}/0`));
      return [await task(1), await task(2), await task(1)];
    });
    expect(values).toEqual([1, 2, 1]);
  });
});

it('a call after the flow was closed is refused, and runs nothing unseen', async () => {
  const flow = await openFlow();
  let runs = 0;
  const task = flow.cachedTask({ name: 'late', version: '1', run: () => ++runs });
  await flow.close();
  expect((await errorOf(task(), 'STORAGE_CLOSED')).message).toContain('"late"');
  await errorOf(task.plan([undefined]), 'STORAGE_CLOSED');
  for await (const outcome of task.map([undefined])) expect(outcome.ok).toBe(false);
  expect(runs).toBe(0);
});
