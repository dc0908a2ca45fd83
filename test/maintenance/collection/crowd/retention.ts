import type { FlowDataStore } from '../../../../src/flow-data-store.ts';
import { SESSION_FILES } from '../../../../src/format/session-files.ts';
import { applyRetention } from '../../../../src/maintenance/retention/apply-retention.ts';
import type { RetentionResult } from '../../../../src/maintenance/retention/retention-plan.ts';
import type { DataStoreStorage } from '../../../../src/storage/contract.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Gives up runs, and entries of the cache, that are older than `ageMs`, as retention does at an hour at which they are a day old.
 *
 * @param contentOnly gives up the content of the runs alone
 */
export async function giveUpOld(
  store: DataStoreStorage,
  ageMs: number,
  contentOnly: boolean,
): Promise<RetentionResult> {
  const result = await applyRetention({
    store,
    policy: { keepWithin: '1d', contentOnly, cache: { keepWithin: '1d' } },
    nowMs: Date.now() + DAY_MS - ageMs,
    evenEverything: true,
  });
  const [problem] = result.problems;
  if (problem) throw problem.error;
  return result;
}

/** Gives up everything that is left of a store: its runs, entries of the cache, and sessions outside of tasks. */
export async function giveUpAll({ storage, caStore }: FlowDataStore): Promise<void> {
  for await (const { objects } of storage.list({ prefix: 'loose/' })) {
    for (const { name } of objects) {
      if (name.endsWith(SESSION_FILES.done))
        await caStore.release(name.slice('loose/'.length, -SESSION_FILES.done.length));
    }
  }
  await giveUpOld(storage, -DAY_MS, false);
}
