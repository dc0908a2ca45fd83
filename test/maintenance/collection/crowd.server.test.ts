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
import { bundleWorker, type CrowdSettings, type Deeds, giveUpAll, runCrowd } from './crowd/crowd.ts';
import { checkAttempt, closedAttempts, listRuns } from './crowd/reading.ts';
import { contentNames, keptNames } from './histories.ts';

/** `npm run check-collection` takes ten minutes. */
const SECONDS = Number(process.env.STOWAGE_CROWD_SECONDS ?? 60);
const IS_LONG = SECONDS >= 300;
const DAY_MS = 24 * 60 * 60 * 1000;
const TIMING = { runMs: 6_000, silentAfterMs: 4_000 };

const ALWAYS = ['task', 'read', 'collected', 'killed'];
/** A busy machine may not come to these in a minute. */
const IN_TIME = ['all', 'part', 'hit', 'miss', 'loose', 'copies', 'packs', 'pins', 'abandoned', 'spared'];

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stowage-crowd-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// One of them that honours the conditions of writes is enough.
const server = s3Servers().find(({ isReal }) => isReal);
const bucket = server && useS3Server(server);

interface Crowded {
  flow: FlowDataStore;
  deeds: Promise<Deeds>;
}
const crowded = new Map<string, Crowded>();

/** Both crowds at once: they wait more than they work. */
beforeAll(async () => {
  const worker = await bundleWorker(folder);
  const begin = async (where: string, settings: CrowdSettings): Promise<void> => {
    const { address, storageOptions } = settings;
    const storage = storageOptions ? await openStorage(address, storageOptions) : address;
    const flow = await FlowDataStore.open({ flowName: FLOW, storage });
    await flow.caStore.saveBlobs([new Uint8Array(1)]); // makes the store
    const deeds = runCrowd(worker, flow, settings, SECONDS * 1000, ALWAYS);
    deeds.catch(() => {}); // the test of it tells
    crowded.set(where, { flow, deeds });
  };
  await begin('a folder', { ...TIMING, address: join(folder, 'store'), storageOptions: undefined });
  if (bucket) {
    const { bucket: name, prefix, endpoint, region, credentials } = await bucket.newPlace();
    const address = `s3://${name}/${prefix}stores/a?endpoint=${endpoint}&region=${region}`;
    await begin('a bucket', { ...TIMING, address, storageOptions: { s3: { credentials } } });
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
    const result = await collectGarbage(content, { nowMs: Date.now() + 2 * DAY_MS });
    await content.close();
    if (result.outcome === 'nothing' || tries === 5) return result;
  }
}

async function readAll(flow: FlowDataStore): Promise<number> {
  let read = 0;
  for (const run of await listRuns(flow)) {
    for await (const attempt of closedAttempts(flow, run)) if (await checkAttempt(flow, attempt)) read += 1;
  }
  return read;
}

describe.each(['a folder', ...(server ? ['a bucket'] : [])])(
  `writers, readers and two collectors that are killed, for ${SECONDS} s, on %s`,
  (where) => {
    it(
      'leave every attempt that is there exact, and nothing that nobody keeps',
      async () => {
        const { flow, deeds } = crowded.get(where) as Crowded;
        const did = await deeds;
        const told = JSON.stringify(Object.fromEntries([...did].sort()));
        if (IS_LONG) console.log(`${where}: ${told}`);
        const read = await readAll(flow);
        for (const deed of [...ALWAYS, ...(IS_LONG ? IN_TIME : [])])
          expect(did.get(deed) ?? 0, `${deed} of ${told}`).toBeGreaterThan(0);

        expect(await collectAll(flow.storage)).toMatchObject({ outcome: 'nothing' });
        expect(await readAll(flow)).toBe(read);
        expect(await contentNames(flow.storage)).toEqual(await keptNames(flow.storage));
        expect(await objectNames(flow.storage, 'pins/')).toEqual([]);

        await giveUpAll(flow);
        expect(await collectAll(flow.storage)).toMatchObject({ outcome: 'nothing' });
        expect(await contentNames(flow.storage)).toEqual([]);
      },
      (SECONDS + 240) * 1000,
    );
  },
);
