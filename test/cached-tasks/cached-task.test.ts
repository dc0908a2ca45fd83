import { cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { cloneOf } from '../content/storages.ts';
import {
  errorOf,
  noise,
  objectNames,
  openFlow,
  openLocalFlow,
  saveTask,
  scratchFolder,
} from '../flow/fixtures.ts';
import { until } from '../waiting.ts';

/** A task that counts its runs. */
function counted(flow: FlowDataStore, options: object = {}) {
  const seen = { runs: 0 };
  const task = flow.cachedTask({
    name: 'double',
    version: '1',
    run: async (input: { n: number; note?: string }, ctx) => {
      seen.runs += 1;
      ctx.log('doubling', input.n);
      return { twice: input.n * 2 };
    },
    ...options,
  });
  return { task, seen };
}

describe('a cached task', () => {
  it('runs once for equal calls, in whatever process, and tells where a hit comes from', async () => {
    const storage = new MemoryStorage();
    const first = counted(await openFlow({ storage }));
    expect(await first.task({ n: 2 })).toEqual({ twice: 4 });
    expect(await first.task({ n: 2 })).toEqual({ twice: 4 });
    const later = await openFlow({ storage });
    const second = counted(later);
    const result = await second.task.detailed({ n: 2 });
    expect(result).toMatchObject({ value: { twice: 4 }, hit: true, stored: true, missReason: undefined });
    expect([first.seen.runs, second.seen.runs]).toEqual([1, 0]);
    const attempt = await later.getTaskDataStore(result.provenance?.pathspec as string);
    expect(await attempt.loadArtifacts()).toEqual({ input: { n: 2 }, output: { twice: 4 } });
    expect(await attempt.loadLogs('task', 'stdout')).toBe('doubling 2\n');
    expect(result.provenance?.durationMs).toBeTypeOf('number');
  });

  it('is a hit the second time for every empty result', async () => {
    const flow = await openFlow();
    for (const [index, empty] of [undefined, null, 0, '', [], {}, false, Number.NaN].entries()) {
      let runs = 0;
      const task = flow.cachedTask({
        name: `empty-${index}`,
        version: '1',
        run: () => {
          runs += 1;
          return empty;
        },
      });
      expect([await task(), await task()]).toEqual([empty, empty]);
      expect(runs).toBe(1);
    }
  });

  it('costs one request for a hit whose output is inline', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const { task } = counted(await openFlow({ storage }));
    await task({ n: 1 });
    storage.reset();
    expect((await task.detailed({ n: 1 })).hit).toBe(true);
    expect(storage.snapshot()).toMatchObject({ requests: 1, get: { calls: 1 } });
  });

  it('writes nothing for a hit, unless it is to be recorded as an attempt of the run', async () => {
    const flow = await openFlow();
    const { task, seen } = counted(flow);
    const first = await task.detailed({ n: 1 }, { runId: 'r1' });
    const before = await objectNames(flow.storage);
    await task({ n: 1 }, { runId: 'r2' });
    expect(await objectNames(flow.storage)).toEqual(before);
    const recorded = await task.detailed({ n: 1 }, { runId: 'r2', recordHit: true });
    expect(recorded.hit).toBe(true);
    expect(recorded.provenance?.pathspec).toBe(first.provenance?.pathspec);
    expect(recorded.recorded).toMatch(/^r2\/double\//);
    const clone = await flow.getTaskDataStore(recorded.recorded as string);
    expect(await clone.loadArtifacts(['output'])).toEqual({ output: { twice: 2 } });
    expect(clone.readFrom).toEqual([`Test/${first.provenance?.pathspec}`]);
    expect(seen.runs).toBe(1);
  });

  it('counts of synchronous work no time in which other work had the thread', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({
      name: 'busy',
      version: '1',
      run: (n: number) => {
        const untilMs = performance.now() + 10;
        while (performance.now() < untilMs);
        return n;
      },
    });
    const beganMs = performance.now();
    const results = await Promise.all(Array.from({ length: 8 }, (_, n) => task.detailed(n)));
    const tookMs = performance.now() - beganMs;
    const ranMs = results.reduce((sum, { durationMs = 0 }) => sum + durationMs, 0);
    expect(ranMs).toBeGreaterThanOrEqual(8 * 10);
    expect(ranMs).toBeLessThanOrEqual(tookMs + 8 * 0.5); // each is rounded
  });

  it('runs once for calls that are made at the same time', async () => {
    const flow = await openFlow();
    const { task, seen } = counted(flow);
    const same = counted(flow);
    const results = await Promise.all([task({ n: 1 }), same.task({ n: 1 }), task({ n: 1 })]);
    expect(results).toEqual([{ twice: 2 }, { twice: 2 }, { twice: 2 }]);
    expect(seen.runs + same.seen.runs).toBe(1);
  });

  it('does not care for key order, object identity, or where the call is made', async () => {
    const { task, seen } = counted(await openFlow());
    await task({ n: 1, note: 'x' });
    await task({ note: 'x', n: 1 });
    await Promise.resolve().then(() => task({ ...{ n: 1 }, note: 'x' }));
    expect(seen.runs).toBe(1);
  });

  it('leaves ignored inputs out of the key and of the record', async () => {
    const flow = await openFlow();
    let runs = 0;
    const task = flow.cachedTask({
      name: 'ignoring',
      version: '1',
      ignoredInputs: ['client'],
      run: ({ n, client }: { n: number; client: () => number }) => {
        runs += 1;
        return n + client();
      },
    });
    expect(await task({ n: 1, client: () => 10 })).toBe(11);
    const hit = await task.detailed({ n: 1, client: () => 20 });
    expect(hit).toMatchObject({ value: 11, hit: true });
    expect(runs).toBe(1);
    const attempt = await flow.getTaskDataStore(hit.provenance?.pathspec as string);
    expect(await attempt.loadArtifacts(['input'])).toEqual({ input: { n: 1 } });
  });

  it('is anew for another version, config, salt or scope, and shared by flows only in the scope global', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const other = await openFlow({ storage, flowName: 'Other' });
    const isHit = async (options: object, from = flow, call = {}) =>
      (await counted(from, options).task.detailed({ n: 1 }, call)).hit;
    expect(await isHit({})).toBe(false);
    for (const options of [
      { version: '2' },
      { config: { t: 0 } },
      { salt: 's' },
      { scope: 'global' },
      { scope: 'p/d' },
    ])
      expect(await isHit(options)).toBe(false);
    expect(await isHit({}, flow, { salt: 'trial-2' })).toBe(false);
    expect(await isHit({}, flow, { salt: 'trial-2' })).toBe(true);
    expect(await isHit({}, other)).toBe(false);
    expect(await isHit({ scope: 'global' }, other)).toBe(true);
    expect(await isHit({ scope: 'p/d' }, other)).toBe(true);
    expect(await isHit({})).toBe(true);
  });

  it('no salt of a task is taken for a config, or for the salt of a call', async () => {
    const flow = await openFlow();
    const keyOf = async (options: object, salt?: string) =>
      (await counted(flow, options).task.keyOf({ n: 1 }, { salt })).key;
    const keys = [
      await keyOf({ salt: 's', config: 1 }),
      await keyOf({ config: { salt: 's', config: 1 } }),
      await keyOf({ salt: 's' }),
      await keyOf({}, 's'),
      await keyOf({ salt: 's' }, 's'),
      await keyOf({}),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('keeps what happened to its modes: refresh replaces, readonly and off store nothing', async () => {
    const flow = await openFlow();
    let runs = 0;
    const task = flow.cachedTask({ name: 'count', version: '1', run: () => ++runs });
    expect(await task.detailed(undefined, { mode: 'readonly' })).toMatchObject({ value: 1, stored: false });
    expect(await objectNames(flow.storage)).toEqual([]);
    expect(await task.detailed(undefined, { mode: 'off' })).toMatchObject({ value: 2, stored: false });
    expect((await objectNames(flow.storage, 'cache/')).length).toBe(0);
    expect((await objectNames(flow.storage, 'flows/')).length).toBe(3);
    expect(await task()).toBe(3);
    expect(await task()).toBe(3);
    expect(await task.detailed(undefined, { mode: 'off' })).toMatchObject({ value: 4, hit: false });
    expect(await task()).toBe(3);
    expect(await task.detailed(undefined, { mode: 'refresh' })).toMatchObject({ value: 5, stored: true });
    expect(await task()).toBe(5);
    expect(await task.detailed(undefined, { mode: 'readonly' })).toMatchObject({ value: 5, hit: true });
  });

  it('forgets what is older than maxAge, and what was evicted', async () => {
    let nowMs = Date.now();
    const flow = await openFlow({ cache: { nowMs: () => nowMs } });
    const { task, seen } = counted(flow, { maxAge: '2h' });
    await task({ n: 1 });
    nowMs += 60 * 60_000;
    expect((await task.detailed({ n: 1 })).hit).toBe(true);
    nowMs += 61 * 60_000;
    expect(await task.detailed({ n: 1 })).toMatchObject({ hit: false, missReason: 'expired', stored: true });
    expect((await task.detailed({ n: 1 })).hit).toBe(true);
    await task.evict({ n: 1 });
    expect(await task.detailed({ n: 1 })).toMatchObject({ hit: false, missReason: 'absent' });
    expect(seen.runs).toBe(3);
  });

  it('stands in the run of the task that calls it, and among what that task read', async () => {
    const flow = await openFlow();
    const { task } = counted(flow);
    await flow.task({ runId: 'r7', stepName: 'outer', taskId: '0' }, async () => {
      await task({ n: 3 });
    });
    const outer = await flow.getTaskDataStore('r7/outer/0');
    const [inner] = await flow.getTaskDataStores({ runId: 'r7', steps: ['double'] });
    expect(outer.readFrom).toEqual([`Test/${inner?.pathspec}`]);
    await flow.task({ runId: 'r8', stepName: 'outer', taskId: '0' }, () => task({ n: 3 }));
    expect((await flow.getTaskDataStore('r8/outer/0')).readFrom).toEqual([`Test/${inner?.pathspec}`]);
  });

  it('that calls itself with its own input is told, and does not wait forever', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({
      name: 'loop',
      version: '1',
      run: async (n: number): Promise<number> => (n === 0 ? task(0) : task(n - 1)),
    });
    expect((await errorOf(task(2), 'INVALID_ARGUMENT')).message).toContain('"loop" calls itself');
  });
});

describe('the context of a cached task', () => {
  it('has a folder of its own that is gone afterwards, and keeps files', async () => {
    const flow = await openFlow();
    const folders: string[] = [];
    const task = flow.cachedTask({
      name: 'plot',
      version: '1',
      run: async (_: unknown, ctx) => {
        folders.push(ctx.workDir);
        expect(readdirSync(ctx.workDir)).toEqual([]);
        writeFileSync(join(ctx.workDir, 'plot.svg'), '<svg/>');
        await ctx.files.save('plot', join(ctx.workDir, 'plot.svg'));
        await errorOf(ctx.files.save('output', join(ctx.workDir, 'plot.svg')), 'INVALID_NAME');
        await expect(ctx.files.save('other', join(ctx.workDir, 'none'))).rejects.toThrow('ENOENT');
        // To open a pipe would wait for its writer; a device stands for it here.
        for (const path of ['/dev/null', ctx.workDir]) {
          await expect(ctx.files.save('other', path)).rejects.toThrow('folder, pipe or device, not a file');
        }
        await ctx.files.save('other', join(ctx.workDir, 'plot.svg'));
        return ctx.pathspec;
      },
    });
    const { value, provenance } = await task.detailed();
    expect(value).toBe(provenance?.pathspec);
    expect(folders.map((folder) => existsSync(folder))).toEqual([false]);
    const attempt = await flow.getTaskDataStore(value as string);
    expect(Buffer.from(await attempt.get<Uint8Array>('plot')).toString()).toBe('<svg/>');
  });

  it('is aborted when everybody who waits has gone, and not before', async () => {
    const flow = await openFlow();
    let signal: AbortSignal | undefined;
    const task = flow.cachedTask({
      name: 'slow',
      version: '1',
      run: async (_: unknown, ctx) => {
        signal = ctx.signal;
        await sleep(60_000, undefined, { signal: ctx.signal });
      },
    });
    const [one, two] = [new AbortController(), new AbortController()];
    const calls = [task(undefined, { signal: one.signal }), task(undefined, { signal: two.signal })];
    const settled = Promise.allSettled(calls);
    while (!signal) await sleep(1);
    one.abort();
    await errorOf(calls[0] as Promise<unknown>, 'ABORTED');
    expect(signal.aborted).toBe(false);
    two.abort();
    await settled;
    expect(signal.aborted).toBe(true);
  });
});

describe('a run that fails', () => {
  it('is never cached, keeps its error, and throws it as it is', async () => {
    const flow = await openFlow();
    const failure = new TypeError('no such model');
    let runs = 0;
    const task = flow.cachedTask({
      name: 'fragile',
      version: '1',
      run: async () => {
        runs += 1;
        if (runs === 1) throw failure;
        return 'fine';
      },
    });
    await expect(task(undefined, { runId: 'r1' })).rejects.toBe(failure);
    expect(await objectNames(flow.storage, 'cache/')).toEqual([]);
    expect(await task(undefined, { runId: 'r1' })).toBe('fine');
    const [attempt] = await flow.getTaskDataStores({ runId: 'r1', attempt: 0, allowNotDone: true });
    expect(attempt?.error).toMatchObject({ name: 'TypeError', message: 'no such model' });
  });

  it('is tried again as new attempts, as often and for the errors that retry says', async () => {
    const flow = await openFlow();
    const tries: number[] = [];
    const delays: number[] = [];
    let version = 0;
    const define = (error: () => Error, retry: object) =>
      flow.cachedTask({
        name: 'flaky',
        version: String(version++),
        retry: { attempts: 3, delayMs: (n: number) => delays.push(n), ...retry },
        run: async (_: unknown, ctx) => {
          tries.push(ctx.attempt);
          if (tries.length < 3) throw error();
          return ctx.attempt;
        },
      });
    const result = await define(() => new Error('busy'), {}).detailed(undefined, { runId: 'r1' });
    expect(result.value).toBe(2);
    expect(tries).toEqual([0, 1, 2]);
    expect(delays).toEqual([1, 2]);
    expect(result.provenance?.attempt).toBe(2);
    tries.length = 0;
    const final = Object.assign(new Error('no'), { recoverable: false });
    await expect(define(() => final, {})()).rejects.toBe(final);
    expect(tries).toEqual([0]);
    tries.length = 0;
    await expect(define(() => new Error('x'), { when: () => false })()).rejects.toThrow('x');
    expect(tries).toEqual([0]);
  });
});

describe('a function that changes its input', () => {
  it('changes neither the key nor the record', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({
      name: 'changing',
      version: '1',
      run: (input: { list: number[] }) => input.list.splice(0).length,
    });
    const first = await task.detailed({ list: [1, 2, 3] });
    expect(await task.detailed({ list: [1, 2, 3] })).toMatchObject({ value: 3, hit: true });
    expect(await task.detailed({ list: [] })).toMatchObject({ value: 0, hit: false });
    const attempt = await flow.getTaskDataStore(first.provenance?.pathspec as string);
    expect(await attempt.loadArtifacts(['input'])).toEqual({ input: { list: [1, 2, 3] } });
  });

  it('is not tried again: it would come to a result of another input', async () => {
    const flow = await openFlow();
    const failure = new Error('busy');
    const task = flow.cachedTask({
      name: 'changing',
      version: '1',
      retry: { attempts: 2 },
      run: (input: { list: number[] }) => {
        if (input.list.pop() === 3) throw failure;
        return input.list.length;
      },
    });
    expect((await errorOf(task({ list: [1, 2, 3] }), 'INVALID_ARGUMENT')).cause).toBe(failure);
  });
});

