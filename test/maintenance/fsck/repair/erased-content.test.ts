import { expect, it } from 'vitest';
import { copyStore } from '../../../../src/maintenance/copy-store.ts';
import { eraseFromStore } from '../../../../src/maintenance/erasure/erase-from-store.ts';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../../flow/fixtures.ts';
import { objectsWith } from '../../erasure/erased-store.ts';
import { faultsOf, stepsOf } from './damaged-stores.ts';

it.each([
  ['inline', noise(300, 7)],
  ['shared', noise(100_000, 7)],
])(
  'what was erased (%s) does not come back with a description that is lost, though a copy has it',
  async (_, secret) => {
    const store = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage: store });
    const kept = { a: noise(20_000), b: 'text' };
    await saveTask(flow, { ...kept, secret });
    const copy = new MemoryStorage();
    await copyStore({ from: store, to: copy });
    await eraseFromStore({ store, target: 'Test/r1/fit/0/secret', reason: 'asked for' });
    const erasures = (await objectNames(store, 'flows/')).filter((name) => name.includes('.ERASED.'));
    expect(erasures).toHaveLength(1);
    await store.delete(erasures);

    const steps = await stepsOf({ store, from: [copy] });

    expect(steps).toMatchObject([{ outcome: 'mended', how: 'rewritten' }]);
    expect(await faultsOf(store)).toEqual([]);
    expect(await objectsWith(store, secret)).toEqual([]);
    const task = await (await openFlow({ storage: store })).getTaskDataStore('r1/fit/0');
    expect(await task.loadArtifacts()).toEqual(kept);
    await errorOf(task.get('secret'), 'CONTENT_ERASED');
  },
);
