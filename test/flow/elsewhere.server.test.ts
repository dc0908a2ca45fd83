import { beforeEach, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { openStorage } from '../../src/storage/open.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { errorOf, expectSame, noise, objectNames } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const values = { small: noise(20_000), large: noise(3_000_000, 2), note: 'inline' };

/** Stores in buckets of S3, whose content goes to buckets of others. */
describe.each(s3Servers())('a home in a bucket of $name', (server) => {
  describe.runIf(server.isReal)('of which the content lies elsewhere', () => {
    describeOnFakeGcs(`metadata in a bucket of ${server.name}`, (gcs) => {
      const s3 = useS3Server(server);
      const azurite = useAzurite();
      let home: string;
      let elsewhere: Record<'gcs' | 'azure' | 's3', string>;
      let openPlace: (uri: string) => Promise<DataStoreStorage>;

      beforeEach(async () => {
        const [bucket, raw] = [await s3.newPlace(), await s3.newPlace()];
        const [gcsPlace, azurePlace] = [await gcs.newPlace(), await azurite.newPlace()];
        const { endpoint, region, credentials } = bucket;
        const { connectionString } = azurePlace;
        openPlace = (uri) => openStorage(uri, { s3: { credentials }, azure: { connectionString } });
        const query = `?endpoint=${endpoint}&region=${region}`;
        home = `s3://${bucket.bucket}/${bucket.prefix}store${query}`;
        elsewhere = {
          gcs: `gs://${gcsPlace.bucket}/raw?apiEndpoint=${gcsPlace.apiEndpoint}`,
          azure: `az://${azurePlace.container}/raw?endpoint=${azurite.endpoint()}`,
          s3: `s3a://${raw.bucket}/${raw.prefix}raw/${query}`,
        };
      });

      /** Another process, as far as the store can tell. */
      async function open(): Promise<{ flow: FlowDataStore } & AsyncDisposable> {
        const storage = await openPlace(home);
        const flow = await FlowDataStore.open({ flowName: 'Train', storage, openPlace });
        const close = async () => {
          await flow.close();
          await storage.close();
        };
        return { flow, [Symbol.asyncDispose]: close };
      }

      it.each(['gcs', 'azure', 's3'] as const)(
        'and content on %s is written by one process and read by another',
        async (kind) => {
          await using writer = await open();
          await writer.flow.createRun({ runId: 'r1', rawDataPath: elsewhere[kind] });
          await using worker = await open();
          await worker.flow.task(spec, (task) => task.saveArtifacts(values));
          await worker.flow.task({ ...spec, taskId: '1' }, (task) => task.saveArtifacts(values));
          const names = await objectNames(worker.flow.storage);
          expect(names.filter((name) => /^(data|manifests|packs|values)\//.test(name))).toEqual([]);
          await using raw = await openPlace(elsewhere[kind]);
          const there = (await objectNames(raw)).map((name) => name.split('/').slice(2).join('/'));
          expect(there.map((name) => name.split('/')[0])).toEqual([
            'manifests',
            'owner.json',
            'packs',
            'values',
            'values',
          ]);
          await using reader = await open();
          for (const taskId of ['0', '1']) {
            expectSame(
              await (await reader.flow.getTaskDataStore(`r1/fit/${taskId}`)).loadArtifacts(),
              values,
            );
          }
          const [file] = await reader.flow.saveData([{ name: 'a.txt', data: Buffer.from('plain') }], {
            rawDataPath: elsewhere[kind],
          });
          expect(file?.uri).toMatch(/\/a\.txt$/);
          expect(await objectNames(reader.flow.storage, 'elsewhere/')).toHaveLength(1);
        },
      );

      it('in several places at once reads back from each', async () => {
        await using writer = await open();
        await writer.flow.task(spec, async (task) => {
          for (const [kind, rawDataPath] of Object.entries(elsewhere)) {
            await task.saveArtifacts({ [kind]: noise(300_000, kind.length) }, { rawDataPath });
          }
          await task.saveArtifacts({ home: noise(300_000, 9) });
        });
        await using reader = await open();
        const expected = {
          gcs: noise(300_000, 3),
          azure: noise(300_000, 5),
          s3: noise(300_000, 2),
          home: noise(300_000, 9),
        };
        expectSame(await (await reader.flow.getTaskDataStore('r1/fit/0')).loadArtifacts(), expected);
      });

      it('is told of a place that has no bucket, with its address', async () => {
        await using writer = await open();
        const rawDataPath = elsewhere.gcs.replace('gs://', 'gs://no-such-');
        const error = await errorOf(writer.flow.createRun({ runId: 'r1', rawDataPath }), 'NO_SUCH_BUCKET');
        expect(error.message).toContain('gs://no-such-');
        expect(error.message).toContain('rawDataPath');
        expect(await objectNames(writer.flow.storage, 'elsewhere/')).toEqual([]);
      });
    });
  });
});

describe('suites of places on servers', () => {
  it('run where there is a server', () => {
    expect(s3Servers().length).toBeGreaterThan(0);
  });
});
