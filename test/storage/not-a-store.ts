import { expect } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { errorOf, objectNames } from '../flow/fixtures.ts';

const text = (value: string) => new TextEncoder().encode(value);
const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

/**
 * What holds where objects of others lie: reading says that there is no store, and makes none; a store may be made beside
 * them, and lives with them; but where its own file is another's, nothing is read or written.
 *
 * @param newStorage a storage of an empty place
 */
export async function expectToLiveBesideOthers(newStorage: () => Promise<DataStoreStorage>): Promise<void> {
  const shared = await newStorage();
  const others = [
    'README.md',
    'data/2024/table.parquet',
    'flows.csv',
    'flows/readme.txt',
    'runs/Train/notes.txt',
  ];
  for (const name of others) await shared.create(name, text('of others'));
  const flow = await FlowDataStore.open({ flowName: 'Train', storage: shared });
  const missing = await errorOf(flow.getTaskDataStore('r1/fit/0'), 'NO_SUCH_STORE');
  expect(missing.message).toMatch(/first save/);
  expect(await objectNames(shared)).toEqual([...others].sort());
  await flow.task(spec, (task) => task.saveArtifacts({ auc: 0.91, noise: new Uint8Array(100_000) }));
  expect(await (await flow.getTaskDataStore('r1/fit/0')).get('auc')).toBe(0.91);
  expect((await flow.runs()).map(({ run }) => run.runId)).toEqual(['r1']);
  for (const name of others) expect((await shared.get(name))?.body).toEqual(text('of others'));
  await flow.close();
  await shared.close();

  const taken = await newStorage();
  await taken.create('stowage.json', text('<html>my site</html>'));
  const blocked = await FlowDataStore.open({ flowName: 'Train', storage: taken });
  await errorOf(blocked.getTaskDataStore('r1/fit/0'), 'NOT_A_STORE');
  await errorOf(
    blocked.task(spec, async () => {}),
    'NOT_A_STORE',
  );
  expect(await objectNames(taken)).toEqual(['stowage.json']);
  await blocked.close();
  await taken.close();
}
