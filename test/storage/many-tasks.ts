import { expect } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import type { RetryOptions } from '../../src/storage/retry-policy.ts';
import { errorOf, expectSame, noise, objectNames } from '../flow/fixtures.ts';
import type { FaultyProxy, ProxyFault, ProxyPlan } from '../servers/faulty-proxy.ts';
import { until } from '../waiting.ts';

/** How often a request fails, of those that come. */
const FAILING = 0.3;
/** One request fails at most so often before it passes: the attempts of a call are many, but not without end. */
const MOST_IN_A_ROW = 3;
const MOST_LATENCY_MS = 20;
const WORKERS = 4;
/** Each task is wanted by two workers. */
const TASKS_AT_ONCE = 24;
/** The paths of requests for content, which is verified by digests of its own, wherever it comes from. */
const CONTENT = /^[^?]*\/(data|manifests|packs)(\/|%2F)[^?]*($|\?x-id=GetObject|\?alt=media)/;
const SMALL = 100_000;
const LARGE = 12 * 1024 * 1024;

/** A store at the far end of a bad way. */
export interface FarStore {
  proxy: FaultyProxy;
  /** A storage that goes through the proxy, as it is without retries. */
  openThrough: () => Promise<DataStoreStorage>;
  /** One that goes past it. */
  openDirect: () => Promise<DataStoreStorage>;
  /** What the service says when it has no time. */
  busy: ProxyFault & { kind: 'answer' };
  /** Whether a checksum covers all that a request's body says, so that a turned bit is noticed. */
  isChecked: (method: string, path: string) => boolean;
  /** How many tasks, and every how many of them has content of 12 MiB. */
  tasks: number;
  largeEvery: number;
}

/**
 * Writes tasks through a proxy that delays all and spoils 30 % of the requests, each task by two workers that both want it,
 * while somebody beside them reads whatever can be seen; then reads all of it back, through the same proxy.
 */
