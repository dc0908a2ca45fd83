import { describe, expect, it, test } from 'vitest';
import { newSessionId } from '../../src/format/session-id.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage } from '../../src/storage/open.ts';
import { errorOf, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { codeOf, freshStore, namesOf, ObservedStorage } from './storages.ts';

/** A store whose stowage.json was lost, and its id. */
async function lostStore(): Promise<{ storage: MemoryStorage; id: string }> {
  const storage = new MemoryStorage();
  const flow = await openFlow({ storage });
  await saveTask(flow, { a: 1 });
  const id = await flow.caStore.storeId();
  await storage.delete(['stowage.json']);
  return { storage, id };
}

describe('a store that lost its stowage.json', () => {
  test.each(['runs/', 'flows/', 'loose/'])(
    'gets no other identity unasked, if all that is left is in %s',
    async (folder) => {
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      await saveTask(flow, { a: 1 });
      await flow.caStore.saveBlobs([Buffer.from('x')]);
      await storage.delete((await namesOf(storage)).filter((name) => !name.startsWith(folder)));
      const before = await namesOf(storage);
      const { message } = await errorOf(saveTask(await openFlow({ storage }), { a: 2 }), 'NOT_A_STORE');
      expect(message).toContain(`${folder}`);
      expect(await codeOf(freshStore(storage).saveBlobs([Buffer.from('x')]))).toBe('NOT_A_STORE');
      expect(await namesOf(storage)).toEqual(before);
      expect(await codeOf(() => freshStore(storage).storeId())).toBe('NO_SUCH_STORE');
    },
  );

  it('is given the id that it had, or a new one, by who says so', async () => {
    const { storage, id } = await lostStore();
    await saveTask(await openFlow({ storage, lostIdentity: id }), { a: 2 }, { runId: 'r2' });
    expect(await freshStore(storage).storeId()).toBe(id);
    expect(await (await (await openFlow({ storage })).getTaskDataStore('r1/fit/0')).get('a')).toBe(1);
    const other = await lostStore();
    await saveTask(
      await openFlow({ storage: other.storage, lostIdentity: 'new' }),
      { a: 2 },
      { runId: 'r2' },
    );
    expect(await freshStore(other.storage).storeId()).not.toBe(other.id);
  });

  test.each(['', 'old', 5, null, 'x'.repeat(26)])('is called by no %j', async (lostIdentity) => {
    expect(await codeOf(() => freshStore(new MemoryStorage(), { lostIdentity: lostIdentity as 'new' }))).toBe(
      'INVALID_ARGUMENT',
    );
  });

  it('that somebody else makes in the meantime is used as it is', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const other = await openFlow({ storage: new MemoryStorage() });
    storage.before = async (operation, name) => {
      if (operation !== 'list' || name !== '') return;
      storage.before = () => {};
      await saveTask(await openFlow({ storage }), { a: 1 });
    };
    const store = freshStore(storage);
    await store.saveBlobs([Buffer.from('x')]);
    expect(await store.storeId()).toBe(await freshStore(storage).storeId());
    await other.close();
  });
});

describe('a new store', () => {
  it('is made beside what others keep there, in folders called like its own', async () => {
    const storage = new MemoryStorage();
    const strange = [
      'runs/2026/results.csv',
      'flows/a',
      'loose/change',
      'data/x',
      'runs/a/b/c/created.json',
      'README.md',
    ];
    for (const name of strange) await storage.create(name, Buffer.from('x'));
    const id = newSessionId();
    const flow = await openFlow({ storage, lostIdentity: id });
    await saveTask(flow, { a: 1 });
    expect(await flow.caStore.storeId()).not.toBe(id);
  });

  it('costs one LIST to be told from one that was lost', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    await freshStore(storage).prepareToWrite();
    expect(storage.calls).toEqual(['get stowage.json', 'list ', 'create stowage.json']);
  });
});

describe('a storage that names its files in another way than the store', () => {
  it('is refused by who opened it before the store was made, for writing and reading', async () => {
    const folder = `${scratchFolder()}/store`;
    const opened = (names: 'exact' | 'fold') => openStorage(folder, { local: { names } });
    const early = await openFlow({ storage: await opened('exact') });
    await saveTask(await openFlow({ storage: await opened('fold') }), { a: 1 });
    const { message } = await errorOf(saveTask(early, { a: 2 }), 'NOT_A_STORE');
    expect(message).toContain('`fold`');
    await errorOf(early.getTaskDataStore('r1/fit/0'), 'NOT_A_STORE');
    // Opened now, the record decides.
    expect(
      await (await (await openFlow({ storage: await opened('exact') })).getTaskDataStore('r1/fit/0')).get(
        'a',
      ),
    ).toBe(1);
  });
});
