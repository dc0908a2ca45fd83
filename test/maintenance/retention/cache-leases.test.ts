import { describe, expect, it } from 'vitest';
import type { Lease } from '../../../src/cache/lease.ts';
import { TaskCache } from '../../../src/cache/task-cache.ts';
import { entryName } from '../../../src/format/cache-names.ts';
import { beatName, encodeBeat } from '../../../src/format/open-session.ts';
import { applyRetention } from '../../../src/maintenance/retention/apply-retention.ts';
import type { CallOptions, DataStoreStorage, ObjectInfo } from '../../../src/storage/contract.ts';
import { StorageDecorator } from '../../../src/storage/decorator.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { contentOf, inlineEntry, keyOf } from '../../cache/fixtures.ts';
import { objectNames, openFlow } from '../../flow/fixtures.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const key = keyOf('a');

/** A store, and a lease in it that somebody holds. */
async function held(): Promise<{ storage: MemoryStorage; lease: Lease; cache: TaskCache }> {
  const storage = new MemoryStorage();
  await (await openFlow({ storage })).createRun({ runId: 'r1' });
  const cache = new TaskCache(contentOf(storage));
  const acquired = await cache.acquire(key);
  if (acquired.status !== 'held') throw new Error(acquired.status);
  return { storage, lease: acquired.lease, cache };
}

/** A storage whose beats were written five days after everything else. */
class BeatenLater extends StorageDecorator {
  override async head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    const info = await super.head(name, options);
    return info && name.startsWith('beats/')
      ? { ...info, modifiedAtMs: info.modifiedAtMs + 5 * DAY_MS }
      : info;
  }
}

/** What is left in `cache/` by a retention, so many days from now, that keeps all runs. */
async function leftAfter(storage: DataStoreStorage, days: number): Promise<string[]> {
  await applyRetention({ store: storage, policy: {}, nowMs: Date.now() + days * DAY_MS });
  return objectNames(storage, 'cache/');
}

describe('leases of the cache', () => {
  it('go a week after the last of them, where their key has no entry any more', async () => {
    const { storage, lease } = await held();
    await lease.release();
    expect(await leftAfter(storage, 6.9)).toHaveLength(2);
    expect(await leftAfter(storage, 7.1)).toEqual([]);
  });

  it('stay while there is an entry, which an eviction ends', async () => {
    const { storage, lease, cache } = await held();
    await cache.store(key, inlineEntry('a'), { lease });
    await lease.release();
    expect(await leftAfter(storage, 30)).toHaveLength(3);
    await storage.delete([entryName(key)]);
    expect(await leftAfter(storage, 30)).toEqual([]);
  });

  it('stay while their owner lives, and go with its last beat when it has died', async () => {
    const { storage } = await held();
    const [name = ''] = await objectNames(storage, 'cache/');
    const { session } = JSON.parse(Buffer.from((await storage.get(name))?.body ?? []).toString());
    await storage.overwrite(beatName(session), encodeBeat(session, new Date().toISOString()));
    expect(await leftAfter(new BeatenLater(storage), 11.9)).toEqual([name]);
    expect(await leftAfter(new BeatenLater(storage), 12.1)).toEqual([]);
    expect(await objectNames(storage, 'beats/')).toEqual([]);
  });
});