export async function expectTasksToSurvive(far: FarStore): Promise<void> {
  const random = randomFrom(20);
  const opened: FlowDataStore[] = [];
  const open = async (storage: DataStoreStorage): Promise<FlowDataStore> => {
    const flow = await FlowDataStore.open({ flowName: 'Far', storage });
    opened.push(flow);
    return flow;
  };
  const through = async () =>
    open(new RetryStorage(new LimitStorage(await far.openThrough(), 64), { baseDelayMs: 20 }));
  const expected = (taskId: number): Record<string, unknown> => ({
    index: taskId,
    metrics: { auc: taskId / 7, tags: ['a', `b${taskId}`] },
    // Every tenth task's content is another's too.
    ...(taskId % 3 === 0 && { small: noise(SMALL, 1 + (taskId % 10)) }),
    ...(taskId % far.largeEvery === 1 && { large: noise(LARGE, 100 + taskId) }),
  });

  const workers = await Promise.all(Array.from({ length: WORKERS }, through));
  const direct = await open(new RetryStorage(await far.openDirect()));
  const way = badWay(random, far);
  far.proxy.plan = way.plan;
  const owners = new Map<number, number>();
  const seen = new Set<string>();
  let hasFailed = false;
  const write = async (worker: number, taskId: number): Promise<void> => {
    const flow = workers[worker % WORKERS] as FlowDataStore;
    // However slow the one is who watches, much is written beside him, and some after he has seen much.
    if (taskId > far.tasks * 0.75) await until(() => hasFailed || seen.size > far.tasks / 2);
    try {
      const spec = { runId: 'r1', stepName: 'fit', taskId: `${taskId}`, attempt: 0 };
      await flow.task(spec, (task) => task.saveArtifacts(expected(taskId)));
    } catch (error) {
      if (!isStowageError(error, 'ATTEMPT_EXISTS')) throw error;
      return;
    }
    owners.set(taskId, (owners.get(taskId) ?? 0) + 1);
  };

  let isWritten = false;
  const watch = async (): Promise<void> => {
    while (!isWritten) {
      const tasks = await direct.getTaskDataStores({ runId: 'r1', steps: ['fit'] }).catch((error) => {
        if (!isStowageError(error, 'NO_SUCH_STORE', 'RUN_NOT_FOUND', 'STEP_NOT_FOUND')) throw error;
        return [];
      });
      for (const task of tasks.filter(({ taskId }) => !seen.has(taskId))) {
        seen.add(task.taskId);
        expectSame(await task.loadArtifacts(), expected(Number(task.taskId)));
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const watching = watch();
  watching.catch(() => {
    hasFailed = true;
  });
  const calls = Array.from({ length: far.tasks }, (_, id) => [() => write(id, id), () => write(id + 1, id)]);
  await inTurn(calls.flat(), TASKS_AT_ONCE).finally(() => {
    isWritten = true;
    hasFailed = true;
  });
  await watching;
  expect([...owners.values()]).toEqual(Array.from({ length: far.tasks }, () => 1));

  const reader = await through();
  const tasks = await reader.getTaskDataStores({ runId: 'r1' });
  expect(tasks.map(({ taskId }) => Number(taskId)).sort((a, b) => a - b)).toEqual([
    ...Array(far.tasks).keys(),
  ]);
  await inTurn(
    tasks.map((task) => async () => expectSame(await task.loadArtifacts(), expected(Number(task.taskId)))),
    TASKS_AT_ONCE,
  );
  const attempts = await objectNames(direct.storage, 'flows/Far/r1/');
  expect(attempts.filter((name) => name.endsWith('.attempt.json'))).toHaveLength(far.tasks);
  expect(attempts.filter((name) => name.endsWith('.DONE'))).toHaveLength(far.tasks);
  const names = await objectNames(direct.storage);
  expect(names.filter((name) => name.endsWith('.damaged'))).toEqual([]);
  expect(seen.size).toBeGreaterThan(far.tasks / 2);
  expect(way.spoiled() / far.proxy.seen.length).toBeGreaterThan(FAILING * 0.85);
  far.proxy.plan = () => undefined;
  for (const flow of opened) {
    await flow.close();
    await flow.storage.close();
  }
}

/** When nothing gets through any more, the error says what was tried, how often, and what stood in the way. */
export async function expectBudgetToBeTold(
  far: Pick<FarStore, 'proxy' | 'openThrough' | 'busy'>,
): Promise<void> {
  const patience: RetryOptions = { maxAttempts: 4, sleep: async () => {} };
  const storage = new RetryStorage(new LimitStorage(await far.openThrough(), 64), patience);
  const flow = await FlowDataStore.open({ flowName: 'Far', storage });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: 'before' }, async () => {});
  const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: 'now', attempt: 0 });
  far.proxy.plan = () => far.busy;
  const failed = [
    { operation: 'create', name: 'flows/Far/r1/fit/now/0.metadata.json', call: () => task.done() },
    {
      operation: 'list',
      name: 'flows/Far/r1/fit/before/',
      call: () => flow.getTaskDataStore('r1/fit/before'),
    },
  ];
  for (const { operation, name, call } of failed) {
    const error = await errorOf(call, 'STORAGE_UNAVAILABLE');
    expect(error.details).toMatchObject({ operation, name, attempts: 4, status: 503 });
    expect(error.message).toContain(`Gave up on ${operation} of "${name}" after trying it 4 times`);
    expect(error.cause).toMatchObject({ code: 'STORAGE_UNAVAILABLE', details: { status: 503 } });
  }
  far.proxy.plan = () => undefined;
  // What was said is still there: closing it again works.
  await task.done();
  expect((await flow.getTaskDataStore('r1/fit/now')).names()).toEqual([]);
  await flow.close();
  await storage.close();
}

/** Delays each request, and spoils 30 % of them in all the ways there are. */
function badWay(
  random: () => number,
  { busy, isChecked }: Pick<FarStore, 'busy' | 'isChecked'>,
): { plan: ProxyPlan; spoiled(): number } {
  let spoiled = 0;
  const retryAfter = { ...busy, headers: { ...busy.headers, 'retry-after': '1' } };
  const failedInARow = new Map<string, number>();
  const changed = new Set<string>();
  const plan: ProxyPlan = async (method, path) => {
    await new Promise((resolve) => setTimeout(resolve, random() * MOST_LATENCY_MS));
    const line = `${method} ${path}`;
    const failed = failedInARow.get(line) ?? 0;
    if (random() >= FAILING || failed === MOST_IN_A_ROW) {
      failedInARow.delete(line);
      return undefined;
    }
    failedInARow.set(line, failed + 1);
    spoiled += 1;
    const kind = Math.floor(random() * 20);
    if (kind === 0) return retryAfter;
    if (kind < 5) return busy;
    if (kind < 10) return { kind: 'lost' };
    if (kind < 15) return { kind: 'answer lost' };
    if (method === 'GET' && CONTENT.test(path) && !changed.has(line)) {
      changed.add(line);
      return { kind: 'flip answer' };
    }
    if (method === 'GET') return { kind: 'cut' };
    return { kind: isChecked(method, path) ? 'flip' : 'lost' };
  };
  return { plan, spoiled: () => spoiled };
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function inTurn(calls: (() => Promise<void>)[], atOnce: number): Promise<void> {
  const left = [...calls];
  const run = async (): Promise<void> => {
    for (let call = left.shift(); call; call = left.shift()) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}
