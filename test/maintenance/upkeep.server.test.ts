import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectStore } from '../../src/maintenance/collect-store.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage } from '../../src/storage/open.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { errorOf, expectSame, noise, objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { type S3InUse, s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { DAMAGES, damage, faultsOf, stepsOf } from './fsck/repair/damaged-stores.ts';

const resilient = (storage: DataStoreStorage) => new RetryStorage(new LimitStorage(storage, 64));
/** Buckets do not lead to folders by themselves. */
const openPlace = (uri: string) => openStorage(uri);
const RUNS = ['r1', 'r2'];
const TASKS = 3;
/** A writer saves so many tasks at most: what it saves is checked, too. */
const MOST_WRITTEN = 10;
const SHARED = noise(400_000);
const STEP = 'fit';

/** What task `index` of a run saves: inline, beside it, as a content of its own and as one that others have. */
function artifactsOf(run: string, index: number): Record<string, unknown> {
  const seed = 10 * (1 + RUNS.indexOf(run)) + (RUNS.includes(run) ? 0 : 1_000) + index;
  return { index, small: noise(20_000, seed), medium: noise(70_000 + seed, seed), shared: SHARED };
}

/** Runs with tasks that are done, one of which failed before, and one whose content lies elsewhere. */
async function makeRuns(flow: FlowDataStore, elsewhere: string): Promise<void> {
  for (const runId of RUNS) {
    const run = await flow.createRun({ runId });
    const failing = await flow.createTaskDataStore({ runId, stepName: STEP, taskId: 'failed' });
    await failing.trace('load', () => noise(80_000, 99))();
    await failing.checkpoint.save({ epoch: 2 });
    await failing.fail(new RangeError('diverged'));
    for (let index = 0; index < TASKS; index++) {
      const rawDataPath = index === 0 ? { rawDataPath: elsewhere } : {};
      await flow.task({ runId, stepName: STEP, taskId: String(index), ...rawDataPath }, (task) =>
        task.saveArtifacts(artifactsOf(runId, index)),
      );
    }
    await run.finish();
  }
}

async function readRun(flow: FlowDataStore, run: string, tasks: number): Promise<void> {
  for (let index = 0; index < tasks; index++) {
    const task = await flow.getTaskDataStore(`${run}/${STEP}/${index}`);
    expectSame(await task.loadArtifacts(), artifactsOf(run, index));
  }
}

/** A writer that saves task after task, until it is ended; then it tells how many. */
function keepWriting(flow: FlowDataStore): { end(): Promise<number> } {
  let isOver = false;
  const writing = (async () => {
    let tasks = 0;
    for (; !isOver && tasks < MOST_WRITTEN; tasks++) {
      const index = tasks;
      await flow.task({ runId: 'live', stepName: STEP, taskId: String(index) }, (task) =>
        task.saveArtifacts(artifactsOf('live', index)),
      );
    }
    return tasks;
  })();
  writing.catch(() => {}); // `end` tells
  return {
    end: () => {
      isOver = true;
      return writing;
    },
  };
}

/** A store in a bucket, beside a writer: pruned, collected, damaged, mended, and sound again. */
async function keepUp(open: () => Promise<DataStoreStorage>): Promise<void> {
  const [store, other] = [await open(), await open()];
  const elsewhere = join(scratchFolder(), 'elsewhere');
  const flow = await openFlow({ storage: store, openPlace });
  await makeRuns(flow, elsewhere);
  const backup = new MemoryStorage();
  expect((await copyStore({ from: store, to: backup, openPlace })).problems).toEqual([]);

  const before = new Set(await objectNames(store));
  const writer = keepWriting(await openFlow({ storage: other }));
  const pruned = await collectStore({ store, openPlace, policy: { keepLast: 2 } });
  expect(pruned.retention).toMatchObject({ runs: 1, problemCount: 0 });
  expect(pruned.collection).toMatchObject({ outcome: 'collected', unconfirmed: [], undeleted: [] });
  // What no other run has: a content of each task, one of them elsewhere.
  expect(pruned.collection.deleted.copies).toBeGreaterThanOrEqual(TASKS);
  await errorOf(flow.getTaskDataStore(`r1/${STEP}/0`), 'ATTEMPT_DELETED');

  // Of what the writer saves meanwhile there is no copy.
  const there = (await objectNames(store)).filter(
    (name) => before.has(name) && !/^(?:pins|beats)\//.test(name),
  );
  const isLeftOut = (name: string): boolean => !there.includes(name);
  const damages = Array.from({ length: Math.ceil(there.length / 20) }, (_, i) => ({
    pick: 20 * i + 7,
    kind: DAMAGES[i % DAMAGES.length] as (typeof DAMAGES)[number],
    at: 7_919 * (i + 1),
  }));
  const damaged = await damage(store, damages, isLeftOut);
  expect(damaged.size).toBeGreaterThan(1);
  const steps = await stepsOf({ store, openPlace, from: [backup] });
  const told = JSON.stringify({ damaged: [...damaged], steps }, undefined, 1);
  expect(
    steps.filter(({ outcome }) => outcome !== 'mended'),
    told,
  ).toEqual([]);
  const written = await writer.end();

  expect(written).toBeGreaterThan(0);
  await collectStore({ store, openPlace });
  expect(await faultsOf(store, openPlace), told).toEqual([]);
  for (const run of RUNS.slice(1)) await readRun(flow, run, TASKS);
  await readRun(flow, 'live', written);
  for (const storage of [store, other]) await storage.close();
}

/** Some seconds, where others use the machine a minute. */
const TIMEOUT_MS = 180_000;
const TITLE = 'is pruned, collected and mended beside a writer, and sound then';

// One of them that honours the conditions of writes is enough.
const server = s3Servers().find(({ isReal }) => isReal);
describe.runIf(server)('a store on S3', () => {
  const s3 = server && useS3Server(server);
  it(
    TITLE,
    async () => {
      const place = await (s3 as S3InUse).newPlace();
      await keepUp(async () => resilient(await S3Storage.open(place)));
    },
    TIMEOUT_MS,
  );
});

describe('a store on Azurite', () => {
  const azurite = useAzurite();
  it(
    TITLE,
    async () => {
      const place = await azurite.newPlace();
      await keepUp(async () => resilient(await AzureStorage.open(place)));
    },
    TIMEOUT_MS,
  );
});

describeOnFakeGcs('a store on fake-gcs-server', (server) => {
  it(
    TITLE,
    async () => {
      const place = await server.newPlace();
      await keepUp(async () => resilient(await GcsStorage.open(place)));
    },
    TIMEOUT_MS,
  );
});

describe('a store in a folder', () => {
  it(
    TITLE,
    async () => {
      const folder = scratchFolder();
      await keepUp(() => LocalStorage.open(folder));
    },
    TIMEOUT_MS,
  );
});
