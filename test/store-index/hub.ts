import type { DataStoreStorage, StorageDatabase } from '../../src/storage/contract.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { openFlow } from '../flow/fixtures.ts';

/** So many attempts have read one, were all read by another one, and have one content. */
export const HUB_LINKS = 2500;
export const HUB = 'Train/r1/fit/hub/0';
export const JOIN = 'Train/r1/join/0/0';
export const HUB_KEY = '0123456789abcdef'.repeat(4);

/** The index of a store in a database, with attempts of very many links, which only the index has. */
export async function indexOfHub(
  storage: DataStoreStorage,
  rawDataPath?: string,
): Promise<{ database: StorageDatabase; index: StoreIndex }> {
  const flow = await openFlow({ flowName: 'Train', storage, ...(rawDataPath ? { rawDataPath } : {}) });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: 'hub' }, () => {});
  await flow.task({ runId: 'r1', stepName: 'join', taskId: '0' }, () => {});
  const index = await StoreIndex.open({ store: storage });
  afterThisTest(() => index.close());
  await index.catchUp();
  const database = storage.database as StorageDatabase;
  await database.write(function* () {
    for (const text of [
      `with recursive n(at) as (select 0 union all select at + 1 from n where at < ${HUB_LINKS - 1})
        insert into attempts (flow, run, step, task, attempt, status, seen) select 'Train', 'r1', 'use', cast(at as text), 0, 'done', 'attempt done' from n`,
      "insert into reads select u.id, h.flow, h.run, h.step, h.task, h.attempt from attempts u, attempts h where u.step = 'use' and h.step = 'fit'",
      "insert into reads select j.id, u.flow, u.run, u.step, u.task, u.attempt from attempts u, attempts j where u.step = 'use' and j.step = 'join'",
      `insert into artifacts (attempt_id, name, type, key, lies) select id, 'x', 'number', '${HUB_KEY}', 'inline' from attempts where step = 'use'`,
    ])
      yield { text };
  });
  return { database, index };
}
