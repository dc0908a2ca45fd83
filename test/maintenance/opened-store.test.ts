import { describe, expect, it } from 'vitest';
import { closing, openForMaintenance, withStore } from '../../src/maintenance/opened-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';

class ClosingStorage extends StorageDecorator {
  closed = 0;

  override async close(): Promise<void> {
    this.closed += 1;
    await super.close();
  }
}

/** Decorates storages, and keeps what it made. */
function decorator(): {
  opened: ClosingStorage[];
  decorate: (storage: DataStoreStorage) => DataStoreStorage;
} {
  const opened: ClosingStorage[] = [];
  const decorate = (storage: DataStoreStorage): DataStoreStorage => {
    const decorated = new ClosingStorage(storage);
    opened.push(decorated);
    return decorated;
  };
  return { opened, decorate };
}

describe('a store that is opened for maintenance', () => {
  it('is closed, and its places with it, once the work has ended or failed', async () => {
    const [store, place] = [scratchFolder(), scratchFolder()];
    const flow = await openFlow({ storage: store, rawDataPath: place });
    await saveTask(flow, { model: new Uint8Array(300_000) });
    await flow.close();
    for (const ends of [true, false]) {
      const { opened, decorate } = decorator();
      const work = withStore({ store }, decorate, async ({ content }) => {
        const [{ id = '' } = {}] = await content.otherPlaces.list({});
        await content.at(id, {});
        if (!ends) throw new RangeError('no more');
        return opened.map(({ closed }) => closed);
      });
      if (ends) expect(await work).toEqual([0, 0]);
      else await expect(work).rejects.toThrow('no more');
      expect(opened.map(({ closed }) => closed)).toEqual([1, 1]);
    }
  });

  it('stays open where it was given, and is not decorated', async () => {
    const storage = new MemoryStorage();
    await (await openFlow({ storage })).createRun({ runId: 'r1' });
    const { opened, decorate } = decorator();
    const id = await withStore({ store: storage }, decorate, ({ content }) => content.storeId());
    expect(id).toMatch(/^[0-9a-v]{26}$/);
    expect(opened).toEqual([]);
    expect(await storage.head('stowage.json')).toBeDefined();
  });

  it('counts every request', async () => {
    const storage = new MemoryStorage();
    await (await openFlow({ storage })).createRun({ runId: 'r1' });
    const opened = await openForMaintenance({ store: storage });
    await closing([opened], async () => {
      await opened.storage.head('runs/Test/r1/created.json');
    });
    expect(opened.counted.map((counting) => counting.snapshot().head.calls)).toEqual([1]);
  });

  it('that is not there is NO_SUCH_STORE, and is closed', async () => {
    const { opened, decorate } = decorator();
    const work = withStore({ store: scratchFolder() }, decorate, async () => 'worked');
    expect(await errorOf(work)).toMatchObject({ code: 'NO_SUCH_STORE' });
    expect(opened.map(({ closed }) => closed)).toEqual([1]);
  });
});
