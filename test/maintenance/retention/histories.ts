import fc from 'fast-check';
import { readAttempt } from '../../../src/attempts/attempt-reader.ts';
import { listRuns } from '../../../src/attempts/run-listing.ts';
import { resultOf } from '../../../src/cache/entry-writer.ts';
import { TaskCache } from '../../../src/cache/task-cache.ts';
import { digestHex } from '../../../src/digest/blake3.ts';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { listAttempts, listTasks, readDone } from '../../../src/format/attempt-files.ts';
import type { NewCacheEntry } from '../../../src/format/cache-entry.ts';
import type { RetentionPolicy } from '../../../src/maintenance/retention/policy.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { noise, objectNames, openFlow } from '../../flow/fixtures.ts';

export const DAY_MS = 24 * 60 * 60 * 1000;
export const FLOWS = ['A', 'B'] as const;

/** A task of a history: how it ended, what it saved, and whether an entry of the cache names it. */
export interface TaskSpec {
  outcome: 'done' | 'failed' | 'open';
  seeds: number[];
  bytes: number;
  logs: boolean;
  checkpoint: boolean;
  entry: 'none' | 'live' | 'expired';
}

/** A run of a history. */
export interface RunSpec {
  flow: (typeof FLOWS)[number];
  ageDays: number;
  end: 'done' | 'failed' | 'open';
  tags: string[];
  isPinned: boolean;
  tasks: TaskSpec[];
}

const arbitraryTask: fc.Arbitrary<TaskSpec> = fc.record({
  outcome: fc.constantFrom('done' as const, 'done' as const, 'failed' as const, 'open' as const),
  seeds: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
  bytes: fc.constantFrom(100, 20_000, 70_000, 300_000),
  logs: fc.boolean(),
  checkpoint: fc.boolean(),
  entry: fc.constantFrom('none' as const, 'none' as const, 'live' as const, 'expired' as const),
});