describe('content that was purged', () => {
  it.each([
    ['small', 1_000],
    ['in chunks', 300_000],
    ['in several packs', 17 * 1024 * 1024],
  ])('at any depth makes a hit a miss, runs the task and replaces the entry: %s', async (_, bytes) => {
    const body = noise(bytes);
    const define = (flow: FlowDataStore) =>
      flow.cachedTask({ name: 'large', version: '1', run: () => ({ list: [body] }) });
    const open = (storage: MemoryStorage) => openFlow({ storage, maxInlineBytes: 100 });
    const whole = new MemoryStorage();
    const first = await define(await open(whole)).detailed();
    const folders = ['data/', 'manifests/', 'packs/'].map((prefix) => objectNames(whole, prefix));
    const contents = (await Promise.all(folders)).flat();
    expect(contents.length).toBeGreaterThan(0);
    for (const content of contents) {
      const storage = await cloneOf(whole);
      await storage.delete([content]);
      const task = define(await open(storage)); // another process, as far as the store can tell
      const missed = await task.detailed();
      expect(missed, content).toMatchObject({ hit: false, missReason: 'purged', stored: true });
      expect(missed.provenance?.pathspec).not.toBe(first.provenance?.pathspec);
      expect(await define(await open(storage)).detailed()).toMatchObject({ hit: true });
    }
  });
});

