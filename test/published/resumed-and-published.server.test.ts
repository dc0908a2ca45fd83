import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectStore } from '../../src/maintenance/collect-store.ts';
import { removeFromStore } from '../../src/maintenance/retention/remove.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { openStorage } from '../../src/storage/open.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, expectSame, noise, objectNames, scratchFolder } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { type S3InUse, s3Servers, useS3Server } from '../servers/s3-servers.ts';

const LOADED = { rows: noise(100_000, 1), small: noise(20_000, 2), n: 1 };
const FITTED = { model: noise(700_000, 3), small: noise(20_000, 4) };
const PUBLISHERS = 3;

/** Asks for the two tasks of a run, of which the second reads the first; resolves to those that ran. */
async function pipeline(flow: FlowDataStore, runId: string): Promise<string[]> {
  const ran: string[] = [];
  await flow.task({ runId, stepName: 'load', taskId: '0' }, async (task) => {
    ran.push('load');
    await task.saveArtifacts(LOADED);
  });
  await flow.task({ runId, stepName: 'fit', taskId: '0' }, async (task) => {
    ran.push('fit');
    task.recordRead(await flow.getTaskDataStore(`${runId}/load/0`));
    await task.saveArtifacts(FITTED);
    await task.saveMetadata({ auc: 0.9 });
  });
  return ran;
}

interface Stores {
  /** Opens the storage once more, as another process would. */
  newStorage: () => Promise<DataStoreStorage>;
  /** The place of content, where that is not the storage. */
  rawDataPath?: string;
}

/** A run is resumed, and its model published, listed and withdrawn, each time by a process of its own, as far as the store can tell. */
async function resumeAndPublish({ newStorage, rawDataPath }: Stores): Promise<void> {
  const open = async (): Promise<FlowDataStore> => {
    const storage = await newStorage();
    const flow = await FlowDataStore.open({ flowName: 'Train', storage, rawDataPath });
    afterThisTest(async () => {
      await flow.close();
      await storage.close();
    });
    return flow;
  };
  expect(await pipeline(await open(), 'old')).toEqual(['load', 'fit']);
  const resuming = await open();
  await resuming.createRun({ runId: 'new', resume: 'Train/old' });
  expect(await pipeline(resuming, 'new')).toEqual([]);

  const publishers = await Promise.all(Array.from({ length: PUBLISHERS }, open));
  const numbers = await Promise.all(
    publishers.map(async (flow) => {
      const artifact = 'model';
      return (await flow.publish('m', { task: 'new/fit/0', artifact })).version;
    }),
  );
  expect([...numbers].sort()).toEqual([1, 2, 3]);
  const small = { task: 'new/fit/0', artifact: 'small' };
  await errorOf(resuming.publish('m', { ...small, version: 3 }), 'PUBLISHED_EXISTS');
  await resuming.publish('m', { ...small, version: 4, attributes: { auc: 0.9 } });
  await resuming.publish('m', small);
  await resuming.withdrawPublished('m', 5);

  // What was published, and taken over, is kept without the run that it comes from.
  const { storage } = await open();
  await removeFromStore({ store: storage, path: 'Train/old' });
  expect((await collectStore({ store: storage })).collection).toMatchObject({
    outcome: 'collected',
    undeleted: [],
  });
  const reader = await open();
  const listed = await reader.listPublished({ name: 'm', withdrawn: true });
  expect(listed.map(({ version }) => version)).toEqual([5, 4, 3, 2, 1]);
  expect(listed.filter(({ withdrawn }) => withdrawn).map(({ version }) => version)).toEqual([5]);
  const latest = await reader.getPublished('m');
  expect([latest.version, latest.attributes]).toEqual([4, { auc: 0.9 }]);
  expectSame({ small: await latest.load() }, { small: FITTED.small });
  expectSame({ model: await (await reader.getPublished('m', 1)).load() }, { model: FITTED.model });
  expectSame(await (await reader.getTaskDataStore('new/load/0')).loadArtifacts(), LOADED);
  const fit = await reader.getTaskDataStore('new/fit/0');
  expectSame(await fit.loadArtifacts(), FITTED);
  expect(fit.readFrom).toEqual(['Train/new/load/0/0', 'Train/old/fit/0/0']);

  if (rawDataPath !== undefined) return;
  // What is gone is neither published nor taken over: it is run, and is there again.
  const lost = (await objectNames(storage)).filter((name) => /^(data|manifests|packs)\//.test(name));
  expect(lost).not.toEqual([]);
  expect(await storage.delete(lost)).toEqual([]);
  const third = await open();
  await errorOf(third.publish('m', { task: 'new/fit/0', artifact: 'model' }), 'CONTENT_NOT_FOUND');
  await third.createRun({ runId: 'third', resume: 'Train/new' });
  expect(await pipeline(third, 'third')).toEqual(['load', 'fit']);
  expectSame({ model: await (await third.getPublished('m', 1)).load() }, { model: FITTED.model });
}

const TITLE = 'are by each process as others left them';
/** Some seconds, where others use the machine a minute. */
const TIMEOUT_MS = 120_000;
const resilient = (storage: DataStoreStorage): DataStoreStorage =>
  new RetryStorage(new LimitStorage(storage, 64));

// One of them that honours the conditions of writes is enough.
const server = s3Servers().find(({ isReal }) => isReal);
describe.runIf(server)('resumed runs and published versions on S3', () => {
  const s3 = server && useS3Server(server);
  it(
    TITLE,
    async () => {
      const place = await (s3 as S3InUse).newPlace();
      await resumeAndPublish({ newStorage: async () => resilient(await S3Storage.open(place)) });
    },
    TIMEOUT_MS,
  );
});

describe('resumed runs and published versions on Azurite', () => {
  const azurite = useAzurite();
  it(
    TITLE,
    async () => {
      const place = await azurite.newPlace();
      await resumeAndPublish({ newStorage: async () => resilient(await AzureStorage.open(place)) });
    },
    TIMEOUT_MS,
  );
});

describeOnFakeGcs('resumed runs and published versions on fake-gcs-server', (gcs) => {
  it(
    TITLE,
    async () => {
      const place = await gcs.newPlace();
      await resumeAndPublish({ newStorage: async () => resilient(await GcsStorage.open(place)) });
    },
    TIMEOUT_MS,
  );
});

describeOnPostgres('resumed runs and published versions in PostgreSQL', ({ address }) => {
  it(
    TITLE,
    () =>
      resumeAndPublish({
        newStorage: () => openStorage(address()),
        rawDataPath: join(scratchFolder(), 'content'),
      }),
    TIMEOUT_MS,
  );
});

describe('resumed runs and published versions in a file of SQLite', () => {
  it(
    TITLE,
    async () => {
      const file = join(scratchFolder(), 'runs.db');
      await resumeAndPublish({ newStorage: () => openStorage(`sqlite:${file}`) });
    },
    TIMEOUT_MS,
  );
});
