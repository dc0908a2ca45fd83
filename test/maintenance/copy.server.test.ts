import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage } from '../../src/storage/open.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { errorOf, noise, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { readAll } from './copied-store.ts';
import { expectCopied } from './stores.ts';

const resilient = (storage: DataStoreStorage) => new RetryStorage(new LimitStorage(storage, 64));

for (const server of s3Servers())
  describe.runIf(server.isReal)(`a copy by way of ${server.name} and Azurite`, () => {
    const s3 = useS3Server(server);
    const azurite = useAzurite();

    it('comes back as it went out', async () => {
      const folder = scratchFolder();
      const local = await LocalStorage.open(join(folder, 'first'));
      const flow = await openFlow({ storage: local });
      const run = await flow.createRun({ runId: '2026-01-31T12:34:56.789Z', tags: ['x'] });
      for (let i = 0; i < 6; i++) {
        const spec = { runId: run.runId, stepName: 'fit', taskId: i % 2 ? `v${i}.` : `ä ${i}` };
        await flow.task(spec, async (task) => {
          await task.saveArtifacts({ i, small: noise(30_000, i + 1), large: noise(9_000_000, 1 + (i % 2)) });
          await task.saveLogs('task', { stdout: `task ${i}\n` });
        });
      }
      await flow
        .task({ runId: run.runId, stepName: 'fit', taskId: 'bad' }, () => Promise.reject(new Error('no')))
        .catch(() => {});
      await flow.saveData([{ name: 'report.html', data: noise(700_000, 42) }]);
      await run.finish();

      const bucket = resilient(await S3Storage.open(await s3.newPlace()));
      const container = resilient(
        await AzureStorage.open({ ...(await azurite.newPlace()), prefix: 'mirror' }),
      );
      const last = await LocalStorage.open(join(folder, 'last'));
      const stores = [local, bucket, container, last];
      for (const [index, to] of stores.slice(1).entries()) {
        const result = await expectCopied(stores[index] as DataStoreStorage, to);
        expect(result.attempts.copied).toBe(7);
        expect(result.sessions.copied).toBe(1);
      }
      expect(await readAll(last)).toEqual(await readAll(local));
      // Nothing is new where it came from.
      expect((await copyStore({ from: last, to: local })).attempts).toMatchObject({ copied: 0, present: 7 });
      for (const storage of stores.slice(1)) await storage.close();
    });

    it('copies at once into a bucket do no harm', async () => {
      const flow = await openFlow();
      for (let i = 0; i < 8; i++) {
        await saveTask(
          flow,
          { i, small: noise(30_000, i + 1), large: noise(300_000, 1 + (i % 2)) },
          { taskId: String(i) },
        );
      }
      const place = await s3.newPlace();
      const copies = await Promise.all(
        [1, 2].map(async () => copyStore({ from: flow.storage, to: resilient(await S3Storage.open(place)) })),
      );
      expect(copies.flatMap(({ problems }) => problems)).toEqual([]);
      const bucket = resilient(await S3Storage.open(place));
      expect(await readAll(bucket)).toEqual(await readAll(flow.storage));
      await bucket.close();
    });

    it('takes few requests', async () => {
      const flow = await openFlow();
      for (let i = 0; i < 20; i++) await saveTask(flow, { a: i, b: 'x' }, { taskId: String(i) });
      const bucket = new CountStorage(resilient(await S3Storage.open(await s3.newPlace())));
      await copyStore({ from: flow.storage, to: bucket });
      expect(bucket.snapshot().requests).toBeLessThanOrEqual(3 * 20 + 10);
      bucket.reset();
      await copyStore({ from: flow.storage, to: bucket });
      expect(bucket.snapshot().requests).toBeLessThanOrEqual(20 + 6);
      await bucket.close();
    });

    it('of content at a place whose bucket is gone, or locked, fails its attempts, and the others are copied', async () => {
      const { bucket, prefix, endpoint, region, ...access } = await s3.newPlace();
      const rawDataPath = `s3://${bucket}/${prefix}raw?endpoint=${endpoint}&region=${region}`;
      const open = (changes: object) => (uri: string) =>
        openStorage(uri, { s3: { credentials: { ...access.credentials, ...changes } } });
      const flow = await openFlow({ openPlace: open({}) });
      const spec = { runId: 'r1', stepName: 'fit' };
      for (const [taskId, where] of Object.entries({ 0: { rawDataPath }, 1: {}, 2: { rawDataPath } }))
        await flow.task({ ...spec, taskId, ...where }, (task) =>
          task.saveArtifacts({ small: noise(30_000, Number(taskId) + 1) }),
        );
      const from = flow.storage;
      const to = new MemoryStorage();
      const locked = await copyStore({ from, to, openPlace: open({ secretAccessKey: 'wrong' }) });
      expect(locked.attempts).toMatchObject({ copied: 1, failed: 2 });
      expect(locked.problems.map(({ error }) => error.code)).toEqual(Array(2).fill('STORAGE_CREDENTIALS'));
      const nowhere = rawDataPath.replace(bucket, 'no-such-bucket-here');
      const gone = await copyStore({ from, to, openPlace: () => open({})(nowhere) });
      expect(gone.attempts).toMatchObject({ present: 1, failed: 2 });
      expect(gone.problems.map(({ error }) => error.code)).toEqual(Array(2).fill('NO_SUCH_BUCKET'));
      expect(gone.problems[0]?.error.details.placeUri).toContain(bucket);
      const found = await copyStore({ from, to, openPlace: open({}) });
      expect(found).toMatchObject({ problems: [], attempts: { copied: 2, present: 1 } });
      const task = await (await openFlow({ storage: to })).getTaskDataStore('r1/fit/2');
      expect(await task.get('small')).toEqual(noise(30_000, 3));
    });

    it('to a bucket that does not exist says so, and to where nobody may write', async () => {
      const flow = await openFlow();
      await saveTask(flow, { a: 1 });
      const nowhere = await S3Storage.open({ ...s3.access(), bucket: 'no-such-bucket-here' });
      await errorOf(copyStore({ from: flow.storage, to: nowhere }), 'NO_SUCH_BUCKET');
      const credentials = { ...s3.access().credentials, secretAccessKey: 'wrong' };
      const locked = await S3Storage.open({ ...(await s3.newPlace()), credentials });
      await errorOf(copyStore({ from: flow.storage, to: locked }), 'STORAGE_CREDENTIALS');
    });
  });
