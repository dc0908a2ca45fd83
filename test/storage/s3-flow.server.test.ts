import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { openStorage } from '../../src/storage/open.ts';
import { errorOf, expectSame, noise, objectNames } from '../flow/fixtures.ts';
import { newClient } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

for (const server of s3Servers()) {
  describe(`a flow in a bucket of ${server.name}`, () => {
    const inUse = useS3Server(server);

    /** Another process, as far as the store can tell: a flow that shares nothing but the bucket. */
    async function opener() {
      const { bucket, prefix, endpoint, region, credentials } = await inUse.newPlace();
      const address = `s3://${bucket}/${prefix}stores/a?endpoint=${endpoint}&region=${region}`;
      const options = { s3: { credentials, singleWriter: !server.isReal } };
      const open = async () =>
        FlowDataStore.open({ flowName: 'Train', storage: await openStorage(address, options) });
      return { open, bucket };
    }

    it('lives its whole life: a failed attempt, a retry, logs, metadata, content of every size', async () => {
      const { open } = await opener();
      await using worker = await open();
      const values = {
        note: 'small',
        medium: noise(300_000),
        large: noise(20 * 1024 * 1024, 7),
        nested: { list: [1, 'two', new Date(3)], weights: new Float32Array([1, 2, 3]) },
      };
      const crash = new Error('out of memory');
      const failing = worker.task(spec, async (task) => {
        await task.saveArtifacts({ medium: values.medium });
        await task.saveLogs('task', { stderr: 'about to crash\n' });
        throw crash;
      });
      await expect(failing).rejects.toBe(crash);

      await using retry = await open();
      await retry.task(spec, async (task) => {
        await task.saveArtifacts(values);
        await task.saveMetadata({ seconds: 12 });
        await task.saveLogs('task', { stdout: 'first\n' });
        await task.saveLogs('task', { stdout: 'second\n' });
      });

      await using reader = await open();
      const task = await reader.getTaskDataStore('r1/fit/0');
      expectSame(await task.loadArtifacts(), values);
      expect(await task.loadMetadata()).toEqual({ seconds: 12 });
      expect(await task.loadLogs('task')).toBe('first\nsecond\n');
      const first = await reader.getTaskDataStore('r1/fit/0/0', { allowNotDone: true });
      expect(first.error?.message).toBe('out of memory');
      expect(await first.loadLogs('task', 'stderr')).toBe('about to crash\n');
      expect((await reader.runs()).map(({ run }) => run.runId)).toEqual(['r1']);
      expect(await reader.getTaskDataStores({ runId: 'r1' })).toHaveLength(1);

      const names = async () =>
        (await objectNames(reader.storage)).filter((name) => /^(data|packs)\//.test(name));
      const before = await names();
      await using cloner = await open();
      await cloner.task({ ...spec, stepName: 'clone' }, (copy) => copy.clone(task));
      const clone = await reader.getTaskDataStore('r1/clone/0');
      expectSame(await clone.loadArtifacts(), values);
      expect(await names()).toEqual(before);
    });

    it('stores equal content once, whoever saves it', async () => {
      const { open } = await opener();
      await using one = await open();
      const model = noise(3 * 1024 * 1024);
      await one.task(spec, (task) => task.saveArtifacts({ model }));
      const contents = async () =>
        (await objectNames(one.storage)).filter((name) => /^(data|manifests|packs)\//.test(name));
      const before = await contents();
      expect(before.length).toBeGreaterThan(0);
      await using other = await open();
      await other.task({ ...spec, taskId: '1' }, (task) => task.saveArtifacts({ again: model }));
      expect(await contents()).toEqual(before);
    });

    it.runIf(server.isReal)('of workers that fight for an attempt exactly one owns it', async () => {
      const { open } = await opener();
      const flows = await Promise.all(Array.from({ length: 8 }, open));
      const opened = await Promise.allSettled(
        flows.map((flow) => flow.createTaskDataStore({ ...spec, attempt: 0 })),
      );
      const owners = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(owners).toHaveLength(1);
      for (const result of opened) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ATTEMPT_EXISTS' });
      }
      await owners[0]?.done();
      for (const flow of flows) await flow.close();
    });

    it('is told when there is no store, and makes nothing by reading', async () => {
      const { open, bucket } = await opener();
      await using flow = await open();
      await errorOf(flow.getTaskDataStore('r1/fit/0'), 'NO_SUCH_STORE');
      const { s3, client } = await newClient(inUse.access());
      const { Contents } = await client.send(new s3.ListObjectsV2Command({ Bucket: bucket }));
      client.destroy();
      expect(Contents ?? []).toEqual([]);
    });
  });
}