describe('hits elsewhere', () => {
  it('on a store that was copied as files', async () => {
    const { flow, folder } = await openLocalFlow();
    await counted(flow).task({ n: 5 });
    const copy = join(scratchFolder(), 'copy');
    cpSync(folder, copy, { recursive: true });
    const result = await counted(await openFlow({ storage: copy })).task.detailed({ n: 5 });
    expect(result).toMatchObject({ hit: true, value: { twice: 10 } });
  });
});

describe('many calls', () => {
  it('are planned: hits, misses, and duplicates of misses', async () => {
    const flow = await openFlow();
    const { task, seen } = counted(flow);
    await task({ n: 2 });
    const inputs = [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 1 }];
    expect(await task.plan(inputs)).toMatchObject({ hits: 1, misses: 2, duplicates: 1, missing: [0, 2] });
    expect(seen.runs).toBe(1);
  });

  it('come in order, with what became of each, a bounded number at a time', async () => {
    const flow = await openFlow();
    let underWay = 0;
    let most = 0;
    const task = flow.cachedTask({
      name: 'many',
      version: '1',
      run: async (n: number) => {
        underWay += 1;
        most = Math.max(most, underWay);
        if (n < 4) await until(() => most === 4);
        await sleep((n * 7) % 5);
        underWay -= 1;
        if (n % 10 === 3) throw new Error(`no ${n}`);
        return n * 2;
      },
    });
    const inputs = Array.from({ length: 60 }, (_, n) => n);
    const progress: number[] = [];
    const seen: unknown[] = [];
    for await (const outcome of task.map(inputs, {
      concurrency: 4,
      onProgress: ({ done }) => progress.push(done),
    })) {
      expect(outcome.index).toBe(seen.length);
      seen.push(outcome.ok ? outcome.value : (outcome.error as Error).message);
    }
    expect(seen).toEqual(inputs.map((n) => (n % 10 === 3 ? `no ${n}` : n * 2)));
    expect(progress).toEqual(inputs.map((n) => n + 1));
    expect(most).toBe(4);
  });

  it('take their inputs as they are needed, and end the rest when the consumer stops', async () => {
    const flow = await openFlow();
    let taken = 0;
    let ended = false;
    async function* inputs() {
      try {
        for (;;) yield taken++;
      } finally {
        ended = true;
      }
    }
    const task = flow.cachedTask({ name: 'endless', version: '1', run: async (n: number) => n });
    for await (const outcome of task.map(inputs(), { concurrency: 2 })) if (outcome.index === 20) break;
    await until(() => ended);
    expect(taken).toBeLessThan(60);
  });

  it('give results while the next input is still awaited', async () => {
    const flow = await openFlow();
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* inputs() {
      yield 1;
      await gate;
      yield 2;
    }
    const task = flow.cachedTask({ name: 'queue', version: '1', run: async (n: number) => n });
    const outcomes = task.map(inputs());
    expect((await outcomes.next()).value).toMatchObject({ index: 0, value: 1 });
    release();
    expect((await outcomes.next()).value).toMatchObject({ index: 1, value: 2 });
    expect((await outcomes.next()).done).toBe(true);
  });
});

