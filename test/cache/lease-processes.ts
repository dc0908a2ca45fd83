import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { mapBounded } from '../../src/async/bounded-work.ts';
import { TaskCache } from '../../src/cache/task-cache.ts';
import { openFlow } from '../flow/fixtures.ts';
import { contentOf, heldBy, keyOf } from './fixtures.ts';

/** How often an owner is killed: `STOWAGE_KILLS=100 npx vitest run test/cache/lease` looks harder. */
const KILLS = Number(process.env.STOWAGE_KILLS ?? 8);

interface Worker {
  name: string;
  child: ChildProcess;
  lines(): string[];
  closed: Promise<unknown>;
}

/** A store that processes share. */
export interface SharedStore {
  store: string;
  /** Of a store in PostgreSQL. */
  rawDataPath?: string;
}

interface Plan extends SharedStore {
  key: string;
  leaseMs: number;
  /** `told` until another line comes. */
  runMs: number | 'told';
}

/** A process that calls the task as soon as it is told to. */
async function start(name: string, { store, rawDataPath, key, leaseMs, runMs }: Plan): Promise<Worker> {
  const script = join(import.meta.dirname, 'workers', 'run-serialized.mjs');
  const args = [
    script,
    store,
    key,
    String(leaseMs),
    String(runMs),
    name,
    ...(rawDataPath ? [rawDataPath] : []),
  ];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.on('data', (data) => {
    text += data;
  });
  const worker = { name, child, lines: () => text.split('\n').slice(0, -1), closed: once(child, 'close') };
  await untilIt(worker, 'ready');
  return worker;
}

function go({ child }: Worker): void {
  child.stdin?.on('error', () => {});
  child.stdin?.write('go\n');
}

/** Waits until a worker has said something that begins so; the rest of the line. */
async function untilIt(worker: Worker, says: string): Promise<string> {
  for (;;) {
    const line = worker.lines().find((each) => each.startsWith(says));
    if (line !== undefined) return line.slice(says.length + 1);
    if (worker.child.exitCode !== null) throw new Error(`a worker ended, having said: ${worker.lines()}`);
    await sleep(2);
  }
}

/** The last thing a worker said: how it went, and the value it has. */
function result({ lines }: Worker): string[] {
  return lines().at(-1)?.split(' ') ?? [];
}

/** What ran to its end, by the token it ran under, and the value of the entry. */
async function aftermath({
  store,
  rawDataPath,
  key,
}: Plan): Promise<{ doneTokens: string[]; value: unknown }> {
  const flow = await openFlow({ storage: store, rawDataPath, flowName: 'Train' });
  const done = await flow.getTaskDataStores({ runId: 'r1', includePrior: true });
  const doneTokens = done.map(({ taskId }) => taskId);
  const found = await new TaskCache(contentOf(flow.storage)).lookup(key);
  return { doneTokens, value: heldBy(found.entry) };
}

/** Registers what processes may rely on that call one serialized task of a store. */
export function testLeases(newStore: () => SharedStore): void {
  const planOf = (leaseMs: number, runMs: number): Plan => ({
    ...newStore(),
    key: keyOf('a'),
    leaseMs,
    runMs,
  });

  it('at once: it runs once, and all 16 get the same value', async () => {
    const plan = planOf(60_000, 200);
    const workers = await Promise.all(Array.from({ length: 16 }, (_, i) => start(`w${i}`, plan)));
    for (const worker of workers) go(worker);
    await Promise.all(workers.map(({ closed }) => closed));
    const { doneTokens, value } = await aftermath(plan);
    expect(doneTokens).toEqual(['1']);
    expect(new Set(workers.map((worker) => result(worker)[1]))).toEqual(new Set([value]));
    expect(workers.filter((worker) => result(worker)[0] === 'stored')).toHaveLength(1);
  });

  it(
    'whose owner is killed at any moment: another one completes, and no token runs twice',
    async () => {
      // Side by side, since most of a round is the wait for the lease.
      await mapBounded(Array(KILLS).fill(undefined), 3, async () => {
        const plan = planOf(800, 40);
        const workers = await Promise.all([0, 1, 2].map((i) => start(`w${i}`, plan)));
        for (const worker of workers) go(worker);
        const owner = await Promise.race(
          workers.map(async (worker) => {
            await untilIt(worker, 'running').catch(() => new Promise(() => {}));
            return worker;
          }),
        );
        await sleep(Math.random() * 60);
        owner.child.kill('SIGKILL');
        await Promise.all(workers.map(({ closed }) => closed));
        const { doneTokens, value } = await aftermath(plan);
        for (const worker of workers.filter((each) => each !== owner)) {
          const [how, has] = result(worker);
          // One that got no turn for longer than the lease may have been overtaken too.
          if (how === 'fenced') continue;
          expect(['stored', 'waited', 'hit', 'exists']).toContain(how);
          expect(has).toBe(value);
        }
        expect(doneTokens.length).toBeGreaterThan(0);
        expect(new Set(doneTokens).size).toBe(doneTokens.length);
      });
    },
    60_000 + 10_000 * KILLS,
  );

  it.skipIf(process.platform === 'win32')(
    'whose owner is frozen: another one takes over, and the late one cannot overwrite',
    async () => {
      const plan = planOf(1_000, 50);
      const frozen = await start('frozen', { ...plan, runMs: 'told' });
      go(frozen);
      expect(await untilIt(frozen, 'running')).toBe('1');
      // While it opens the attempt it may hold a database's lock, which only its end would free.
      await untilIt(frozen, 'working');
      frozen.child.kill('SIGSTOP');
      const next = await start('next', plan);
      go(next);
      await next.closed;
      expect(next.lines()).toEqual(['ready', 'running 2', 'working', 'stored next']);
      frozen.child.kill('SIGCONT');
      go(frozen);
      await frozen.closed;
      expect(result(frozen)).toEqual(['fenced', 'next']);
      expect((await aftermath(plan)).value).toBe('next');
    },
  );
}
