import type { DataStoreStorage, StorageDatabase } from '../../src/storage/contract.ts';
import { OF_ATTEMPTS } from '../../src/store-index/schema.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { openFlow } from '../flow/fixtures.ts';

/** What the index has of a run that is gone: so many attempts, each with so many leaves of metadata. */
export const GONE_ATTEMPTS = 600;
export const GONE_LEAVES = 9;

/** The index of a store in a database of which a run is gone, or all attempts of a run, and was not told yet. */
export async function indexOfGone(
  storage: DataStoreStorage,
  what: 'run' | 'attempts',
  rawDataPath?: string,
): Promise<{ database: StorageDatabase; index: StoreIndex }> {
  const flow = await openFlow({ flowName: 'Train', storage, ...(rawDataPath ? { rawDataPath } : {}) });
  await flow.task({ runId: 'kept', stepName: 'fit', taskId: '0' }, (task) => task.saveMetadata({ auc: 1 }));
  await flow.createRun({ runId: 'gone' });
  const index = await StoreIndex.open({ store: storage });
  afterThisTest(() => index.close());
  await index.catchUp();
  const database = storage.database as StorageDatabase;
  await database.write(function* () {
    yield {
      text: `with recursive n(at) as (select 0 union all select at + 1 from n where at < ${GONE_ATTEMPTS - 1})
        insert into attempts (flow, run, step, task, attempt, status, seen)
        select 'Train', 'gone', 'fit', cast(at as text), 0, 'done', 'attempt done' from n`,
    };
    for (let leaf = 0; leaf < GONE_LEAVES; leaf += 1)
      yield {
        text: `insert into metadata (attempt_id, path, number) select id, 'leaf${leaf}', 1 from attempts where run = 'gone'`,
      };
    if (what === 'attempts')
      yield {
        text: "insert into stowage_gone (name) select 'flows/Train/gone/fit/' || task || '/0.DONE' from attempts where run = 'gone'",
      };
  });
  if (what === 'run')
    for await (const { objects } of storage.list({ prefix: 'runs/Train/gone/' }))
      await storage.delete(objects.map(({ name }) => name));
  return { database, index };
}

/** Tells how many rows each transaction from now on takes away from attempts and what belongs to them. */
export async function watchRemoved(database: StorageDatabase): Promise<number[]> {
  const each = ['attempts', ...OF_ATTEMPTS].map((table) => `(select count(*) from ${table})`);
  const count = async (): Promise<number> => {
    const [row] = await database.read({ text: `select ${each.join(' + ')} as total` });
    return Number(row?.total);
  };
  const removed: number[] = [];
  let before = await count();
  const write = database.write.bind(database);
  database.write = async (work, options) => {
    const result = await write(work, options);
    const after = await count();
    removed.push(before - after);
    before = after;
    return result;
  };
  return removed;
}
