import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { FileRef } from '../../src/references/file-ref.ts';
import { dataFrameRef, directoryRef } from '../../src/references/schemas.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { noise, scratchFolder } from '../flow/fixtures.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const SPEC = { runId: 'r1', stepName: 'load', taskId: '0' };
const LARGE = noise(3_000_000, 1);
const ROWS = Array.from({ length: 5_000 }, (_, id) => ({ id, auc: id / 5_000, name: `model ${id % 7}` }));

/** @param open another process's way to the same store, as far as the store can tell */
function referencesOn(open: () => Promise<DataStoreStorage>): void {
  it('are saved within values, loaded elsewhere, read by ranges and columns, and downloaded', async () => {
    const folder = join(scratchFolder(), 'data');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'deep/small.txt'), 'small');
    writeFileSync(join(folder, 'large.bin'), LARGE);

    await using writing = await open();
    await using writer = await FlowDataStore.open({ flowName: 'Train', storage: writing });
    await writer.task(SPEC, async (task) => {
      const file = await task.files.fromLocal(join(folder, 'large.bin'));
      const plain = await task.files.fromLocal(join(folder, 'large.bin'), { plain: true });
      await task.saveArtifacts({
        nested: { files: [file, plain] },
        data: await task.directories.fromLocal(folder),
        frame: await task.frames.fromRows(ROWS),
      });
    });

    await using reading = new CountStorage(await open());
    await using reader = await FlowDataStore.open({ flowName: 'Train', storage: reading });
    const task = await reader.getTaskDataStore('r1/load/0');
    const { nested } = await task.loadArtifacts<{ nested: { files: FileRef[] } }>(['nested']);
    const { data, frame } = await task.loadTyped({ data: directoryRef(), frame: dataFrameRef() });
    for (const file of nested.files) {
      reading.reset();
      const part = await file.range(1_000_000, 5_000);
      expect(Buffer.compare(part, LARGE.subarray(1_000_000, 1_005_000))).toBe(0);
      expect(reading.snapshot().get.bytes).toBeLessThan(LARGE.length / 2);
      expect(Buffer.compare(await file.bytes(), LARGE)).toBe(0);
    }
    const target = join(scratchFolder(), 'restored');
    await data.download(target);
    expect(readFileSync(join(target, 'deep/small.txt'), 'utf8')).toBe('small');
    expect(Buffer.compare(readFileSync(join(target, 'large.bin')), LARGE)).toBe(0);
    expect(await (await data.get('deep/small.txt')).text()).toBe('small');

    expect(await frame.rowCount()).toBe(ROWS.length);
    const { auc } = await frame.columns({ columns: ['auc'], offset: 4_998 });
    expect([...(auc as Float64Array)]).toEqual([4_998 / 5_000, 4_999 / 5_000]);
    const found: unknown[] = [];
    for await (const row of frame.rows({ filter: { id: { gte: 4_999 } } })) found.push(row);
    expect(found).toEqual([ROWS[4_999]]);

    // They are values that another task saves on.
    await reader.task({ ...SPEC, taskId: '1' }, async (next) => next.saveArtifacts({ nested, data, frame }));
    const again = await reader.getTaskDataStore('r1/load/1');
    const passed = await again.loadTyped({ data: directoryRef() });
    expect(passed.data.digest).toBe(data.digest);
  });
}

// One that does what S3 does is enough.
for (const server of s3Servers().slice(0, 1)) {
  describe.runIf(server.isReal)(`references on S3, on ${server.name}`, () => {
    const inUse = useS3Server(server);
    let place: ReturnType<typeof inUse.newPlace> | undefined;
    referencesOn(async () => {
      place ??= inUse.newPlace();
      return new RetryStorage(await S3Storage.open(await place));
    });
  });
}

describe('references on Azure, on Azurite', () => {
  const azurite = useAzurite();
  let place: ReturnType<typeof azurite.newPlace> | undefined;
  referencesOn(async () => {
    place ??= azurite.newPlace();
    return new RetryStorage(await AzureStorage.open({ ...(await place), prefix: 'team' }));
  });
});

describeOnFakeGcs('references', (server) => {
  let place: ReturnType<typeof server.newPlace> | undefined;
  referencesOn(async () => {
    place ??= server.newPlace();
    return new RetryStorage(await GcsStorage.open({ ...(await place), prefix: 'team' }));
  });
});