export const arbitraryRuns: fc.Arbitrary<RunSpec[]> = fc.array(
  fc.record({
    flow: fc.constantFrom(...FLOWS),
    ageDays: fc.integer({ min: 0, max: 60 }),
    end: fc.constantFrom('done' as const, 'done' as const, 'failed' as const, 'open' as const),
    tags: fc.subarray(['release', 'x']),
    isPinned: fc.boolean().map((is) => is),
    tasks: fc.array(arbitraryTask, { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 6 },
);

const arbitraryLimits = fc.record(
  {
    keepWithin: fc.oneof(
      fc.integer({ min: 0, max: 70 }).map((days) => `${days}d`),
      fc.integer({ min: 0, max: 70 }).map((days) => days * DAY_MS),
    ),
    keepLast: fc.integer({ min: 0, max: 3 }),
  },
  { requiredKeys: [] },
);

const arbitraryRules = fc
  .record({
    limits: arbitraryLimits,
    rest: fc.record(
      {
        keepTags: fc.subarray(['release', 'x', 'none']),
        keepStatus: fc.subarray(['open', 'done', 'failed', 'abandoned'] as const),
        failed: arbitraryLimits,
        contentOnly: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ limits, rest }) => ({ ...limits, ...rest }));

/** Policies without sizes. */
export const arbitraryPolicy: fc.Arbitrary<RetentionPolicy> = fc
  .record({
    rules: arbitraryRules,
    more: fc.record({ flows: fc.record({ B: arbitraryRules }) }, { requiredKeys: [] }),
  })
  .map(({ rules, more }) => ({ ...rules, ...more }));

/** A history that was made: a store, and the ids of its runs. */
export interface MadeHistory {
  flows: Record<(typeof FLOWS)[number], FlowDataStore>;
  runs: (RunSpec & { run: string; createdAtMs: number })[];
}

/** Makes the runs of a history. Their ages count from `nowMs`. */
export async function makeHistory(
  storage: DataStoreStorage,
  specs: readonly RunSpec[],
  nowMs: number,
): Promise<MadeHistory> {
  const flows = {
    A: await openFlow({ storage, flowName: 'A' }),
    B: await openFlow({ storage, flowName: 'B' }),
  };
  const runs: MadeHistory['runs'] = [];
  for (const [index, spec] of specs.entries()) {
    const flow = flows[spec.flow];
    const run = await flow.createRun({ runId: `r${index}`, tags: spec.tags });
    for (const [number, task] of spec.tasks.entries())
      await makeTask(flow, run.runId, String(number), task, nowMs);
    if (spec.end !== 'open') await run.finish(spec.end);
    if (spec.isPinned) await run.pin();
    const createdAtMs = nowMs - spec.ageDays * DAY_MS - index;
    await setCreated(storage, spec.flow, run.runId, createdAtMs);
    runs.push({ ...spec, run: run.runId, createdAtMs });
  }
  return { flows, runs };
}

/** Makes a listing tell another time of a run. */
export async function setCreated(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  createdAtMs: number,
): Promise<void> {
  await storage.delete(await objectNames(storage, `runs/${flow}/${run}/at.`));
  await storage.create(`runs/${flow}/${run}/at.${createdAtMs}`, new Uint8Array(0));
}

async function makeTask(
  flow: FlowDataStore,
  runId: string,
  taskId: string,
  { outcome, seeds, bytes, logs, checkpoint, entry }: TaskSpec,
  nowMs: number,
): Promise<void> {
  const task = await flow.createTaskDataStore({ runId, stepName: 'fit', taskId });
  await task.saveArtifacts({
    small: `${runId}/${taskId}`,
    ...Object.fromEntries(seeds.map((seed, i) => [`v${i}`, noise(bytes, seed)])),
  });
  if (logs) await task.saveLogs('task', { stdout: 'a line\n'.repeat(10) });
  if (checkpoint) await task.checkpoint.save({ epoch: noise(70_000, 9) });
  if (outcome === 'done') await task.done();
  if (outcome === 'failed') await task.fail(new Error('diverged'));
  if (outcome === 'done' && entry !== 'none') {
    await storeEntry(flow, { run: runId, task: taskId }, entry === 'live' ? nowMs + DAY_MS : nowMs - 1);
  }
}

/** Stores an entry of the cache that names an attempt. */
export async function storeEntry(
  flow: FlowDataStore,
  { run, task }: { run: string; task: string },
  expiresAtMs: number | undefined,
): Promise<string> {
  const { storage, caStore } = flow;
  const path = { flow: flow.flowName, run, step: 'fit', task };
  const attempts = await listAttempts(storage, path, {});
  const { source, table } = resultOf(await readAttempt(storage, caStore.reader, path, attempts, {}, {}));
  const entry: NewCacheEntry = {
    task: 'judge',
    version: '1',
    scope: flow.flowName,
    source,
    table,
    keyDescription: null,
    ...(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }),
  };
  const key = digestHex(Buffer.from(`${flow.flowName}/${run}/${task}`));
  const cache = new TaskCache(caStore, { nowMs: () => 0 });
  const stored = await cache.store(key, entry);
  if (!stored.stored) throw new Error(`the entry was not stored: ${JSON.stringify(stored)}`);
  return key;
}

/** All that readers are told of all attempts: the values, or the code of the error. */
export async function readAllOf({ flows, runs }: MadeHistory): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const { flow, run, tasks } of runs) {
    for (const task of tasks.keys()) {
      const pathspec = `${run}/fit/${task}`;
      all[`${flow}/${pathspec}`] = await readOne(flows[flow], pathspec);
    }
  }
  return all;
}

async function readOne(flow: FlowDataStore, pathspec: string): Promise<unknown> {
  try {
    const task = await flow.getTaskDataStore(pathspec, { allowNotDone: true });
    if (task.status === 'abandoned') return 'abandoned';
    if (task.status === 'open') return 'open';
    return { status: task.status, ...(await task.loadArtifacts()) };
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

/** The runs that listings show, as `flow/run`. */
export async function listedRuns(storage: DataStoreStorage): Promise<string[]> {
  return (await listRuns(storage, undefined, {})).map(({ flow, run }) => `${flow}/${run}`).sort();
}

/** The names of all objects that are no tombstones of attempts, no log of the collector, and not the store's own. */
export async function beyondTombstones(storage: DataStoreStorage): Promise<string[]> {
  const names = await objectNames(storage);
  return names.filter(
    (name) => !/^(stowage\.json|gc\/.*|(flows|loose)\/.*\.(attempt\.json|DONE|DELETED))$/.test(name),
  );
}

export { listTasks, readDone };
