import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { FlowDataStore } from '../../../src/flow-data-store.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { CollectionResult } from '../../../src/maintenance/collection/collection-result.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { openStorage } from '../../../src/storage/open.ts';
import { objectNames } from '../../flow/fixtures.ts';
import { s3Servers, useS3Server } from '../../servers/s3-servers.ts';
import { FLOW } from './crowd/contents.ts';
import { bundleWorker, type CrowdSettings, type Deeds, runCrowd } from './crowd/crowd.ts';
import { checkAttempt, checkCode, closedAttempts, listRuns } from './crowd/reading.ts';
import { giveUpAll } from './crowd/retention.ts';
import { contentNames, keptNames } from './histories.ts';

/** `npm run check-collection` takes ten minutes. */
const SECONDS = Number(process.env.STOWAGE_CROWD_SECONDS ?? 60);
const IS_LONG = SECONDS >= 300;
const DAY_MS = 24 * 60 * 60 * 1000;
const TIMING = { runMs: 6_000, silentAfterMs: 4_000 };

const ALWAYS = ['task', 'read', 'collected', 'killed', 'given up'];
/** A busy machine may not come to these in a minute. */
const IN_TIME = [
  ...['all', 'part', 'hit', 'miss', 'loose', 'replayed', 'run with code', 'code read'],
  ...[
    'copies',
    'packs',
    'pins',
    'abandoned',
    'spared',
    'purged',
    'runs gone',
    'codeSessions',
    'cacheEntries',
  ],
];

/**
 * What is left of a store whose runs are all given up: what it is, the log of its collector, and the tombstones of attempts, and of sessions
 * outside of tasks.
 */
const LEFT: readonly RegExp[] = [
  /^stowage\.json$/,
  /^gc\/\d{12}$/,
  /^flows(\/[^/]+){4}\/\d+\.(attempt\.json|DONE|DELETED|PURGED)$/,
  /^loose\/[0-7][0-9a-v]{25}\.(attempt\.json|DONE|DELETED)$/,
];
/** The tombstone of a result, where one was evicted: who was late with it does not bring it back. */
const EVICTED = /^cache\/[0-9a-f]{3}\/[0-9a-f]{64}\.evicted$/;

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stowage-crowd-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// One of them that honours the conditions of writes is enough.
const server = s3Servers().find(({ isReal }) => isReal);
const bucket = server && useS3Server(server);

interface Crowded {
  flow: FlowDataStore;
  deeds: Promise<Deeds>;
}
const memory = join(folder, 'memory');
const crowded = new Map<string, Crowded>();

/** Both crowds at once: they wait more than they work. */
beforeAll(async () => {
  const worker = await bundleWorker(folder);
  const begin = async (where: string, settings: CrowdSettings): Promise<void> => {
    const { address, storageOptions } = settings;
    const storage = storageOptions ? await openStorage(address, storageOptions) : address;
    const flow = await FlowDataStore.open({ flowName: FLOW, storage });
    await flow.caStore.saveBlobs([new Uint8Array(1)]); // makes the store
    const deeds = runCrowd(worker, settings, SECONDS * 1000, ALWAYS);
    deeds.catch(() => {}); // the test of it tells
    crowded.set(where, { flow, deeds });
  };
  await begin('a folder', { ...TIMING, memory, address: join(folder, 'store'), storageOptions: undefined });
  if (bucket) {
    const { bucket: name, prefix, endpoint, region, credentials } = await bucket.newPlace();
    const address = `s3://${name}/${prefix}stores/a?endpoint=${endpoint}&region=${region}`;
    await begin('a bucket', { ...TIMING, memory, address, storageOptions: { s3: { credentials } } });
  }
});

afterAll(async () => {
  for (const { flow, deeds } of crowded.values()) {
    await deeds.catch(() => {});
    await flow.close();
  }
});

/** Collections without anybody beside them, until nothing is left to do; sessions that nobody closed are given up by them. */
async function collectAll(storage: DataStoreStorage): Promise<CollectionResult> {
  for (let tries = 0; ; tries++) {
    const content = new ContentAddressedStore(storage);
    const result = await collectGarbage(content, { nowMs: Date.now() + 2 * DAY_MS, memory });
    await content.close();
    if (result.outcome === 'nothing' || tries === 5) return result;
  }
}

async function readAll(flow: FlowDataStore): Promise<number> {
  let read = 0;
  for (const run of await listRuns(flow)) {
    for await (const attempt of closedAttempts(flow, run)) if (await checkAttempt(flow, attempt)) read += 1;
    if (await checkCode(flow, run)) read += 1;
  }
  return read;
}

describe.each(['a folder', ...(server ? ['a bucket'] : [])])(
  `writers, readers, retention and two collectors that are killed, for ${SECONDS} s, on %s`,
  (where) => {
    it(
      'leave every attempt that is there exact, and nothing that nobody keeps',
      async () => {
        const { flow, deeds } = crowded.get(where) as Crowded;
        const did = await deeds;
        const told = JSON.stringify(Object.fromEntries([...did].sort()));
        if (IS_LONG) console.log(`${where}: ${told}`);
        const read = await readAll(flow);

        expect(await collectAll(flow.storage)).toMatchObject({ outcome: 'nothing' });
        expect(await readAll(flow)).toBe(read);
        expect(await contentNames(flow.storage)).toEqual(await keptNames(flow.storage));
        expect(await objectNames(flow.storage, 'pins/')).toEqual([]);

        await giveUpAll(flow);
        expect(await collectAll(flow.storage)).toMatchObject({ outcome: 'nothing' });
        const left = await objectNames(flow.storage);
        expect(left.filter((name) => ![...LEFT, EVICTED].some((form) => form.test(name)))).toEqual([]);
        for (const form of LEFT)
          expect(
            left.some((name) => form.test(name)),
            `${form}`,
          ).toBe(true);
        for (const deed of [...ALWAYS, ...(IS_LONG ? IN_TIME : [])])
          expect(did.get(deed) ?? 0, `${deed} of ${told}`).toBeGreaterThan(0);
      },
      (SECONDS + 240) * 1000,
    );
  },
);
