import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import { applyRetention } from '../../../src/maintenance/retention/apply-retention.ts';
import { planRetention } from '../../../src/maintenance/retention/plan-retention.ts';
import type { RetentionPolicy, RunRules } from '../../../src/maintenance/retention/policy.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { cloneOf } from '../../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import { until } from '../../waiting.ts';
import {
  arbitraryPolicy,
  arbitraryRuns,
  beyondTombstones,
  DAY_MS,
  listedRuns,
  type MadeHistory,
  makeHistory,
  readAllOf,
  setCreated,
  storeEntry,
} from './histories.ts';

type MadeRun = MadeHistory['runs'][number];

/** The policy in plain words: the runs that go, whole or in content. */
function referenceOf(
  runs: readonly MadeRun[],
  policy: RetentionPolicy,
  nowMs: number,
  isLater: boolean,
): Map<MadeRun, 'all' | 'content'> {
  const going = new Map<MadeRun, 'all' | 'content'>();
  const days = (age: unknown): number =>
    typeof age === 'string' ? Number.parseInt(age, 10) * DAY_MS : Number(age);
  for (const flow of ['A', 'B'] as const) {
    const rules: RunRules = policy.flows?.[flow] ?? policy;
    const ofFlow = runs.filter((run) => run.flow === flow).sort((a, b) => b.createdAtMs - a.createdAtMs);
    const statusOf = (run: MadeRun) => (run.end === 'open' && isLater ? 'abandoned' : run.end);
    const isFailed = (run: MadeRun) =>
      rules.failed !== undefined && ['failed', 'abandoned'].includes(statusOf(run));
    for (const run of ofFlow) {
      const isRunning =
        !isLater && (run.end === 'open' || run.tasks.some(({ outcome }) => outcome === 'open'));
      const limits = isFailed(run) ? (rules.failed as RunRules) : rules;
      const peers = ofFlow.filter((other) => isFailed(other) === isFailed(run));
      const isYoung = limits.keepWithin !== undefined && nowMs - run.createdAtMs <= days(limits.keepWithin);
      const isNew = limits.keepLast !== undefined && peers.indexOf(run) < limits.keepLast;
      const isLimited = limits.keepWithin !== undefined || limits.keepLast !== undefined;
      const isTagged = run.tags.some((tag) => rules.keepTags?.includes(tag));
      const isProtected = isRunning || run.isPinned || isTagged || rules.keepStatus?.includes(statusOf(run));
      if (isLimited && !isYoung && !isNew && !isProtected)
        going.set(run, rules.contentOnly ? 'content' : 'all');
    }
  }
  return going;
}

/** What readers are to be told after it. */
function expectedOf(
  { runs }: MadeHistory,
  before: Record<string, unknown>,
  going: ReadonlyMap<MadeRun, 'all' | 'content'>,
): Record<string, unknown> {
  const after = { ...before };
  for (const run of runs) {
    const how = going.get(run);
    for (const [number, task] of run.tasks.entries()) {
      const name = `${run.flow}/${run.run}/fit/${number}`;
      if (!how || (task.outcome === 'done' && task.entry === 'live')) continue;
      if (how === 'all') after[name] = 'ATTEMPT_DELETED';
      else if (task.outcome === 'open') after[name] = 'abandoned';
      else if (task.seeds.length > 0 && task.bytes > 16_384) after[name] = 'CONTENT_PURGED';
    }
  }
  return after;
}

async function collect(storage: DataStoreStorage, nowMs: number): Promise<void> {
  const content = new ContentAddressedStore(storage);
  try {
    await collectGarbage(content, { nowMs });
  } finally {
    await content.close();
  }
}

const NOW_MS = Date.now() + 1000;

