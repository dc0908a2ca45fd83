import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { autoVersion, type FlowDataStore, MemoryStorage } from '../../src/index.ts';
import { errorOf, openFlow } from '../flow/fixtures.ts';
import { test } from '../property.ts';

const folder = mkdtempSync(join(tmpdir(), 'stowage-code-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function newFile(text: string): string {
  const path = join(folder, `${files++}.txt`);
  writeFileSync(path, text);
  return path;
}

test.prop(
  [
    fc.array(
      fc.oneof(
        fc.record({ set: fc.constantFrom('file', 'config', 'version'), to: fc.integer({ min: 0, max: 2 }) }),
        fc.record({ call: fc.integer({ min: 0, max: 1 }) }),
      ),
      { minLength: 5, maxLength: 25 },
    ),
  ],
  { numRuns: 20 },
)('whatever changes between calls, each gives what the function would', async (steps) => {
  const flow = await openFlow();
  const file = newFile('0');
  const now = { file: 0, config: 0, version: 0 };
  const config = { factor: 0 };
  const define = (version: number) => {
    const inner = flow.cachedTask({
      name: 'inner',
      version: String(version),
      config,
      run: (n: number) => [n, version, config.factor],
    });
    const outer = flow.cachedTask({
      name: 'outer',
      version: 'auto',
      dependsOn: [inner, file],
      ignoredVariables: ['readFile', 'file', 'inner'],
      run: async (n: number) => [...(await inner(n)), Number(await readFile(file, 'utf8'))],
    });
    return outer;
  };
  const tasks = [0, 1, 2].map(define);
  for (const step of steps) {
    if ('call' in step) {
      const expected = [step.call, now.version, now.config, now.file];
      expect(await tasks[now.version]?.(step.call)).toEqual(expected);
      continue;
    }
    now[step.set] = step.to;
    if (step.set === 'file') writeFileSync(file, String(step.to));
    if (step.set === 'config') config.factor = step.to;
  }
});

describe('a file that a task depends on', () => {
  const define = (flow: FlowDataStore, file: string) =>
    flow.cachedTask({
      name: 'ask',
      version: 'auto',
      dependsOn: [file],
      ignoredVariables: ['readFile', 'file'],
      run: async (about: number) => `${about}: ${await readFile(file, 'utf8')}`,
    });

  it('counts as it is at each call', async () => {
    const flow = await openFlow();
    const file = newFile('one');
    const ask = define(flow, file);
    const texts = ['one', 'two', 'six', 'one', 'a longer one', 'two'];
    for (const [about, text] of texts.entries()) {
      writeFileSync(file, text); // of one length, and at once: its times need not tell
      expect(await ask(about)).toBe(`${about}: ${text}`);
    }
    for (const text of ['two', 'one']) {
      writeFileSync(file, text);
      const again = define(await openFlow({ storage: flow.storage }), file);
      for (const about of texts.keys()) expect(await again(about)).toBe(`${about}: ${text}`);
    }
  });

  it('counts by its bytes where its times are as before', async () => {
    const flow = await openFlow();
    const file = newFile('one');
    utimesSync(file, 1, 1);
    const ask = define(flow, file);
    await ask(1);
    await sleep(120);
    await ask(1);
    const other = newFile('two');
    utimesSync(other, 1, 1);
    renameSync(other, file);
    expect(await ask(1)).toBe('1: two');
    expect(statSync(file).mtimeMs).toBe(1000);
  });

  it('that is changed while the task runs gives no result, and none is kept', async () => {
    const flow = await openFlow();
    const file = newFile('one');
    let runs = 0;
    const slow = flow.cachedTask({
      name: 'slow',
      version: 'auto',
      dependsOn: [file],
      ignoredVariables: ['readFile', 'writeFileSync', 'file', 'runs'],
      retry: { attempts: 3 },
      run: async () => {
        if (runs++ === 0) writeFileSync(file, 'two');
        return readFile(file, 'utf8');
      },
    });
    const error = await errorOf(slow(undefined, { runId: 'r' }), 'INVALID_ARGUMENT');
    expect(error.message).toContain('The code of task "slow" was changed while the task ran');
    expect(runs).toBe(1);
    writeFileSync(file, 'one');
    expect(await slow()).toBe('one');
    writeFileSync(file, 'two');
    expect(await slow()).toBe('two');
  });

  it('that is gone is an error, until it is there again', async () => {
    const file = newFile('one');
    const ask = define(await openFlow(), file);
    await ask(1);
    rmSync(file);
    expect((await errorOf(ask(1), 'INVALID_ARGUMENT')).message).toContain('cannot be read');
    writeFileSync(file, 'one');
    expect((await ask.detailed(1)).hit).toBe(true);
  });

  it('is that which was named when the task was defined', async () => {
    const flow = await openFlow();
    const [file, other] = [newFile('one'), newFile('two')];
    const url = pathToFileURL(file);
    const dependsOn = [url];
    const task = flow.cachedTask({ name: 't', version: 'auto', dependsOn, run: () => 1 });
    const { key } = await task.keyOf(undefined);
    url.pathname = pathToFileURL(other).pathname;
    dependsOn.length = 0;
    expect((await task.keyOf(undefined)).key).toBe(key);
  });
});

describe('a task that depends on another one', () => {
  const report = (flow: FlowDataStore, score: unknown) =>
    flow.cachedTask({ name: 'report', version: 'auto', dependsOn: [score as () => void], run: () => 1 });
  const score = (flow: FlowDataStore, options: object = {}) =>
    flow.cachedTask({ name: 'score', version: '1', run: (n: number) => n, ...options });
  const keyWith = async (dependency: unknown, flow?: FlowDataStore) =>
    (await report(flow ?? (await openFlow()), dependency).keyOf(undefined)).key;

  it('has another key whenever that has, and the same else', async () => {
    const file = newFile('one');
    const flow = await openFlow();
    const of = (options: object) => keyWith(score(flow, options));
    const keys = await Promise.all(
      [
        {},
        { version: '2' },
        { name: 'other' },
        { version: 'auto' },
        { version: 'auto', run: (n: number) => n + 1 },
        { version: 'auto', dependsOn: [file] },
        { config: { factor: 10 } },
        { config: { factor: 11 } },
        { salt: 's' },
        { interfaceVersion: '2' },
        { ignoredInputs: ['trace'] },
        { scope: 'global' },
      ].map(of),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(await of({})).toBe(keys[0]);
    expect(await of({ version: '1', run: (n: number) => n + 1 })).toBe(keys[0]);
    const task = score(flow);
    for (const method of [task, task.detailed, task.map, task.plan, task.keyOf, task.evict])
      expect(await keyWith(method)).toBe(keys[0]);
  });

  it('sees what changes in that between calls, through another one too', async () => {
    const flow = await openFlow();
    const file = newFile('one');
    const config = { factor: 1 };
    const first = score(flow, { config });
    const second = flow.cachedTask({ name: 'mid', version: 'auto', dependsOn: [first, file], run: () => 1 });
    const last = report(flow, second);
    const keys = [(await last.keyOf(undefined)).key];
    config.factor = 2;
    keys.push((await last.keyOf(undefined)).key);
    writeFileSync(file, 'two');
    keys.push((await last.keyOf(undefined)).key);
    expect(new Set(keys).size).toBe(3);
    config.factor = 1;
    writeFileSync(file, 'one');
    expect((await last.keyOf(undefined)).key).toBe(keys[0]);
  });

  it('has another result where that has another version', async () => {
    const storage = new MemoryStorage();
    const totals: unknown[] = [];
    for (const [version, factor] of [
      ['1', 10],
      ['2', 100],
    ] as const) {
      const flow = await openFlow({ storage });
      const times = score(flow, { version, config: { factor }, run: (n: number) => n * factor });
      const total = flow.cachedTask({
        name: 'total',
        version: 'auto',
        dependsOn: [times],
        ignoredVariables: ['times'],
        run: async (n: number) => times(n),
      });
      totals.push(await total(1));
    }
    expect(totals).toEqual([10, 100]);
  });

  it('gives autoVersion another version, too, and so it does as the function itself', async () => {
    const flow = await openFlow();
    const digest = async (run: () => void) => (await autoVersion('t', { run })).digest;
    const [one, two] = [score(flow), score(flow, { version: '2' })] as unknown as (() => void)[];
    expect(await digest(one as () => void)).toBe(await digest(score(flow) as never));
    expect(await digest(one as () => void)).not.toBe(await digest(two as () => void));
    const wrapped = (run: unknown) =>
      flow.cachedTask({ name: 'w', version: 'auto', run: run as () => number }).keyOf(undefined);
    expect((await wrapped(one)).key).not.toBe((await wrapped(two)).key);
  });
});
