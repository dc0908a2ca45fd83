import { execFile } from 'node:child_process';
import { cpSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { mapBounded } from '../../../src/async/bounded-work.ts';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { damagedMarkOf } from '../../../src/format/content-names.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { CollectionResult } from '../../../src/maintenance/collection/collection-result.ts';
import { LocalStorage } from '../../../src/storage/local.ts';
import { noise, objectNames, openFlow, scratchFolder } from '../../flow/fixtures.ts';
import { contentNames, keptNames, markClosed, readEverything } from './histories.ts';

const WORKER = join(import.meta.dirname, '../workers/killed-collector.mjs');
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * A store with something of everything that a collection does: content of a run that was given up and of one that was not, a content with
 * two copies, attempts that were left open, of which one was heard of, pins, heartbeats, and a mark of damage without its object.
 */
async function makeStore(folder: string): Promise<void> {
  await using storage = await LocalStorage.open(folder);
  await using flow = await openFlow({ storage });
  const save = (taskId: string, seed: number): Promise<unknown> =>
    flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) =>
      task.saveArtifacts({ large: noise(400_000, seed), small: noise(20_000, seed) }),
    );
  await save('a', 11);
  const [copy = ''] = await objectNames(storage, 'data/');
  await storage.create(damagedMarkOf(copy), new Uint8Array(0));
  await save('a-again', 11); // writes the copy anew
  await save('b', 12);
  await markClosed(storage, 'b', 'DELETED');
  await flow.caStore.saveBlobs([noise(20_000, 13)]);
  const open = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: 'open' });
  await open.saveArtifacts({ small: noise(20_000, 14), known: noise(20_000, 11) });
  const longAgo = new Date(Date.now() - 2 * DAY_MS);
  utimesSync(join(folder, 'flows/Test/r1/fit/open/0.attempt.json'), longAgo, longAgo);
  await storage.create(damagedMarkOf(copy.replace(/[0-9a-f]{8}\./, '00000000.')), new Uint8Array(0));
}

async function collect(storage: LocalStorage): Promise<CollectionResult> {
  const content = new ContentAddressedStore(storage);
  const result = await collectGarbage(content);
  await content.close();
  return result;
}

/** Resolves to what a collector printed, or to the signal that ended it. */
function run(folder: string, change: number): Promise<{ signal?: string; changes: number }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [WORKER, folder, `${change}`], (error, stdout, stderr) => {
      if (error?.signal) resolve({ signal: error.signal, changes: change });
      else if (error) reject(new Error(stderr));
      else resolve({ changes: Number(stdout) });
    });
  });
}

describe('a collector that is killed', () => {
  it('behind any change to the store leaves one that the next finishes', async () => {
    const folder = scratchFolder();
    const at = (change: number): string => join(folder, `store-${change}`);
    const copyTo = (change: number): void =>
      cpSync(at(0), at(change), { recursive: true, preserveTimestamps: true });
    await makeStore(at(0));
    copyTo(1_000);
    const { changes } = await run(at(1_000), 1_000);
    expect(changes).toBeGreaterThan(10);

    const kills = Array.from({ length: changes }, (_, index) => index + 1);
    await mapBounded(kills, 3, async (change) => {
      copyTo(change);
      expect(await run(at(change), change)).toEqual({ signal: 'SIGKILL', changes: change });
    });
    for (const change of [...kills, 1_000]) {
      await using storage = await LocalStorage.open(at(change));
      await using flow = await openFlow({ storage });
      const before = await readEverything(flow);
      let last = await collect(storage);
      for (let round = 0; round < 3 && last.outcome !== 'nothing'; round++) last = await collect(storage);
      expect(last, `behind change ${change}`).toMatchObject({ outcome: 'nothing' });
      const after = await readEverything(flow);
      expect(isDeepStrictEqual(after, { ...before, 'r1/fit/open/0': 'abandoned' })).toBe(true);
      expect(await contentNames(storage), `behind change ${change}`).toEqual(await keptNames(storage));
      expect(await objectNames(storage, 'pins/')).toEqual([]);
    }
  });
});