describe('retention', () => {
  test.prop([arbitraryRuns, arbitraryPolicy, fc.boolean(), fc.boolean()], {
    numRuns: Math.ceil(propertyRuns / 3),
  })(
    'gives up what the policy says, and nothing else, before and after a collection',
    async (specs, policy, isLater, localReads) => {
      const storage = new MemoryStorage('', { localReads });
      const nowMs = isLater ? Date.now() + 2 * DAY_MS : Date.now();
      const history = await makeHistory(storage, specs, nowMs);
      const going = referenceOf(history.runs, policy, nowMs, isLater);
      const before = await readAllOf(history);
      const plan = await planRetention({ store: storage, policy, nowMs });
      const planned = plan.runs.map(({ flow, run }) => `${flow}/${run}`).sort();
      // A run without tasks has no content to give up.
      const worked = [...going.keys()].filter((run) => going.get(run) === 'all' || run.tasks.length > 0);
      const mustGo = worked.map(({ flow, run }) => `${flow}/${run}`).sort();
      expect(planned).toEqual(mustGo);
      expect(plan.deletesEverything).toBe(going.size === history.runs.length && worked.length > 0);

      const result = await applyRetention({ store: storage, policy, nowMs, evenEverything: true });
      expect(result.problems).toEqual([]);
      const expected = expectedOf(history, before, going);
      expect(await readAllOf(history)).toEqual(expected);
      await collect(storage, nowMs);
      const withAbandoned = isLater
        ? Object.fromEntries(
            Object.entries(expected).map(([name, said]) => [name, said === 'open' ? 'abandoned' : said]),
          )
        : expected;
      expect(await readAllOf(history)).toEqual(withAbandoned);
      const isWhole = ([run, how]: [MadeRun, string]): boolean =>
        how === 'all' && !run.tasks.some(({ outcome, entry }) => outcome === 'done' && entry === 'live');
      const gone = [...going].filter(isWhole).map(([{ flow, run }]) => `${flow}/${run}`);
      const stays = history.runs
        .map(({ flow, run }) => `${flow}/${run}`)
        .filter((name) => !gone.includes(name));
      expect(await listedRuns(storage)).toEqual(stays.sort());
      expect(result.runs).toBe(gone.length);

      const again = await applyRetention({ store: storage, policy, nowMs, evenEverything: true });
      expect(again).toMatchObject({ runs: 0, attempts: { deleted: 0, purged: 0 }, objects: 0 });
    },
    120_000,
  );

  test.prop([arbitraryRuns, fc.nat(400), fc.constantFrom('before' as const, 'after' as const)], {
    numRuns: Math.ceil(propertyRuns / 3),
  })(
    'that dies anywhere is finished by the next: with all runs deleted the store holds its log and tombstones alone',
    async (specs, diesAt, kind) => {
      const storage = new MemoryStorage('', { localReads: false });
      const nowMs = Date.now() + 2 * DAY_MS;
      const free = specs.map((spec) => ({
        ...spec,
        isPinned: false,
        tasks: spec.tasks.map((task) => ({
          ...task,
          entry: task.entry === 'live' ? ('expired' as const) : task.entry,
        })),
      }));
      const history = await makeHistory(storage, free, nowMs);
      let calls = 0;
      const dying = new FaultStorage(storage, () => {
        calls += 1;
        if (calls < diesAt) return undefined;
        return { kind: calls === diesAt ? kind : 'before' };
      });
      const options = { policy: { keepLast: 0 }, nowMs, evenEverything: true };
      await applyRetention({ store: dying, ...options }).catch(() => {});
      const result = await applyRetention({ store: storage, ...options });
      expect(result.problems).toEqual([]);
      expect(await listedRuns(storage)).toEqual([]);
      for (const said of Object.values(await readAllOf(history))) expect(said).toBe('ATTEMPT_DELETED');
      await collect(storage, nowMs);
      await collect(storage, nowMs);
      expect(await beyondTombstones(storage)).toEqual([]);
    },
    120_000,
  );

  it.each(['before', 'after'] as const)(
    'that is killed %s each call in turn is finished by the next',
    async (kind) => {
      const original = new MemoryStorage('', { localReads: false });
      const flow = await openFlow({ storage: original });
      await saveTask(flow, { x: noise(70_000), own: noise(20_000, 2) });
      await flow
        .task({ runId: 'r1', stepName: 'fit', taskId: '1' }, async (task) => {
          await task.saveLogs('task', { stdout: 'a line\n' });
          throw new Error('diverged');
        })
        .catch(() => {});
      await flow.run('r1').finish();
      const options = { policy: { keepLast: 0 }, evenEverything: true };
      for (let diesAt = 1, hasDied = true; hasDied; diesAt++) {
        const storage = await cloneOf(original);
        let calls = 0;
        hasDied = false;
        const dying = new FaultStorage(storage, () => {
          calls += 1;
          hasDied ||= calls >= diesAt;
          return calls < diesAt ? undefined : { kind: calls === diesAt ? kind : 'before' };
        });
        await applyRetention({ store: dying, ...options }).catch(() => {});
        const result = await applyRetention({ store: storage, ...options });
        expect(result.problems).toEqual([]);
        await collect(storage, NOW_MS);
        expect(await beyondTombstones(storage)).toEqual([]);
      }
    },
  );

  it('keeps the tombstones, so that no attempt is opened twice', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await flow.run('r1').finish();
    await applyRetention({ store: flow.storage, policy: { keepLast: 0 }, evenEverything: true });
    expect(await objectNames(flow.storage, 'runs/')).toEqual([]);
    const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
    await errorOf(flow.createTaskDataStore({ ...spec, attempt: 0 }), 'ATTEMPT_EXISTS');
    const next = await flow.createTaskDataStore(spec);
    expect(next.attempt).toBe(1);
    await next.done();
  });

  it('takes a run later whose attempt was opened while its records went', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await flow.run('r1').finish();
    const options = { store: flow.storage, policy: { keepLast: 0 }, evenEverything: true };
    await applyRetention(options);
    // This process knows the run, and makes it no more.
    await saveTask(flow, { x: noise(300_000) });
    expect(await listedRuns(flow.storage)).toEqual([]);
    expect(await applyRetention({ ...options, nowMs: Date.now() + 2 * DAY_MS })).toMatchObject({
      attempts: { deleted: 1 },
    });
    await collect(flow.storage, NOW_MS);
    expect(await beyondTombstones(flow.storage)).toEqual([]);
  });

  it('leaves a run that was made anew where one of its name was being deleted', async () => {
    const flow = await openFlow();
    await flow.storage.create('runs/Test/r1/DELETED', new Uint8Array(0));
    const markedAtMs = Date.now();
    await until(() => Date.now() > markedAtMs);
    await flow.createRun({ runId: 'r1' });
    expect(await applyRetention({ store: flow.storage, policy: {} })).toMatchObject({
      runs: 0,
      runsInPart: 0,
    });
    expect(await listedRuns(flow.storage)).toEqual(['Test/r1']);
  });

  it('that would give up everything asks twice', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await flow.run('r1').finish();
    const before = await objectNames(flow.storage);
    const error = await errorOf(
      applyRetention({ store: flow.storage, policy: { keepLast: 0 } }),
      'INVALID_ARGUMENT',
    );
    expect(error.message).toContain('every run of the store (1)');
    expect(await objectNames(flow.storage)).toEqual(before);
  });

  it('releases the session that keeps the code of a run', async () => {
    const flow = await openFlow();
    const run = await flow.createRun({ runId: 'r1', code: { path: 'test/maintenance/retention' } });
    await run.finish();
    const result = await applyRetention({
      store: flow.storage,
      policy: { keepLast: 0 },
      evenEverything: true,
    });
    expect(result).toMatchObject({ runs: 1, codeSessions: 1 });
    await collect(flow.storage, NOW_MS);
    expect(await beyondTombstones(flow.storage)).toEqual([]);
  });

  it('tells what it could not delete, leaves its run, and takes all others', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    for (const runId of ['r1', 'r2', 'r3']) {
      await saveTask(flow, { x: runId }, { runId });
      await flow.run(runId).finish();
    }
    const locked = new FaultStorage(storage, (operation, name) =>
      operation === 'delete' && name.startsWith('flows/Test/r2/') ? { kind: 'before' } : undefined,
    );
    const options = { policy: { keepLast: 0 }, evenEverything: true };
    const result = await applyRetention({ store: locked, ...options });
    expect(result).toMatchObject({ runs: 2, runsInPart: 1, problemCount: 1 });
    expect(result.problems[0]).toMatchObject({
      flow: 'Test',
      run: 'r2',
      name: 'flows/Test/r2/fit/0/0.metadata.json',
    });
    expect(await listedRuns(storage)).toEqual(['Test/r2']);
    await errorOf(flow.getTaskDataStore('r2/fit/0'), 'ATTEMPT_DELETED');
    expect(await applyRetention({ store: storage, ...options })).toMatchObject({ runs: 1, problemCount: 0 });
  });

  it('carries out a plan, and nothing beside it; a run that was pinned or runs since stays', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    for (const [index, runId] of ['r1', 'r2', 'r3', 'r4'].entries()) {
      await saveTask(flow, { x: runId }, { runId });
      await flow.run(runId).finish(runId === 'r3' ? 'failed' : 'done');
      await setCreated(storage, 'Test', runId, Date.now() - (10 - index) * DAY_MS);
    }
    const plan = await planRetention({ store: storage, policy: { keepWithin: '1d', keepLast: 1 } });
    expect(plan.runs.map(({ run }) => run)).toEqual(['r1', 'r2', 'r3']);
    await flow.run('r1').pin();
    const again = await flow.createTaskDataStore({ runId: 'r3', stepName: 'fit', taskId: '0' });
    await saveTask(flow, { x: 5 }, { runId: 'r5' });
    await flow.run('r5').finish();
    const result = await applyRetention({ store: storage, plan });
    expect(result.runs).toBe(1);
    expect(result.left.toSorted((a, b) => (a.run < b.run ? -1 : 1))).toEqual([
      { flow: 'Test', run: 'r1', why: 'pinned' },
      { flow: 'Test', run: 'r3', why: 'running' },
    ]);
    expect(await listedRuns(storage)).toEqual(['Test/r1', 'Test/r3', 'Test/r4', 'Test/r5']);
    await again.done();
  });

  it('gives up the oldest until the others fit, and counts what runs share once', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const shared = noise(100_000, 7);
    for (let number = 1; number <= 5; number++) {
      const runId = `r${number}`;
      await saveTask(flow, { shared, own: noise(100_000, number) }, { runId });
      await flow.run(runId).finish();
      await setCreated(storage, 'Test', runId, NOW_MS - (10 - number) * DAY_MS);
    }
    // The shared content, and those of r5 to r3.
    const policy = { maxBytes: 410_000 };
    const plan = await planRetention({ store: storage, policy });
    expect(plan.runs.map(({ run, reason }) => [run, reason])).toEqual([
      ['r1', 'size'],
      ['r2', 'size'],
    ]);
    expect(plan.total.freedBytes).toBeGreaterThan(200_000);
    expect(plan.total.freedBytes).toBeLessThan(201_000);
    expect(plan.total.sharedBytes).toBeLessThan(101_000);
    expect(plan.runs[0]?.freedBytes).toBe((plan.total.freedBytes ?? 0) / 2);
    expect(plan.artifacts.map(({ name, freedBytes }) => [name, freedBytes > 0])).toEqual([
      ['own', true],
      ['shared', false],
    ]);
    await applyRetention({ store: storage, policy });
    expect(await listedRuns(storage)).toEqual(['Test/r3', 'Test/r4', 'Test/r5']);
  });

  it('tells that entries of the cache are good for longer than runs are kept, and keeps what they name', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: noise(100_000) });
    await flow.run('r1').finish();
    await setCreated(storage, 'Test', 'r1', NOW_MS - 20 * DAY_MS);
    const key = await storeEntry(flow, { run: 'r1', task: '0' }, NOW_MS + 90 * DAY_MS);
    const policy = { keepWithin: '10d' };
    const plan = await planRetention({ store: storage, policy });
    expect(plan.warnings).toMatchObject([{ kind: 'cache-outlives-runs' }]);
    expect(plan.runs).toMatchObject([{ attempts: 0, keptAttempts: 1, freedBytes: 0 }]);
    await applyRetention({ store: storage, policy, evenEverything: true });
    expect(await listedRuns(storage)).toEqual(['Test/r1']);
    // The rules of the cache take the entry, and then the attempt goes.
    const stricter = { ...policy, cache: { keepLast: 0 } };
    const strict = await planRetention({ store: storage, policy: stricter });
    expect(strict.warnings.map(({ kind }) => kind)).toContain('cache-cut-short');
    const result = await applyRetention({ store: storage, policy: stricter, evenEverything: true });
    expect(result).toMatchObject({ runs: 1, cacheEntries: 1 });
    expect(await storage.head(`cache/${key.slice(0, 3)}/${key}.json`)).toBeUndefined();
  });

  it('notes which results the rules of the cache took, for as long as a run has one that was stored before', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: 1 });
    await flow.run('r1').finish();
    const key = await storeEntry(flow, { run: 'r1', task: '0' }, undefined);
    const evicted = `cache/${key.slice(0, 3)}/${key}.evicted`;
    expect(await applyRetention({ store: storage, policy: { cache: { keepLast: 0 } } })).toMatchObject({
      runs: 0,
      cacheEntries: 1,
    });
    expect(await objectNames(storage, 'cache/')).toEqual([evicted]);
    await applyRetention({ store: storage, policy: { keepLast: 0 }, evenEverything: true });
    expect(await objectNames(storage, 'cache/')).toEqual([]);
  });

  it('closes a run that its processes left open, once all of it is silent', async () => {
    const flow = await openFlow();
    const run = await flow.createRun({ runId: 'r1' });
    const open = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const policy = { keepLast: 5 };
    expect(await applyRetention({ store: flow.storage, policy })).toMatchObject({ abandoned: { runs: 0 } });
    expect((await run.info()).status).toBe('open');
    await setCreated(flow.storage, 'Test', 'r1', Date.now() - DAY_MS);
    expect(await applyRetention({ store: flow.storage, policy })).toMatchObject({ abandoned: { runs: 0 } });
    const nowMs = Date.now() + 2 * DAY_MS;
    expect(await planRetention({ store: flow.storage, policy, nowMs })).toMatchObject({
      abandoned: [{ flow: 'Test', run: 'r1' }],
      runs: [],
    });
    expect(await applyRetention({ store: flow.storage, policy, nowMs })).toMatchObject({
      abandoned: { runs: 1 },
    });
    expect((await run.info()).status).toBe('abandoned');
    await open.done();
  });

  it('of a copy of the store that differs is refused', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    const plan = await planRetention({ store: flow.storage, policy: { keepLast: 0 } });
    const other = await openFlow();
    await saveTask(other, { x: 1 });
    await errorOf(applyRetention({ store: other.storage, plan }), 'INVALID_ARGUMENT');
    const clone = await cloneOf(flow.storage);
    await errorOf(applyRetention({ store: clone, plan, policy: { keepLast: 1 } }), 'INVALID_ARGUMENT');
  });
});