describe('bad input', () => {
  it('is told with the task and the path inside the value', async () => {
    const flow = await openFlow();
    const define = (options: object) =>
      flow.cachedTask({ name: 'picky', version: '1', run: (input: unknown) => input, ...options });
    const deep = await errorOf(define({})({ a: [1, { b: () => 1 }] }), 'UNKEYABLE_VALUE');
    expect(deep.message).toContain('picky');
    expect(deep.message).toContain('input.a[1].b');
    const output = await errorOf(
      define({ run: () => ({ x: [Symbol('s')] }), onUnsavable: 'throw' })(1),
      'UNSERIALIZABLE_ARTIFACT',
    );
    expect(output.message).toContain('The result of task "picky" cannot be saved');
    expect(output.message).toContain('output.x[0]');
    expect(await objectNames(flow.storage, 'cache/')).toEqual([]);
    const ignored = await errorOf(define({ ignoredInputs: ['nope'] })({ a: 1 }), 'INVALID_ARGUMENT');
    expect(ignored.message).toContain('nope');
    // A text would be taken for its letters: of one letter it would be ignored silently.
    const text = await errorOf((async () => define({ ignoredInputs: 'a' })({ a: 1 }))(), 'INVALID_ARGUMENT');
    expect(text.message).toContain('list of names');
    const auto = async (run: unknown) => define({ version: 'auto', run });
    await errorOf(auto(Math.max), 'INVALID_ARGUMENT');
    const bound = await errorOf(auto(function twice() {}.bind(null)), 'INVALID_ARGUMENT');
    expect(bound.message).toContain('picky');
    const nameless = () => () => 1;
    expect((await errorOf(auto(nameless().bind(null)), 'INVALID_ARGUMENT')).message).toContain(
      '(bound) is bound',
    );
  });

  it('of options is refused when the task is defined, or called', async () => {
    const flow = await openFlow();
    const run = (): number => 1;
    for (const options of [
      undefined,
      { name: 'a/b', version: '1', run },
      { name: 'a', version: '', run },
      { name: 'a', version: '1' },
      { name: 'a', version: '1', run, maxAge: 'soon' },
      { name: 'a', version: '1', run, ignoreInputs: ['x'] },
      { name: 'a', version: '1', run, dependsOn: [run] },
      { name: 'a', version: '1', run, retry: { attempts: 0 } },
      { name: 'a', version: '1', run, input: {} },
      { name: 'a', version: '1', run, cacheTimeoutMs: -1 },
    ]) {
      expect(() => flow.cachedTask(options as never), JSON.stringify(options)).toThrow(StowageError);
    }
    const { task } = counted(flow);
    await errorOf(task({ n: 1 }, { mode: 'auot' } as never), 'INVALID_ARGUMENT');
    await errorOf(task({ n: 1 }, { modes: 'auto' } as never), 'INVALID_ARGUMENT');
    const mapped = [{ n: 1 }].map(task as never) as Promise<unknown>[];
    expect((await errorOf(mapped[0] as Promise<unknown>, 'INVALID_ARGUMENT')).message).toContain('Array.map');
  });
});

it('a task of the flow that is not cached is no attempt of the cache', async () => {
  const flow = await openFlow();
  await saveTask(flow, { output: 1 });
  expect(await flow.cache.statistics()).toMatchObject({ entries: 0 });
});
