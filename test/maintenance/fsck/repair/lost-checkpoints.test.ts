import { expect, it } from 'vitest';
import { copyStore } from '../../../../src/maintenance/copy-store.ts';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { bodyOf, namesOf } from '../../../content/storages.ts';
import { noise, openFlow } from '../../../flow/fixtures.ts';
import { faultsOf, stepsOf } from './damaged-stores.ts';

it('the last checkpoint of an attempt that failed comes back, though an earlier one is there', async () => {
  const [store, copy] = [new MemoryStorage(), new MemoryStorage()];
  const flow = await openFlow({ storage: store });
  const failed = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
  await failed.checkpoint.save({ epoch: 1, state: noise(70_000, 1) });
  const [first = ''] = await namesOf(store, 'partial/');
  const earlier = await bodyOf(store, first);
  await failed.checkpoint.save({ epoch: 2, state: noise(70_000, 2) });
  const last = (await namesOf(store, 'partial/')).at(-1) as string;
  await failed.fail(new Error('diverged'));
  await copyStore({ from: store, to: copy });
  await store.delete([first, last]);
  await store.create(first, earlier);

  expect(await stepsOf({ store, from: [copy] })).toMatchObject([{ outcome: 'mended', object: last }]);

  expect(await faultsOf(store)).toEqual([]);
  const retry = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
  expect(await retry.checkpoint.load()).toEqual({ epoch: 2, state: noise(70_000, 2) });
});
