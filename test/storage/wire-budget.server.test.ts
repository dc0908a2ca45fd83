import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { muchNoise } from '../../bench/values.mjs';
import { startCountingProxy } from '../../bench/wire/counting-proxy.mjs';
import { countKinds, KIND_OF } from '../../bench/wire/request-kinds.mjs';
import { countWorks, type WORKS } from '../../bench/wire/works.mjs';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { openStorage } from '../../src/storage/open.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

/** How many requests each work takes, whatever the service. docs/benchmarks.md shows them, and what they cost. */
const BUDGET: Record<keyof typeof WORKS, number> = {
  'write, first': 8,
  write: 3,
  'read, first': 4,
  read: 3,
  list: 201,
  '20 new': 4,
  '20 known': 4,
  '20 elsewhere': 4,
  '20 load': 4,
  'blobs new': 44,
  'blobs known': 4,
  'blobs elsewhere': 24,
  'blobs load': 20,
  'blobs by key': 40,
  'large blobs': 64,
  'large blobs load': 40,
  // A hint is read, and written.
  'large new': 10,
  'large known': 5,
  'large elsewhere': 8,
  'huge up': 12,
  'huge down': 16,
};
const LONGEST_MS = 180_000;

type Counts = Record<string, { calls: Record<string, number>; wire: Record<string, number> }>;

describe('requests on the wire', () => {
  const proxies: { stop(): void }[] = [];
  // A store is looked at once a minute, and a hint is read anew after ten seconds: a slow machine is not to add requests.
  beforeEach(() => {
    vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  });
  afterEach(() => {
    vi.restoreAllMocks();
    for (const proxy of proxies.splice(0)) proxy.stop();
  });

  async function countThrough(
    service: keyof typeof KIND_OF,
    target: string,
    open: (url: string) => Promise<DataStoreStorage>,
  ): Promise<Counts> {
    const proxy = await startCountingProxy(target);
    proxies.push(proxy);
    const take = () => countKinds(proxy.take(), KIND_OF[service]);
    return countWorks({ library: { CountStorage, FlowDataStore }, open: () => open(proxy.url), take });
  }

  /** `probes` are requests that come before a process's first write, to see whether the server honours conditions. */
  function expectBudget(counts: Counts, probes: number): void {
    const totals = (side: 'calls' | 'wire') =>
      Object.fromEntries(Object.entries(counts).map(([id, count]) => [id, sum(count[side])]));
    expect(totals('calls')).toEqual(BUDGET);
    expect(totals('wire')).toEqual({ ...BUDGET, 'write, first': BUDGET['write, first'] + probes });
  }

  for (const server of s3Servers()) {
    describe.runIf(server.isReal)(`of S3, on ${server.name}`, () => {
      const inUse = useS3Server(server);
      it(
        'are those of the calls, and two to try the server before the first write',
        async () => {
          const { bucket, endpoint, prefix, ...access } = await inUse.newPlace();
          const counts = await countThrough('s3', endpoint, (url) =>
            openStorage(`s3://${bucket}/${prefix}store`, { s3: { ...access, endpoint: url } }),
          );
          expectBudget(counts, 2);
          // What costs: a LIST as much as a PUT, a GET a twelfth.
          expect(counts.write?.wire).toEqual({ PUT: 3 });
          expect(counts.read?.wire).toEqual({ GET: 2, LIST: 1 });
          expect(counts['20 known']?.wire).toEqual({ PUT: 4 });
          expect(counts['blobs new']?.wire).toEqual({ PUT: 23, GET: 1, LIST: 20 });
          expect(counts['blobs known']?.wire).toEqual({ PUT: 3, GET: 1 });
          expect(counts['blobs elsewhere']?.wire).toEqual({ PUT: 3, GET: 1, LIST: 20 });
          expect(counts['blobs load']?.wire).toEqual({ GET: 20 });
          expect(counts['blobs by key']?.wire).toEqual({ GET: 20, LIST: 20 });
          expect(counts['large new']?.wire).toEqual({ PUT: 7, GET: 2, LIST: 1 });
          expect(counts['large elsewhere']?.wire).toEqual({ PUT: 4, GET: 2, LIST: 2 });
          expect(counts['20 load']?.wire).toEqual({ GET: 3, LIST: 1 });
          expect(counts['huge down']?.wire).toEqual({ GET: 15, LIST: 1 });
        },
        LONGEST_MS,
      );

      it.runIf(server.name === 'versitygw')(
        'are 17 for 256 MiB of floats, 8 where another process saved them, and as few as they can be where that saved most of them',
        async () => {
          const { bucket, endpoint, prefix, ...access } = await inUse.newPlace();
          const proxy = await startCountingProxy(endpoint);
          proxies.push(proxy);
          /** As a process does that has read stowage.json and the record of the run. */
          const save = async (floats: Float32Array, taskId: string) => {
            await using storage = await openStorage(`s3://${bucket}/${prefix}store`, {
              s3: { ...access, endpoint: proxy.url },
            });
            await using flow = await FlowDataStore.open({ flowName: 'Wire', storage });
            await flow.task({ runId: '1', stepName: 'first', taskId }, (task) =>
              task.saveArtifacts({ taskId }),
            );
            const task = await takeAfter(() =>
              flow.createTaskDataStore({ runId: '1', stepName: 'fit', taskId, attempt: 0 }),
            );
            await task.saveArtifacts({ floats });
            await task.done();
            return countKinds(proxy.take(), KIND_OF.s3);
          };
          const takeAfter = <T>(work: () => Promise<T>): Promise<T> => {
            proxy.take();
            return work();
          };
          const bytes = muchNoise(256 * 1024 * 1024, 3);
          expect(await save(new Float32Array(bytes.buffer), '0')).toEqual({ PUT: 14, GET: 2, LIST: 1 });
          expect(await save(new Float32Array(bytes.buffer), '1')).toEqual({ PUT: 4, GET: 2, LIST: 2 });
          // A hint, its manifest, and a look at its packs, which are pinned, for seven packs less; and one PUT tries the server's `If-Match`.
          bytes.fill(7, 1_000_000, 1_004_096);
          expect(await save(new Float32Array(bytes.buffer), '2')).toEqual({ PUT: 9, GET: 4, LIST: 3 });
        },
        LONGEST_MS,
      );
    });
  }

  describe('of Azure', () => {
    const azurite = useAzurite();
    it(
      'are those of the calls',
      async () => {
        const { connectionString, container } = await azurite.newPlace();
        const { origin } = new URL(azurite.endpoint());
        const counts = await countThrough('azure', origin, (url) => {
          const through = connectionString.replace(origin, url);
          return openStorage(`az://${container}/store`, { azure: { connectionString: through } });
        });
        expectBudget(counts, 0);
      },
      LONGEST_MS,
    );
  });

  describeOnFakeGcs('of Google Cloud Storage', (server) => {
    it(
      'are those of the calls, and three to try the server before the first write',
      async () => {
        const { bucket } = await server.newPlace();
        const counts = await countThrough('gcs', server.url(), (url) =>
          openStorage(`gs://${bucket}/store`, { gcs: { apiEndpoint: url } }),
        );
        expectBudget(counts, 3);
      },
      LONGEST_MS,
    );
  });
});

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
