import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { mapBounded } from '../../src/async/bounded-work.ts';
import { objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';

const PROCESSES = 16;
/** `STOWAGE_KILLS=100` looks harder. */
const KILLS = Number(process.env.STOWAGE_KILLS ?? 5);

interface Caller {
  child: ChildProcess;
  lines: () => string[];
  closed: Promise<unknown>;
}

function startCaller(...args: (string | number)[]): Caller {
  return start('serialized-call.mjs', ...args);
}

function start(program: string, ...args: (string | number)[]): Caller {
  const worker = join(import.meta.dirname, 'workers', program);
  const child = spawn(process.execPath, [worker, ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout?.on('data', (data) => {
    text += data;
  });
  return { child, lines: () => text.split('\n').slice(0, -1), closed: once(child, 'close') };
}

/** Waits for what callers are to say; one that ended before fails the test. */
async function until(isThere: () => boolean, callers: readonly Caller[]): Promise<void> {
  while (!isThere()) {
    const ended = callers.find(({ child }) => child.exitCode !== null);
    if (ended) throw new Error(`a caller ended with ${ended.child.exitCode}`);
    await sleep(2);
  }
}

it(`${PROCESSES} processes call the same serialized task at once: it runs once, and all get the same value`, async () => {
  const folder = scratchFolder();
  const log = join(folder, 'runs');
  const callers = Array.from({ length: PROCESSES }, () =>
    startCaller(join(folder, 'store'), log, 100, 60_000),
  );
  await until(() => callers.every(({ lines }) => lines().length > 0), callers);
  for (const { child } of callers) child.stdin?.write('go\n');
  await Promise.all(callers.map(({ closed }) => closed));
  const runs = readFileSync(log, 'utf8').split('\n').slice(0, -1);
  expect(runs).toHaveLength(1);
  expect(new Set(callers.map(({ lines }) => lines().at(-1)))).toEqual(new Set([`value of ${runs[0]}`]));
}, 300_000);

it(`the owner is killed at a random moment, ${KILLS} times: the call completes, never twice under one token`, async () => {
  // Side by side, since most of a round is the wait for the lease, which no busy machine may take from one that is alive.
  await mapBounded(Array(KILLS).fill(undefined), 3, async () => {
    const folder = scratchFolder();
    const store = join(folder, 'store');
    const log = join(folder, 'runs');
    const callers = Array.from({ length: 3 }, () => startCaller(store, log, 60, 2_000));
    await until(() => callers.every(({ lines }) => lines().length > 0), callers);
    for (const { child } of callers) child.stdin?.write('go\n');
    await until(() => callers.some(({ lines }) => lines().includes('running')), callers);
    const owner = callers.find(({ lines }) => lines().includes('running')) as Caller;
    await sleep(Math.random() * 80);
    owner.child.kill('SIGKILL');
    await Promise.all(callers.map(({ closed }) => closed));
    const others = callers.filter((caller) => caller !== owner).map(({ lines }) => lines().at(-1));
    // One that got no turn for longer than the lease has a value of its own, which was not stored.
    const values = others.filter((value) => value !== 'fenced');
    expect(new Set(values).size).toBe(1);
    expect(values[0]).toMatch(/^value of \d+$/);
    expect(existsSync(log)).toBe(true);
    // Whoever ran, one attempt stands in the cache, and every attempt that is done was made by a run of its own.
    const flow = await openFlow({ storage: store });
    expect(await flow.cache.statistics()).toMatchObject({ entries: 1 });
    const tokens = (await objectNames(flow.storage, 'cache/')).map(
      (name) => /\.lease\.(\d+)\./.exec(name)?.[1],
    );
    const given = Math.max(...tokens.map((token) => Number(token ?? 0)));
    // Tokens count from 1, and each run had one of its own: there are no more runs than tokens.
    expect(readFileSync(log, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(given);
  });
}, 600_000);

it('two processes whose tasks call each other end with an error that names both, and leave no attempt open', async () => {
  const store = join(scratchFolder(), 'store');
  const callers = [
    start('circular-call.mjs', store, 'first', 'second'),
    start('circular-call.mjs', store, 'second', 'first'),
  ];
  await until(() => callers.every(({ lines }) => lines().includes('running')), callers);
  for (const { child } of callers) child.stdin?.write('go\n');
  await Promise.all(callers.map(({ closed }) => closed));
  const said = callers.map(({ lines }) => JSON.parse(lines().at(-1) as string));
  for (const { code } of said) expect(code).toBe('INVALID_ARGUMENT');
  // Where one gives up first, the other one runs both, and is told of its own circle.
  const circle = said.find(({ message }) => message.includes('wait for each other'));
  expect(circle?.message).toMatch(/"first".*"second"|"second".*"first"/);
  const flow = await openFlow({ storage: store });
  expect(await objectNames(flow.storage, 'beats/')).toEqual([]);
  for (const { run } of await flow.runs())
    for (const { status } of await flow.getTaskDataStores({ runId: run.runId, allowNotDone: true }))
      expect(status).toBe('failed');
});
