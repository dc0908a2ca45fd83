import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { ObservedStorage } from '../../content/storages.ts';
import { noise, openFlow, saveTask } from '../../flow/fixtures.ts';
import { markClosed } from '../collection/histories.ts';
import { check } from './whole-store.ts';

/** A store of three tasks that share a large content and have one of their own each, some of it as values. */
async function newStore(): Promise<{ storage: MemoryStorage; flow: FlowDataStore }> {
  const storage = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage });
  for (const [index, taskId] of ['a', 'b', 'c'].entries())
    await saveTask(
      flow,
      { shared: noise(270_000), own: noise(70_000, 2 + index), small: noise(20_000, 5 + index) },
      { taskId },
    );
  return { storage, flow };
}

async function collect(storage: DataStoreStorage): Promise<void> {
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content);
  await content.close();
}

const DEEDS: Record<string, (storage: MemoryStorage, flow: FlowDataStore) => Promise<unknown>> = {
  'a run is deleted and collected': async (storage) => {
    await markClosed(storage, 'a', 'DELETED');
    await markClosed(storage, 'b', 'DELETED');
    await markClosed(storage, 'c', 'DELETED');
    await collect(storage);
  },
  'the content of a task is given up and collected': async (storage) => {
    await markClosed(storage, 'b', 'PURGED');
    await collect(storage);
  },
  'a task is saved': (_, flow) =>
    saveTask(flow, { shared: noise(270_000), more: noise(300_000, 9) }, { taskId: 'b-2' }),
};

describe('beside others a check finds nothing, wherever it is when', () => {
  it.each(Object.entries(DEEDS))('%s', async (_, deed) => {
    let calls = Number.POSITIVE_INFINITY;
    // Each second request is enough: most are of one kind.
    for (let at = 0; at < calls; at += 2) {
      const { storage, flow } = await newStore();
      const paced = new ObservedStorage(storage, { localReads: false });
      let made = 0;
      let doing: Promise<unknown> | undefined;
      paced.before = async () => {
        if (made++ === at) doing = deed(storage, flow);
        await doing;
      };
      const { findings } = await check({ store: paced });
      expect(findings.filter(({ severity }) => severity !== 'notice')).toEqual([]);
      calls = made;
    }
  });
});
