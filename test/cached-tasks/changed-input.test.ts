import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { FlowDataStore } from '../../src/index.ts';
import { openFlow } from '../flow/fixtures.ts';

/** What calls came to: the value, or the code of the error. */
async function outcomesOf(calls: AsyncIterable<{ ok: boolean; value?: unknown; error?: unknown }>) {
  const outcomes: unknown[] = [];
  for await (const { ok, value, error } of calls)
    outcomes.push(ok ? value : (error as { code?: string }).code);
  return outcomes;
}

describe('an input that the caller changes while the call is under way', () => {
  it('never makes a result of another input: not returned, and not stored', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'changed', version: '1', run: (input: { n: number }) => input.n });
    const ends = new Set<string>();
    for (let ticks = 0; ticks < 80; ticks++) {
      const input = { n: ticks * 2 };
      const call = task(input);
      for (let i = 0; i < ticks; i++) await null;
      input.n += 1;
      const end = await call.catch((error: { code: string }) => error.code);
      expect(['INVALID_ARGUMENT', ticks * 2]).toContain(end);
      expect(await task({ n: ticks * 2 })).toBe(ticks * 2);
      expect(await task({ n: ticks * 2 + 1 })).toBe(ticks * 2 + 1);
      ends.add(typeof end);
    }
    expect(ends).toEqual(new Set(['string', 'number']));
  });

  it('counts as it was when the call was made: one object for all rows of a source', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'rows', version: '1', run: (input: { n: number }) => input.n });
    for (let n = 0; n < 6; n++) await task({ n });
    async function* rows() {
      const row = { n: 0 };
      for (; row.n < 6; row.n++) yield row;
    }
    expect(await outcomesOf(task.map(rows(), { concurrency: 3 }))).toEqual([0, 1, 2, 3, 4, 5]);
    const missing = flow.cachedTask({ name: 'rows', version: '2', run: (input: { n: number }) => input.n });
    const outcomes = await outcomesOf(missing.map(rows(), { concurrency: 3 }));
    for (const [index, outcome] of outcomes.entries()) expect([index, 'INVALID_ARGUMENT']).toContain(outcome);
  });

  it('does not count where a schema made another object of it', async () => {
    const flow = await openFlow();
    const input = { n: 1 };
    const task = flow.cachedTask({
      name: 'parsed',
      version: '1',
      input: z.object({ n: z.number() }),
      run: async (parsed) => {
        input.n = 2;
        return parsed.n;
      },
    });
    expect(await task(input)).toBe(1);
  });

  it('is told as what it is, and not tried again', async () => {
    const flow = await openFlow();
    let runs = 0;
    const task = flow.cachedTask({
      name: 'told',
      version: '1',
      retry: { attempts: 3 },
      run: (input: { n: number }) => {
        runs += 1;
        return input.n;
      },
    });
    const input = { n: 1 };
    const call = task(input);
    input.n = 2;
    await expect(call).rejects.toThrow('The input of task "told" was changed before');
    expect(runs).toBe(0);
  });
});

describe('a config that is changed', () => {
  const define = (flow: FlowDataStore, config: { t: number }, ticks = 0) =>
    flow.cachedTask({
      name: 'configured',
      version: '1',
      config,
      run: async (n: number) => {
        const first = config.t;
        for (let i = 0; i < ticks; i++) await null;
        return `${n} at ${first}, ${config.t}`;
      },
    });

  it('between two calls gives each of them a key of its own, however it is made', async () => {
    const flow = await openFlow();
    const config = { t: 0 };
    const [task, always0, always1] = [define(flow, config), define(flow, { t: 0 }), define(flow, { t: 1 })];
    expect(await task(1)).toBe('1 at 0, 0');
    config.t = 1;
    expect(await task.plan([1, 2])).toMatchObject({ hits: 0, misses: 2 });
    expect((await task.keyOf(1)).key).toBe((await always1.keyOf(1)).key);
    expect(await outcomesOf(task.map([1, 2]))).toEqual(['1 at 1, 1', '2 at 1, 1']);
    for (const n of [1, 2]) expect(await always1.detailed(n)).toMatchObject({ hit: true });
    expect(await always0.detailed(1)).toMatchObject({ value: '1 at 0, 0', hit: true });
    expect(await always0.detailed(2)).toMatchObject({ value: '2 at 0, 0', hit: false });
    await task.evict(1);
    expect(await always0.plan([1])).toMatchObject({ hits: 1 });
    expect(await always1.plan([1])).toMatchObject({ hits: 0 });
    // What an entry says that it was made of is of the same config.
    config.t = 2;
    const { key } = await task.detailed(3);
    const found = await flow.cache.lookup(key);
    expect(found.entry?.keyDescription).toEqual(await define(flow, { t: 2 }).keyOf(3));
  });

  it('while a call is under way never makes a result of another config: not returned, and not stored', async () => {
    const flow = await openFlow();
    const ends = new Set<string>();
    for (let ticks = 0; ticks < 160; ticks += 8) {
      const config = { t: 0 };
      const call = define(flow, config, 20)(ticks);
      for (let i = 0; i < ticks; i++) await null;
      config.t = 1;
      const end = await call.catch((error: { code: string }) => error.code);
      expect(['INVALID_ARGUMENT', `${ticks} at 0, 0`, `${ticks} at 1, 1`]).toContain(end);
      for (const t of [0, 1]) expect(await define(flow, { t })(ticks)).toBe(`${ticks} at ${t}, ${t}`);
      ends.add(end.replace(/^\d+ /, ''));
    }
    expect(ends).toContain('INVALID_ARGUMENT');
    expect(ends).toContain('at 0, 0');
  });

  it('by the function itself is told, recorded as a failure, and not tried again', async () => {
    const flow = await openFlow();
    const config = { runs: 0 };
    const task = flow.cachedTask({
      name: 'counting',
      version: '1',
      config,
      retry: { attempts: 3 },
      run: () => {
        config.runs += 1;
        return config.runs;
      },
    });
    await expect(task(undefined, { runId: 'r' })).rejects.toThrow(
      'The config of task "counting" was changed while',
    );
    expect(config.runs).toBe(1);
    const read = await flow.getTaskDataStores({ runId: 'r', allowNotDone: true });
    expect(read.map(({ status }) => status)).toEqual(['failed']);
  });

  it('does not count in a list of ignored inputs that the caller goes on to use', async () => {
    const flow = await openFlow();
    const ignoredInputs = ['trace'];
    const task = flow.cachedTask({
      name: 'ignoring',
      version: '1',
      ignoredInputs,
      run: (input: { n: number; trace: number }) => input.n,
    });
    ignoredInputs[0] = 'n';
    const { key, recorded } = await task.detailed({ n: 1, trace: 1 });
    expect(await task.detailed({ n: 1, trace: 2 })).toMatchObject({ key, hit: true });
    const attempt = await flow.getTaskDataStore(recorded as string);
    expect(await attempt.loadArtifacts(['input'])).toEqual({ input: { n: 1 } });
  });
});
