import { afterEach, describe, expect, it } from 'vitest';
import { muchNoise } from '../../bench/values.mjs';
import { startCountingProxy } from '../../bench/wire/counting-proxy.mjs';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataFrameRef } from '../../src/references/data-frame-ref.ts';
import { openStorage } from '../../src/storage/open.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

type Proxy = Awaited<ReturnType<typeof startCountingProxy>>;
const proxies: Proxy[] = [];
afterEach(() => {
  for (const proxy of proxies.splice(0)) proxy.stop();
});

const ROWS = 40_000;
const COLUMNS = 50;

/** Floats that no compression makes smaller. */
function noiseColumn(seed: number): Float64Array {
  const floats = new Float64Array(muchNoise(ROWS * 8, seed).buffer);
  return floats.map((value) => (Number.isFinite(value) ? value : seed));
}

for (const server of s3Servers()) {
  describe.runIf(server.name === 'versitygw')(`a data frame on S3, on ${server.name}`, () => {
    const inUse = useS3Server(server);

    it('sends under 10 % of its bytes for 2 of 50 columns, in chunks and as a plain object', async () => {
      const { bucket, endpoint, prefix, ...access } = await inUse.newPlace();
      const proxy = await startCountingProxy(endpoint);
      proxies.push(proxy);
      const s3 = { ...access, endpoint: proxy.url };
      const open = async (): Promise<FlowDataStore> =>
        FlowDataStore.open({
          flowName: 'Wire',
          storage: await openStorage(`s3://${bucket}/${prefix}store`, { s3 }),
        });
      const names = Array.from({ length: COLUMNS }, (_, column) => `c${column}`);
      const columns = Object.fromEntries(names.map((name, column) => [name, noiseColumn(column + 1)]));
      await using writer = await open();
      await writer.task({ runId: '1', stepName: 'fit', taskId: '0' }, async (task) => {
        const chunked = await task.frames.fromColumns(columns);
        const plain = await task.frames.fromColumns(columns, {
          plain: true,
          codec: 'none',
          name: 'plain.parquet',
        });
        await task.saveArtifacts({ chunked, plain });
      });

      await using reader = await open();
      const fit = await reader.getTaskDataStore('1/fit/0');
      for (const name of ['chunked', 'plain']) {
        const { [name]: loaded } = await fit.loadArtifacts<Record<string, DataFrameRef>>([name]);
        const frame = loaded as DataFrameRef;
        proxy.take();
        const read = await frame.columns({ columns: ['c7', 'c30'] });
        const bytes = proxy.take().reduce((sum, { answerBytes }) => sum + answerBytes, 0);
        expect(read).toEqual({ c7: columns.c7, c30: columns.c30 });
        expect(bytes / (frame.size as number)).toBeLessThan(0.1);
        expect(bytes / (frame.size as number)).toBeGreaterThan(0.04);
        // The rest of it is known, and a footer that was read is read once.
        await frame.schema();
        expect(await frame.rowCount()).toBe(ROWS);
        expect(proxy.take()).toEqual([]);
      }
    }, 60_000);
  });
}
